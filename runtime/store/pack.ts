/**
 * Packing: readings leave the order of the log for the order of queries. What has gathered in memory is written once
 * more, per series and hour, so that a question about one device reads a few neighbouring blocks. The log keeps the
 * readings for its followers; a restart reads them from there again if the pack was not written.
 */
import { ByteWriter } from './bytes.ts'
import { type Database, type Put, encodeSeq, encodeSeries, packedCursor } from './database.ts'
import { cursorKey, packedKey, seriesKey } from './keys.ts'
import { writeReadings } from './readings.ts'
import { type Repeats, hourOf } from './repeats.ts'
import type { KnownSeries, Table } from './table.ts'
import { type ReadingEntry, type Seq, timeOf } from './types.ts'

/** Unpacked readings are held in memory: of all tables together not more than this, or the largest is packed [I6]. */
const unpackedBytesMax = 16 << 20
/** A quiet table is packed this often, so that a restart has little to read again. */
export const packEveryMs = 600_000

/** How many readings of a table wait to be packed. */
const unpackedCount = (table: Table): number => table.head - Math.max(table.packed, table.first - 1)

export type Pack = { readonly puts: readonly Put[]; readonly done: () => void }

/**
 * The packs of all tables that have gathered enough, or of all that have anything once it is time; and of those that
 * must be packed now, because their log is about to be trimmed.
 */
export function duePacks(database: Database, repeats: Repeats, isTime: boolean, musts: ReadonlySet<Table>): Pack[] {
  const due: Table[] = [...musts]
  const tables = [...database.tables.values()].filter(table => table.kind === 'series' && unpackedCount(table) > 0)
  let bytes = tables.reduce((sum, table) => sum + table.unpackedBytes, 0)
  for (const table of tables.toSorted((a, b) => b.unpackedBytes - a.unpackedBytes)) {
    if (!isTime && bytes < unpackedBytesMax) break
    bytes -= table.unpackedBytes
    if (!musts.has(table)) due.push(table)
  }
  return due.map(table => packTable(database, repeats, table))
}

/** Everything stored up to now, as blocks to write. `done` is called once they are on disk. */
function packTable(database: Database, repeats: Repeats, table: Table): Pack {
  const upTo: Seq = table.head
  const bytes = table.unpackedBytes
  const puts: Put[] = []
  const hours: [KnownSeries, number][] = []
  const packed: KnownSeries[] = []
  const out = new ByteWriter(64 * 1024)
  for (const series of table.series.all()) {
    const entries = series.unpacked
    if (entries.length === 0) continue
    for (const [hour, ofHour] of byHour(entries)) {
      writeReadings(out, 'packed', ofHour)
      puts.push({ key: packedKey(table.id, series.id, hour, (ofHour[0] as ReadingEntry).seq), value: out.take() })
      hours.push([series, hour])
    }
    puts.push({ key: seriesKey(table.id, series.id), value: encodeSeries(series) })
    packed.push(series)
  }
  puts.push({ key: cursorKey(packedCursor(table.name)), value: encodeSeq(upTo) })
  const done = (): void => {
    table.packed = upTo
    table.unpackedBytes -= bytes
    database.cursors.set(packedCursor(table.name), upTo)
    for (const [series, hour] of hours) repeats.forget(table, series, hour)
    for (const series of packed) series.dropPacked(upTo)
  }
  return { puts, done }
}

function byHour(entries: readonly ReadingEntry[]): Map<number, ReadingEntry[]> {
  const hours = new Map<number, ReadingEntry[]>()
  let ofLast: ReadingEntry[] = []
  let last: number | undefined
  for (const entry of entries) {
    const hour = hourOf(timeOf(entry))
    if (hour !== last) {
      ofLast = hours.get(hour) ?? []
      if (ofLast.length === 0) hours.set(hour, ofLast)
      last = hour
    }
    ofLast.push(entry)
  }
  return hours
}
