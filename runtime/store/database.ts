/**
 * One opened LevelDB and what is known of it in memory. A database is thrown away whole at the first write error and a
 * new one is read from the disk [L1], so nothing here is ever rolled back.
 */
import { HoldfastError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Json } from '../reading.ts'
import { type Stamp, stampZero } from '../stamp.ts'
import { ByteWriter } from './bytes.ts'
import { Corrections, clockTable } from './corrections.ts'
import type { Level } from './home.ts'
import * as keys from './keys.ts'
import type { Put } from './put.ts'
import { type StoredRow, decodeRow, decodeRowSeq } from './records.ts'
import { seal, unseal } from './seal.ts'
import type { Table } from './table.ts'
import type { GapEntry, RecordEntry, Seq } from './types.ts'
import { watched } from './watched.ts'

/** The form of the database; an older program refuses a newer one. */
export const formatNumber = 2

/** Small rows are kept in memory once read, this many of each table, so that a rule's threshold costs no disk. */
const cachedRowsMax = 10_000
const cachedRowBytesMax = 1024
/** Damaged keys that are kept in mind, and words of LevelDB about damage: more are found when it is mended. */
const suspectsMax = 10_000
const troublesMax = 10

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
  /** Their keys, and what LevelDB itself says of damage: whoever watches over the store clears them up. */
  readonly suspects = new Map<string, Buffer>()
  readonly troubles: string[] = []
  format = formatNumber
  /** By table, then by key: a text built for every look would cost more than the look. */
  readonly #rows = new Map<Table, Map<string, StoredRow | undefined>>()
  readonly #log: Log

  constructor(level: Level, log: Log) {
    this.level = watched(level, trouble => {
      if (this.troubles.length === 0) log.error({ reason: trouble }, 'the database is damaged')
      if (this.troubles.length < troublesMax) this.troubles.push(trouble)
    })
    this.#log = log
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
          const value = this.checked(key, sealed)
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
    return sealed === undefined ? undefined : this.checked(key, sealed)
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
    if (table.name === clockTable) this.corrections.note(key, row.origin, row.value, row.seq)
    const kept = this.#rowsOf(table)
    kept.delete(key)
    if (bytes <= cachedRowBytesMax) remember(kept, key, row)
  }

  /** Called once a row is durably gone. */
  rowForgotten(table: Table, key: string): void {
    if (table.name === clockTable) this.corrections.note(key, key.slice(0, key.lastIndexOf('/')), undefined)
    this.#rowsOf(table).delete(key)
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

  /** Raw blocks: a damaged one must still be seen, because its key tells what is missing. */
  async *blocks(range: keys.KeyRange & { values?: boolean }): AsyncGenerator<[Buffer, Buffer]> {
    const iterator = this.level.iterator(range)
    try {
      for (let next = await iterator.next(); next; next = await iterator.next()) yield next
    } finally {
      await iterator.close()
    }
  }

  /** The value without its seal; undefined, logged and counted if it does not fit. */
  checked(key: Buffer, sealed: Buffer): Buffer | undefined {
    const value = unseal(key, sealed)
    if (value === undefined) this.#suspect(key)
    return value
  }

  #suspect(key: Buffer): void {
    const name = key.toString('latin1')
    if (this.suspects.has(name)) return
    this.damaged++
    if (this.suspects.size < suspectsMax) this.suspects.set(name, key)
    this.#log.error({ key: name.slice(0, 64) }, 'a stored value is damaged and was left out')
  }

  /** Called once a table is packed up to a position. */
  packedThrough(table: Table, seq: Seq): void {
    table.packed = seq
    this.cursors.set(packedCursor(table.name), seq)
  }

  #rowsOf(table: Table): Map<string, StoredRow | undefined> {
    let kept = this.#rows.get(table)
    if (!kept) this.#rows.set(table, (kept = new Map()))
    return kept
  }
}

/** Keeps a row in mind, and forgets the one known longest where there are too many. */
function remember(kept: Map<string, StoredRow | undefined>, key: string, row: StoredRow | undefined): void {
  if (kept.size >= cachedRowsMax) kept.delete(kept.keys().next().value as string)
  kept.set(key, row)
}

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
