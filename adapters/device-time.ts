/**
 * The time that a device put into its message, as milliseconds since 1970. A time that cannot be meant is a fault: a
 * reading filed under the wrong year is worse than one in the rejects table.
 */
import { deviceTimeMsEnd } from '../runtime/limits.ts'

export const timeFormats = ['auto', 'unix_s', 'unix_ms', 'unix_us', 'unix_ns', 'iso8601'] as const
export type TimeFormat = (typeof timeFormats)[number]

/** What local clocks show at an instant, less that instant. */
export type ZoneOffset = (atMs: number) => number

/**
 * As seconds, 1e11 is the year 5138; as milliseconds it is March 1973. No device that knows its time means either, so
 * below it are seconds and from it on milliseconds.
 */
const millisecondsFrom = 1e11

const iso8601 = /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)(Z|z|[+-]\d\d(?::?\d\d)?)?)?$/

/** A count as text: many programs write numbers that a double cannot hold that way. */
const digits = /^-?\d{1,20}(?:\.\d{1,9})?$/

/**
 * Milliseconds, or a sentence that says what is wrong. A time without a zone is that of the zone whose offsets are given,
 * else UTC.
 */
export function deviceTimeMs(raw: unknown, format: TimeFormat, zone?: ZoneOffset): number | string {
  if (typeof raw === 'number' && format !== 'iso8601') return plausible(fromNumber(raw, format))
  if (typeof raw === 'string' && format.startsWith('unix_') && digits.test(raw)) {
    return plausible(fromNumber(Number(raw), format))
  }
  if (typeof raw === 'string' && (format === 'auto' || format === 'iso8601')) {
    const ms = fromIso8601(raw, zone)
    return Number.isNaN(ms) ? 'the time is not in ISO 8601 form, such as 2026-01-31T12:00:00Z' : plausible(ms)
  }
  return format === 'auto'
    ? 'the time is neither a number nor a text'
    : `the time is not ${format === 'iso8601' ? 'a text in ISO 8601 form' : 'a number'} (time_format: ${format})`
}

function fromNumber(raw: number, format: TimeFormat): number {
  switch (format) {
    case 'unix_s':
      return Math.round(raw * 1_000)
    case 'unix_us':
      return Math.round(raw / 1_000)
    case 'unix_ns':
      return Math.round(raw / 1e6)
    case 'auto':
      return Math.round(raw >= millisecondsFrom ? raw : raw * 1_000)
    default:
      return Math.round(raw)
  }
}

function fromIso8601(text: string, zone: ZoneOffset | undefined): number {
  const match = iso8601.exec(text)
  if (!match) return Number.NaN
  const [, day = '', time = '00:00', suffix] = match
  // Date.parse takes 30 February for 2 March.
  if (new Date(`${day}T00:00Z`).getUTCDate() !== Number(day.slice(8))) return Number.NaN
  const offset =
    suffix === undefined || /^[Zz]$/.test(suffix)
      ? 'Z'
      : `${suffix.slice(0, 3)}:${suffix.slice(3).replace(':', '') || '00'}`
  const ms = Date.parse(`${day}T${time.replace(',', '.')}${offset}`)
  return suffix === undefined && zone !== undefined && !Number.isNaN(ms) ? ofLocal(ms, zone) : ms
}

/** The instant at which local clocks show this; of an hour that comes twice, one of the two. */
function ofLocal(shownMs: number, zone: ZoneOffset): number {
  return shownMs - zone(shownMs - zone(shownMs))
}

function plausible(ms: number): number | string {
  return ms >= 0 && ms < deviceTimeMsEnd ? ms : 'the time is not between 1970 and 2100'
}
