/**
 * One opened LevelDB and what is known of it in memory. A database is thrown away whole at the first write error and a
 * new one is read from the disk [L1], so nothing here is ever rolled back.
 */
import { randomUUID } from 'node:crypto'
import { HoldfastError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Json } from '../reading.ts'
import { type Stamp, stampZero } from '../stamp.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { Corrections, clockTable } from './corrections.ts'
import type { Level } from './home.ts'
import * as keys from './keys.ts'
import { readLogReadings } from './readings.ts'
import { type StoredRow, decodeJson, decodeRow, decodeRowSeq, encodeJson, readLogRecords } from './records.ts'
import { seal, unseal } from './seal.ts'
import { KnownSeries, Table } from './table.ts'
import { type Entry, type GapEntry, type RecordEntry, type Seq, type TableSpec, asSeq, seqZero } from './types.ts'

/** The form of the database; an older program refuses a newer one. */
export const formatNumber = 1

/** Small rows are kept in memory once read, this many of each table, so that a rule's threshold costs no disk. */
const cachedRowsMax = 10_000
const cachedRowBytesMax = 1024

/** A value to write under a key; `undefined` deletes it. */
export type Put = { readonly key: Buffer; readonly value: Buffer | undefined }

export class Database {
  readonly level: Level
  readonly tables = new Map<string, Table>()
  readonly cursors = new Map<string, Seq>()
  readonly states = new Map<string, Map<string, Json>>()
  /** What is known of boots whose clock could not be trusted. */
  readonly corrections = new Corrections()
  epoch = ''
  floor: Stamp = stampZero
  /** Values whose seal did not fit, found while reading: each is told once in the log and counted here. */
  damaged = 0
  /** By table, then by key: a text built for every look would cost more than the look. */
  readonly #rows = new Map<Table, Map<string, StoredRow | undefined>>()
  readonly #log: Log

  constructor(level: Level, log: Log) {
    this.level = level
    this.#log = log
  }

