/** Finding chunks and packed ranges on disk. Reads only. */
import { type Chunk, openChunk } from './chunk.ts'
import type { Database } from './database.ts'
import * as keys from './keys.ts'
import { type PackedRange, decodeRange } from './ranges.ts'
import { sealBytes } from './seal.ts'
import type { Table } from './table.ts'
import { type Seq, asSeq } from './types.ts'

/** A chunk with what it takes on disk. */
export type StoredChunk = { readonly key: Buffer; readonly bytes: number; readonly chunk: Chunk }

/** Beyond so many series an hour is read as one stretch, and what is not wanted is passed over. */
const seeksMax = 64

/** The chunks of these series in one hour, by series and position. Those of a series that is not known are left out. */
export async function* chunksOf(
  database: Database,
  table: Table,
  hour: number,
  ids: readonly number[],
): AsyncGenerator<StoredChunk> {
  if (ids.length <= seeksMax) {
    for (const id of ids) yield* chunksBetween(database, table, hour, id, id)
    return
  }
  const wanted = new Set(ids)
  const [least, most] = [Math.min(...wanted), Math.max(...wanted)]
  for await (const stored of chunksBetween(database, table, hour, least, most))
    if (wanted.has(stored.chunk.series.id)) yield stored
}

async function* chunksBetween(
  database: Database,
  table: Table,
  hour: number,
  from: number,
  to: number,
): AsyncGenerator<StoredChunk> {
  const range = { gte: keys.chunkKey(table.id, hour, from, 0), lt: keys.chunkKey(table.id, hour, to + 1, 0) }
  for await (const [key, block] of database.scan(range)) {
    const series = table.series.byId(keys.chunkKeySeries(key))
    if (series === undefined) continue
    yield {
      key,
      bytes: key.length + block.length + sealBytes,
      chunk: openChunk(block, keys.chunkKeyFirst(key), series),
    }
  }
}

/** The first hour from `from` to `to` in which a table has chunks, of whatever series; or the last one. */
export async function nearestHour(
  database: Database,
  table: Table,
  from: number,
  to: number,
  which: 'first' | 'last' = 'first',
): Promise<number | undefined> {
  if (from > to) return undefined
  const iterator = database.level.iterator({
    gte: keys.chunkKey(table.id, from, 0, 0),
    lt: keys.chunkKey(table.id, to + 1, 0, 0),
    limit: 1,
    values: false,
    reverse: which === 'last',
  })
  try {
    const found = await iterator.next()
    return found ? keys.chunkKeyHour(found[0]) : undefined
  } finally {
    await iterator.close()
  }
}

/** The packed ranges that hold positions after `after`, in order. A damaged one has no hours, and counts nothing. */
export async function* rangesAfter(
  database: Database,
  table: Table,
  after: Seq,
): AsyncGenerator<{ readonly range: PackedRange; readonly key: Buffer; readonly bytes: number }> {
  const bounds = { gte: keys.rangeKey(table.id, after + 1), lt: keys.rangeKey(table.id, table.packed + 1) }
  for await (const [key, value] of database.scan(bounds)) {
    const range = decodeRange(value, keys.logKeyLast(key))
    yield { range, key, bytes: key.length + value.length + sealBytes }
  }
}

/** The readings of a packed range, in the order of the log. */
export async function readRange(database: Database, table: Table, { first, last, hours }: PackedRange) {
  const parts = []
  for (const [hour, ids] of hours)
    for await (const { chunk } of chunksOf(database, table, hour, ids)) {
      if (chunk.firstSeq > last || chunk.lastSeq < first) continue
      parts.push(chunk.entriesBetween(asSeq(first - 1), last))
    }
  return parts.flat().toSorted((a, b) => a.seq - b.seq)
}
