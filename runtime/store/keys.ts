/**
 * The key layout of the one database. Numbers are big-endian and of fixed width, so byte order is their order.
 *
 *   M name                                 facts about the database: format, epoch, clock floor, size of each log
 *   T name                                 a table: its number and kind
 *   D table(2) series(4)                   a series: who measured what, and its newest packed time
 *   L table(2) last(6)                     the log: one commit group of one table, entries up to `last`
 *   G table(2) last(6)                     a gap: entries up to `last` that were trimmed
 *   R table(2) key                         the latest row of a records table, or its tombstone
 *   P table(2) last(6)                     a packed range of the log: where its readings are
 *   H table(2) hour(4) series(4) first(6)  a chunk: packed readings of one series and one hour of their own time
 *   B table(2) period(4) frame(4) series(4) boot(2)   buckets of a rollup: some neighbouring periods of one series
 *   S table(2) series(4) hour(4) first(6)  the same in format 1; a migration moves them
 *   I table(2) series(4) id                a reading known by its id alone (no device time): stored once
 *   C name                                 a cursor
 *   A owner NUL key                        state of a follower
 *   Q owner NUL key                        bytes kept for a room that holds them in mind itself: read once, at its start
 *
 * The log has no hole: the block after one that ends at n starts at n + 1, so a read after n is a seek to n + 1. The same
 * holds for packed ranges. A reading stands in the log until it is packed, then in a chunk until retention takes it. The
 * hour comes before the series, so that chunks are written in the order of their keys (LevelDB then moves files instead
 * of writing them again) and an hour that has become too old is one stretch of keys.
 *
 * Every value ends in a checksum of its key and itself (seal.ts), because LevelDB's own does not catch what its repair
 * brings back [L4].
 */
import type { Seq } from './types.ts'

const letters = {
  fact: 0x4d,
  table: 0x54,
  series: 0x44,
  log: 0x4c,
  gap: 0x47,
  row: 0x52,
  range: 0x50,
  chunk: 0x48,
  buckets: 0x42,
  packedInFormat1: 0x53,
  id: 0x49,
  cursor: 0x43,
  state: 0x41,
  kept: 0x51,
}
export type KeyKind = keyof typeof letters
const kinds = new Map(Object.entries(letters).map(([kind, letter]) => [letter, kind as KeyKind]))
/** Undefined for a key that is none of ours. */
export const kindOf = (key: Buffer): KeyKind | undefined => kinds.get(key[0] ?? 0)
/** The kinds whose keys begin with the number of a table. */
export const kindsOfTables = ['series', 'log', 'gap', 'row', 'range', 'chunk', 'packedInFormat1', 'id'] as const

export const factKey = (name: string): Buffer => named(letters.fact, name)
export const tableKey = (name: string): Buffer => named(letters.table, name)
export const cursorKey = (name: string): Buffer => named(letters.cursor, name)
export const stateKey = (owner: string, key: string): Buffer => named(letters.state, `${owner}\0${key}`)

export const keptKey = (owner: string, key: string): Buffer => named(letters.kept, `${owner}\0${key}`)

export function rowKey(table: number, key: string): Buffer {
  return withTable(letters.row, table, Buffer.from(key, 'utf8'))
}

export function seriesKey(table: number, series: number): Buffer {
  const key = fixed(letters.series, table, 7)
  key.writeUInt32BE(series, 3)
  return key
}

export function logKey(table: number, last: number): Buffer {
  const key = fixed(letters.log, table, 9)
  key.writeUIntBE(last, 3, 6)
  return key
}

export function gapKey(table: number, last: number): Buffer {
  const key = fixed(letters.gap, table, 9)
  key.writeUIntBE(last, 3, 6)
  return key
}

export function rangeKey(table: number, last: number): Buffer {
  const key = fixed(letters.range, table, 9)
  key.writeUIntBE(last, 3, 6)
  return key
}

