/**
 * Cutting a packed range in two, where a limit in rows ends amid it: what was packed together is ten minutes of readings,
 * and a limit must not take what it lets stay. Chunks that end before the cut go; of those that go on beyond it nobody
 * sees the part before it, and they go with the range in which they end. Reads, and writes nothing itself [I2].
 */
import { chunksOf, rangesAfter, readRange } from './chunks.ts'
import type { Database } from './database.ts'
import { rangeKey } from './keys.ts'
import { type PackedRange, encodeRange } from './ranges.ts'
import { sealBytes } from './seal.ts'
import type { Table } from './table.ts'
import { idKeysOf } from './trim-keys.ts'
import { type Seq, type TrimChange, asSeq } from './types.ts'

/** The first `rows` readings of the oldest packed range; undefined if it has no more than these, or nothing is packed. */
export async function planPart(
  database: Database,
  table: Table,
  rows: number,
  reason: string,
): Promise<TrimChange | undefined> {
  const { first, revision, packed, name } = table
  if (first > packed) return undefined
  for await (const { range, bytes } of rangesAfter(database, table, asSeq(first - 1))) {
    if (range.count <= rows) return undefined
    const through = await positionOf(database, table, range, rows)
    const keys: Buffer[] = []
    let packedBytes = 0
    for (const [hour, ids] of range.hours)
      for await (const { key, bytes: ofChunk, chunk } of chunksOf(database, table, hour, ids)) {
        if (chunk.lastSeq < range.first || chunk.lastSeq > through) continue
        keys.push(key, ...idKeysOf(table, chunk))
        packedBytes += ofChunk
      }
    const put = {
      key: rangeKey(table.id, range.last),
      value: encodeRange({ ...range, first: asSeq(through + 1), count: range.count - rows }),
    }
    packedBytes += bytes - (put.key.length + put.value.length + sealBytes)
    const packedRows = rows
    return {
      kind: 'trim',
      table: name,
      first,
      through,
      bytes: 0,
      packedBytes,
      packedRows,
      rows,
      keys,
      puts: [put],
      revision,
      reason,
    }
  }
  return undefined
}

/** The position of the reading before which so many stand, itself counted. */
async function positionOf(database: Database, table: Table, range: PackedRange, rows: number): Promise<Seq> {
  if (range.count === range.last - range.first + 1) return asSeq(range.first + rows - 1)
  const readings = await readRange(database, table, range)
  return (readings[rows - 1] ?? readings.at(-1))?.seq ?? range.first
}
