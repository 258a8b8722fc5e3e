/** How long something took, as counts of cumulative buckets: what a histogram of Prometheus is made of. */

/** Seconds. A good disk syncs in some milliseconds, a worn card in hundreds; beyond that it is stuck. */
export const durationBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const

export type DurationCounts = {
  /** For each of the bounds, how many took no longer. */
  readonly within: readonly number[]
  readonly count: number
  readonly seconds: number
}

export class Durations {
  readonly #within = durationBounds.map(() => 0)
  #count = 0
  #seconds = 0

  add(ms: number): void {
    const seconds = ms / 1000
    this.#count++
    this.#seconds += seconds
    for (let index = durationBounds.length - 1; index >= 0 && seconds <= (durationBounds[index] as number); index--)
      this.#within[index] = (this.#within[index] as number) + 1
  }

  counts(): DurationCounts {
    return { within: [...this.#within], count: this.#count, seconds: this.#seconds }
  }
}
