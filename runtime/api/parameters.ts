/**
 * What callers write behind the question mark, checked: a parameter that is not known is refused, so that a slip of the
 * pen does not silently read something else. Pure.
 */
import { nearestName } from '../document.ts'
import { HoldfastError } from '../errors.ts'
import { parseDurationMs } from '../units.ts'
import type { HistoryQuery } from './history.ts'
import { cursorBytesMax, historyPatternsMax, limitMax, whereBytesMax } from './limits.ts'

const textBytesMax = 512
const longer: Readonly<Record<string, number>> = { where: whereBytesMax, cursor: cursorBytesMax }

/** The values of the known parameters. Throws BAD_ARGUMENT for any other, and for one that is given twice. */
export function readParameters<Name extends string>(
  given: URLSearchParams,
  known: readonly Name[],
): Partial<Record<Name, string>> {
  const values: Partial<Record<string, string>> = {}
  for (const [name, text] of given) {
    if (!known.includes(name as Name)) {
      const nearest = nearestName(name, known)
      const hint = nearest ? `did you mean "${nearest}"?` : `known parameters: ${known.join(', ') || 'none'}`
      throw new HoldfastError('BAD_ARGUMENT', `unknown parameter "${shown(name)}"`, hint)
    }
    if (Object.hasOwn(values, name)) throw new HoldfastError('BAD_ARGUMENT', `"${name}" is given twice`, 'give it once')
    const bytesMax = longer[name] ?? textBytesMax
    if (Buffer.byteLength(text) > bytesMax) {
      throw new HoldfastError('BAD_ARGUMENT', `"${name}" has more than ${bytesMax} bytes`)
    }
    values[name] = text
  }
  return values
}

/** `series` is a list of pairs of patterns as JSON, `[["freezer-*","temperature"]]`; all series without it. */
export function historyQuery(given: URLSearchParams, nowMs: number): HistoryQuery {
  const { series, from, to } = readParameters(given, ['series', 'from', 'to'])
  const fromMs = from === undefined ? 0 : parseTimeMs('from', from, nowMs)
  const toMs = to === undefined ? Number.POSITIVE_INFINITY : parseTimeMs('to', to, nowMs)
  if (fromMs > toMs) throw new HoldfastError('BAD_ARGUMENT', '"from" is after "to"', 'exchange them')
  return { series: series === undefined ? [['*', '*']] : parsePatterns(series), fromMs, toMs }
}

function parsePatterns(text: string): readonly (readonly [string, string])[] {
  const refused = new HoldfastError(
    'BAD_ARGUMENT',
    `"series" is not a list of pairs of device and metric: "${shown(text)}"`,
    `write [["freezer-*","temperature"]], at most ${historyPatternsMax} pairs`,
  )
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch {
    throw refused
  }
  const isPair = (pair: unknown): pair is readonly [string, string] =>
    Array.isArray(pair) && pair.length === 2 && pair.every(name => typeof name === 'string')
  if (!Array.isArray(list) || list.length > historyPatternsMax || !list.every(isPair)) throw refused
  return list
}

/** A point in time: `1h` is an hour ago, digits are milliseconds since 1970, `now` is now, and the rest is ISO 8601. */
export function parseTimeMs(name: string, text: string, nowMs: number): number {
  if (text === 'now') return nowMs
  if (/^\d{1,15}$/.test(text)) return Number(text)
  const agoMs = parseDurationMs(text)
  if (agoMs !== undefined) return nowMs - agoMs
  const isIso = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?$/.test(text)
  // A `+` that was not percent-encoded arrives as a space; nothing else in a time may be one but the middle.
  const ms = isIso ? Date.parse(text.replace(' ', 'T')) : Number.NaN
  if (Number.isNaN(ms)) {
    throw new HoldfastError(
      'BAD_ARGUMENT',
      `"${name}" is not a time: "${shown(text)}"`,
      'write 1h for an hour ago, 2026-01-31T12:00:00Z, or milliseconds since 1970',
    )
  }
  return ms
}

export function parseLimit(text: string, name: 'limit' | 'page' = 'limit'): number {
  const limit = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (limit >= 1 && limit <= limitMax) return limit
  throw new HoldfastError('BAD_ARGUMENT', `"${name}" is not a whole number from 1 to ${limitMax}: "${shown(text)}"`)
}

/** Enough of what was typed to recognise it. */
export function shown(text: string): string {
  return text.length > 64 ? `${text.slice(0, 64)}…` : text
}