  /** Reads everything but readings, records and old log blocks into memory. */
  static async load(
    level: Level,
    specs: readonly TableSpec[],
    log: Log,
    randomId: () => string = randomUUID,
    isRepaired = false,
  ): Promise<Database> {
    const database = new Database(level, log)
    const fresh = await database.#loadFacts(randomId)
    fresh.push(...(await database.#loadTables(specs)))
    for await (const [key, value] of database.scan(keys.rangeOf('cursor'))) {
      database.cursors.set(keys.nameOf(key), asSeq(new ByteReader(value).varint()))
    }
    for await (const [key, value] of database.scan(keys.rangeOf('state'))) {
      const [owner, name] = splitOnce(keys.nameOf(key))
      database.stateOf(owner).set(name, decodeJson(value))
    }
    for (const table of database.tables.values()) await database.#loadTable(table, isRepaired)
    await database.#loadCorrections()
    if (fresh.length > 0) await database.write(fresh)
    return database
  }

  table(name: string): Table {
    const table = this.tables.get(name)
    if (!table)
      throw new HoldfastError(
        'TABLE_UNKNOWN',
        `there is no table "${name}"`,
        `known tables: ${[...this.tables.keys()].join(', ')}`,
      )
    return table
  }

  stateOf(owner: string): Map<string, Json> {
    let state = this.states.get(owner)
    if (!state) this.states.set(owner, (state = new Map()))
    return state
  }

  /** One atomic, synced batch. A chained batch: LevelDB's array form costs several times as much. */
  async write(puts: readonly Put[]): Promise<void> {
    const batch = this.level.batch()
    for (const { key, value } of puts) {
      if (value === undefined) batch.del(key)
      else batch.put(key, seal(key, value))
    }
    await batch.write({ sync: true })
  }

  /** Values of a range with their seals checked; damaged ones are left out, logged and counted. */
  async *scan(range: keys.KeyRange & { reverse?: boolean; limit?: number }): AsyncGenerator<[Buffer, Buffer]> {
    const iterator = this.level.iterator(range)
    try {
      for (;;) {
        const pairs = await iterator.nextv(256)
        if (pairs.length === 0) return
        for (const [key, sealed] of pairs) {
          const value = this.#checked(key, sealed)
          if (value) yield [key, value]
        }
      }
    } finally {
      await iterator.close()
    }
  }

  /** The value of one key, or undefined if there is none. */
  get(key: Buffer): Buffer | undefined {
    const sealed = this.level.getSync(key)
    return sealed === undefined ? undefined : this.#checked(key, sealed)
  }

  row(table: Table, key: string): StoredRow | undefined {
    const kept = this.#rowsOf(table)
    const known = kept.get(key)
    if (known !== undefined || kept.has(key)) return known
    const bytes = this.get(keys.rowKey(table.id, key))
    const row = bytes === undefined ? undefined : decodeRow(bytes)
    if ((bytes?.length ?? 0) <= cachedRowBytesMax) remember(kept, key, row)
    return row
  }

  /** Called once a new row is durable. */
  rowWritten(table: Table, key: string, row: StoredRow, bytes: number): void {
    if (table.name === clockTable) this.corrections.note(key, row.origin, row.value)
    const kept = this.#rowsOf(table)
    kept.delete(key)
    if (bytes <= cachedRowBytesMax) remember(kept, key, row)
  }

  /** Called once a row is durably gone. */
  rowForgotten(table: Table, key: string): void {
    if (table.name === clockTable) this.corrections.note(key, key.slice(0, key.lastIndexOf('/')), undefined)
    this.#rowsOf(table).delete(key)
  }

  /** Entries of the log blocks after `after` until `limit` is reached; a damaged block becomes a gap. */
  async readLog(table: Table, after: Seq, limit: number): Promise<Entry[]> {
    const found: Entry[] = table.gaps.filter(gap => gap.seq > after)
    let position = asSeq(Math.max(after, table.first - 1))
    if (position >= table.head) return found
    const range = { gte: keys.logKey(table.id, position + 1), lt: keys.logKey(table.id, table.head + 1) }
    for await (const [key, sealed] of this.blocks(range)) {
      const last = keys.logKeyLast(key)
      const entries = this.decodeBlock(table, key, sealed, position, last)
      const first = (entries[0] as Entry).seq
      if (first > position + 1 && entries[0]?.kind !== 'gap')
        found.push(gapEntry(asSeq(position + 1), asSeq(first - 1), 'missing on disk'))
      for (const entry of entries) if (entry.seq > after) found.push(entry)
      position = last
      if (found.length >= limit) break
    }
    return found
  }

  async *scanKept(owner: string): AsyncGenerator<[string, Buffer]> {
    for await (const [key, value] of this.scan(keys.keptRange(owner))) yield [keys.keptName(owner, key), value]
  }

  async *scanRows(range: keys.KeyRange): AsyncGenerator<{ key: string; row: StoredRow }> {
    for await (const [key, value] of this.scan(range)) yield { key: keys.rowKeyName(key), row: decodeRow(value) }
  }

  /** The keys of all rows and tombstones, and the positions they were written at. */
  async *scanPlaces(table: Table): AsyncGenerator<{ key: string; seq: Seq }> {
    for await (const [key, value] of this.scan(keys.rangeOf('row', table.id)))
      yield { key: keys.rowKeyName(key), seq: decodeRowSeq(value) }
  }

  /** Removes log blocks up to a position that a durable gap already covers; unsynced, because losing it loses nothing. */
  clearLog(table: Table, through: Seq): Promise<void> {
    return this.level.clear({ gte: keys.logKey(table.id, 0), lt: keys.logKey(table.id, through + 1) })
  }

  /** Raw blocks: a damaged one must still be seen, because its key tells what is missing. */
  async *blocks(range: keys.KeyRange): AsyncGenerator<[Buffer, Buffer]> {
    const iterator = this.level.iterator(range)
    try {
      for (let next = await iterator.next(); next; next = await iterator.next()) yield next
    } finally {
      await iterator.close()
    }
  }

  decodeBlock(table: Table, key: Buffer, sealed: Buffer, before: Seq, last: Seq): Entry[] {
    const block = this.#checked(key, sealed)
    if (!block) return [gapEntry(asSeq(before + 1), last, 'damaged on disk')]
    if (table.kind === 'records') return readLogRecords(block, last)
    // A series whose own value is damaged takes only its own readings with it.
    let isAnyLost = false
    const entries = readLogReadings(block, last, id => {
      const series = table.series.byId(id)
      if (series === undefined) isAnyLost = true
      return series ?? lostSeries
    })
    if (!isAnyLost) return entries
    return entries.map(entry =>
      entry.series === lostSeries ? gapEntry(entry.seq, entry.seq, 'damaged on disk') : entry,
    )
  }

  #checked(key: Buffer, sealed: Buffer): Buffer | undefined {
    const value = unseal(key, sealed)
    if (value === undefined) {
      this.damaged++
      this.#log.error({ key: key.toString('latin1').slice(0, 64) }, 'a stored value is damaged and was left out')
    }
    return value
  }

  #rowsOf(table: Table): Map<string, StoredRow | undefined> {
    let kept = this.#rows.get(table)
    if (!kept) this.#rows.set(table, (kept = new Map()))
    return kept
  }

