/**
 * The end of a table's log, by series: after a start thousands of histories ask for the newest of theirs, and reading that
 * stretch once is cheaper than a question to the store for each. Kept while histories are being filled, no longer.
 */
import type { JudgedReading } from '../../rules/judge/reading.ts'
import type { Store } from '../store/store.ts'
import { type ReadingEntry, type Seq, asSeq } from '../store/types.ts'

/** Positions looked back, and at most twice as many kept: a few megabytes. */
const span = 16_384
const batch = 1_024

export class Recent {
  readonly #table: string
  readonly #store: Store
  #byName = new Map<string, ReadingEntry[]>()
  #after: Seq = asSeq(0)
  #through: Seq = asSeq(0)

  constructor(table: string, store: Store) {
    this.#table = table
    this.#store = store
  }

  /** What stands further back than this is not known here. */
  get after(): Seq {
    return this.#after
  }

  forget(): void {
    this.#byName = new Map()
    this.#after = this.#through = asSeq(0)
  }

  /** Knows the log up to before a place. */
  async reach(beforeSeq: number): Promise<void> {
    const isFar = beforeSeq - 1 - this.#through > span || beforeSeq - this.#after > 2 * span
    if (this.#through === 0 || isFar) {
      this.forget()
      this.#after = this.#through = asSeq(Math.max(0, beforeSeq - 1 - span))
    }
    while (this.#through < beforeSeq - 1) {
      const entries = await this.#store.read(this.#table, this.#through, Math.min(batch, beforeSeq - 1 - this.#through))
      if (entries.length === 0) return
      for (const entry of entries) {
        if (entry.seq >= beforeSeq) return
        if (entry.kind === 'reading') this.#add(entry)
        this.#through = entry.seq
      }
    }
  }

  /** The readings of a series, or of a pattern, that stand before a place: the newest first. */
  back(device: string, metric: string, takes: (entry: JudgedReading) => boolean, beforeSeq: number): ReadingEntry[] {
    const isPattern = device.includes('*') || metric.includes('*')
    const lists = isPattern ? [...this.#byName.values()] : [this.#byName.get(nameOf(device, metric)) ?? []]
    const all = lists.flatMap(list => list.filter(entry => entry.seq < beforeSeq && takes(entry)))
    return isPattern ? all.toSorted((a, b) => b.seq - a.seq) : all.toReversed()
  }

  #add(entry: ReadingEntry): void {
    const name = nameOf(entry.series.device, entry.series.metric)
    const list = this.#byName.get(name)
    if (list) list.push(entry)
    else this.#byName.set(name, [entry])
  }
}

const nameOf = (device: string, metric: string): string => `${device}\0${metric}`
