/**
 * The notation in which a test writes down readings: promtool's, with texts and switches.
 *
 *   20 20.5 -3      three readings, one interval apart
 *   _               no reading this time; `_x5` five times none
 *   21x3            21 and three times more: four readings, as promtool counts
 *   20+0.5x3        20 20.5 21 21.5: begins with 20, and three steps of 0.5
 *   20-1x2          20 19 18
 *   "open" "shut"x2 texts, in double quotes as JSON has them
 *   true falsex2    switches
 *   stale           no reading, and none follows in promtool; here the same as `_`: a series is silent when nothing comes
 *
 * Pure. What cannot be read is pointed at by its place in the text; a notation is never half read.
 */
import { textCharactersMax, valuesMax } from './limits.ts'

export type Told = number | boolean | string

/** One item of the notation: a value said `times` times, each `step` more than the one before; undefined is no reading. */
export type Item = { readonly value: Told | undefined; readonly step: number; readonly times: number }

export type Notation =
  | { readonly ok: true; readonly items: readonly Item[] }
  | { readonly ok: false; readonly message: string; readonly offset: number }

const numberForm = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?`
const numberItem = new RegExp(String.raw`^(${numberForm})(?:([+-](?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)?x(\d+))?$`)
const otherItem = /^(true|false|_|stale|"(?:[^"\\]|\\.)*")(?:x(\d+))?$/

export function parseNotation(text: string): Notation {
  const items: Item[] = []
  let count = 0
  // A text in quotes may hold blanks; one that is never closed runs to the end, and is complained about.
  for (const match of text.matchAll(/(?:"(?:[^"\\]|\\.)*(?:"|$)|[^\s"])+/g)) {
    const item = parseItem(match[0])
    if (typeof item === 'string') return { ok: false, message: item, offset: match.index }
    count += item.times
    if (count > valuesMax) {
      return { ok: false, message: `more than ${valuesMax} readings in one series`, offset: match.index }
    }
    items.push(item)
  }
  return { ok: true, items }
}

/** The value at each interval, in order; undefined where no reading comes. */
export function valuesOf(items: readonly Item[]): readonly (Told | undefined)[] {
  return items.flatMap(({ value, step, times }) =>
    Array.from({ length: times }, (_, index) => (typeof value === 'number' ? plus(value, step * index) : value)),
  )
}

export function printNotation(items: readonly Item[]): string {
  return items.map(printItem).join(' ')
}

function printItem({ value, step, times }: Item): string {
  if (value === undefined) return times === 1 ? '_' : `_x${times}`
  const shown = JSON.stringify(value)
  if (step !== 0) return `${shown}${step < 0 ? '-' : '+'}${Math.abs(step)}x${times - 1}`
  return times === 1 ? shown : `${shown}x${times - 1}`
}

/** The item, or a sentence about what is wrong with it. */
function parseItem(text: string): Item | string {
  const number = numberItem.exec(text)
  if (number) {
    const [, start = '', step = '0', more = '0'] = number
    return numbers(text, Number(start), Number(step), Number(more) + 1)
  }
  const other = otherItem.exec(text)
  if (!other) return faultOf(text)
  const [, word = '', more] = other
  if (word === '_' || word === 'stale') return repeated(text, undefined, more === undefined ? 1 : Number(more))
  const value = word.startsWith('"') ? parseText(word) : word === 'true'
  if (value === undefined) return `${shown(text)} is not a text as JSON writes them: look at the backslashes`
  if (typeof value === 'string' && value.length > textCharactersMax) {
    return `a text longer than ${textCharactersMax} characters`
  }
  return repeated(text, value, Number(more ?? 0) + 1)
}

function numbers(text: string, value: number, step: number, times: number): Item | string {
  const last = value + step * (times - 1)
  if (![value, step, last].every(Number.isFinite)) return `${shown(text)} is too large for a number`
  // JSON knows one zero, and a reading of -0 would be compared with it.
  const item = repeated(text, value + 0, times)
  return typeof item === 'string' ? item : { ...item, step: step + 0 }
}

function repeated(text: string, value: Told | undefined, times: number): Item | string {
  if (times > valuesMax) return `${shown(text)} is more than ${valuesMax} readings`
  if (times === 0) return `${shown(text)} says nothing: leave it out`
  return { value, step: 0, times }
}

function parseText(quoted: string): string | undefined {
  try {
    return JSON.parse(quoted) as string
  } catch {
    return undefined
  }
}

/** Steps as they were written, not as binary fractions add up: 20+0.1x3 ends with 20.3. */
function plus(start: number, more: number): number {
  const sum = start + more
  return Number.isInteger(sum) ? sum : Number(sum.toPrecision(12))
}

function faultOf(text: string): string {
  if (text.startsWith('{{')) return 'histograms are not supported: a reading is a number, a switch or a text'
  if (text.includes('"')) {
    const isClosed = /^"(?:[^"\\]|\\.)*"/.test(text)
    return isClosed ? `${shown(text)} is not one item: put a blank between` : 'a text whose closing quote is missing'
  }
  if (/^[+-]?(?:nan|inf(?:inity)?)/i.test(text))
    return `${shown(text)} is no reading: a gateway takes finite numbers only`
  if (/^[+-]?[\d.]+(?:[+-][\d.]+)?\*\d+$/.test(text))
    return `${shown(text)}: repeat with x, as in ${text.replace('*', 'x')}`
  if (/^[+-]?[\d.]+[+-][\d.]+$/.test(text))
    return `${shown(text)} steps without an end: write how often, as in ${text}x5`
  if (/^[+-]?\d+,\d+$/.test(text))
    return `${shown(text)}: write the decimal point as a point, and blanks between readings`
  if (text.endsWith(',')) return `${shown(text)}: blanks stand between readings, no commas`
  if (/^[A-Za-z]/.test(text)) return `${shown(text)} is no number: put texts in double quotes, as in "${text}"`
  return `${shown(text)} is not a reading; write 20, 20x5, 20+0.5x5, _, "open" or true`
}

function shown(text: string): string {
  return text.length <= 40 ? `"${text}"` : `"${text.slice(0, 40)}…"`
}
