/**
 * One record of CSV as text, after RFC 4180, and the value of a reading or a row in one of its cells.
 *
 *   21.5   true   {"lat":48.1}   [1,2]      a number, a switch, an object, a list: as JSON writes them
 *   on duty                                 a text stands as it is ...
 *   "21.5"                                  ... but for one that would be read as something else, or holds what no file of
 *                                           text should: control characters, half of a character. It stands as JSON
 *
 * Promises: `valueOfCell(cellOfValue(v))` is v for every value, and a cell holds no control character but tabs and ends of
 * lines. `valueOfCell` also takes what other programs write for numbers and switches: +5, .5, 1., TRUE. Pure.
 */
import type { Json } from '../reading.ts'

/** One record with the end of its line. */
export function csvRecord(cells: readonly string[]): string {
  return `${cells.map(quoted).join(',')}\r\n`
}

/** Spaces at an end are quoted too: the RFC keeps them, but not every reader does. */
function quoted(cell: string): string {
  return /[",\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}

export function cellOfValue(value: Json): string {
  if (typeof value === 'string') return isPlain(value) ? value : asciiJson(value)
  return Object.is(value, -0) ? '-0' : JSON.stringify(value)
}

/** The value that a cell means; undefined for an empty one, and NaN for a number that is none. */
export function valueOfCell(cell: string): Json | undefined {
  if (cell === '') return undefined
  if (!mayBeOther.test(cell)) return cell
  if (number.test(cell)) return Number(cell)
  const word = cell.length > wordLengthMax ? '' : cell.trim().toLowerCase()
  if (Object.hasOwn(words, word)) return words[word] ?? null
  return /^\s*["[{]/.test(cell) ? (parsed(cell) ?? cell) : cell
}

/** Most texts are told from everything else by how they begin. */
const mayBeOther = /^\s*[-+.\d"[{tfnTFNiI]/
const number = /^\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*$/
const words: Readonly<Record<string, Json>> = {
  true: true,
  false: false,
  null: null,
  nan: Number.NaN,
  ...Object.fromEntries(['inf', 'infinity'].flatMap(word => ['', '+', '-'].map(sign => [sign + word, Number.NaN]))),
}
const wordLengthMax = 64

function isPlain(text: string): boolean {
  return valueOfCell(text) === text && !unfit.test(text)
}

/** Control characters but for tab and the ends of lines, and halves of surrogate pairs. */
// oxlint-disable-next-line no-control-regex -- the point of it
const unfit = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufeff\ufffe\uffff]|\p{Surrogate}/u

/** JSON writes the first 32 control characters as escapes; the others that are unfit are written so here. */
function asciiJson(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\ufeff\ufffe\uffff]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}
