/** What an import has met: how many, of what, from when to when, and the first of what was wrong. Pure. */
import type { Item } from '../../transfer/items.ts'
import type { Found } from './item-reader.ts'

export type Problem = { readonly line: number; readonly reason: string }

/** More than a person reads. */
const problemsMax = 20
/** As many names as a table of series can have. */
const seriesMax = 100_000

export class Tally {
  good = 0
  bad = 0
  readonly problems: Problem[] = []
  readonly #series = new Set<string>()
  #fromMs = Number.POSITIVE_INFINITY
  #toMs = Number.NEGATIVE_INFINITY

  note(found: Found): void {
    if ('fault' in found) {
      this.bad++
      if (this.problems.length < problemsMax) this.problems.push({ line: found.line, reason: found.fault })
      return
    }
    this.good++
    this.#noteItem(found.item)
  }

  get series(): number {
    return this.#series.size
  }

  /** The times of the first and the last reading by their own time. */
  get range(): { readonly from: string; readonly to: string } | undefined {
    if (this.#fromMs > this.#toMs) return undefined
    return { from: new Date(this.#fromMs).toISOString(), to: new Date(this.#toMs).toISOString() }
  }

  #noteItem(item: Item): void {
    if (!('device' in item)) return
    if (this.#series.size < seriesMax) this.#series.add(`${item.device}/${item.metric}/${item.unit ?? ''}`)
    const timeMs = item.deviceTimeMs ?? Number.NaN
    if (timeMs < this.#fromMs) this.#fromMs = timeMs
    if (timeMs > this.#toMs) this.#toMs = timeMs
  }
}
