/**
 * A pretend wall clock: set wrong, drifting, stepping forward and back, and on a board without a battery starting in
 * 1970 until a time server answers.
 */
import type { Timeline } from './timeline.ts'

/** The pretend beginning of every run. */
export const beganMs = Date.UTC(2026, 10, 20)

export class WallClock {
  readonly #timeline: Timeline
  /** How far it is ahead of true time, by more with every millisecond if it drifts. */
  offsetMs: number
  drift: number
  #bootedAtMs: number | undefined

  constructor(timeline: Timeline, offsetMs: number, drift: number) {
    this.#timeline = timeline
    this.offsetMs = offsetMs
    this.drift = drift
  }

  /** Switched on without a battery: the time is unknown. */
  forget(): void {
    this.#bootedAtMs = this.#timeline.nowMs
  }

  /** A time server has answered. */
  learn(): void {
    this.#bootedAtMs = undefined
  }

  wallMs(): number {
    const { nowMs } = this.#timeline
    if (this.#bootedAtMs !== undefined) return Math.floor(nowMs - this.#bootedAtMs)
    return Math.floor(beganMs + nowMs * (1 + this.drift) + this.offsetMs)
  }
}
