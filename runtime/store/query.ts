/**
 * Reading back by device, metric and time. The hours are walked in order and each is sorted by itself, so that memory is
 * bounded by the busiest hour asked for, however long the range is.
 *
 * Packed readings stay filed under the hour in which they arrived as it was believed then. Those of a boot whose clock
 * was corrected later are looked for where they were filed, and told in the hour that it really was: to the query, each
 * corrected boot is one more place for a series to have readings in, shifted by that boot's offset.
 */
import { chunksOf, nearestHour } from './chunks.ts'
import { type Corrections, type Shift, shifted } from './corrections.ts'
import type { Database } from './database.ts'
import { hourMs, hourOf } from './repeats.ts'
import type { KnownSeries, Table } from './table.ts'
import { type ReadingEntry, type ReadingQuery, type Seq, timeOf } from './types.ts'

/** The last hour that a key can hold: year 491,000. */
const hourMax = 0xfffffffe

export async function* queryReadings(
  database: Database,
  table: Table,
  query: ReadingQuery,
): AsyncGenerator<ReadingEntry> {
  const { device = '*', metric = '*', fromMs = 0, toMs = Number.POSITIVE_INFINITY, limit } = query
  const range: Range = { fromMs, toMs, packed: table.packed, first: table.first }
  const { corrections } = database
  const sources = table.series.matching(device, metric).map(series => sourceOf(series, corrections, range))
  const hours = await hoursOf(database, table, sources, range)
  if (limit === undefined) {
    for (const hour of hours) yield* await readHour(database, table, sources, hour, range)
    return
  }
  yield* await newest(limit, hours, hour => readHour(database, table, sources, hour, range))
}

/** Chunks may hold what is not packed yet, and what has been trimmed: neither is told from there. */
type Range = { readonly fromMs: number; readonly toMs: number; readonly packed: Seq; readonly first: Seq }
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

/** The hours in which the table has readings in the range, in order: of the series, or of others. */
async function hoursOf(database: Database, table: Table, sources: readonly Source[], range: Range): Promise<number[]> {
  const hours = new Set<number>()
  const { fromMs, toMs } = range
  for await (const hour of filedHours(database, table, fromMs, toMs)) hours.add(hour)
  const shifts = new Set<Shift>()
  for (const { unpacked, shiftsInRange } of sources) {
    for (const entry of unpacked) hours.add(hourOf(timeOf(entry)))
    for (const shift of shiftsInRange) shifts.add(shift)
  }
  for (const { offsetMs, fromMs: firstMs, toMs: lastMs } of shifts) {
    const [from, to] = [Math.max(fromMs, firstMs) - offsetMs, Math.min(toMs, lastMs) - offsetMs]
    for await (const hour of filedHours(database, table, from, to)) {
      hours.add(hourOf(hour * hourMs + offsetMs))
      hours.add(hourOf((hour + 1) * hourMs - 1 + offsetMs))
    }
  }
  return [...hours].toSorted((a, b) => a - b)
}

/** The hours between two times under which readings are filed. */
async function* filedHours(database: Database, table: Table, fromMs: number, toMs: number): AsyncGenerator<number> {
  const last = Math.min(hourMax, hourOf(toMs))
  for (let hour: number | undefined = hourOf(fromMs); hour !== undefined; hour++) {
    hour = await nearestHour(database, table, hour, last)
    if (hour === undefined) return
    yield hour
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
      if (entry.seq <= range.packed && entry.seq >= range.first && within(entry)) found.push(entry)
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
  for (let hour = first; hour <= last; hour++)
    for await (const { chunk } of chunksOf(database, table, hour, [series.id])) yield* chunk.entries()
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
