/**
 * Thinning: of some old readings every second one of each series is taken, so that what is left says still how it was, and
 * takes half the space. A step takes neighbouring packed ranges and writes their chunks anew.
 *
 * Promises: what a step takes, the sizes and whatever is committed with it are one batch, and small, however much the
 * ranges hold; between two steps everything is as it should be. The first reading of each series in a step stays, so that
 * series which are read in step lose the same moments and the holes of the log are few and long. The older, the thinner:
 * half of what is packed may be thinned three times, the newest eighth never. Reads, and writes nothing itself [I2].
 */
import { encodeChunk } from './chunk.ts'
import { chunksOf, rangesAfter } from './chunks.ts'
import type { Database } from './database.ts'
import * as keys from './keys.ts'
import type { Put } from './put.ts'
import { type PackedRange, encodeRange } from './ranges.ts'
import { sealBytes } from './seal.ts'
import { countUpTo } from './search.ts'
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

/** Neighbouring ranges are thinned together up to so many readings: what counts as every second goes over their edges. */
const groupReadings = 32_768
/** Chunks read and written anew by one step: some milliseconds of a slow card. */
const stepBytes = 1 << 20

export type ThinStep = {
  readonly change: ChunksChange
  /** The positions that are taken, in order. */
  readonly taken: readonly Seq[]
  /** By how much the table becomes smaller. */
  readonly bytes: number
}

/**
 * Where thinning has come to in a table: the ranges up to `after` are as thin as this pass makes them, and of those that
 * follow the chunks before `within`. Forgotten, as by a restart, some series of these are thinned once more than others.
 */
export type ThinPlace = { readonly level: number; readonly after: Seq; readonly within?: Within | undefined }

type Place = { readonly hour: number; readonly series: number }
type Within = Place & { readonly first: Seq; readonly last: Seq }

export const thinBeginning: ThinPlace = { level: 0, after: asSeq(0) }

/** The next step from a place on, and the place after it; without a step once nothing is left to thin. */
export async function planThin(
  database: Database,
  table: Table,
  from: ThinPlace,
  bytesMax = stepBytes,
): Promise<{ readonly step: ThinStep | undefined; readonly place: ThinPlace }> {
  let place = from
  while (place.level < levelMax) {
    const ranges = await nextRanges(database, table, place)
    if (ranges.length > 0) return stepOf(database, table, ranges, place, bytesMax)
    place = { level: place.level + 1, after: asSeq(0) }
  }
  return { step: undefined, place }
}

type Found = { readonly range: PackedRange; readonly bytes: number }

/** The oldest neighbouring ranges that were thinned so often, and may be once more; or those that are being thinned. */
async function nextRanges(database: Database, table: Table, { level, after, within }: ThinPlace): Promise<Found[]> {
  const found: Found[] = []
  let count = 0
  for await (const { range, bytes } of rangesAfter(database, table, asSeq(Math.max(after, table.first - 1)))) {
    if (within ? range.last > within.last : levelAllowed(table, range.last) <= level) break
    const isNext =
      range.level === level && (within !== undefined || count + range.count <= groupReadings || count === 0)
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

type Planned = { readonly step: ThinStep; readonly place: ThinPlace }

async function stepOf(
  database: Database,
  table: Table,
  ranges: readonly Found[],
  from: ThinPlace,
  bytesMax: number,
): Promise<Planned> {
  const { revision, name } = table
  const [first, last] = [(ranges[0] as Found).range.first, (ranges.at(-1) as Found).range.last]
  const puts: Put[] = []
  const taken: Seq[] = []
  let place: ThinPlace = { level: from.level, after: last }
  let [bytes, read, isKept] = [0, 0, false]
  let before: Place | undefined
  for await (const { hour, key, bytes: chunkBytes, chunk } of chunksIn(database, table, ranges, from.within)) {
    const here = { hour, series: chunk.series.id }
    if (before?.series !== here.series || before.hour !== hour) {
      if (read >= bytesMax) {
        place = { ...from, within: { first, last, ...here } }
        break
      }
      isKept = false
    }
    before = here
    read += chunkBytes
    const parted = everySecond(chunk.entries(), table.first, first, last, isKept)
    isKept = parted.isKept
    if (parted.gone.length === 0) continue
    for (const { seq } of parted.gone) if (seq >= first) taken.push(seq)
    bytes += chunkBytes - rewrite(puts, table, hour, key, parted.left, parted.gone)
  }
  const sorted = taken.toSorted((a, b) => a - b)
  const level = place.within === undefined ? from.level + 1 : from.level
  for (const found of ranges) bytes += found.bytes - putRange(puts, table, found.range, sorted, level)
  const grown = { log: 0, packed: -bytes, rows: -taken.length }
  return { step: { change: { kind: 'chunks', table: name, puts, revision, grown }, taken: sorted, bytes }, place }
}

/** The chunks that hold anything of these ranges, from a place on, by hour and series. */
async function* chunksIn(database: Database, table: Table, ranges: readonly Found[], from: Place | undefined) {
  const [first, last] = [(ranges[0] as Found).range.first, (ranges.at(-1) as Found).range.last]
  for (const [hour, ids] of hoursOf(ranges)) {
    if (from !== undefined && hour < from.hour) continue
    const left = from?.hour === hour ? ids.filter(id => id >= from.series) : ids
    for await (const stored of chunksOf(database, table, hour, left))
      if (stored.chunk.lastSeq >= first && stored.chunk.firstSeq <= last) yield { hour, ...stored }
  }
}

/** Parts what stands between two positions; before and behind them all stays that nobody has trimmed. */
function everySecond(entries: readonly ReadingEntry[], alive: Seq, first: Seq, last: Seq, wasKept: boolean) {
  const left: ReadingEntry[] = []
  const gone: ReadingEntry[] = []
  let isKept = wasKept
  for (const entry of entries) {
    const isOurs = entry.seq >= first && entry.seq <= last
    if (isOurs) isKept = !isKept
    if (entry.seq < alive || (isOurs && !isKept)) gone.push(entry)
    else left.push(entry)
  }
  return { left, gone, isKept }
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

function putRange(puts: Put[], table: Table, range: PackedRange, taken: readonly Seq[], level: number): number {
  const gone = countUpTo(taken, range.last) - countUpTo(taken, range.first - 1)
  const hole = gone === 0 ? range.hole : 'thinned'
  const value = encodeRange({ ...range, count: range.count - gone, level, hole })
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
