/**
 * Intervals of time, aligned to absolute time: 15 minutes begin at :00, :15, :30 and :45 whenever one asks, days at midnight,
 * weeks on Monday; days and weeks in a time zone, where some have 23 hours and some 25. Pure.
 */
import { zoneOffsets } from '../schedule.ts'

export type Intervals = {
  /** The beginning of the interval that a time is in. */
  startOf(timeMs: number): number
  /** The beginning of the one after that which begins then. */
  next(startMs: number): number
  /** True if each is made of whole intervals of that length, which begin at the epoch. */
  fits(lengthMs: number): boolean
}

const dayMs = 86_400_000
/** 1970 began on a Thursday. */
const mondayMs = 4 * dayMs

/** Undefined if there is no such zone. Zones matter for whole days alone. */
export function intervalsOf(everyMs: number, zone = 'UTC'): Intervals | undefined {
  const phaseMs = everyMs % (7 * dayMs) === 0 ? mondayMs : 0
  if (zone === 'UTC' || everyMs % dayMs !== 0) return new EvenIntervals(everyMs, phaseMs)
  const offsetMs = zoneOffsets(zone)
  return offsetMs && new DaysOfZone(everyMs, phaseMs, offsetMs)
}

/** All time as one interval, which begins with the query; without a beginning, with the first reading of each series. */
export const oneInterval = (fromMs = Number.NEGATIVE_INFINITY): Intervals => ({
  startOf: () => fromMs,
  next: () => Number.POSITIVE_INFINITY,
  fits: () => true,
})

class EvenIntervals implements Intervals {
  readonly #everyMs: number
  readonly #phaseMs: number

  constructor(everyMs: number, phaseMs: number) {
    this.#everyMs = everyMs
    this.#phaseMs = phaseMs
  }

  startOf(timeMs: number): number {
    return Math.floor((timeMs - this.#phaseMs) / this.#everyMs) * this.#everyMs + this.#phaseMs
  }

  next(startMs: number): number {
    return startMs + this.#everyMs
  }

  fits(lengthMs: number): boolean {
    return this.#everyMs % lengthMs === 0 && this.#phaseMs % lengthMs === 0
  }
}

/** Local clocks differ from UTC by quarters of an hour. */
const zoneStepMs = 900_000

class DaysOfZone implements Intervals {
  readonly #everyMs: number
  readonly #phaseMs: number
  readonly #offsetMs: (atMs: number) => number
  /** The interval that was asked about last. */
  #known = { startMs: Number.NaN, endMs: Number.NaN }

  constructor(everyMs: number, phaseMs: number, offsetMs: (atMs: number) => number) {
    this.#everyMs = everyMs
    this.#phaseMs = phaseMs
    this.#offsetMs = offsetMs
  }

  startOf(timeMs: number): number {
    if (timeMs >= this.#known.startMs && timeMs < this.#known.endMs) return this.#known.startMs
    const localMs = timeMs + this.#offsetMs(timeMs)
    let local = Math.floor((localMs - this.#phaseMs) / this.#everyMs) * this.#everyMs + this.#phaseMs
    // Where midnight comes twice, or not at all, the day of a local time may be a neighbour's.
    while (this.#instantOf(local) > timeMs) local -= this.#everyMs
    while (this.#instantOf(local + this.#everyMs) <= timeMs) local += this.#everyMs
    this.#known = { startMs: this.#instantOf(local), endMs: this.#instantOf(local + this.#everyMs) }
    return this.#known.startMs
  }

  next(startMs: number): number {
    this.startOf(startMs)
    return this.#known.endMs
  }

  fits(lengthMs: number): boolean {
    return zoneStepMs % lengthMs === 0
  }

  /** The instant at which local clocks show a midnight, or pass it. */
  #instantOf(localMs: number): number {
    let [low, high] = [localMs - dayMs, localMs + dayMs]
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (middle + this.#offsetMs(middle) >= localMs) high = middle
      else low = middle
    }
    return high
  }
}