  async #loadFacts(randomId: () => string): Promise<Put[]> {
    const format = this.get(keys.factKey('format'))
    const clock = this.get(keys.factKey('clock'))
    if (clock) this.floor = new ByteReader(clock).double() as Stamp
    if (format) {
      const { number, epoch } = decodeJson(format) as { number: number; epoch: string }
      if (number > formatNumber) {
        throw new HoldfastError(
          'STORE_NEWER',
          `the store was written by a newer Holdfast (format ${number}; this one knows ${formatNumber})`,
          'install the newer version again',
        )
      }
      this.epoch = epoch
      return []
    }
    this.epoch = randomId().slice(0, 8)
    return [{ key: keys.factKey('format'), value: encodeJson({ number: formatNumber, epoch: this.epoch }) }]
  }

  async #loadTables(specs: readonly TableSpec[]): Promise<Put[]> {
    let nextId = 1
    for await (const [key, value] of this.scan(keys.rangeOf('table'))) {
      const { id, kind } = decodeJson(value) as { id: number; kind: TableSpec['kind'] }
      this.tables.set(keys.nameOf(key), new Table(id, keys.nameOf(key), kind))
      nextId = Math.max(nextId, id + 1)
    }
    const fresh: Put[] = []
    for (const { name, kind } of specs) {
      const known = this.tables.get(name)
      if (known && known.kind !== kind) {
        throw new HoldfastError(
          'TABLE_KIND',
          `the table "${name}" is stored as ${known.kind}, but the config says ${kind}`,
          'give the new table another name',
        )
      }
      if (known) continue
      const table = new Table(nextId++, name, kind)
      this.tables.set(name, table)
      fresh.push({ key: keys.tableKey(name), value: encodeJson({ id: table.id, kind }) })
    }
    return fresh
  }

  async #loadTable(table: Table, isRepaired: boolean): Promise<void> {
    for await (const [key, value] of this.scan(keys.rangeOf('series', table.id))) {
      table.series.insert(decodeSeries(keys.seriesKeyId(key), table.name, value))
    }
    table.series.reserveIds(await this.#lastSeriesId(table))
    for await (const [key, value] of this.scan(keys.rangeOf('gap', table.id))) {
      const { first, reason } = decodeJson(value) as { first: number; reason: string }
      table.gaps.push(gapEntry(asSeq(first), keys.logKeyLast(key), reason))
    }
    const trimmed = table.gaps.at(-1)?.seq ?? seqZero
    table.first = asSeq(trimmed + 1)
    const iterator = this.level.iterator({ ...keys.rangeOf('log', table.id), reverse: true, limit: 1, values: false })
    const newest = await firstOf(iterator)
    table.head = newest ? asSeq(Math.max(keys.logKeyLast(newest[0]), trimmed)) : trimmed
    table.reserved = table.head
    if (trimmed > 0) await this.clearLog(table, trimmed)
    await this.#countLog(table, isRepaired)
    if (table.kind === 'series') await this.#loadUnpacked(table)
  }

  /** From the number that was written last, and what came since; all of it where there is none to trust. */
  async #countLog(table: Table, isRepaired: boolean): Promise<void> {
    const bytes = this.get(keys.factKey(logSizeFact(table)))
    const known = bytes === undefined ? undefined : (decodeJson(bytes) as { through: number; bytes: number })
    const isTrusted = known !== undefined && !isRepaired && known.through <= table.head
    const from = Math.max(isTrusted ? known.through : 0, table.first - 1)
    table.logBytes = isTrusted ? known.bytes : 0
    const range = { gte: keys.logKey(table.id, from + 1), lt: keys.logKey(table.id, table.head + 1) }
    for await (const [key, sealed] of this.blocks(range)) table.uncountedBytes += key.length + sealed.length
    table.logBytes += table.uncountedBytes
  }

  /** From the keys alone: the number of a series whose value is damaged must not be given again. */
  async #lastSeriesId(table: Table): Promise<number> {
    const range = { ...keys.rangeOf('series', table.id), reverse: true, limit: 1, values: false }
    const last = await firstOf(this.level.iterator(range))
    return last ? keys.seriesKeyId(last[0]) : 0
  }

  async #loadCorrections(): Promise<void> {
    const table = this.tables.get(clockTable)
    if (table?.kind !== 'records') return
    for await (const { key, row } of this.scanRows(keys.rangeOf('row', table.id))) {
      this.corrections.note(key, row.origin, row.value)
    }
  }

  async #loadUnpacked(table: Table): Promise<void> {
    table.packed = this.cursors.get(packedCursor(table.name)) ?? seqZero
    let after = asSeq(Math.max(table.packed, table.first - 1))
    while (after < table.head) {
      const entries = await this.readLog(table, after, 4096)
      for (const entry of entries) if (entry.kind === 'reading') table.gather(entry)
      after = entries.at(-1)?.seq ?? table.head
    }
  }
}

