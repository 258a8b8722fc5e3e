/**
 * How records lie on disk.
 *
 *   log block  varint count, text via, then each entry: byte flags (1 tombstone, 2 joined), text key, double stamp,
 *              text origin, [bytes CBOR of the value]
 *   row        double stamp, text origin, varint position, [bytes CBOR of the value]; without a value it is a tombstone
 */
import { Encoder } from 'cbor-x'
import type { Json } from '../reading.ts'
import type { Stamp } from '../stamp.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { type RecordEntry, type Seq, asSeq } from './types.ts'

// Plain maps and arrays, nothing shared between values: a row must be readable by itself.
const cbor = new Encoder({ useRecords: false, mapsAsObjects: true, structuredClone: false })

const flagTombstone = 1
const flagJoined = 2

export const encodeJson = (value: Json): Buffer => cbor.encode(value)
export const decodeJson = (bytes: Buffer): Json => cbor.decode(bytes) as Json

/** Writes a log block. `entries` is not empty, and all have the same `via`. */
export function writeRecords(out: ByteWriter, entries: readonly RecordEntry[]): void {
  out.varint(entries.length)
  out.text((entries[0] as RecordEntry).via)
  for (const entry of entries) {
    out.byte((entry.value === undefined ? flagTombstone : 0) | (entry.joined ? flagJoined : 0))
    out.text(entry.key)
    out.double(entry.stamp)
    out.text(entry.origin)
    if (entry.value !== undefined) out.bytes(encodeJson(entry.value))
  }
}

/** Reads a log block that ends at `last`. Throws `RangeError` if it is not whole. */
export function readLogRecords(block: Buffer, last: Seq): RecordEntry[] {
  const read = new ByteReader(block)
  const count = read.varint()
  const via = read.text()
  const entries: RecordEntry[] = []
  for (let index = 0; index < count; index++) {
    const flags = read.byte()
    const key = read.text()
    const stamp = read.double() as Stamp
    const origin = read.text()
    const value = flags & flagTombstone ? undefined : decodeJson(read.bytes())
    const joined = (flags & flagJoined) !== 0
    entries.push({ kind: 'record', seq: asSeq(last - count + 1 + index), stamp, origin, via, joined, key, value })
  }
  return entries
}

/** What a key holds now; `value` undefined is a tombstone. */
export type StoredRow = {
  readonly stamp: Stamp
  readonly origin: string
  readonly seq: Seq
  readonly value: Json | undefined
}

export function encodeRow(row: StoredRow): Buffer {
  const out = new ByteWriter(64)
  out.double(row.stamp)
  out.text(row.origin)
  out.varint(row.seq)
  if (row.value !== undefined) out.bytes(encodeJson(row.value))
  return out.take()
}

export function decodeRow(bytes: Buffer): StoredRow {
  const read = new ByteReader(bytes)
  const stamp = read.double() as Stamp
  const origin = read.text()
  const seq = asSeq(read.varint())
  return { stamp, origin, seq, value: read.done ? undefined : decodeJson(read.bytes()) }
}

/** The position alone, without what costs time to read. */
export function decodeRowSeq(bytes: Buffer): Seq {
  const read = new ByteReader(bytes)
  read.double()
  read.text()
  return asSeq(read.varint())
}

/**
 * Last writer wins on (stamp, origin): true if the first beats the second [I7]. A stamp that is later than any honest one
 * was let in while we did not know the time ourselves: it loses to any that is not.
 */
export function winsOver(
  challenger: { readonly stamp: Stamp; readonly origin: string },
  holder: { readonly stamp: Stamp; readonly origin: string },
  honestMax?: Stamp,
): boolean {
  if (honestMax !== undefined && holder.stamp > honestMax && challenger.stamp <= honestMax) return true
  return challenger.stamp !== holder.stamp ? challenger.stamp > holder.stamp : challenger.origin > holder.origin
}
