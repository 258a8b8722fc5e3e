/** Times as a test writes them: `10m` since its start, or a moment in ISO form with its zone. Pure. */
import { formatDuration, parseDurationMs } from '../../runtime/units.ts'

/** A Monday, at midnight: rules that look at hours and weekdays are easy to reckon from there. */
export const startDefault = '2026-01-05T00:00:00Z'

const isoForm = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d))?$/

export function parseIsoMs(text: string): number | undefined {
  const ms = isoForm.test(text) ? Date.parse(text) : Number.NaN
  return Number.isFinite(ms) ? ms : undefined
}

/** Whole milliseconds since 1970, because times in the log are whole. `-10m` is before the start. */
export function parseMomentMs(text: string, startMs: number): number | undefined {
  const sinceMs = parseDurationMs(text.replace(/^-(?=\d)/, ''))
  return sinceMs === undefined ? parseIsoMs(text) : startMs + Math.round(sinceMs) * (text.startsWith('-') ? -1 : 1)
}

export function momentFault(text: string): string | undefined {
  if (parseMomentMs(text, 0) !== undefined) return undefined
  if (/^\d{4}-\d\d-\d\dT/.test(text)) return `"${text}" is not a time; write it as 2026-01-05T06:10:00Z, with its zone`
  return `"${text}" is not a time; write 10m or 1h30m since the start, or 2026-01-05T06:10:00Z`
}

/** `1h30m`, as the file would say it; before the start with a minus. */
export function sinceStart(ms: number, startMs: number): string {
  return ms < startMs ? `-${formatDuration(startMs - ms)}` : formatDuration(ms - startMs)
}
