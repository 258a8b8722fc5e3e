/**
 * How far the readings of one series lie behind their arrival, and which of them are late [semantics: late readings never
 * page]. Pure.
 *
 * A device with a slow clock is always behind by the same: the base is the least lag seen. What exceeds it is history:
 * a backlog after an outage, a day filled in. A lag that has grown and then stays the same for ten minutes of arrival is a
 * clock that was set: from there on it is the base. A backlog comes nearer to now with each reading and never stays.
 *
 * A series that begins far behind begins with history: a device that empties its memory, an import. There is no base yet
 * then; a clock that is only wrong stays, and is the base after ten minutes.
 *
 * Promises: whole seconds, so that what is saved is all that is known, and it is seldom saved; a reading without a time,
 * or of a clock that is not set yet (before 2020), is never late. A series that began without times has no lag.
 *
 * What was late when it came stays so when it is read again from the store, though the base is another by then: the base
 * changes with nothing but readings that are not late, so the one before the last change and its place in the log are
 * enough to tell the newest two that were not late from all that came between and after them.
 */
import { clockSetMs, lagOfNewcomerMsMax, lagSettledMs, lagStepMs } from './limits.ts'
import type { JudgedReading } from './reading.ts'

/** JSON. Times of arrival and differences to it: all of them move when the gateway's clock is corrected. */
export type SavedLag = {
  readonly leastMs: number
  readonly risenMs?: number
  readonly sinceMs?: number
  /** The reading that it is known since. Older versions did not say: it always was. */
  readonly fromSeq?: number
  /** What it was before; absent where nothing was known. */
  readonly formerMs?: number
}

export class Lag {
  /** The least seen; below zero where the device's clock is ahead. NaN before the first reading with a time. */
  leastMs: number
  /** A greater one that has begun, and the arrival that began it; NaN if none has. */
  #risenMs: number
  #sinceMs: number
  /** The least is what it is since this place in the log, and was another before; NaN before anything was known. */
  #fromSeq: number
  #formerMs: number
  isDirty = false

  constructor(saved: SavedLag | undefined) {
    this.leastMs = saved?.leastMs ?? Number.NaN
    this.#risenMs = saved?.risenMs ?? Number.NaN
    this.#sinceMs = saved?.sinceMs ?? Number.NaN
    this.#fromSeq = saved?.fromSeq ?? Number.NEGATIVE_INFINITY
    this.#formerMs = saved?.formerMs ?? Number.NaN
  }

  /** The usual lag, not below zero. */
  get baseMs(): number {
    return this.leastMs > 0 ? this.leastMs : 0
  }

  /** By how much a reading that was met exceeded the base when it came. */
  excessMs({ arrivalMs, deviceTimeMs, seq }: JudgedReading): number {
    const leastMs = seq < this.#fromSeq ? this.#formerMs : this.leastMs
    if (!saysWhen(deviceTimeMs)) return 0
    const lagMs = lagOf(arrivalMs, deviceTimeMs)
    if (Number.isNaN(leastMs)) return lagMs > lagOfNewcomerMsMax ? lagMs : 0
    return Math.max(0, lagMs - Math.max(0, leastMs))
  }

  /** What `meet` will say of the next reading. */
  foreseeMs({ arrivalMs, deviceTimeMs }: JudgedReading, toleranceMs: number): number {
    if (!saysWhen(deviceTimeMs)) return 0
    const lagMs = lagOf(arrivalMs, deviceTimeMs)
    if (this.#isFirst(lagMs)) return 0
    const excessMs = lagMs - this.baseMs
    const isUsual = excessMs <= toleranceMs || this.#hasStayed(lagMs, arrivalMs, toleranceMs, lagSettledMs)
    return isUsual ? 0 : excessMs
  }

  /** Takes note of the next reading. By how much its lag exceeds the base; `toleranceMs` of that are nothing to speak of. */
  meet({ arrivalMs, deviceTimeMs, seq }: JudgedReading, toleranceMs: number): number {
    if (!saysWhen(deviceTimeMs)) {
      if (deviceTimeMs === undefined && Number.isNaN(this.leastMs)) this.#become(0, seq)
      return 0
    }
    const lagMs = lagOf(arrivalMs, deviceTimeMs)
    if (this.#isFirst(lagMs) || lagMs < this.leastMs) this.#become(lagMs, seq)
    const excessMs = lagMs - this.baseMs
    if (excessMs <= toleranceMs) {
      if (!Number.isNaN(this.#risenMs)) this.#rise(Number.NaN, Number.NaN)
      return 0
    }
    if (!this.#hasStayed(lagMs, arrivalMs, toleranceMs, 0)) this.#rise(lagMs, arrivalMs)
    else if (arrivalMs - this.#sinceMs >= lagSettledMs) {
      this.#become(Math.min(this.#risenMs, lagMs), seq)
      return 0
    }
    return excessMs
  }

  save(): SavedLag {
    this.isDirty = false
    return {
      leastMs: this.leastMs,
      ...(!Number.isNaN(this.#risenMs) && { risenMs: this.#risenMs, sinceMs: this.#sinceMs }),
      ...(Number.isFinite(this.#fromSeq) && { fromSeq: this.#fromSeq }),
      ...(!Number.isNaN(this.#formerMs) && { formerMs: this.#formerMs }),
    }
  }

  /** Nothing is known yet, and this is not far behind. */
  #isFirst(lagMs: number): boolean {
    return Number.isNaN(this.leastMs) && lagMs <= lagOfNewcomerMsMax
  }

  /** A greater lag has stayed the same for so long. */
  #hasStayed(lagMs: number, arrivalMs: number, toleranceMs: number, forMs: number): boolean {
    return Math.abs(lagMs - this.#risenMs) <= toleranceMs && arrivalMs - this.#sinceMs >= forMs
  }

  #rise(risenMs: number, sinceMs: number): void {
    this.#risenMs = risenMs
    this.#sinceMs = sinceMs
    this.isDirty = true
  }

  #become(leastMs: number, seq: number): void {
    this.#formerMs = this.leastMs
    this.#fromSeq = seq
    this.leastMs = leastMs
    this.#rise(Number.NaN, Number.NaN)
  }
}

/** Whether a device knows what time it is. */
function saysWhen(deviceTimeMs: number | undefined): deviceTimeMs is number {
  return deviceTimeMs !== undefined && deviceTimeMs >= clockSetMs
}

function lagOf(arrivalMs: number, deviceTimeMs: number): number {
  return Math.floor((arrivalMs - deviceTimeMs) / lagStepMs) * lagStepMs
}
