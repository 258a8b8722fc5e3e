/**
 * Reading back by device, metric and time. The hours are walked in order and each is sorted by itself, so that memory is
 * bounded by the busiest hour asked for, however long the range is.
 *
 * Packed readings stay filed under the hour in which they arrived as it was believed then. Those of a boot whose clock
 * was corrected later are looked for where they were filed, and told in the hour that it really was: to the query, each
 * corrected boot is one more place for a series to have readings in, shifted by that boot's offset.
 */
import { type Corrections, type Shift, shifted } from './corrections.ts'
import type { Database } from './database.ts'
import { packedKey, packedKeyHour } from './keys.ts'
import { readPackedReadings } from './readings.ts'
import { hourMs, hourOf } from './repeats.ts'
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
  const { corrections } = database
  const sources = table.series.matching(device, metric).map(series => sourceOf(series, corrections, range))
  const hours = await hoursOf(database, table, sources, range)
  if (limit === undefined) {
    for (const hour of hours) yield* await readHour(database, table, sources, hour, range)
    return
  }
  yield* await newest(limit, hours, hour => readHour(database, table, sources, hour, range))
}

type Range = { readonly fromMs: number; readonly toMs: number; readonly packed: Seq }
type Source = {
  readonly series: KnownSeries
  /** With their times corrected. */
  readonly unpacked: readonly ReadingEntry[]
  /** As known when the query began: a reading must not move from one hour to another while hours are read. */
  readonly shifts: ReadonlyMap<string, Shift>
  /** Those of them that may have readings in the range. */
  readonly shiftsInRange: readonly Shift[]
}

function sourceOf(series: KnownSeries, corrections: Corrections, range: Range): Source {
  const shifts = new Map(corrections.of(series.origin))
  return {
    series,
    unpacked: series.unpacked.map(entry => corrections.correct(entry)).filter(inRange(range)),
    shifts,
    shiftsInRange: [...shifts.values()].filter(({ fromMs, toMs }) => fromMs < range.toMs && toMs >= range.fromMs),
  }
}

function inRange({ fromMs, toMs }: Range): (entry: ReadingEntry) => boolean {
  return entry => {
    const timeMs = timeOf(entry)
    return timeMs >= fromMs && timeMs < toMs
  }
}

/** The hours in which any of the series has readings, in order. */
async function hoursOf(database: Database, table: Table, sources: readonly Source[], range: Range): Promise<number[]> {
  const hours = new Set<number>()
  for (const { series, unpacked, shiftsInRange } of sources) {
    for (const entry of unpacked) hours.add(hourOf(timeOf(entry)))
    for await (const hour of filedHours(database, table, series, range.fromMs, range.toMs)) hours.add(hour)
    for (const { offsetMs, fromMs, toMs } of shiftsInRange) {
      const [from, to] = [Math.max(range.fromMs, fromMs) - offsetMs, Math.min(range.toMs, toMs) - offsetMs]
      for await (const hour of filedHours(database, table, series, from, to)) {
        hours.add(hourOf(hour * hourMs + offsetMs))
        hours.add(hourOf((hour + 1) * hourMs - 1 + offsetMs))
      }
    }
  }
  return [...hours].toSorted((a, b) => a - b)
}

/** The hours between two times under which readings of a series are filed. */
async function* filedHours(
  database: Database,
  table: Table,
  series: KnownSeries,
  fromMs: number,
  toMs: number,
): AsyncGenerator<number> {
  const last = Math.min(hourMax, hourOf(toMs))
  let hour = hourOf(fromMs)
  while (hour <= last) {
    const found = await firstHour(database, table, series, hour, last)
    if (found === undefined) return
    yield found
    hour = found + 1
  }
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
  for (const { series, unpacked, shifts, shiftsInRange } of sources) {
    for (const entry of unpacked) if (hourOf(timeOf(entry)) === hour) found.push(entry)
    // What was packed after this query began is in its `unpacked` already.
    const take = (entry: ReadingEntry): void => {
      if (entry.seq <= range.packed && within(entry)) found.push(entry)
    }
    for await (const entry of filed(database, table, series, hour, hour)) {
      const shift = entry.boot === undefined ? undefined : shifts.get(entry.boot)
      if (shift === undefined) take(entry)
      else if (entry.deviceTimeMs !== undefined) take(shifted(entry, shift))
    }
    for (const shift of shiftsInRange) {
      const first = hourOf(hour * hourMs - shift.offsetMs)
      const last = hourOf((hour + 1) * hourMs - 1 - shift.offsetMs)
      for await (const entry of filed(database, table, series, first, last)) {
        if (entry.boot !== shift.boot || entry.deviceTimeMs !== undefined) continue
        const corrected = shifted(entry, shift)
        if (hourOf(corrected.arrivalMs) === hour) take(corrected)
      }
    }
  }
  return found.toSorted((a, b) => timeOf(a) - timeOf(b) || a.seq - b.seq)
}

/** The readings of a series that are filed under hours from `first` to `last`, as they are stored. */
async function* filed(
  database: Database,
  table: Table,
  series: KnownSeries,
  first: number,
  last: number,
): AsyncGenerator<ReadingEntry> {
  const keys = { gte: packedKey(table.id, series.id, first, 0), lt: packedKey(table.id, series.id, last + 1, 0) }
  for await (const [key, block] of database.scan(keys)) {
    yield* readPackedReadings(block, asSeq(key.readUIntBE(11, 6)), series)
  }
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
