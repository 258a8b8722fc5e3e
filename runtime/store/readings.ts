/**
 * How readings lie on disk, in a log block (many series, neighbouring positions) and packed (one series and hour).
 *
 *   header   varint count, double base arrival (ms), double base stamp, text via
 *   each     byte flags (bits 0-3 value form, 4 device time, 5 id, 6 joined, 7 own stamp)
 *            log: varint series            packed: varint positions since the one before
 *            [double stamp]                if it is not base stamp + index (log) or was not first committed here
 *            signed arrival - the one before (ms)
 *            [signed device time - arrival] [text id] value
 *   boot     a byte with value form 15 instead of an entry: text boot (empty for none) of the entries from here on
 *   value    0 double · 1-4 decimal: signed(value × 1, 10, 100, 1000) · 5 false · 6 true · 7 text · 8 CBOR
 *
 * A reading of a sensor with two decimals takes about seven bytes.
 */
import { decode, encode } from 'cbor-x'
import type { Value } from '../reading.ts'
import { type Stamp, stampPlus } from '../stamp.ts'
import { ByteReader, type ByteWriter } from './bytes.ts'
import { type ReadingEntry, type Seq, type Series, asSeq } from './types.ts'

const flagTime = 16
const flagId = 32
const flagJoined = 64
const flagStamp = 128
const formFalse = 5
const formTrue = 6
const formText = 7
const formCbor = 8
const boots = 15
/** What a value of form 1 to 4 is multiplied by: a power worked out for each would cost more than the rest of it. */
const scales = [1, 1, 10, 100, 1000] as const

/** Writes a block. `entries` is not empty, of one table and one `via`; in a packed block also of one series. */
export function writeReadings(out: ByteWriter, form: 'log' | 'packed', entries: readonly ReadingEntry[]): void {
  const first = entries[0] as ReadingEntry
  out.varint(entries.length)
  out.double(first.arrivalMs)
  out.double(first.stamp)
  out.text(first.via)
  let arrivalMs = first.arrivalMs
  let seq = first.seq - 1
  let boot: string | undefined
  for (let index = 0; index < entries.length; index++) {
    const entry = entries[index] as ReadingEntry
    const stampIsNext = form === 'log' && entry.stamp === first.stamp + index
    const value = valueForm(entry.value)
    if (entry.boot !== boot) {
      boot = entry.boot
      out.byte(boots)
      out.text(boot ?? '')
    }
    out.byte(
      value |
        (entry.deviceTimeMs === undefined ? 0 : flagTime) |
        (entry.id === undefined ? 0 : flagId) |
        (entry.joined ? flagJoined : 0) |
        (stampIsNext ? 0 : flagStamp),
    )
    out.varint(form === 'log' ? entry.series.id : entry.seq - seq)
    if (!stampIsNext) out.double(entry.stamp)
    out.signed(entry.arrivalMs - arrivalMs)
    if (entry.deviceTimeMs !== undefined) out.signed(entry.deviceTimeMs - entry.arrivalMs)
    if (entry.id !== undefined) out.text(entry.id)
    writeValue(out, value, entry.value)
    arrivalMs = entry.arrivalMs
    seq = entry.seq
  }
}

/** Reads a log block that ends at `last`. Throws `RangeError` if it is not whole. */
export function readLogReadings(
  block: Buffer,
  last: Seq,
  seriesById: (id: number) => Series | undefined,
): ReadingEntry[] {
  const read = new ByteReader(block)
  const count = read.varint()
  return readEntries(read, count, last - count, seriesById)
}

/** Reads a packed block of one series whose first position is `first`. Throws `RangeError` if it is not whole. */
export function readPackedReadings(block: Buffer, first: Seq, series: Series): ReadingEntry[] {
  const read = new ByteReader(block)
  return readEntries(read, read.varint(), first - 1, series)
}

/** `before` is the position before the first. A packed block has the one series that is given, a log block numbers. */
function readEntries(
  read: ByteReader,
  count: number,
  before: number,
  of: Series | ((id: number) => Series | undefined),
): ReadingEntry[] {
  let seq = before
  let arrivalMs = read.double()
  const baseStamp = read.double() as Stamp
  const via = read.text()
  const entries: ReadingEntry[] = []
  let boot: string | undefined
  for (let index = 0; index < count; index++) {
    let flags = read.byte()
    while (flags === boots) {
      boot = read.text() || undefined
      flags = read.byte()
    }
    const varint = read.varint()
    const series = typeof of === 'function' ? of(varint) : of
    if (series === undefined) throw new RangeError('unknown series')
    seq += typeof of === 'function' ? 1 : varint
    const stamp = flags & flagStamp ? (read.double() as Stamp) : stampPlus(baseStamp, index)
    arrivalMs += read.signed()
    const deviceTimeMs = flags & flagTime ? arrivalMs + read.signed() : undefined
    const id = flags & flagId ? read.text() : undefined
    const value = readValue(read, flags & 15)
    const joined = (flags & flagJoined) !== 0
    entries.push({
      kind: 'reading',
      seq: asSeq(seq),
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
    })
  }
  return entries
}

function valueForm(value: Value): number {
  switch (typeof value) {
    case 'number':
      return decimalPlaces(value) + 1
    case 'boolean':
      return value ? formTrue : formFalse
    case 'string':
      return formText
    default:
      return formCbor
  }
}

/** 0 to 3 if the number is exactly that many decimals and small enough, else -1: stored as a double. */
function decimalPlaces(value: number): number {
  if (Object.is(value, -0)) return -1
  let scale = 1
  for (let places = 0; places <= 3; places++) {
    const scaled = Math.round(value * scale)
    if (Math.abs(scaled) > 0x7fffffff) return -1
    if (scaled / scale === value) return places
    scale *= 10
  }
  return -1
}

function writeValue(out: ByteWriter, form: number, value: Value): void {
  if (form === 0) out.double(value as number)
  else if (form <= 4) out.signed(Math.round((value as number) * (scales[form] as number)))
  else if (form === formText) out.text(value as string)
  else if (form === formCbor) out.bytes(encode(value))
}

function readValue(read: ByteReader, form: number): Value {
  switch (form) {
    case 0:
      return read.double()
    case 1:
    case 2:
    case 3:
    case 4:
      return read.signed() / (scales[form] as number)
    case formFalse:
      return false
    case formTrue:
      return true
    case formText:
      return read.text()
    case formCbor:
      return decode(read.bytes()) as Value
    default:
      throw new RangeError(`unknown value form ${form}`)
  }
}
