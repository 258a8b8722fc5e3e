/**
 * What a Sparkplug metric's value means: the type that its birth gave it decides how the bits are read.
 *
 * Whole numbers of 64 bits become the nearest double, as in JSON. Floats of 32 bits become the shortest number that is the
 * same float, 12.1 and not 12.100000381469727. Bytes and files are no readings.
 */
import type { Json, Value } from '../runtime/reading.ts'
import { payloadText } from './payload.ts'
import type { DataSet, RawValue } from './sparkplug-payload.ts'
import { asValue, valueFault } from './value.ts'

/** The types' numbers, as the specification gives them. */
export const types = { boolean: 11, dataSet: 16, bytes: 17, file: 18, template: 19 } as const

export type Read = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly reason: string }

/** The value of a metric of a type, or why it cannot be one. Templates are many: their members are read one by one. */
export function readValue(raw: RawValue, type: number): Read {
  const value = valueOf(raw, type)
  if (value === undefined) return { ok: false, reason: noReading[type] ?? `has no value of its type, ${type}` }
  const fault = valueFault(value)
  return fault === undefined ? { ok: true, value: asValue(value) } : { ok: false, reason: fault }
}

const noReading: Readonly<Record<number, string>> = {
  [types.bytes]: 'is of type Bytes, which no reading holds',
  [types.file]: 'is of type File, which no reading holds',
}

/** Bits and sign of the whole numbers. */
const integers: ReadonlyMap<number, { readonly bits: number; readonly isSigned: boolean }> = new Map([
  [1, { bits: 8, isSigned: true }],
  [2, { bits: 16, isSigned: true }],
  [3, { bits: 32, isSigned: true }],
  [4, { bits: 64, isSigned: true }],
  [5, { bits: 8, isSigned: false }],
  [6, { bits: 16, isSigned: false }],
  [7, { bits: 32, isSigned: false }],
  [8, { bits: 64, isSigned: false }],
  // DateTime: milliseconds since 1970.
  [13, { bits: 64, isSigned: false }],
])

function valueOf(raw: RawValue, type: number): Json | undefined {
  const integer = integers.get(type)
  if (integer !== undefined) return wholeNumber(raw, integer.bits, integer.isSigned)
  switch (type) {
    case 9:
    case 10:
      return raw.float === undefined ? (raw.double ?? undefined) : shortest(raw.float)
    case types.boolean: {
      const number = raw.int ?? raw.long
      return raw.boolean ?? (number === undefined ? undefined : Number(number) !== 0)
    }
    case 12:
    case 14:
    case 15:
      return raw.string
    case types.dataSet:
      return raw.dataset && rowsOf(raw.dataset)
    default:
      return raw.bytes && listOf(raw.bytes, type)
  }
}

/** Signed numbers come as unsigned ones with the same bits; how many of them is left to the encoder. */
function wholeNumber({ int, long }: RawValue, bits: number, isSigned: boolean): number | undefined {
  const sent = int ?? long
  if (sent === undefined) return undefined
  const whole = BigInt(sent)
  return Number(isSigned ? BigInt.asIntN(bits, whole) : BigInt.asUintN(bits, whole))
}

function shortest(float: number): number {
  if (!Number.isFinite(float)) return float
  for (let digits = 6; digits < 9; digits++) {
    const number = Number(float.toPrecision(digits))
    if (Math.fround(number) === float) return number
  }
  return float
}

/** A table as the list of its rows; undefined where rows, columns and types do not fit each other. */
function rowsOf({ columns = [], types: columnTypes = [], rows = [] }: DataSet): Json | undefined {
  if (columns.length !== columnTypes.length) return undefined
  const read: Json[] = []
  for (const { elements = [] } of rows) {
    if (elements.length !== columns.length) return undefined
    const cells = columns.map((name, index): [string, Json] => [
      name,
      valueOf(elements[index] ?? {}, columnTypes[index] ?? 0) ?? null,
    ])
    read.push(Object.fromEntries(cells))
  }
  return read
}

type Item = { readonly bytes: number; readonly read: (view: DataView, at: number) => number }

/** The packed lists of numbers, little endian. */
const items: ReadonlyMap<number, Item> = new Map([
  [22, { bytes: 1, read: (view, at) => view.getInt8(at) }],
  [23, { bytes: 2, read: (view, at) => view.getInt16(at, true) }],
  [24, { bytes: 4, read: (view, at) => view.getInt32(at, true) }],
  [25, { bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)) }],
  [26, { bytes: 1, read: (view, at) => view.getUint8(at) }],
  [27, { bytes: 2, read: (view, at) => view.getUint16(at, true) }],
  [28, { bytes: 4, read: (view, at) => view.getUint32(at, true) }],
  [29, { bytes: 8, read: (view, at) => Number(view.getBigUint64(at, true)) }],
  [30, { bytes: 4, read: (view, at) => shortest(view.getFloat32(at, true)) }],
  [31, { bytes: 8, read: (view, at) => view.getFloat64(at, true) }],
  [34, { bytes: 8, read: (view, at) => Number(view.getBigUint64(at, true)) }],
])
const booleanArray = 32
const stringArray = 33

function listOf(bytes: Uint8Array, type: number): Json | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const item = items.get(type)
  if (item !== undefined) {
    if (bytes.length % item.bytes !== 0) return undefined
    return Array.from({ length: bytes.length / item.bytes }, (_, index) => item.read(view, index * item.bytes))
  }
  if (type === stringArray) {
    if (bytes.length === 0) return []
    const read = payloadText(bytes)
    return read.ok && read.text.endsWith('\0') ? read.text.split('\0').slice(0, -1) : undefined
  }
  if (type !== booleanArray || bytes.length < 4) return undefined
  const length = view.getUint32(0, true)
  if (length > (bytes.length - 4) * 8) return undefined
  return Array.from({ length }, (_, index) => ((bytes[4 + (index >> 3)] ?? 0) & (0x80 >> (index & 7))) !== 0)
}
