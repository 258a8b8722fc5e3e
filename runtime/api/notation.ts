/**
 * How a list stands in the body of an answer: JSON lines (the usual), one JSON array, or CSV.
 *
 * Promises: an array or a file of CSV that ended is whole. Only JSON lines can tell in a last line what went wrong; of the
 * others the connection breaks off, so that nobody takes a part for the whole.
 */
import { HoldfastError } from '../errors.ts'
import { cellOfValue, csvRecord } from '../transfer/csv.ts'
import type { BucketFunction } from '../store/buckets.ts'
import type { AggregateForm, ReadingForm, RowForm } from './forms.ts'
import { shown } from './parameters.ts'

/** One list on its way; it may know what it has written. */
export type Notation<Item = object> = {
  readonly contentType: string
  /** What stands before the first item, also if there is none. */
  readonly begin: string
  text(items: readonly Item[]): string
  readonly end: string
  /** Says "still here" without meaning anything. */
  readonly quiet: string
  /** Whether a last line may tell an error. */
  readonly tellsErrors: boolean
}

export const listFormats = ['ndjson', 'json', 'csv'] as const
export type ListFormat = (typeof listFormats)[number]

/** Takes `format` out of the parameters; the rest is left to be read by whoever knows it. */
export function takeFormat(given: URLSearchParams): { readonly format: ListFormat; readonly rest: URLSearchParams } {
  const rest = new URLSearchParams(given)
  const named = rest.getAll('format')
  if (named.length > 1) throw new HoldfastError('BAD_ARGUMENT', '"format" is given twice', 'give it once')
  rest.delete('format')
  const [name = 'ndjson'] = named
  const format = listFormats.find(known => known === name)
  if (format !== undefined) return { format, rest }
  throw new HoldfastError('BAD_ARGUMENT', `there is no format "${shown(name)}"`, `write ${listFormats.join(', ')}`)
}

export function readingsNotation(format: ListFormat): Notation<ReadingForm> {
  return notationOf(format, readingColumns, reading => [
    reading.time ?? String(reading.time_ms),
    reading.device,
    reading.metric,
    cellOfValue(reading.value),
    reading.unit ?? '',
    reading.id ?? '',
    reading.origin,
  ])
}

export function rowsNotation(format: ListFormat): Notation<RowForm> {
  return notationOf(format, rowColumns, row => [
    row.key,
    cellOfValue(row.value),
    row.time ?? String(row.time_ms),
    row.origin,
  ])
}

/** Of an aggregate, with a column for each function. */
export function aggregatesNotation(format: ListFormat, functions: readonly BucketFunction[]): Notation<AggregateForm> {
  return notationOf(format, ['time', 'device', 'metric', 'unit', 'origin', ...functions], row => [
    row.time ?? String(row.time_ms),
    row.device,
    row.metric,
    row.unit ?? '',
    row.origin,
    ...functions.map(name => (row[name] === null ? '' : cellOfValue(row[name] ?? null))),
  ])
}

const readingColumns = ['time', 'device', 'metric', 'value', 'unit', 'id', 'origin']
const rowColumns = ['key', 'value', 'time', 'origin']

function notationOf<Item extends object>(
  format: ListFormat,
  columns: readonly string[],
  cells: (item: Item) => readonly string[],
): Notation<Item> {
  switch (format) {
    case 'ndjson':
      return jsonLines
    case 'json':
      return jsonArray()
    case 'csv':
      return {
        contentType: 'text/csv; charset=utf-8',
        begin: csvRecord(columns),
        text: items => items.map(item => csvRecord(cells(item))).join(''),
        end: '',
        quiet: '',
        tellsErrors: false,
      }
  }
}

export const jsonLines: Notation = {
  contentType: 'application/x-ndjson',
  begin: '',
  text: items => items.map(item => `${JSON.stringify(item)}\n`).join(''),
  end: '',
  quiet: '\n',
  tellsErrors: true,
}

/** One item a line, so that it can be read by people and counted. */
function jsonArray(): Notation {
  let separator = ''
  return {
    contentType: 'application/json; charset=utf-8',
    begin: '[\n',
    text: items =>
      items
        .map(item => {
          const text = `${separator}${JSON.stringify(item)}`
          separator = ',\n'
          return text
        })
        .join(''),
    end: '\n]\n',
    quiet: ' ',
    tellsErrors: false,
  }
}
