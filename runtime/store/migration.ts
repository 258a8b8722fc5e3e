/**
 * From format 1 to format 2. There readings stood in the log and, once packed, a second time by series; trimming took the
 * log alone. Here they stand once: packed ones in chunks of columns, with a directory of ranges by which followers read
 * them in the order of the log, and retention finds the oldest.
 *
 *   1. one batch: the number is raised, the migration is noted, series are written in their new form
 *   2. for each table, in batches: packed readings go from key S to chunks
 *   3. for each table, one batch: its ranges, also of what the log had lost, whose gaps go; the size of its log
 *   4. the note goes
 *
 * Promises: every reading that could be found before is found afterwards, by followers too. From the first batch on an
 * older program refuses the database; whenever the power goes, the next opening goes on, and until it is done nobody
 * commits. Log blocks of what is packed are left to the opening, which removes them.
 */
import type { Log } from '../log.ts'
import { type Stamp, stampZero } from '../stamp.ts'
import { chunkReadingsMax, encodeChunk } from './chunk.ts'
import { chunksOf, readRange } from './chunks.ts'
import { ByteReader } from './bytes.ts'
import { Database, packedCursor } from './database.ts'
import type { Level } from './home.ts'
import * as keys from './keys.ts'
import { readBlocks } from './log-blocks.ts'
import type { Put } from './put.ts'
import { encodeRange, type PackedRange } from './ranges.ts'
import { readPackedReadings } from './readings.ts'
import { decodeJson, encodeJson } from './records.ts'
import { hourOf } from './repeats.ts'
import { decodeSeries, decodeSeriesOfFormat1, encodeSeries } from './series-value.ts'
import { type KnownSeries, Table } from './table.ts'
import { type ReadingEntry, type Seq, type TableKind, asSeq, timeOf } from './types.ts'

/** Stands while a migration is under way. */
const migrationFact = keys.factKey('migration')
const formatFact = keys.factKey('format')
/** Tests take smaller ones. */
type Sizes = {
  /** Written at once: what a slow card takes in a second. */
  readonly batchBytes: number
  /** Readings of one range: a follower puts one together in memory. */
  readonly rangeReadings: number
}
const usualSizes: Sizes = { batchBytes: 1 << 20, rangeReadings: 16_384 }
/** A word in the log after so many. */
const toldEvery = 500_000

/** True for a database of format 1: before anything is done to it, a copy may be made. */
export function isOfFormat1(level: Pick<Level, 'getSync'>, log: Log): boolean {
  return formatOf(new Database(level as Level, log)) === 1
}

const formatOf = (database: Database): number | undefined => {
  const value = database.get(formatFact)
  return value && (decodeJson(value) as { number: number }).number
}

/** Does what is left to do, if anything. */
export async function migrate(level: Level, log: Log, sizes = usualSizes): Promise<void> {
  const database = new Database(level, log)
  const isBegun = database.get(migrationFact) !== undefined
  if (!isBegun && formatOf(database) !== 1) return
  log.warn(isBegun ? 'the database is brought to format 2: going on' : 'the database is brought to format 2')
  await loadTables(database, isBegun)
  if (!isBegun) await begin(database)
  let readings = 0
  for (const table of database.tables.values())
    if (table.kind === 'series') readings += await new TableMove(database, table, sizes, log).run()
  await database.write([{ key: migrationFact, value: undefined }])
  log.warn({ readings, damaged: database.damaged }, 'the database is in format 2 now')
}

async function loadTables(database: Database, isBegun: boolean): Promise<void> {
  const decode = isBegun ? decodeSeries : decodeSeriesOfFormat1
  for await (const [key, value] of database.scan(keys.rangeOf('table'))) {
    const { id, kind } = decodeJson(value) as { id: number; kind: TableKind }
    const table = new Table(id, keys.nameOf(key), kind)
    database.tables.set(table.name, table)
    const cursor = database.get(keys.cursorKey(packedCursor(table.name)))
    table.packed = asSeq(cursor === undefined ? 0 : new ByteReader(cursor).varint())
    table.head = table.packed
    for await (const [seriesKey, series] of database.scan(keys.rangeOf('series', id)))
      table.series.insert(decode(keys.seriesKeyId(seriesKey), table.name, series))
  }
}

