/** Reading the blocks of a log: one commit group of one table each. A damaged one becomes a gap. */
import { ByteReader, ByteWriter } from './bytes.ts'
import { type Database, gapEntry } from './database.ts'
import * as keys from './keys.ts'
import { readLogReadings } from './readings.ts'
import { readLogRecords } from './records.ts'
import { KnownSeries, type Table } from './table.ts'
import { type Entry, type GapEntry, type Seq, asSeq } from './types.ts'

/** Entries of the blocks after `after` until `limit` is reached. What is packed has no blocks any more. */
export async function readBlocks(database: Database, table: Table, after: Seq, limit: number): Promise<Entry[]> {
  const found: Entry[] = []
  let position = after
  const range = { gte: keys.logKey(table.id, position + 1), lt: keys.logKey(table.id, table.head + 1) }
  for await (const [key, sealed] of database.blocks(range)) {
    const last = keys.logKeyLast(key)
    const entries = decodeBlock(database, table, key, sealed, position, last)
    const first = (entries[0] as Entry).seq
    if (first > position + 1 && entries[0]?.kind !== 'gap')
      found.push(gapEntry(asSeq(position + 1), asSeq(first - 1), 'missing on disk'))
    for (const entry of entries) if (entry.seq > after) found.push(entry)
    position = last
    if (found.length >= limit) break
  }
  return found
}

export function decodeBlock(
  database: Database,
  table: Table,
  key: Buffer,
  sealed: Buffer,
  before: Seq,
  last: Seq,
): Entry[] {
  const block = database.checked(key, sealed)
  if (!block) return [gapEntry(asSeq(before + 1), last, 'damaged on disk')]
  if (block[0] === 0) return [readMark(block, before, last)]
  if (table.kind === 'records') return readLogRecords(block, last)
  // A series whose own value is damaged takes only its own readings with it.
  let isAnyLost = false
  const entries = readLogReadings(block, last, id => {
    const series = table.series.byId(id)
    if (series === undefined) isAnyLost = true
    return series ?? lostSeries
  })
  if (!isAnyLost) return entries
  return entries.map(entry => (entry.series === lostSeries ? gapEntry(entry.seq, entry.seq, 'damaged on disk') : entry))
}

/**
 * A block of no entries marks positions that are lost, or that were passed over because nobody knows whether they were
 * given: varint 0, varint how many entries were there at least, text reason.
 */
export function encodeMark(count: number, reason: string): Buffer {
  const out = new ByteWriter(32)
  out.varint(0)
  out.varint(count)
  out.text(reason)
  return out.take()
}

function readMark(block: Buffer, before: Seq, last: Seq): GapEntry {
  const read = new ByteReader(block)
  read.varint()
  const [count, reason] = [read.varint(), read.text()]
  return { ...gapEntry(asSeq(before + 1), last, reason), count }
}

/** Stands for every series that is not known any longer. */
const lostSeries = new KnownSeries(0, '', '', '', '', undefined, 0)

/** Removes log blocks that nobody needs any more; unsynced, because losing that loses nothing. */
export function clearBlocks({ level }: Database, table: Table, through: Seq): Promise<void> {
  return level.clear({ gte: keys.logKey(table.id, 0), lt: keys.logKey(table.id, through + 1) })
}
