/**
 * When messages arrived, by the wall clock, worked out from two clocks that are looked at one after the other.
 *
 * Promises: of two messages the later one has no earlier time, though the two clocks differ by a millisecond each time they
 * are compared; otherwise the last value of a series would be one from before. A clock that was set back is believed.
 */

/** A millisecond of rounding, and what may pass between two looks at a busy machine. */
const jitterMs = 100

export class Arrivals {
  #lastMs = Number.NEGATIVE_INFINITY

  at(ms: number): number {
    const whole = Math.round(ms)
    const isJitter = whole < this.#lastMs && this.#lastMs - whole <= jitterMs
    if (!isJitter) this.#lastMs = whole
    return this.#lastMs
  }
}
