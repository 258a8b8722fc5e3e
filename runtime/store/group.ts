/**
 * One group: everything that waited, as one atomic batch [I3]. Changes are resolved in the order in which they came:
 * repetitions dropped, positions and stamps given, conflicts decided; then laid out as one block per table.
 *
 * A group only reads the database and reserves positions in it. If its write fails the database is thrown away with it.
 */
import { type Stamp, stampPlus } from '../stamp.ts'
import { ByteWriter } from './bytes.ts'
import { checkChange } from './checks.ts'
import { type Database, encodeSeq, rowFromEntry } from './database.ts'
import { type ForgetChange, mayForget } from './forget.ts'
import * as keys from './keys.ts'
import type { Put } from './put.ts'
import { writeReadings } from './readings.ts'
import { type StoredRow, encodeJson, encodeRow, winsOver, writeRecords } from './records.ts'
import type { Repeats } from './repeats.ts'
import { encodeSeries } from './series-value.ts'
import { Growth } from './sizes.ts'
import { type Identity, type KnownSeries, type Table, identitiesOf, identityOf } from './table.ts'
import {
  type Arrival,
  type Change,
  type ChunksChange,
  type Entry,
  type PeerReading,
  type PeerRecord,
  type ReadingEntry,
  type Receipt,
  type RecordEntry,
  type Seq,
  type Stamps,
  type TrimChange,
} from './types.ts'
import { gapsWith } from './trim.ts'

