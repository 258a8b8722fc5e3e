/** The rows of a records table, walked on the disk in the order of their keys. */
import type { Database } from './database.ts'
import { rowRange } from './keys.ts'
import type { StoredRow } from './records.ts'
import type { Row } from './types.ts'

export type RowsWanted = { readonly prefix?: string; readonly limit?: number }

/** Undefined for a tombstone. */
export const rowOf = (key: string, { value, stamp, origin, seq }: StoredRow): Row | undefined =>
  value === undefined ? undefined : { key, value, stamp, origin, seq }

export async function* rowsOf(database: Database, table: string, wanted: RowsWanted): AsyncGenerator<Row> {
  const { limit = Number.POSITIVE_INFINITY, prefix = '' } = wanted
  let count = 0
  for await (const { key, row } of database.scanRows(rowRange(database.table(table).id, prefix))) {
    const found = rowOf(key, row)
    if (found === undefined) continue
    if (count++ >= limit) return
    yield found
  }
}

/** Of deleted rows too. */
export async function* stampsOf(
  database: Database,
  table: string,
): AsyncGenerator<Pick<Row, 'key' | 'stamp' | 'origin'>> {
  for await (const { key, row } of database.scanRows(rowRange(database.table(table).id, '')))
    yield { key, stamp: row.stamp, origin: row.origin }
}
