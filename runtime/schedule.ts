/**
 * Windows of time: opened by a cron expression in a time zone, and open for so long. Pure: every question carries the wall
 * time that it is about, nothing here ticks, waits or remembers.
 *
 * Promises: asking costs the same whatever the clock did since the last time, so that a step of years is never walked
 * (failure F8, N1). A local time that does not exist, because clocks go forward, opens at the next instant that does; one
 * that comes twice, because clocks go back, opens the first time only. node-cron says what an expression means, by a
 * calendar without daylight saving; its own timers, which follow the wall clock, are never started.
 */
import { createTask, parse, validateDetailed } from 'node-cron'

const minuteMs = 60_000
const dayMs = 86_400_000
/** How far ahead an opening is looked for: an expression may name one day of the year. */
const lookAheadDays = 367

export type Window = { readonly open: string; readonly forMs: number; readonly zone: string }

export type WindowState = {
  readonly isOpen: boolean
  /**
   * Nothing changes before this wall time. Of a closed window it is when it opens, undefined if not within a year; of an
   * open one the end of its latest opening, which a new one may have prolonged by then.
   */
  readonly untilMs: number | undefined
}

/** The instants that a cron expression of five fields names. */
export type Instants = {
  /** The last one up to `atMs` and after `afterMs`. */
  latest(atMs: number, afterMs: number): number | undefined
  /** The first one after `atMs`; undefined if there is none within a year. */
  next(atMs: number): number | undefined
}

export type CompiledInstants =
  | { readonly ok: true; readonly instants: Instants }
  | { readonly ok: false; readonly key: 'open' | 'zone'; readonly reason: string }

/** Reads a cron expression once. `key` says which of the two is wrong. */
export function compileInstants(open: string, zone: string): CompiledInstants {
  const reason = objectionTo(open)
  if (reason !== undefined) return { ok: false, key: 'open', reason }
  const offsetMs = zoneOffsets(zone)
  if (offsetMs !== undefined) return { ok: true, instants: new Openings(open, offsetMs) }
  return { ok: false, key: 'zone', reason: `"${zone}" is no time zone: write one such as UTC or Europe/Berlin` }
}

export type Schedule = { stateAt(wallMs: number): WindowState }

export type Compiled =
  | { readonly ok: true; readonly schedule: Schedule }
  | { readonly ok: false; readonly key: 'open' | 'zone'; readonly reason: string }

export function isTimeZone(zone: string): boolean {
  return zoneOffsets(zone) !== undefined
}

/** Reads a window once, for many questions. What is wrong with it is said by key, for a person. */
export function compileWindow({ open, forMs, zone }: Window): Compiled {
  const compiled = compileInstants(open, zone)
  return compiled.ok ? { ok: true, schedule: scheduleOf(compiled.instants, forMs) } : compiled
}

function objectionTo(open: string): string | undefined {
  if (open.trim().split(/\s+/).length !== 5) {
    return 'write a cron expression of five fields (minute, hour, day of month, month, day of week), such as "0 2 * * *"'
  }
  const { valid, errors } = validateDetailed(open)
  if (valid) return undefined
  return `"${open}" is no cron expression: ${errors.map(({ field, message }) => `${field}: ${plain(message)}`).join('; ')}`
}

const plain = (message: string): string => message.replace(/ is a invalid expression for .*/, ' is not valid there')

function scheduleOf(openings: Instants, forMs: number): Schedule {
  return {
    stateAt: wallMs => {
      const latest = openings.latest(wallMs, wallMs - forMs)
      return latest === undefined
        ? { isOpen: false, untilMs: openings.next(wallMs) }
        : { isOpen: true, untilMs: latest + forMs }
    },
  }
}

/**
 * The instants at which an expression opens. Local times are told as milliseconds of a calendar that has no daylight
 * saving (as if they were UTC); their instants are in the same order, which is what lets them be searched.
 */
class Openings implements Instants {
  /** The times of a day that matches, as milliseconds from its start, ascending. */
  readonly #times: readonly number[]
  readonly #isDay: (localDayMs: number) => boolean
  readonly #offsetMs: OffsetMs

  constructor(open: string, offsetMs: OffsetMs) {
    const { hour, minute } = parse(open)
    const byNumber = (a: number, b: number): number => a - b
    this.#times = hour
      .toSorted(byNumber)
      .flatMap(hours => minute.toSorted(byNumber).map(minutes => (hours * 60 + minutes) * minuteMs))
    const task = createTask(open, () => undefined, { timezone: 'UTC' })
    const [anyTime = 0] = this.#times
    this.#isDay = localDayMs => task.match(new Date(localDayMs + anyTime))
    this.#offsetMs = offsetMs
  }

  /** The last opening up to `atMs`, and after `afterMs`; undefined if there is none. */
  latest(atMs: number, afterMs: number): number | undefined {
    const lastDay = this.#localDay(afterMs) - dayMs
    for (let day = this.#localDay(atMs) + dayMs; day >= lastDay; day -= dayMs) {
      const count = this.#countUpTo(day, atMs)
      if (count === 0) continue
      const instant = this.#instantOf(day + (this.#times[count - 1] ?? 0))
      return instant > afterMs ? instant : undefined
    }
    return undefined
  }

  /** The first opening after `atMs`. */
  next(atMs: number): number | undefined {
    const firstDay = this.#localDay(atMs) - dayMs
    for (let day = firstDay; day <= firstDay + lookAheadDays * dayMs; day += dayMs) {
      if (!this.#isDay(day)) continue
      const time = this.#times[this.#countUpTo(day, atMs)]
      if (time !== undefined) return this.#instantOf(day + time)
    }
    return undefined
  }

  /** How many openings of a local day are not after `atMs`. */
  #countUpTo(day: number, atMs: number): number {
    if (!this.#isDay(day)) return 0
    let [low, high] = [0, this.#times.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#instantOf(day + (this.#times[middle] ?? 0)) <= atMs) low = middle + 1
      else high = middle
    }
    return low
  }

  #localDay(atMs: number): number {
    return Math.floor((atMs + this.#offsetMs(atMs)) / dayMs) * dayMs
  }

  /** The first instant at which local clocks show this time; if they never do, the first after they have skipped it. */
  #instantOf(localMs: number): number {
    const [before, after] = [this.#offsetMs(localMs - dayMs), this.#offsetMs(localMs + dayMs)]
    for (const offset of [Math.max(before, after), Math.min(before, after)]) {
      if (this.#offsetMs(localMs - offset) === offset) return localMs - offset
    }
    // Clocks skip it: somewhere between these two the offset changes.
    let [low, high] = [localMs - after, localMs - before]
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (this.#offsetMs(middle) === after) high = middle
      else low = middle
    }
    return high
  }
}

/** What local clocks show at an instant, less that instant. */
type OffsetMs = (atMs: number) => number

export function zoneOffsets(zone: string): OffsetMs | undefined {
  if (zone === 'UTC') return () => 0
  let format: Intl.DateTimeFormat
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  } catch {
    return undefined // no such zone: the caller says so
  }
  return atMs => {
    const parts = new Map(format.formatToParts(new Date(atMs)).map(({ type, value }) => [type, Number(value)]))
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0
    const local = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'))
    return local - Math.floor(atMs / 1_000) * 1_000
  }
}