/** Stands for every series that is not known any longer. */
const lostSeries = new KnownSeries(0, '', '', '', '', undefined, 0)

/** Keeps a row in mind, and forgets the one known longest where there are too many. */
function remember(kept: Map<string, StoredRow | undefined>, key: string, row: StoredRow | undefined): void {
  if (kept.size >= cachedRowsMax) kept.delete(kept.keys().next().value as string)
  kept.set(key, row)
}

/** How large a log is, up to a position: {through, bytes}. */
export const logSizeFact = (table: Table): string => `log/${table.id}`

export const packedCursor = (table: string): string => `pack/${table}`

export function gapEntry(firstSeq: Seq, seq: Seq, reason: string): GapEntry {
  return {
    kind: 'gap',
    seq,
    stamp: stampZero,
    origin: '',
    via: '',
    joined: false,
    firstSeq,
    count: seq - firstSeq + 1,
    reason,
  }
}

export function encodeSeries(series: KnownSeries): Buffer {
  const out = new ByteWriter(64)
  out.text(series.origin)
  out.text(series.device)
  out.text(series.metric)
  out.double(series.newestMs)
  if (series.unit !== undefined) out.text(series.unit)
  return out.take()
}

function decodeSeries(id: number, table: string, bytes: Buffer): KnownSeries {
  const read = new ByteReader(bytes)
  const [origin, device, metric, newestMs] = [read.text(), read.text(), read.text(), read.double()]
  return new KnownSeries(id, table, origin, device, metric, read.done ? undefined : read.text(), newestMs)
}

export const encodeSeq = (seq: Seq): Buffer => {
  const out = new ByteWriter(8)
  out.varint(seq)
  return out.take()
}

export const rowFromEntry = (entry: RecordEntry): StoredRow => ({
  stamp: entry.stamp,
  origin: entry.origin,
  seq: entry.seq,
  value: entry.value,
})

async function firstOf<T>(iterator: { next(): Promise<T>; close(): Promise<void> }): Promise<T> {
  try {
    return await iterator.next()
  } finally {
    await iterator.close()
  }
}

function splitOnce(text: string): [string, string] {
  const at = text.indexOf('\0')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}
