/**
 * How long ago something was, though the gateway was off meanwhile and its clock may not be trusted: the most that is
 * sure. While the process runs, the monotonic clock counts; the wall clock counts from when it was trusted to when it
 * is. So a clock that jumps, or a boot in 1970, never makes anything older than it is.
 */
export type AgeClock = {
  readonly monotonicMs: () => number
  /** Milliseconds since 1970, while they can be trusted. */
  readonly trustedMs: () => number | undefined
}

/** What is written down of an age: when it began, if that is known, and how much of it was counted. */
export type AgeNote = { readonly sinceMs: number | undefined; readonly countedMs: number }

export class Age {
  readonly #clock: AgeClock
  #sinceMs: number | undefined
  #countedMs: number
  #fromMs: number

  constructor(clock: AgeClock, note?: AgeNote) {
    this.#clock = clock
    this.#sinceMs = note ? note.sinceMs : clock.trustedMs()
    this.#countedMs = note?.countedMs ?? 0
    this.#fromMs = clock.monotonicMs()
  }

  get ms(): number {
    const countedMs = this.#countedMs + this.#clock.monotonicMs() - this.#fromMs
    const trustedMs = this.#clock.trustedMs()
    if (this.#sinceMs === undefined || trustedMs === undefined) return countedMs
    return Math.max(countedMs, trustedMs - this.#sinceMs)
  }

  note(): AgeNote {
    this.#countedMs = this.ms
    this.#fromMs = this.#clock.monotonicMs()
    const trustedMs = this.#clock.trustedMs()
    if (trustedMs !== undefined) this.#sinceMs ??= trustedMs - this.#countedMs
    return { sinceMs: this.#sinceMs, countedMs: this.#countedMs }
  }
}
