/**
 * Forgetting rows of a records table: what a limit of the table says must go is gone from this database alone. No entry of
 * the log and no tombstone tells of it, so nothing travels, and a peer that has the row keeps it.
 *
 * Promises: a row that has been written again meanwhile stays, because it is another one by now. Reads, and writes
 * nothing itself [I2].
 */
import type { Json } from '../reading.ts'
import { type Stamp, stampMs } from '../stamp.ts'
import { ByteReader } from './bytes.ts'
import type { Database } from './database.ts'
import { rangeOf, rowKeyName } from './keys.ts'
import { decodeRow } from './records.ts'
import type { Table } from './table.ts'
import { type Change, type Seq, asSeq } from './types.ts'

export type ForgetChange = Extract<Change, { kind: 'forget' }>

/** A row or tombstone as a walk over its table meets it. */
export type StandingRow = {
  readonly key: string
  readonly seq: Seq
  /** When it was written, by its stamp. */
  readonly writtenMs: number
  readonly isDeleted: boolean
  /** Read only when it is asked for: a row may be large. */
  value(): Json | undefined
}

/** All rows and tombstones of a records table, in the order of their keys. */
export async function* walkRows(database: Database, table: Table): AsyncGenerator<StandingRow> {
  for await (const [key, bytes] of database.scan(rangeOf('row', table.id))) {
    const read = new ByteReader(bytes)
    const writtenMs = stampMs(read.double() as Stamp)
    read.text()
    const seq = asSeq(read.varint())
    yield { key: rowKeyName(key), seq, writtenMs, isDeleted: read.done, value: () => decodeRow(bytes).value }
  }
}

/** True if the row that stands is still the one that was to be forgotten. */
export function mayForget(database: Database, table: Table, { key, seq }: ForgetChange): boolean {
  return database.row(table, key)?.seq === seq
}
