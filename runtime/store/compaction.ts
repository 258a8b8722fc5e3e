/**
 * Space in which nothing stands any more: what was trimmed, dropped or cleared leaves stretches of keys empty, but LevelDB
 * gives their space back only when it next has a reason to write the files around them again. Here it is given one.
 *
 * Promises: only stretches are touched that are known to be empty, or that a caller has just emptied, and in slices: live
 * readings are not written again for it, but at the edges, so that a card is spared. It changes nothing that anybody
 * reads. A database in memory has no files: there, nothing is known and nothing is done.
 */
import { nearestHour } from './chunks.ts'
import type { Database } from './database.ts'
import * as keys from './keys.ts'
import type { Table } from './table.ts'

/** Compacted in one go; the database can be closed between two. */
const sliceBytes = 16e6
/** Smaller ones are left for LevelDB: the files at the edges would cost more than they give. */
const stretchBytesMin = 1e6
const hourEnd = 0xffffffff

export type Stretch = keys.KeyRange & { readonly bytes: number }

/** The stretches where nothing stands, with what they take on disk. */
export async function emptyStretches(database: Database): Promise<Stretch[]> {
  const found: Stretch[] = []
  for (const table of database.tables.values())
    for (const range of await emptyRanges(database, table)) {
      const bytes = await sizeOf(database.level, range)
      if (bytes !== undefined && bytes >= stretchBytesMin) found.push({ ...range, bytes })
    }
  return found
}

async function emptyRanges(database: Database, table: Table): Promise<keys.KeyRange[]> {
  const { id, kind, first, packed } = table
  const log = { gte: keys.logKey(id, 0), lt: keys.logKey(id, Math.max(first, packed + 1)) }
  if (kind === 'records') return [log]
  const hour = (await nearestHour(database, table, 0, hourEnd - 1)) ?? hourEnd
  return [
    log,
    { gte: keys.rangeKey(id, 0), lt: keys.rangeKey(id, first) },
    { gte: keys.chunkKey(id, 0, 0, 0), lt: keys.chunkKey(id, hour, 0, 0) },
    keys.rangeOf('packedInFormat1', id),
  ]
}

/** Where these keys of chunks were, whole hours, neighbours together: what is worth compacting once they have gone. */
export async function stretchesOf(database: Database, table: Table, gone: Iterable<Buffer>): Promise<Stretch[]> {
  const hours = new Set<number>()
  for (const key of gone) if (keys.isChunkKey(key)) hours.add(keys.chunkKeyHour(key))
  const runs: { from: number; to: number }[] = []
  for (const hour of [...hours].toSorted((a, b) => a - b)) {
    const run = runs.at(-1)
    if (run !== undefined && hour <= run.to + 1) run.to = hour
    else runs.push({ from: hour, to: hour })
  }
  const found: Stretch[] = []
  for (const { from, to } of runs) {
    const range = { gte: keys.chunkKey(table.id, from, 0, 0), lt: keys.chunkKey(table.id, to + 1, 0, 0) }
    const bytes = await sizeOf(database.level, range)
    if (bytes !== undefined) found.push({ ...range, bytes })
  }
  return found
}

/** Gives the space of stretches back, a slice at a time, until `isOver` says so. */
export async function compact(
  { level }: Database,
  stretches: readonly Stretch[],
  isOver: () => boolean,
): Promise<void> {
  for (const stretch of stretches)
    for await (const { gte, lt } of slicesOf(level, stretch)) {
      if (isOver()) return
      await level.compactRange?.(gte, lt)
    }
}

/** A large stretch in halves of halves, by the numbers behind kind and table: its positions, or hours and series. */
async function* slicesOf(level: Database['level'], range: keys.KeyRange): AsyncGenerator<keys.KeyRange> {
  const { gte, lt } = range
  const isNumbered = gte.length === lt.length && gte.length >= 9 && gte.subarray(0, 3).equals(lt.subarray(0, 3))
  const [from, to] = isNumbered ? [numberIn(gte), numberIn(lt)] : [0n, 0n]
  const bytes = (await sizeOf(level, range)) ?? 0
  if (to - from < 2n || bytes <= sliceBytes) {
    if (bytes > 0) yield range
    return
  }
  const middle = Buffer.alloc(gte.length)
  gte.copy(middle, 0, 0, 3)
  writeNumber(middle, (from + to) / 2n)
  yield* slicesOf(level, { gte, lt: middle })
  yield* slicesOf(level, { gte: middle, lt })
}

/** What stands behind kind and table: a position of 6 bytes, or hour and series of 4 each. */
const numberIn = (key: Buffer): bigint => (key.length < 11 ? BigInt(key.readUIntBE(3, 6)) : key.readBigUInt64BE(3))

function writeNumber(key: Buffer, number: bigint): void {
  if (key.length < 11) key.writeUIntBE(Number(number), 3, 6)
  else key.writeBigUInt64BE(number, 3)
}

const sizeOf = (level: Database['level'], { gte, lt }: keys.KeyRange): Promise<number | undefined> =>
  level.approximateSize?.(gte, lt) ?? Promise.resolve(undefined)
