/**
 * How far the readings of one series lie behind their arrival, and which of them are late [semantics: late readings never
 * page]. Pure.
 *
 * A device with a slow clock is always behind by the same: the base is the least lag seen. What exceeds it is history:
 * a backlog after an outage, a day filled in. A lag that has grown and then stays the same for ten minutes of arrival is a
 * clock that was set: from there on it is the base. A backlog comes nearer to now with each reading and never stays.
 *
 * Promises: whole seconds, so that what is saved is all that is known, and it is seldom saved; a reading without a time,
 * or of a clock that is not set yet (before 2020), is never late. A series that began without times has no lag.
 */
import { clockSetMs, lagSettledMs, lagStepMs } from './limits.ts'

/** JSON. Times of arrival and differences to it: all of them move when the gateway's clock is corrected. */
export type SavedLag = { readonly leastMs: number; readonly risenMs?: number; readonly sinceMs?: number }

export class Lag {
  /** The least seen; below zero where the device's clock is ahead. NaN before the first reading with a time. */
  leastMs: number
  /** A greater one that has begun, and the arrival that began it; NaN if none has. */
  #risenMs: number
  #sinceMs: number
  isDirty = false

  constructor(saved: SavedLag | undefined) {
    this.leastMs = saved?.leastMs ?? Number.NaN
    this.#risenMs = saved?.risenMs ?? Number.NaN
    this.#sinceMs = saved?.sinceMs ?? Number.NaN
  }

  /** The usual lag, not below zero. */
  get baseMs(): number {
    return this.leastMs > 0 ? this.leastMs : 0
  }

  /** By how much a reading exceeds the base as it is. */
  excessMs(arrivalMs: number, deviceTimeMs: number | undefined): number {
    if (deviceTimeMs === undefined || deviceTimeMs < clockSetMs || Number.isNaN(this.leastMs)) return 0
    return Math.max(0, lagOf(arrivalMs, deviceTimeMs) - this.baseMs)
  }

  /** Takes note of a reading. By how much its lag exceeds the base; `toleranceMs` of that are nothing to speak of. */
  meet(arrivalMs: number, deviceTimeMs: number | undefined, toleranceMs: number): number {
    if (deviceTimeMs === undefined || deviceTimeMs < clockSetMs) {
      if (deviceTimeMs === undefined && Number.isNaN(this.leastMs)) this.#become(0)
      return 0
    }
    const lagMs = lagOf(arrivalMs, deviceTimeMs)
    if (!(lagMs >= this.leastMs)) this.#become(lagMs)
    const excessMs = lagMs - this.baseMs
    if (excessMs <= toleranceMs) {
      if (!Number.isNaN(this.#risenMs)) this.#become(this.leastMs)
      return 0
    }
    if (!(Math.abs(lagMs - this.#risenMs) <= toleranceMs) || arrivalMs < this.#sinceMs) {
      this.#risenMs = lagMs
      this.#sinceMs = arrivalMs
      this.isDirty = true
    } else if (arrivalMs - this.#sinceMs >= lagSettledMs) {
      this.#become(Math.min(this.#risenMs, lagMs))
      return 0
    }
    return excessMs
  }

  save(): SavedLag {
    this.isDirty = false
    const { leastMs } = this
    return Number.isNaN(this.#risenMs) ? { leastMs } : { leastMs, risenMs: this.#risenMs, sinceMs: this.#sinceMs }
  }

  #become(leastMs: number): void {
    this.leastMs = leastMs
    this.#risenMs = Number.NaN
    this.isDirty = true
  }
}

function lagOf(arrivalMs: number, deviceTimeMs: number): number {
  return Math.floor((arrivalMs - deviceTimeMs) / lagStepMs) * lagStepMs
}
