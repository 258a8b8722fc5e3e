/**
 * The packed part of a series table after damage. Chunks and ranges tell each other's keys: a range that is lost is made
 * anew from the chunks that hold its positions, and a range whose chunks are lost says how many of its readings are gone.
 */
import { type Chunk, openChunk } from '../chunk.ts'
import * as keys from '../keys.ts'
import { type PackedRange, decodeRange, encodeRange } from '../ranges.ts'
import { encodeSeries } from '../series-value.ts'
import { KnownSeries } from '../table.ts'
import { type ReadingEntry, asSeq } from '../types.ts'
import { readLogReadings } from '../readings.ts'
import { lastKeyOf, rawKeys, rawPairs } from './raw.ts'
import { type KnownTable, type Recovery, reason } from './recovery.ts'

/** Stands for all of them: names do not matter here. */
const anySeries = new KnownSeries(0, '', '', '', '', undefined, 0)

/** Up to where the table is packed. */
export async function packedThrough(recovery: Recovery, table: KnownTable, cursor: number): Promise<number> {
  const last = await lastKeyOf(recovery.level, keys.rangeOf('range', table.id))
  return Math.max(cursor, last === undefined ? 0 : keys.logKeyLast(last))
}

export async function recoverPacked(
  recovery: Recovery,
  table: KnownTable,
  trimmed: number,
  packed: number,
): Promise<void> {
  const holes: { first: number; last: number }[] = []
  let before = trimmed
  for await (const pair of rawPairs(recovery.level, keys.rangeOf('range', table.id))) {
    const last = keys.logKeyLast(pair.key)
    if (last <= trimmed) continue
    const range = pair.value && rangeOf(pair.value, last)
    if (range === undefined) {
      recovery.remove(pair)
      continue
    }
    if (range.first > before + 1) holes.push({ first: before + 1, last: range.first - 1 })
    before = last
    if (isTouched(recovery, table, range)) await recount(recovery, table, range)
  }
  if (before < packed) holes.push({ first: before + 1, last: packed })
  for (const hole of holes) await rebuild(recovery, table, hole)
}

/**
 * A series whose name is lost gets another, so that its readings can still be read: the device `lost`, and its number as
 * the metric. And so nobody else gets its number.
 */
export async function recoverSeries(recovery: Recovery, table: KnownTable): Promise<void> {
  const range = keys.rangeOf('series', table.id)
  const known = new Set<number>()
  const nameless = new Set<number>()
  for await (const pair of rawPairs(recovery.level, range)) {
    if (pair.value !== undefined) known.add(keys.seriesKeyId(pair.key))
    else {
      recovery.remove(pair)
      nameless.add(keys.seriesKeyId(pair.key))
    }
  }
  if (recovery.mayHaveLost(range.gte, range.lt)) for (const id of await usedIds(recovery, table)) nameless.add(id)
  let count = 0
  for (const id of nameless) {
    if (known.has(id)) continue
    count++
    const series = new KnownSeries(
      id,
      table.name,
      recovery.origin,
      'lost',
      `series-${id}`,
      undefined,
      Date.parse('9999-01-01'),
    )
    recovery.put(keys.seriesKey(table.id, id), encodeSeries(series))
  }
  if (count > 0)
    recovery.note(
      `the names of ${count} series of "${table.name}" are lost: their readings are those of the device "lost" now`,
    )
}

/** The numbers of the series that something is stored of. */
async function usedIds(recovery: Recovery, table: KnownTable): Promise<Set<number>> {
  const used = new Set<number>()
  for await (const key of rawKeys(recovery.level, keys.rangeOf('chunk', table.id))) used.add(keys.chunkKeySeries(key))
  for await (const key of rawKeys(recovery.level, keys.rangeOf('id', table.id))) used.add(keys.seriesKeyId(key))
  for await (const { key, value } of rawPairs(recovery.level, keys.rangeOf('log', table.id))) {
    if (value === undefined || value[0] === 0) continue
    readLogReadings(value, keys.logKeyLast(key), id => {
      used.add(id)
      return anySeries
    })
  }
  return used
}

function rangeOf(value: Buffer, last: number): PackedRange | undefined {
  try {
    return decodeRange(value, asSeq(last))
  } catch {
    return undefined
  }
}

/** True if a chunk of this range may have gone. */
function isTouched(recovery: Recovery, table: KnownTable, { hours }: PackedRange): boolean {
  for (const [hour, ids] of hours) {
    for (const id of ids) {
      const [from, to] = [keys.chunkKey(table.id, hour, id, 0), keys.chunkKey(table.id, hour, id + 1, 0)]
      if (recovery.damages.length > 0 && recovery.mayHaveLost(from, to)) return true
      if (recovery.aside.some(({ key }) => Buffer.compare(key, from) >= 0 && Buffer.compare(key, to) < 0)) return true
    }
  }
  return false
}

async function recount(recovery: Recovery, table: KnownTable, range: PackedRange): Promise<void> {
  let count = 0
  for (const [hour, ids] of range.hours) {
    for (const id of ids) {
      const between = { gte: keys.chunkKey(table.id, hour, id, 0), lt: keys.chunkKey(table.id, hour, id + 1, 0) }
      for await (const chunk of chunks(recovery, between)) count += entriesOf(chunk, range).length
    }
  }
  if (count >= range.count) return
  recovery.put(keys.rangeKey(table.id, range.last), encodeRange({ ...range, count, hole: range.hole || reason }))
  recovery.lose({ table: table.name, first: range.first, last: range.last, count: range.count - count })
}

async function rebuild(recovery: Recovery, table: KnownTable, hole: { first: number; last: number }): Promise<void> {
  const [first, last] = [asSeq(hole.first), asSeq(hole.last)]
  const hours = new Map<number, number[]>()
  let count = 0
  let newest = 0
  for await (const chunk of chunks(recovery, keys.rangeOf('chunk', table.id))) {
    const entries = entriesOf(chunk, { first, last })
    if (entries.length === 0) continue
    const ids = hours.get(chunk.hour) ?? []
    hours.set(chunk.hour, ids.includes(chunk.id) ? ids : [...ids, chunk.id])
    count += entries.length
    for (const { stamp } of entries) newest = Math.max(newest, stamp)
  }
  const missing = hole.last - hole.first + 1 - count
  const range = { first, last, count, newest: newest as never, level: 0, hole: missing > 0 ? reason : '', hours }
  recovery.put(keys.rangeKey(table.id, last), encodeRange(range))
  if (missing > 0) recovery.lose({ table: table.name, first, last, count: missing })
}

type FoundChunk = { readonly hour: number; readonly id: number; readonly chunk: Chunk }

async function* chunks(recovery: Recovery, range: keys.KeyRange): AsyncGenerator<FoundChunk> {
  for await (const pair of rawPairs(recovery.level, range)) {
    if (pair.value === undefined) continue
    const chunk = openChunk(pair.value, keys.chunkKeyFirst(pair.key), anySeries)
    yield { hour: keys.chunkKeyHour(pair.key), id: keys.chunkKeySeries(pair.key), chunk }
  }
}

const entriesOf = ({ chunk }: FoundChunk, { first, last }: Pick<PackedRange, 'first' | 'last'>): ReadingEntry[] =>
  chunk.lastSeq < first || chunk.firstSeq > last ? [] : chunk.entriesBetween(asSeq(first - 1), last)
