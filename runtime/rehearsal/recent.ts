/**
 * The readings of the last while, kept so that a window that somebody asks about for the first time in the middle of a
 * story can be filled as the live gateway fills it from its store. Bounded in time and in number [I6].
 */
import type { PastReading, PastSeries } from './past.ts'

/** About 100 MB. A day of ten readings a second; of more, windows that are asked about late hold the newest of them. */
const readingsMax = 1_000_000

export type Asked = {
  readonly takes: (series: PastSeries) => boolean
  /** All with an own time from here on; undefined for none of them. */
  readonly fromMs: number | undefined
  /** Besides, so many of the newest that are not late, and what came late since then. */
  readonly newest: number
  readonly isLate: (reading: PastReading) => boolean
}

export class Recent {
  readonly #keptMs: number
  readonly #readingsMax: number
  readonly #bySeries = new Map<PastSeries, PastReading[]>()
  #count = 0

  constructor(keptMs: number, most = readingsMax) {
    this.#keptMs = keptMs
    this.#readingsMax = most
  }

  add(reading: PastReading): void {
    const { series, arrivalMs } = reading
    let kept = this.#bySeries.get(series)
    if (kept === undefined) this.#bySeries.set(series, (kept = []))
    // Now and then, so that each reading is moved but a few times.
    const oldest = kept[kept.length >> 1]
    if (oldest !== undefined && kept.length >= 64 && oldest.arrivalMs < arrivalMs - this.#keptMs) {
      this.#drop(kept, kept.length >> 1)
    }
    kept.push(reading)
    this.#count++
    if (this.#count > this.#readingsMax) for (const each of this.#bySeries.values()) this.#drop(each, each.length >> 1)
  }

  /** In the order of the log. */
  of({ takes, fromMs = Number.POSITIVE_INFINITY, newest, isLate }: Asked): readonly PastReading[] {
    const found: PastReading[] = []
    for (const [series, kept] of this.#bySeries) if (takes(series)) for (const reading of kept) found.push(reading)
    found.sort((a, b) => a.seq - b.seq)
    let firstNewest = found.length
    for (let missing = newest; missing > 0 && firstNewest > 0; ) {
      firstNewest--
      if (!isLate(found[firstNewest] as PastReading)) missing--
    }
    return found.filter(
      ({ deviceTimeMs, arrivalMs }, index) => index >= firstNewest || (deviceTimeMs ?? arrivalMs) >= fromMs,
    )
  }

  #drop(kept: PastReading[], count: number): void {
    kept.splice(0, count)
    this.#count -= count
  }
}
