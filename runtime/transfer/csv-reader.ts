/**
 * Lines as records of CSV, after RFC 4180: a cell in quotes may hold separators, ends of lines and doubled quotes. A quote
 * elsewhere is a fault of its record, and the next record is read all the same. Pure.
 */
import type { Line } from './lines.ts'

/** `line` is where it begins, `lastLine` where it ends. */
export type CsvRecord = { readonly line: number; readonly lastLine: number } & (
  | { readonly cells: readonly string[] }
  | { readonly fault: string }
)

/** What is open while a cell in quotes goes on over several lines. */
type Open = { readonly line: number; readonly cells: string[]; cell: string; characters: number }

export class CsvReader {
  readonly #separator: string
  readonly #charactersMax: number
  #open: Open | undefined

  constructor(separator: string, charactersMax: number) {
    this.#separator = separator
    this.#charactersMax = charactersMax
  }

  /** The record that ends with this line, if one does. Empty lines are none. */
  take(given: Line): CsvRecord | undefined {
    const { line } = given
    if ('fault' in given) return this.#fail(this.#open?.line ?? line, line, given.fault)
    const open = this.#open
    if (open === undefined) return this.#begin(line, given.text)
    open.characters += given.text.length + 1
    if (open.characters > this.#charactersMax) return this.#fail(open.line, line, tooLong(open.line, line))
    open.cell += '\n'
    return this.#scan(open, given.text, 0, line)
  }

  /** What was not closed at the end of all lines. */
  end(lastLine: number): CsvRecord | undefined {
    return this.#open && this.#fail(this.#open.line, lastLine, 'a quote that opens here is never closed')
  }

  #begin(line: number, raw: string): CsvRecord | undefined {
    if (!raw.includes('"')) {
      const text = withoutReturn(raw)
      return text === '' ? undefined : { line, lastLine: line, cells: text.split(this.#separator) }
    }
    return this.#cells({ line, cells: [], cell: '', characters: raw.length }, raw, 0, line)
  }

  /** Reads cells from `at` on, where one begins. */
  #cells(record: Open, text: string, at: number, line: number): CsvRecord | undefined {
    let from = at
    for (;;) {
      if (text[from] === '"') return this.#scan(record, text, from + 1, line)
      const found = text.indexOf(this.#separator, from)
      const cell = found < 0 ? withoutReturn(text.slice(from)) : text.slice(from, found)
      if (cell.includes('"'))
        return this.#fail(record.line, line, `a quote stands inside of cell ${record.cells.length + 1}`)
      record.cells.push(cell)
      if (found < 0) return this.#done(record, line)
      from = found + this.#separator.length
    }
  }

  /** Reads on in a cell in quotes, from `at`. */
  #scan(record: Open, text: string, at: number, line: number): CsvRecord | undefined {
    let from = at
    for (;;) {
      const quote = text.indexOf('"', from)
      if (quote < 0) {
        record.cell += text.slice(from)
        this.#open = record
        return undefined
      }
      record.cell += text.slice(from, quote)
      if (text[quote + 1] !== '"') return this.#closed(record, text, quote + 1, line)
      record.cell += '"'
      from = quote + 2
    }
  }

  /** A cell in quotes has ended at `at`: a separator or the end of the record follows. */
  #closed(record: Open, text: string, at: number, line: number): CsvRecord | undefined {
    record.cells.push(record.cell)
    record.cell = ''
    if (text.startsWith(this.#separator, at)) return this.#cells(record, text, at + this.#separator.length, line)
    if (withoutReturn(text.slice(at)) === '') return this.#done(record, line)
    return this.#fail(record.line, line, `text follows the closing quote of cell ${record.cells.length}`)
  }

  #done({ line, cells }: Open, lastLine: number): CsvRecord {
    this.#open = undefined
    return { line, lastLine, cells }
  }

  #fail(line: number, lastLine: number, fault: string): CsvRecord {
    this.#open = undefined
    return { line, lastLine, fault }
  }
}

const withoutReturn = (text: string): string => (text.endsWith('\r') ? text.slice(0, -1) : text)

const tooLong = (from: number, to: number): string =>
  `a quote that opens here is not closed soon enough (lines ${from} to ${to} are passed over)`