type Block = { readonly table: Table; readonly via: string; readonly entries: Entry[]; bytes: number }
type RowWrite = { readonly table: Table; readonly key: string; readonly row: StoredRow; readonly bytes: number }

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export class Group {
  readonly puts: Put[] = []
  readonly #database: Database
  readonly #repeats: Repeats
  readonly #stamps: Stamps
  readonly #origin: string
  readonly #blocks: Block[] = []
  readonly #open = new Map<Table, Block>()
  readonly #rows = new Map<string, RowWrite>()
  readonly #ids = new Set<string>()
  readonly #pending = new Map<KnownSeries, Set<Identity>>()
  readonly #newSeries = new Set<KnownSeries>()
  readonly #trims = new Map<Table, TrimChange>()
  readonly #growth = new Growth()
  readonly #cleared = new Map<Table, Seq>()
  readonly #after: (() => void)[] = []

  constructor(database: Database, repeats: Repeats, stamps: Stamps, origin: string) {
    this.#database = database
    this.#repeats = repeats
    this.#stamps = stamps
    this.#origin = origin
  }

  /** Resolves one commit's changes. Throws before anything is reserved if one of them cannot be: then none is taken. */
  add(changes: readonly Change[]): Receipt {
    for (const change of changes) checkChange(this.#database, this.#origin, change)
    const receipt = { stored: 0, duplicates: 0, applied: 0, superseded: 0 }
    const begun = new Set<Table>()
    for (const change of changes) this.#resolve(change, receipt, begun)
    return receipt
  }

  /** Log blocks that nobody reads any more once this group is published. */
  get cleared(): ReadonlyMap<Table, Seq> {
    return this.#cleared
  }

  /** Readings that it brings. */
  get readings(): number {
    return this.#blocks.reduce((sum, { table, entries }) => sum + (table.kind === 'series' ? entries.length : 0), 0)
  }

  /** Lays the blocks out. Nothing may be added afterwards. */
  seal(): readonly Put[] {
    const out = new ByteWriter(64 * 1024)
    for (const block of this.#blocks) {
      const { table, entries } = block
      if (table.kind === 'series') writeReadings(out, 'log', entries as ReadingEntry[])
      else writeRecords(out, entries as RecordEntry[])
      const value = out.take()
      block.bytes = value.length
      const last = (entries.at(-1) as Entry).seq
      this.puts.push({ key: keys.logKey(table.id, last), value })
      this.#growth.block(table, last, value.length)
    }
    for (const [table, trim] of this.#trims) this.#sealTrim(table, trim)
    this.puts.push(...this.#growth.puts())
    for (const { table, key, row } of this.#rows.values())
      this.puts.push({ key: keys.rowKey(table.id, key), value: encodeRow(row) })
    for (const series of this.#newSeries) {
      const table = this.#database.table(series.table)
      this.puts.push({ key: keys.seriesKey(table.id, series.id), value: encodeSeries(series) })
    }
    if (this.#blocks.length > 0) {
      out.double(this.#stamps.last)
      this.puts.push({ key: keys.factKey('clock'), value: out.take() })
    }
    return this.puts
  }

  /** Called once the batch is on disk: only now do readers and followers see it. Returns the tables that grew. */
  publish(): ReadonlySet<string> {
    const grown = new Set<string>()
    for (const { table, entries, bytes } of this.#blocks) {
      table.head = (entries.at(-1) as Entry).seq
      table.tail.push(entries, bytes)
      grown.add(table.name)
      if (table.kind !== 'series') continue
      for (const entry of entries as ReadingEntry[]) table.gather(entry)
    }
    for (const { table, key, row, bytes } of this.#rows.values()) this.#database.rowWritten(table, key, row, bytes)
    this.#growth.publish()
    for (const done of this.#after) done()
    return grown
  }

  #sealTrim(table: Table, trim: TrimChange): void {
    const gaps = gapsWith(table.gaps, trim)
    const kept = new Set(gaps.map(gap => gap.seq))
    for (const { seq } of table.gaps)
      if (!kept.has(seq)) this.puts.push({ key: keys.gapKey(table.id, seq), value: undefined })
    for (const { seq, firstSeq, reason } of gaps)
      this.puts.push({ key: keys.gapKey(table.id, seq), value: encodeJson({ first: firstSeq, reason }) })
    for (const key of trim.keys) this.puts.push({ key, value: undefined })
    for (const put of trim.puts) this.puts.push(put)
    this.#growth.add(table, { log: -trim.bytes, packed: -trim.packedBytes, rows: -trim.packedRows })
    this.#cleared.set(table, trim.through)
    this.#after.push(() => {
      table.gaps = gaps
      table.dropThrough(trim.through)
    })
  }

  #resolve(change: Change, receipt: Mutable<Receipt>, begun: Set<Table>): void {
    switch (change.kind) {
      case 'append':
        return this.#append(this.#database.table(change.table), change.readings, receipt)
      case 'put':
        return this.#put(this.#database.table(change.table), change.key, change.value, begun)
      case 'delete':
        return this.#put(this.#database.table(change.table), change.key, undefined, begun)
      case 'apply-readings':
        return this.#applyReadings(this.#database.table(change.table), change.via, change.readings, receipt)
      case 'apply-records':
        return this.#applyRecords(this.#database.table(change.table), change.via, change.records, receipt)
      case 'repeat':
        return this.#repeat(this.#database.table(change.table), change, begun)
      case 'forget':
        return this.#forget(this.#database.table(change.table), change)
      case 'trim':
        return this.#trim(this.#database.table(change.table), change)
      case 'chunks':
        return this.#chunks(this.#database.table(change.table), change, receipt, begun)
      case 'cursor':
        return this.#cursor(change.name, change.seq)
      case 'state':
        return this.#state(change.owner, change.key, change.value)
      case 'keep':
        return void this.puts.push({ key: keys.keptKey(change.owner, change.key), value: change.bytes })
    }
  }

  #append(table: Table, readings: readonly Arrival[], receipt: Mutable<Receipt>): void {
    let stamp = this.#stamps.take(readings.length)
    let begun = false
    for (const reading of readings) {
      if (!reading.joined) begun = false
      const series = this.#seriesOf(table, this.#origin, reading)
      if (this.#isRepeat(table, series, reading)) {
        receipt.duplicates++
        continue
      }
      this.#pushReading(table, '', series, reading, stamp, begun)
      begun = true
      stamp = stampPlus(stamp, 1)
      receipt.stored++
    }
  }

  #isRepeat(table: Table, series: KnownSeries, reading: Arrival): boolean {
    if (reading.deviceTimeMs !== undefined) {
      if (reading.deviceTimeMs > series.newestMs) return false
      return this.#repeats.isRepeat(table, series, reading) || this.#isPending(table, series, reading)
    }
    if (reading.id === undefined) return false
    const name = `${table.id}/${series.id}/${reading.id}`
    if (this.#ids.has(name) || this.#repeats.isRepeat(table, series, reading)) return true
    this.#ids.add(name)
    this.puts.push({ key: keys.idKey(table.id, series.id, reading.id), value: Buffer.alloc(0) })
    return false
  }

  /** Is the same reading earlier in this very group? Looked for only when a time does not move on. */
  #isPending(table: Table, series: KnownSeries, reading: Arrival): boolean {
    let pending = this.#pending.get(series)
    if (!pending) {
      const blocks = this.#blocks.filter(block => block.table === table)
      pending = identitiesOf(
        blocks.flatMap(block => block.entries as ReadingEntry[]).filter(entry => entry.series === series),
      )
      this.#pending.set(series, pending)
    }
    return pending.has(identityOf(reading) ?? '')
  }

  #applyReadings(table: Table, via: string, readings: readonly PeerReading[], receipt: Mutable<Receipt>): void {
    let begun = false
    for (const reading of readings) {
      this.#stamps.observe(reading.stamp)
      const series = this.#seriesOf(table, reading.origin, reading)
      this.#pushReading(table, via, series, reading, reading.stamp, begun && reading.joined)
      begun = true
      receipt.stored++
    }
  }

  #put(table: Table, key: string, value: RecordEntry['value'], begun: Set<Table>): void {
    const joined = joins(begun, table)
    this.#pushRecord(table, '', { key, value, origin: this.#origin, stamp: this.#stamps.take(1), joined }, joined)
  }

  #repeat(table: Table, { key, restamp }: Extract<Change, { kind: 'repeat' }>, begun: Set<Table>): void {
    const row = this.#rows.get(`${table.id}/${key}`)?.row ?? this.#database.row(table, key)
    if (row === undefined) return
    // Written again meanwhile, it has a right stamp by now.
    if (restamp && (row.stamp !== restamp.from || row.origin !== this.#origin)) return
    const joined = joins(begun, table)
    const stamp = restamp?.to ?? row.stamp
    this.#pushRecord(table, '', { key, value: row.value, origin: row.origin, stamp, joined }, joined)
  }

  #forget(table: Table, change: ForgetChange): void {
    const name = `${table.id}/${change.key}`
    if (this.#rows.has(name) || !mayForget(this.#database, table, change)) return
    this.puts.push({ key: keys.rowKey(table.id, change.key), value: undefined })
    this.#after.push(() => {
      if (!this.#rows.has(name)) this.#database.rowForgotten(table, change.key)
    })
  }

  #trim(table: Table, trim: TrimChange): void {
    if (trim.first !== table.first || trim.revision !== table.revision || trim.through >= table.head) return
    if (this.#trims.has(table)) return
    this.#trims.set(table, trim)
    table.revision++
  }

  #chunks(table: Table, change: ChunksChange, receipt: Mutable<Receipt>, begun: Set<Table>): void {
    const { puts, revision, grown, packed, along = [], done } = change
    if (revision !== undefined) {
      if (revision !== table.revision) return
      table.revision++
    }
    for (const put of puts) this.puts.push(put)
    for (const other of along) this.#resolve(other, receipt, begun)
    if (grown) this.#growth.add(table, grown)
    if (packed !== undefined) {
      this.#cleared.set(table, packed)
      table.revision++
    }
    this.#after.push(() => {
      if (packed !== undefined) this.#database.packedThrough(table, packed)
      done?.()
    })
  }

  #applyRecords(table: Table, via: string, records: readonly PeerRecord[], receipt: Mutable<Receipt>): void {
    let begun = false
    for (const record of records) {
      this.#stamps.observe(record.stamp)
      // The first of a transaction that is left is not joined to what a stranger committed before it.
      if (!record.joined) begun = false
      const holder = this.#rows.get(`${table.id}/${record.key}`)?.row ?? this.#database.row(table, record.key)
      if (holder && !winsOver(record, holder, this.#stamps.honestMax)) {
        receipt.superseded++
        continue
      }
      this.#pushRecord(table, via, record, begun)
      begun = true
      receipt.applied++
    }
  }

  #pushReading(table: Table, via: string, series: KnownSeries, reading: Arrival, stamp: Stamp, joined: boolean): void {
    const { value, arrivalMs, deviceTimeMs, id, boot } = reading
    const timeMs = deviceTimeMs ?? arrivalMs
    if (timeMs > series.newestMs) series.newestMs = timeMs
    const seq = table.reserve()
    const entry: ReadingEntry = {
      kind: 'reading',
      seq,
      stamp,
      origin: series.origin,
      via,
      joined,
      series,
      value,
      arrivalMs,
      deviceTimeMs,
      id,
      boot,
    }
    this.#blockFor(table, via).entries.push(entry)
    if (this.#pending.size > 0) this.#pending.get(series)?.add(identityOf(reading) ?? '')
  }

  #pushRecord(table: Table, via: string, record: PeerRecord, joined: boolean): void {
    const seq = table.reserve()
    const { key, value, origin, stamp } = record
    const entry: RecordEntry = { kind: 'record', seq, stamp, origin, via, joined, key, value }
    this.#blockFor(table, via).entries.push(entry)
    const row = rowFromEntry(entry)
    const bytes = value === undefined ? 0 : JSON.stringify(value).length
    this.#rows.set(`${table.id}/${key}`, { table, key, row, bytes })
  }

  #blockFor(table: Table, via: string): Block {
    const open = this.#open.get(table)
    if (open?.via === via) return open
    const block: Block = { table, via, entries: [], bytes: 0 }
    this.#blocks.push(block)
    this.#open.set(table, block)
    return block
  }

  #seriesOf(table: Table, origin: string, { device, metric, unit }: Arrival): KnownSeries {
    const known = table.series.find(origin, device, metric, unit)
    if (known) return known
    const series = table.series.make(origin, device, metric, unit)
    this.#newSeries.add(series)
    return series
  }

  #cursor(name: string, seq: Seq | undefined): void {
    this.puts.push({ key: keys.cursorKey(name), value: seq === undefined ? undefined : encodeSeq(seq) })
    this.#after.push(() => {
      if (seq === undefined) this.#database.cursors.delete(name)
      else this.#database.cursors.set(name, seq)
    })
  }

  #state(owner: string, key: string, value: RecordEntry['value']): void {
    this.puts.push({ key: keys.stateKey(owner, key), value: value === undefined ? undefined : encodeJson(value) })
    this.#after.push(() => {
      if (value === undefined) this.#database.stateOf(owner).delete(key)
      else this.#database.stateOf(owner).set(key, value)
    })
  }
}

/** Entries of one table in one commit belong together: all but the first are joined to the one before. */
function joins(begun: Set<Table>, table: Table): boolean {
  if (begun.has(table)) return true
  begun.add(table)
  return false
}
