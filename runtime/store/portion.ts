/** The first so many readings after a place, out of any number that come in any order. Pure; holds twice as many. */
import { type Order, type Place, type ReadingEntry, timeOf } from './types.ts'

type Candidate = { readonly timeMs: number; readonly seq: number; readonly entry: ReadingEntry }

export class Portion {
  readonly most: number
  readonly #isUp: boolean
  readonly #after: Place | undefined
  #found: Candidate[] = []
  /** Nothing beyond this one is wanted any more. */
  #last: Candidate | undefined

  constructor(order: Order, most: number, after: Place | undefined) {
    this.#isUp = order === 'asc'
    this.most = most
    this.#after = after
  }

  /** True if there is more than fits: another portion follows. */
  isCut = false

  wants(timeMs: number, seq: number): boolean {
    if (this.#after !== undefined && this.#compare(timeMs, seq, this.#after) <= 0) return false
    if (this.#last === undefined || this.#compare(timeMs, seq, this.#last) < 0) return true
    this.isCut = true
    return false
  }

  add(entry: ReadingEntry): void {
    if (this.#found.push({ timeMs: timeOf(entry), seq: entry.seq, entry }) >= 2 * this.most) this.#cut()
  }

  /** In order. */
  take(): readonly ReadingEntry[] {
    this.#cut()
    return this.#found.map(({ entry }) => entry)
  }

  #cut(): void {
    this.#found.sort((a, b) => this.#compare(a.timeMs, a.seq, b))
    if (this.#found.length <= this.most) return
    this.isCut = true
    this.#found.length = this.most
    this.#last = this.#found.at(-1)
  }

  /** Below zero: the first comes before the second. */
  #compare(timeMs: number, seq: number, other: { readonly timeMs: number; readonly seq: number }): number {
    const distance = timeMs - other.timeMs || seq - other.seq
    return this.#isUp ? distance : -distance
  }
}
