/**
 * What a group asks of changes before it takes any of them: that names, sizes and numbers are within their bounds [I6].
 * Pure but for reading the table; throws the error that the caller is told.
 */
import { HoldfastError } from '../errors.ts'
import type { Database } from './database.ts'
import { type Table, seriesMax } from './table.ts'
import type { Arrival, Change, RecordEntry } from './types.ts'

/** A row must fit a replication frame with room to spare, and a follower's memory. */
export const rowBytesMax = 120 * 1024
/** As long as replication's names: the key of an alert has up to 1,014 bytes, if all of its names are escaped. */
const keyBytesMax = 1024
/** A row's value is an alert with its readings at the deepest; what encodes it calls itself for each level. */
const rowDepthMax = 64

/** Throws if a change cannot be taken by what is known of the database now. */
export function checkChange(database: Database, ownOrigin: string, change: Change): void {
  switch (change.kind) {
    case 'append':
      return checkSeries(tableOfKind(database, change.table, 'series'), change.readings, () => ownOrigin)
    case 'apply-readings':
      return checkSeries(tableOfKind(database, change.table, 'series'), change.readings, reading => reading.origin)
    case 'put':
      tableOfKind(database, change.table, 'records')
      return checkRow(change.table, change.key, change.value)
    case 'delete':
      tableOfKind(database, change.table, 'records')
      return checkRow(change.table, change.key, null)
    case 'apply-records':
      tableOfKind(database, change.table, 'records')
      for (const { key, value } of change.records) checkRow(change.table, key, value ?? null)
      return
    case 'repeat':
    case 'forget':
      return void tableOfKind(database, change.table, 'records')
    case 'chunks':
      tableOfKind(database, change.table, 'series')
      for (const other of change.along ?? []) checkChange(database, ownOrigin, other)
      return
    case 'trim':
      return void database.table(change.table)
    case 'cursor':
    case 'state':
    case 'keep':
  }
}

function tableOfKind(database: Database, name: string, kind: Table['kind']): Table {
  const table = database.table(name)
  if (table.kind === kind) return table
  const hint = kind === 'series' ? 'readings go into series tables' : 'rows with keys go into records tables'
  throw new HoldfastError('TABLE_KIND', `the table "${name}" is a ${table.kind} table`, hint)
}

/** Looks at each reading's series only when the table is nearly at its bound. */
function checkSeries<R extends Arrival>(table: Table, readings: readonly R[], originOf: (reading: R) => string): void {
  if (table.series.size + readings.length <= seriesMax) return
  const news = new Map<string, R>()
  for (const reading of readings) {
    const name = [originOf(reading), reading.device, reading.metric, reading.unit] as const
    if (!table.series.find(...name)) news.set(JSON.stringify(name), reading)
  }
  if (table.series.size + news.size <= seriesMax) return
  const newest = [...news.values()].at(-1)
  throw new HoldfastError(
    'TOO_MANY_SERIES',
    `the table "${table.name}" has ${table.series.size} series; "${newest?.device}/${newest?.metric}" would be more than the most, ${seriesMax}`,
    'a device is inventing names: look at the newest ones',
  )
}

export function checkRow(table: string, key: string, value: RecordEntry['value']): void {
  if (key === '' || Buffer.byteLength(key) > keyBytesMax) {
    throw new HoldfastError('BAD_ARGUMENT', `a key of table "${table}" must have 1 to ${keyBytesMax} bytes`)
  }
  if (isDeeper(value, rowDepthMax)) {
    throw new HoldfastError('BAD_ARGUMENT', `a row of table "${table}" is nested more than ${rowDepthMax} deep`)
  }
  const bytes = JSON.stringify(value).length
  if (bytes > rowBytesMax) {
    throw new HoldfastError(
      'RECORD_TOO_LARGE',
      `a row of table "${table}" has ${bytes} bytes; the most is ${rowBytesMax}`,
      'store less per row',
    )
  }
}

function isDeeper(value: RecordEntry['value'], depthMax: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return depthMax === 0 || Object.values(value).some(child => isDeeper(child, depthMax - 1))
}
