/**
 * What local clocks show: hour, minute, weekday and time of day in a zone, with its daylight saving. Pure: asked about an
 * instant. What a zone is ahead by is remembered for some minutes, because asking for it takes microseconds, and readings
 * come by the thousand in one.
 */
import { zoneOffsets } from '../../runtime/schedule.ts'

const minuteMs = 60_000
const dayMs = 86_400_000
/** Live readings, and those of some backlogs that come at the same time, each have their own minute. */
const remembered = 64

export const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const

export class WallClock {
  readonly #offsetMs: (atMs: number) => number
  readonly #minutes = new Float64Array(remembered).fill(Number.NaN)
  readonly #offsets = new Float64Array(remembered)

  constructor(offsetMs: (atMs: number) => number) {
    this.#offsetMs = offsetMs
  }

  hour(atMs: number): number {
    return Math.floor(this.#ofDay(atMs) / 60)
  }

  minute(atMs: number): number {
    return this.#ofDay(atMs) % 60
  }

  weekday(atMs: number): string {
    const days = Math.floor(this.#local(atMs) / dayMs)
    // Day 0, the first of 1970, was a Thursday.
    return weekdays[(((days + 4) % 7) + 7) % 7] ?? 'thu'
  }

  /** As `HH:MM`, so that texts are in the order of times. */
  timeOfDay(atMs: number): string {
    return times[this.#ofDay(atMs)] ?? '00:00'
  }

  /** Whole minutes since local midnight. */
  #ofDay(atMs: number): number {
    const local = this.#local(atMs)
    return Math.floor((local - Math.floor(local / dayMs) * dayMs) / minuteMs)
  }

  /** No zone changes its offset within a minute of UTC. */
  #local(atMs: number): number {
    const minute = Math.floor(atMs / minuteMs)
    const slot = ((minute % remembered) + remembered) % remembered
    if (this.#minutes[slot] !== minute) {
      this.#minutes[slot] = minute
      this.#offsets[slot] = this.#offsetMs(minute * minuteMs)
    }
    return atMs + (this.#offsets[slot] ?? 0)
  }
}

const twoDigits = (number: number): string => String(number).padStart(2, '0')
const times = Array.from({ length: 1_440 }, (_, at) => `${twoDigits(Math.floor(at / 60))}:${twoDigits(at % 60)}`)

/** One for each zone that rules name: few, and each small. */
const clocks = new Map<string, WallClock>()

/** Undefined if there is no such zone. */
export function wallClockIn(zone: string): WallClock | undefined {
  const known = clocks.get(zone)
  if (known) return known
  const offsetMs = zoneOffsets(zone)
  if (!offsetMs) return undefined
  const clock = new WallClock(offsetMs)
  clocks.set(zone, clock)
  return clock
}
