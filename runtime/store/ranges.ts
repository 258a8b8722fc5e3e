/**
 * Packed ranges: where the readings of one stretch of a table's log are, once they are packed. By them a reader who is
 * behind reads the packed log in its order, and retention finds what is oldest.
 *
 *   varint first, varint count, double newest stamp, varint level, text hole, varint hours,
 *   then each hour: varint hour since the one before, varint series, then each: varint id since the one before
 *
 * A range names hours and series, not chunks: these are found by their keys, so that chunks may be joined and cut without
 * a word here. `level` counts how often its readings were thinned; `hole` says why positions are missing, if some are.
 */
import type { Stamp } from '../stamp.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { type Seq, asSeq } from './types.ts'

export type PackedRange = {
  readonly first: Seq
  readonly last: Seq
  /** Readings that are left of it. */
  readonly count: number
  /** Of the reading that was stored last. */
  readonly newest: Stamp
  /** How often every second of its readings was taken. */
  readonly level: number
  /** Why positions are missing; empty if none is. */
  readonly hole: string
  readonly hours: ReadonlyMap<number, readonly number[]>
}

export function encodeRange({ first, count, newest, level, hole, hours }: PackedRange): Buffer {
  const out = new ByteWriter(256)
  out.varint(first)
  out.varint(count)
  out.double(newest)
  out.varint(level)
  out.text(hole)
  out.varint(hours.size)
  let hourBefore = 0
  for (const [hour, ids] of [...hours].toSorted(([a], [b]) => a - b)) {
    out.varint(hour - hourBefore)
    hourBefore = hour
    out.varint(ids.length)
    let idBefore = 0
    for (const id of ids.toSorted((a, b) => a - b)) {
      out.varint(id - idBefore)
      idBefore = id
    }
  }
  return out.take()
}

/** Throws `RangeError` if it is not whole. */
export function decodeRange(bytes: Buffer, last: Seq): PackedRange {
  const read = new ByteReader(bytes)
  const [first, count, newest] = [asSeq(read.varint()), read.varint(), read.double() as Stamp]
  const [level, hole] = [read.varint(), read.text()]
  const hours = new Map<number, number[]>()
  let hour = 0
  for (let left = read.varint(); left > 0; left--) {
    hour += read.varint()
    const ids: number[] = []
    let id = 0
    for (let more = read.varint(); more > 0; more--) ids.push((id += read.varint()))
    hours.set(hour, ids)
  }
  return { first, last, count, newest, level, hole, hours }
}
