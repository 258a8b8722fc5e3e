/**
 * The time that a device put into its message, as milliseconds since 1970. A time that cannot be meant is a fault: a
 * reading filed under the wrong year is worse than one in the rejects table.
 */
import { deviceTimeMsEnd } from '../runtime/limits.ts'

export const timeFormats = ['auto', 'unix_s', 'unix_ms', 'iso8601'] as const
export type TimeFormat = (typeof timeFormats)[number]

/**
 * As seconds, 1e11 is the year 5138; as milliseconds it is March 1973. No device that knows its time means either, so
 * below it are seconds and from it on milliseconds.
 */
const millisecondsFrom = 1e11

const iso8601 = /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)(Z|z|[+-]\d\d(?::?\d\d)?)?)?$/

/** Milliseconds, or a sentence that says what is wrong. A time without a zone is UTC. */
export function deviceTimeMs(raw: unknown, format: TimeFormat): number | string {
  if (typeof raw === 'number' && format !== 'iso8601') return plausible(fromNumber(raw, format))
  if (typeof raw === 'string' && (format === 'auto' || format === 'iso8601')) {
    const ms = fromIso8601(raw)
    return Number.isNaN(ms) ? 'the time is not in ISO 8601 form, such as 2026-01-31T12:00:00Z' : plausible(ms)
  }
  return format === 'auto'
    ? 'the time is neither a number nor a text'
    : `the time is not ${format === 'iso8601' ? 'a text in ISO 8601 form' : 'a number'} (time_format: ${format})`
}

function fromNumber(raw: number, format: TimeFormat): number {
  const inMilliseconds = format === 'unix_ms' || (format === 'auto' && raw >= millisecondsFrom)
  return inMilliseconds ? Math.round(raw) : Math.round(raw * 1_000)
}

function fromIso8601(text: string): number {
  const match = iso8601.exec(text)
  if (!match) return Number.NaN
  const [, day = '', time = '00:00', zone = 'Z'] = match
  // Date.parse takes 30 February for 2 March.
  if (new Date(`${day}T00:00Z`).getUTCDate() !== Number(day.slice(8))) return Number.NaN
  const offset = /^[Zz]$/.test(zone) ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(3).replace(':', '') || '00'}`
  return Date.parse(`${day}T${time.replace(',', '.')}${offset}`)
}

function plausible(ms: number): number | string {
  return ms >= 0 && ms < deviceTimeMsEnd ? ms : 'the time is not between 1970 and 2100'
}