async function begin(database: Database): Promise<void> {
  const format = decodeJson(database.get(formatFact) as Buffer) as { epoch: string }
  const puts: Put[] = [
    { key: formatFact, value: encodeJson({ ...format, number: 2 }) },
    { key: migrationFact, value: encodeJson({ from: 1 }) },
  ]
  for (const table of database.tables.values())
    for (const series of table.series.all()) puts.push(seriesPut(table, series))
  await database.write(puts)
}

const seriesPut = (table: Table, series: KnownSeries): Put => ({
  key: keys.seriesKey(table.id, series.id),
  value: encodeSeries(series),
})

/** What is known of one range. */
type Directory = { count: number; newest: Stamp; readonly hours: Map<number, Set<number>> }

class TableMove {
  readonly #database: Database
  readonly #table: Table
  readonly #sizes: Sizes
  readonly #log: Log
  readonly #directories = new Map<number, Directory>()
  #least = Number.POSITIVE_INFINITY
  #count = 0
  #puts: Put[] = []
  #bytes = 0

  constructor(database: Database, table: Table, sizes: Sizes, log: Log) {
    this.#database = database
    this.#table = table
    this.#sizes = sizes
    this.#log = log
  }

  /** Resolves with how many readings there are. */
  async run(): Promise<number> {
    await this.#noteMoved()
    await this.#move()
    await this.#finish()
    return this.#count
  }

  /** What was moved before the power went. */
  async #noteMoved(): Promise<void> {
    const table = this.#table
    const hours = new Set<number>()
    for await (const [key] of this.#database.blocks({ ...keys.rangeOf('chunk', table.id), values: false }))
      hours.add(keys.chunkKeyHour(key))
    const ids = [...table.series.all()].map(({ id }) => id)
    for (const hour of hours)
      for await (const { chunk } of chunksOf(this.#database, table, hour, ids)) this.#note(hour, chunk.entries())
  }

  async #move(): Promise<void> {
    const { id, series: known } = this.#table
    let group: { readonly series: KnownSeries; readonly hour: number; readonly entries: ReadingEntry[] } | undefined
    for await (const [key, block] of this.#database.scan(keys.rangeOf('packedInFormat1', id))) {
      const { seriesId, hour, first } = packedKeyOf(key)
      const series = known.byId(seriesId)
      // Of a series whose own value is damaged nobody could find anything before either.
      if (series === undefined) {
        this.#put({ key, value: undefined })
        continue
      }
      const isSame = group?.series === series && group.hour === hour && group.entries.length < chunkReadingsMax
      if (group !== undefined && !isSame) await this.#close(group.series, group.hour, group.entries)
      if (group === undefined || !isSame) group = { series, hour, entries: [] }
      for (const entry of readPackedReadings(block, first, series)) group.entries.push(entry)
      this.#put({ key, value: undefined })
    }
    if (group !== undefined) await this.#close(group.series, group.hour, group.entries)
    await this.#write()
  }

  /** Readings of one series and hour, in the order of the log; with them goes what they were before. */
  async #close(series: KnownSeries, hour: number, entries: readonly ReadingEntry[]): Promise<void> {
    this.#chunks(series, hour, entries)
    this.#note(hour, entries)
    this.#put(seriesPut(this.#table, series))
    if (this.#bytes >= this.#sizes.batchBytes) await this.#write()
  }

  #chunks(series: KnownSeries, hour: number, entries: readonly ReadingEntry[]): void {
    for (let from = 0; from < entries.length; from += chunkReadingsMax) {
      const some = entries.slice(from, from + chunkReadingsMax)
      const first = some[0] as ReadingEntry
      this.#put({ key: keys.chunkKey(this.#table.id, hour, series.id, first.seq), value: encodeChunk(some) })
    }
  }

