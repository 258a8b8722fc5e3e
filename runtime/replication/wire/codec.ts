/**
 * Bytes to plain values and back, and the tools that check a value's shape field by field.
 *
 * Whatever arrives, `decodeMessage` gives a value of known shape or the name of what is wrong. It never throws, and the
 * decoder only sees bytes that `scanCbor` has walked.
 */
import { Encoder } from 'cbor-x'
import type { Json } from '../../reading.ts'
import type { Seq, TableKind } from '../../store/types.ts'
import { messageBytesMax, nameBytesMax } from '../limits.ts'
import { isPeerName, isTableName, protocolVersion } from './protocol.ts'
import { type ScanRefusal, scanCbor } from './scan.ts'

/** What may be wrong with a message, by name: the names are counted, logged and documented. */
export type RefusalName =
  | ScanRefusal
  | 'too-large'
  | 'undecodable'
  | 'version'
  | 'shape'
  | 'form'
  | 'checksum'
  | 'compression'
  | 'columns'

export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refused: RefusalName; readonly detail: string }

// `int64AsNumber` is missing in the package's types. Safe: the scan refuses what a number can't hold.
const cborOptions: object = {
  useRecords: false,
  mapsAsObjects: true,
  structuredClone: false,
  pack: false,
  variableMapSize: true,
  tagUint8Array: false,
  int64AsNumber: true,
}
const cbor = new Encoder(cborOptions)

export const encodeMessage = (message: object): Buffer => cbor.encode(message)

/** A value by itself: what has no other form in a column. */
export const encodeValue = (value: Json): Buffer => cbor.encode(value)

/** Reads a message with `read`, which may use the field readers below: what they object to becomes a refusal. */
export function decodeMessage<T>(bytes: Uint8Array, read: (fields: Fields) => T): Decoded<T> {
  if (bytes.byteLength > messageBytesMax) return refused('too-large', `${bytes.byteLength} bytes`)
  const fault = scanCbor(bytes)
  if (fault !== undefined) return refused(fault, '')
  let plain: unknown
  try {
    plain = cbor.decode(bytes)
  } catch (error) {
    return refused('undecodable', String(error))
  }
  try {
    const fields = asFields(plain, 'message')
    if (fields['v'] !== protocolVersion) return refused('version', String(fields['v']))
    return { ok: true, value: read(fields) }
  } catch (error) {
    if (error instanceof ShapeError) return refused('shape', error.message)
    throw error
  }
}

/** A value of a column; to be called where `decodeMessage` reads. */
export function decodeValue(bytes: Uint8Array): Json {
  const fault = scanCbor(bytes)
  if (fault !== undefined) wrongShape('value', `readable: ${fault}`)
  try {
    const value = cbor.decode(bytes) as Json | undefined
    return value ?? wrongShape('value', 'there')
  } catch (error) {
    if (error instanceof ShapeError) throw error
    return wrongShape('value', 'decodable')
  }
}

const refused = (name: RefusalName, detail: string): { ok: false; refused: RefusalName; detail: string } => ({
  ok: false,
  refused: name,
  detail: detail.slice(0, 200),
})

export type Fields = { readonly [key: string]: unknown }

/** Never leaves this room: `decodeMessage` turns it into a refusal. */
class ShapeError extends Error {}

export function wrongShape(where: string, expected: string): never {
  throw new ShapeError(`${where} is not ${expected}`)
}

export function asFields(value: unknown, where: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) wrongShape(where, 'a map')
  return value as Fields
}

export function asList(value: unknown, where: string, countMax: number): readonly unknown[] {
  if (!Array.isArray(value)) wrongShape(where, 'a list')
  if (value.length > countMax) wrongShape(where, `a list of at most ${countMax}`)
  return value
}

/** A whole number from 0 up, exact in a double. */
export function asCount(value: unknown, where: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) wrongShape(where, 'a whole number')
  return value
}

export const asPosition = (value: unknown, where: string): Seq => asCount(value, where) as Seq

export function asNumber(value: unknown, where: string): number {
  if (typeof value !== 'number') wrongShape(where, 'a number')
  return value
}

export function asText(value: unknown, where: string, bytesMax: number = nameBytesMax): string {
  if (typeof value !== 'string') wrongShape(where, 'a text')
  if (value.length > bytesMax || Buffer.byteLength(value) > bytesMax) wrongShape(where, `at most ${bytesMax} bytes`)
  return value
}

export function asPeer(value: unknown, where: string): string {
  if (typeof value !== 'string' || !isPeerName(value)) wrongShape(where, 'a name of letters, digits, _ and -')
  return value
}

export function asTable(value: unknown, where: string): string {
  if (typeof value !== 'string' || !isTableName(value)) wrongShape(where, 'a table name')
  return value
}

export function asKind(value: unknown, where: string): TableKind {
  if (value !== 'series' && value !== 'records') wrongShape(where, '"series" or "records"')
  return value
}

/** Missing, null and undefined are the same on the wire. */
export function optional<T>(value: unknown, read: (present: unknown) => T): T | undefined {
  return value === undefined || value === null ? undefined : read(value)
}

/** How many bytes a value takes as CBOR, so that a frame cut by this measure never grows beyond its bound. */
export function encodedBytes(value: Json | undefined): number {
  if (value === undefined || value === null || typeof value === 'boolean') return 1
  if (typeof value === 'number') return numberBytes(value)
  if (typeof value === 'string') return textBytes(value)
  let bytes = 0
  if (Array.isArray(value)) {
    for (const item of value as readonly Json[]) bytes += encodedBytes(item)
    return headBytes((value as readonly Json[]).length) + bytes
  }
  const fields = Object.entries(value)
  for (const [key, item] of fields) bytes += textBytes(key) + encodedBytes(item)
  return headBytes(fields.length) + bytes
}

export function textBytes(text: string): number {
  const bytes = Buffer.byteLength(text)
  return headBytes(bytes) + bytes
}

const numberBytes = (number: number): number =>
  Number.isInteger(number) && Math.abs(number) < 2 ** 31 ? headBytes(Math.abs(number)) : 9

/** cbor-x sometimes takes the next larger form of a length, so the smallest forms are not counted on. */
const headBytes = (count: number): number => (count < 20 ? 1 : count < 250 ? 3 : count < 65_000 ? 3 : 5)