export function chunkKey(table: number, hour: number, series: number, first: Seq | 0): Buffer {
  const key = fixed(letters.chunk, table, 17)
  key.writeUInt32BE(hour, 3)
  key.writeUInt32BE(series, 7)
  key.writeUIntBE(first, 11, 6)
  return key
}

/** Which buckets: of a table's rollup, so many frames after 1970, of a series, and of readings whose time is open. */
export type BucketsPlace = {
  readonly table: number
  /** In seconds. */
  readonly period: number
  readonly frame: number
  readonly series: number
  readonly boot: number
}

export function bucketsKey({ table, period, frame, series, boot }: BucketsPlace): Buffer {
  const key = fixed(letters.buckets, table, 17)
  key.writeUInt32BE(period, 3)
  key.writeUInt32BE(frame, 7)
  key.writeUInt32BE(series, 11)
  key.writeUInt16BE(boot, 15)
  return key
}

export const bucketsPlace = (key: Buffer): BucketsPlace => ({
  table: key.readUInt16BE(1),
  period: key.readUInt32BE(3),
  frame: key.readUInt32BE(7),
  series: key.readUInt32BE(11),
  boot: key.readUInt16BE(15),
})

export function idKey(table: number, series: number, id: string): Buffer {
  const tail = Buffer.allocUnsafe(4 + Buffer.byteLength(id))
  tail.writeUInt32BE(series, 0)
  tail.write(id, 4, 'utf8')
  return withTable(letters.id, table, tail)
}

/** Of a log block, a packed range, or a gap. */
export const logKeyLast = (key: Buffer): Seq => key.readUIntBE(3, 6) as Seq
export const isChunkKey = (key: Buffer): boolean => key[0] === letters.chunk
export const chunkKeyHour = (key: Buffer): number => key.readUInt32BE(3)
export const chunkKeySeries = (key: Buffer): number => key.readUInt32BE(7)
export const chunkKeyFirst = (key: Buffer): Seq => key.readUIntBE(11, 6) as Seq
export const seriesKeyId = (key: Buffer): number => key.readUInt32BE(3)
export const rowKeyName = (key: Buffer): string => key.toString('utf8', 3)
/** Of a key of a kind that has one. */
export const tableOfKey = (key: Buffer): number => key.readUInt16BE(1)
export const nameOf = (key: Buffer): string => key.toString('utf8', 1)

export const keptName = (owner: string, key: Buffer): string => key.toString('utf8', Buffer.byteLength(owner) + 2)

export type KeyRange = { readonly gte: Buffer; readonly lt: Buffer }

/** All keys of one kind, or of one kind and table. */
export function rangeOf(kind: KeyKind, table?: number): KeyRange {
  const letter = letters[kind]
  if (table === undefined) return { gte: Buffer.of(letter), lt: Buffer.of(letter + 1) }
  return { gte: fixed(letter, table, 3), lt: fixed(letter, table + 1, 3) }
}

/** The rows of a records table whose key starts so. */
export function rowRange(table: number, prefix: string): KeyRange {
  if (prefix === '') return rangeOf('row', table)
  return { gte: rowKey(table, prefix), lt: Buffer.concat([rowKey(table, prefix), Buffer.alloc(1, 0xff)]) }
}

export const keptRange = (owner: string): KeyRange => ({
  gte: named(letters.kept, `${owner}\0`),
  lt: named(letters.kept, `${owner}\x01`),
})

function named(letter: number, name: string): Buffer {
  return Buffer.concat([Buffer.of(letter), Buffer.from(name, 'utf8')])
}

function fixed(letter: number, table: number, length: number): Buffer {
  const key = Buffer.alloc(length)
  key[0] = letter
  key.writeUInt16BE(table, 1)
  return key
}

function withTable(letter: number, table: number, tail: Buffer): Buffer {
  return Buffer.concat([fixed(letter, table, 3), tail])
}
