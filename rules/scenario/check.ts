/**
 * What the form of a scenario file cannot say: whether times, series and notations can be read, each fault with its place
 * inside the text. Pure. Walks the file as it stands, so these problems are found in the same pass as those of form.
 */
import type { Finding, Path } from '../../runtime/document.ts'
import { momentFault, parseIsoMs } from './moments.ts'
import { parseSeriesName } from './names.ts'
import { parseNotation } from './notation.ts'

type Fault = { readonly message: string; readonly offset?: number }
type Check = (text: string) => Fault | undefined

const moment: Check = text => {
  const message = momentFault(text)
  return message === undefined ? undefined : { message }
}

const checks: ReadonlyMap<string, Check> = new Map<string, Check>([
  ...['at', 'eval_time', 'from', 'to', 'since', 'fired_at', 'resolved_at'].map((key): [string, Check] => [key, moment]),
  ['series', text => faultOf(parseSeriesName(text))],
  ['values', text => faultOf(parseNotation(text))],
  ['start', text => (parseIsoMs(text) === undefined ? { message: notIso(text) } : undefined)],
  ['zone', text => (isZone(text) ? undefined : { message: `"${text}" is not a time zone; write it as Europe/Paris` })],
])

/** Below these keys stand a person's own names, which mean nothing here. */
const opaque: ReadonlySet<string> = new Set(['row', 'exp_labels', 'exp_annotations', 'match', 'payload', 'value'])

export function textFindings(plain: unknown, path: Path = []): Finding[] {
  if (Array.isArray(plain)) return plain.flatMap((item, index) => textFindings(item, [...path, index]))
  if (typeof plain !== 'object' || plain === null) return []
  return Object.entries(plain).flatMap(([key, value]) => {
    if (opaque.has(key)) return []
    const at = [...path, key]
    const fault = typeof value === 'string' ? checks.get(key)?.(value) : undefined
    return fault ? [{ path: at, ...fault, message: `"${key}": ${fault.message}` }] : textFindings(value, at)
  })
}

function faultOf(parsed: object): Fault | undefined {
  return 'message' in parsed ? (parsed as Fault) : undefined
}

const notIso = (text: string): string => `"${text}" is not a time; write it as 2026-01-05T00:00:00Z, with its zone`

function isZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) instanceof Intl.DateTimeFormat
  } catch {
    return false
  }
}