  #put(put: Put): void {
    this.#puts.push(put)
    this.#bytes += put.key.length + (put.value?.length ?? 0)
  }

  /** Only between groups: what is removed and what takes its place are one batch. */
  async #write(): Promise<void> {
    await this.#database.write(this.#puts)
    this.#puts = []
    this.#bytes = 0
  }

  #note(hour: number, entries: readonly ReadingEntry[]): void {
    const before = this.#count
    for (const entry of entries) {
      const series = entry.series as KnownSeries
      if (series.latest === undefined || timeOf(entry) >= timeOf(series.latest)) series.latest = entry
      const directory = this.#directory(entry.seq)
      directory.count++
      if (entry.stamp > directory.newest) directory.newest = entry.stamp
      const ids = directory.hours.get(hour)
      if (ids) ids.add(series.id)
      else directory.hours.set(hour, new Set([series.id]))
      if (entry.seq < this.#least) this.#least = entry.seq
    }
    this.#count += entries.length
    if (Math.floor(before / toldEvery) === Math.floor(this.#count / toldEvery)) return
    this.#log.info({ table: this.#table.name, readings: this.#count }, 'readings are brought to format 2')
  }

  #directory(seq: Seq): Directory {
    const number = Math.floor((seq - 1) / this.#sizes.rangeReadings)
    let directory = this.#directories.get(number)
    if (directory === undefined)
      this.#directories.set(number, (directory = { count: 0, newest: stampZero, hours: new Map() }))
    return directory
  }

  /** The directory of all that is packed. What the log had lost and chunks have is no gap any more. */
  async #finish(): Promise<void> {
    const { id, packed } = this.#table
    const gaps: { readonly first: Seq; readonly last: Seq; readonly reason: string }[] = []
    for await (const [key, value] of this.#database.scan(keys.rangeOf('gap', id))) {
      const { first, reason } = decodeJson(value) as { first: Seq; reason: string }
      gaps.push({ first, last: keys.logKeyLast(key), reason })
    }
    const trimmed = gaps.at(-1)?.last ?? 0
    const from = asSeq(Math.min(this.#least, trimmed + 1))
    for (const { first, last, reason } of gaps) {
      if (last < from) continue
      this.#put({ key: keys.gapKey(id, last), value: undefined })
      if (first < from) this.#put({ key: keys.gapKey(id, from - 1), value: encodeJson({ first, reason }) })
    }
    for (let first = from; first <= packed; ) {
      const range = this.#range(first)
      const whole = await this.#completed(range, trimmed)
      this.#put({ key: keys.rangeKey(id, whole.last), value: encodeRange(whole) })
      first = asSeq(range.last + 1)
    }
    this.#put({ key: keys.factKey(`log/${id}`), value: undefined })
    await this.#write()
  }

  #range(first: Seq): PackedRange {
    const number = Math.floor((first - 1) / this.#sizes.rangeReadings)
    const last = asSeq(Math.min((number + 1) * this.#sizes.rangeReadings, this.#table.packed))
    const { count, newest, hours } = this.#directory(first)
    const hole = count < last - first + 1 ? 'missing on disk' : ''
    const ids = new Map([...hours].map(([hour, set]): [number, number[]] => [hour, [...set]]))
    return { first, last, count, newest, level: 0, hole, hours: ids }
  }

  /** A packed block that is damaged takes nothing with it that the log still has. */
  async #completed(range: PackedRange, trimmed: number): Promise<PackedRange> {
    if (range.hole === '') return range
    const table = this.#table
    const there = new Set((await readRange(this.#database, table, range)).map(({ seq }) => seq))
    for (let after = asSeq(Math.max(range.first - 1, trimmed)); after < range.last; ) {
      const entries = await readBlocks(this.#database, table, after, 4_096)
      for (const entry of entries) {
        if (entry.kind !== 'reading' || entry.seq > range.last || there.has(entry.seq)) continue
        const hour = hourOf(timeOf(entry))
        this.#chunks(entry.series as KnownSeries, hour, [entry])
        this.#note(hour, [entry])
        this.#put(seriesPut(table, entry.series as KnownSeries))
      }
      after = entries.at(-1)?.seq ?? range.last
    }
    return this.#range(range.first)
  }
}

/** S table(2) series(4) hour(4) first(6) */
const packedKeyOf = (key: Buffer) => ({
  seriesId: key.readUInt32BE(3),
  hour: key.readUInt32BE(7),
  first: asSeq(key.readUIntBE(11, 6)),
})
