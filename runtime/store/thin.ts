/**
 * Thinning: of some old readings every second one of each series is taken, so that what is left says still how it was, and
 * takes half the space. A step takes neighbouring packed ranges and writes their chunks anew.
 *
 * Promises: what a step takes, the sizes and whatever is committed with it are one batch, and small; between two steps
 * everything is as it should be. The first reading of each series in a step stays, so that series which are read in
 * step lose the same moments and the holes of the log are few and long. The older, the thinner: half of what is packed
 * may be thinned three times, the newest eighth never. Reads, and writes nothing itself [I2].
 */
import { encodeChunk } from './chunk.ts'
import { chunksOf, rangesAfter } from './chunks.ts'
import type { Database } from './database.ts'
import * as keys from './keys.ts'
import type { Put } from './put.ts'
import { type PackedRange, encodeRange } from './ranges.ts'
import { sealBytes } from './seal.ts'
import type { Table } from './table.ts'
import { idKeyOf } from './trim-keys.ts'
import { type ChunksChange, type ReadingEntry, type Seq, asSeq } from './types.ts'

/** How often the readings before this share of what is packed may be thinned. */
const zones = [
  { before: 1 / 2, level: 3 },
  { before: 3 / 4, level: 2 },
  { before: 7 / 8, level: 1 },
] as const
const levelMax = zones[0].level

/** Read and written anew by one step, unless one range has more: some hundred kilobytes. */
const stepReadings = 32_768

export type ThinStep = {
  readonly change: ChunksChange
  /** The positions that are taken, in order. */
  readonly taken: readonly Seq[]
  /** By how much the table becomes smaller. */
  readonly bytes: number
}

/** Where thinning has come to in a table: the ranges before are as thin as this pass makes them. */
export type ThinPlace = { readonly level: number; readonly after: Seq }

export const thinBeginning: ThinPlace = { level: 0, after: asSeq(0) }

/** The next step from a place on, and the place after it; without a step once nothing is left to thin. */
export async function planThin(
  database: Database,
  table: Table,
  from: ThinPlace,
): Promise<{ readonly step: ThinStep | undefined; readonly place: ThinPlace }> {
  let place = from
  while (place.level < levelMax) {
    const ranges = await nextRanges(database, table, place)
    const last = ranges.at(-1)
    if (last === undefined) {
      place = { level: place.level + 1, after: asSeq(0) }
      continue
    }
    place = { ...place, after: last.range.last }
    return { step: await stepOf(database, table, ranges), place }
  }
  return { step: undefined, place }
}

type Found = { readonly range: PackedRange; readonly bytes: number }

/** The oldest neighbouring ranges that were thinned so often, and may be once more. */
async function nextRanges(database: Database, table: Table, { level, after }: ThinPlace): Promise<Found[]> {
  const found: Found[] = []
  let count = 0
  for await (const { range, bytes } of rangesAfter(database, table, asSeq(Math.max(after, table.first - 1)))) {
    if (levelAllowed(table, range.last) <= level) break
    const isNext = range.level === level && (found.length === 0 || count + range.count <= stepReadings)
    if (!isNext && found.length > 0) break
    if (!isNext) continue
    found.push({ range, bytes })
    count += range.count
  }
  return found
}

function levelAllowed(table: Table, seq: Seq): number {
  const share = (seq - table.first + 1) / (table.packed - table.first + 1)
  return zones.find(({ before }) => share <= before)?.level ?? 0
}

async function stepOf(database: Database, table: Table, ranges: readonly Found[]): Promise<ThinStep> {
  const { revision, name } = table
  const [first, last] = [(ranges[0] as Found).range.first, (ranges.at(-1) as Found).range.last]
  const puts: Put[] = []
  const taken: Seq[] = []
  let bytes = 0
  for (const [hour, ids] of hoursOf(ranges)) {
    let series = 0
    let isKept = false
    for await (const { key, bytes: before, chunk } of chunksOf(database, table, hour, ids)) {
      if (chunk.lastSeq < first || chunk.firstSeq > last) continue
      if (chunk.series.id !== series) isKept = false
      series = chunk.series.id
      const left: ReadingEntry[] = []
      const gone: ReadingEntry[] = []
      for (const entry of chunk.entries()) {
        const isOurs = entry.seq >= first && entry.seq <= last
        if (isOurs) isKept = !isKept
        if (isOurs && !isKept) gone.push(entry)
        else left.push(entry)
      }
      if (gone.length === 0) continue
      for (const entry of gone) taken.push(entry.seq)
      bytes += before - rewrite(puts, table, hour, key, left, gone)
    }
  }
  const sorted = taken.toSorted((a, b) => a - b)
  for (const found of ranges) bytes += found.bytes - putRange(puts, table, found.range, sorted)
  const grown = { log: 0, packed: -bytes, rows: -taken.length }
  return { change: { kind: 'chunks', table: name, puts, revision, grown }, taken: sorted, bytes }
}

/** Writes what is left of a chunk in its place; returns the bytes it takes. */
function rewrite(
  puts: Put[],
  table: Table,
  hour: number,
  key: Buffer,
  left: readonly ReadingEntry[],
  gone: readonly ReadingEntry[],
): number {
  for (const mark of gone.flatMap(entry => idKeyOf(table, entry))) puts.push({ key: mark, value: undefined })
  // Before the new one: it may have the same key.
  puts.push({ key, value: undefined })
  const [first] = left
  if (first === undefined) return 0
  const chunk = { key: keys.chunkKey(table.id, hour, first.series.id, first.seq), value: encodeChunk(left) }
  puts.push(chunk)
  return chunk.key.length + chunk.value.length + sealBytes
}

function putRange(puts: Put[], table: Table, range: PackedRange, taken: readonly Seq[]): number {
  const gone = indexAfter(taken, range.last) - indexAfter(taken, asSeq(range.first - 1))
  const hole = gone === 0 ? range.hole : 'thinned'
  const value = encodeRange({ ...range, count: range.count - gone, level: range.level + 1, hole })
  const key = keys.rangeKey(table.id, range.last)
  puts.push({ key, value })
  return key.length + value.length + sealBytes
}

/** Hours and series of some ranges together. */
function hoursOf(ranges: readonly Found[]): Map<number, number[]> {
  const hours = new Map<number, Set<number>>()
  for (const { range } of ranges)
    for (const [hour, ids] of range.hours) {
      const known = hours.get(hour) ?? new Set()
      hours.set(hour, known)
      for (const id of ids) known.add(id)
    }
  return new Map([...hours].map(([hour, ids]) => [hour, [...ids].toSorted((a, b) => a - b)]))
}

/** How many of these positions, which are in order, are not after one. */
export function indexAfter(positions: readonly Seq[], seq: Seq): number {
  let low = 0
  let high = positions.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((positions[middle] as Seq) <= seq) low = middle + 1
    else high = middle
  }
  return low
}
