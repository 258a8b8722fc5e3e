/**
 * The bytes of a file as readings or rows, each with the lines on which it stands. What is wrong is a fault with its line,
 * and what follows is read all the same. Pure.
 */
import type { TableKind } from '../../store/types.ts'
import { type CsvRecord, CsvReader } from '../../transfer/csv-reader.ts'
import { type Item, itemOf, objectOf } from '../../transfer/items.ts'
import { lineBytesMax } from '../../transfer/limits.ts'
import { type Line, LineSplitter } from '../../transfer/lines.ts'
import { type Choice, type Head, fieldsOfObject, headOf, isUnused } from './columns.ts'

export const importFormats = ['csv', 'ndjson'] as const
export type ImportFormat = (typeof importFormats)[number]

export type Found = { readonly line: number; readonly lastLine: number } & (
  | { readonly item: Item }
  | { readonly fault: string }
)

export type Wanted = {
  readonly table: string
  readonly kind: TableKind
  readonly format: ImportFormat
  readonly separator: string
  readonly choice: Choice
}

/** Of keys that are not used, so many are told. */
const unusedMax = 20

export class ItemReader {
  readonly #wanted: Wanted
  readonly #lines = new LineSplitter(lineBytesMax)
  readonly #csv: CsvReader
  readonly #unused = new Set<string>()
  readonly #keysSeen = new Set<string>()
  #head: Head | undefined
  #lastLine = 0

  constructor(wanted: Wanted) {
    this.#wanted = wanted
    this.#csv = new CsvReader(wanted.separator, lineBytesMax)
  }

  /** Lines read so far. */
  get lines(): number {
    return this.#lastLine
  }

  /** Columns or keys that nothing is taken from. */
  get unused(): readonly string[] {
    return [...(this.#head?.unused ?? []), ...this.#unused]
  }

  /** Throws BAD_LINES if the head line lacks a column. */
  take(bytes: Buffer): readonly Found[] {
    return this.#lines.take(bytes).flatMap(line => this.#read(line) ?? [])
  }

  end(): readonly Found[] {
    const found = this.#lines.end().flatMap(line => this.#read(line) ?? [])
    const open = this.#csv.end(this.#lastLine)
    return open === undefined ? found : [...found, ...[this.#readRecord(open) ?? []].flat()]
  }

  #read(line: Line): Found | undefined {
    this.#lastLine = line.line
    if (this.#wanted.format === 'ndjson') return this.#readObject(line)
    const record = this.#csv.take(line)
    return record && this.#readRecord(record)
  }

  #readObject(given: Line): Found | undefined {
    const { line } = given
    if ('fault' in given) return { line, lastLine: line, fault: given.fault }
    if (/^\s*$/.test(given.text)) return undefined
    const object = objectOf(given.text)
    if (typeof object === 'string') return { line, lastLine: line, fault: object }
    this.#noteKeys(object)
    const { kind, table, choice } = this.#wanted
    return found(line, line, itemOf(kind, table, fieldsOfObject(object, choice)))
  }

  #readRecord(record: CsvRecord): Found | undefined {
    const { line, lastLine } = record
    if ('fault' in record) return { line, lastLine, fault: record.fault }
    const { kind, table, choice } = this.#wanted
    if (this.#head === undefined) {
      this.#head = headOf(kind, record.cells, choice)
      return undefined
    }
    const { cells } = record
    if (cells.length !== this.#head.width) {
      return { line, lastLine, fault: `it has ${cells.length} cells, and the head line has ${this.#head.width}` }
    }
    return found(line, lastLine, itemOf(kind, table, this.#head.fields(cells)))
  }

  #noteKeys(object: object): void {
    for (const key of Object.keys(object)) {
      if (this.#keysSeen.has(key) || this.#keysSeen.size >= keysSeenMax) continue
      this.#keysSeen.add(key)
      if (this.#unused.size < unusedMax && isUnused(this.#wanted.kind, key, this.#wanted.choice)) this.#unused.add(key)
    }
  }
}

/** Keys that were looked at; a file in which each line has others is told of the first. */
const keysSeenMax = 1_000

const found = (line: number, lastLine: number, item: Item | string): Found =>
  typeof item === 'string' ? { line, lastLine, fault: item } : { line, lastLine, item }
