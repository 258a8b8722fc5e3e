/**
 * Trimming a log: a durable gap first, the blocks under it afterwards. A crash in between leaves blocks that nobody can
 * reach, and the next opening removes them.
 */
import { type Database, gapEntry } from './database.ts'
import { gapKey } from './keys.ts'
import { encodeJson } from './records.ts'
import type { Table } from './table.ts'
import { type Seq, asSeq } from './types.ts'

/** Drops whole blocks up to a position, never past what is packed. Any error is a failed write of the database. */
export async function trimLog(database: Database, table: Table, through: Seq, reason: string): Promise<void> {
  const upTo = table.kind === 'series' ? Math.min(through, table.packed) : through
  // Never the last block: its position is how the head is known again.
  const last = await database.lastBlockBefore(table, asSeq(Math.min(upTo, table.head - 1)))
  if (last === undefined || last < table.first) return
  await database.write([
    ...table.gaps.map(old => ({ key: gapKey(table.id, old.seq), value: undefined })),
    { key: gapKey(table.id, last), value: encodeJson({ first: 1, reason }) },
  ])
  table.gaps = [gapEntry(asSeq(1), last, reason)]
  table.first = asSeq(last + 1)
  await database.clearLog(table, last)
}
