/**
 * Reading back by device, metric and time. The hours are walked in order and each is sorted by itself, so that memory is
 * bounded by the busiest hour asked for, however long the range is.
 */
import type { Database } from './database.ts'
import { packedKey, packedKeyHour } from './keys.ts'
import { readPackedReadings } from './readings.ts'
import { hourOf } from './repeats.ts'
import type { KnownSeries, Table } from './table.ts'
import { type ReadingEntry, type ReadingQuery, type Seq, asSeq, timeOf } from './types.ts'

/** The last hour that a key can hold: year 491,000. */
const hourMax = 0xfffffffe

export async function* queryReadings(
  database: Database,
  table: Table,
  query: ReadingQuery,
): AsyncGenerator<ReadingEntry> {
  const { device = '*', metric = '*', fromMs = 0, toMs = Number.POSITIVE_INFINITY, limit } = query
  const range: Range = { fromMs, toMs, packed: table.packed }
  const sources = table.series
    .matching(device, metric)
    .map(series => ({ series, unpacked: series.unpacked.filter(inRange(range)) }))
  const hours = await hoursOf(database, table, sources, range)
  if (limit === undefined) {
    for (const hour of hours) yield* await readHour(database, table, sources, hour, range)
    return
  }
  yield* await newest(limit, hours, hour => readHour(database, table, sources, hour, range))
}

type Range = { readonly fromMs: number; readonly toMs: number; readonly packed: Seq }
type Source = { readonly series: KnownSeries; readonly unpacked: readonly ReadingEntry[] }

function inRange({ fromMs, toMs }: Range): (entry: ReadingEntry) => boolean {
  return entry => {
    const timeMs = timeOf(entry)
    return timeMs >= fromMs && timeMs < toMs
  }
}

/** The hours in which any of the series has readings, in order. */
async function hoursOf(database: Database, table: Table, sources: readonly Source[], range: Range): Promise<number[]> {
  const hours = new Set<number>()
  for (const { series, unpacked } of sources) {
    for (const entry of unpacked) hours.add(hourOf(timeOf(entry)))
    let hour = hourOf(range.fromMs)
    const last = Math.min(hourMax, hourOf(range.toMs))
    while (hour <= last) {
      const found = await firstHour(database, table, series, hour, last)
      if (found === undefined) break
      hours.add(found)
      hour = found + 1
    }
  }
  return [...hours].toSorted((a, b) => a - b)
}

async function firstHour(
  database: Database,
  table: Table,
  series: KnownSeries,
  from: number,
  to: number,
): Promise<number | undefined> {
  const range = {
    gte: packedKey(table.id, series.id, from, 0),
    lt: packedKey(table.id, series.id, to + 1, 0),
    limit: 1,
    values: false,
  }
  const iterator = database.level.iterator(range)
  try {
    const entry = await iterator.next()
    return entry ? packedKeyHour(entry[0]) : undefined
  } finally {
    await iterator.close()
  }
}

/** All readings of one hour, sorted by time. */
async function readHour(
  database: Database,
  table: Table,
  sources: readonly Source[],
  hour: number,
  range: Range,
): Promise<ReadingEntry[]> {
  const within = inRange(range)
  const found: ReadingEntry[] = []
  for (const { series, unpacked } of sources) {
    for (const entry of unpacked) if (hourOf(timeOf(entry)) === hour) found.push(entry)
    const keys = { gte: packedKey(table.id, series.id, hour, 0), lt: packedKey(table.id, series.id, hour + 1, 0) }
    for await (const [key, block] of database.scan(keys)) {
      const first = asSeq(key.readUIntBE(11, 6))
      for (const entry of readPackedReadings(block, first, series)) {
        // What was packed after this query began is in its `unpacked` already.
        if (entry.seq <= range.packed && within(entry)) found.push(entry)
      }
    }
  }
  return found.toSorted((a, b) => timeOf(a) - timeOf(b) || a.seq - b.seq)
}

/** The newest `limit` readings, oldest first: hours are read from the end until there are enough. */
async function newest(
  limit: number,
  hours: readonly number[],
  read: (hour: number) => Promise<ReadingEntry[]>,
): Promise<ReadingEntry[]> {
  let found: ReadingEntry[] = []
  for (const hour of hours.toReversed()) {
    if (found.length >= limit) break
    found = [...(await read(hour)), ...found]
  }
  return found.slice(Math.max(0, found.length - limit))
}
