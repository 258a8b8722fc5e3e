/**
 * CBOR bytes as the tree that JSON.parse would give for the same message, or why not (RFC 8949, 6.1): byte strings become
 * texts in base64url, times (tags 0 and 1) texts in ISO 8601, undefined becomes null, whole numbers as keys become their
 * digits. Never throws; the decoder only sees bytes that have been walked. For `cbor` and `senml`.
 */
import { Decoder } from 'cbor-x'
import { cborFault } from './cbor-scan.ts'

export type ParsedCbor =
  | { readonly ok: true; readonly message: unknown }
  | { readonly ok: false; readonly reason: string }

/** As much as a constrained device can put into a message, many times over; a decoder's mistakes stay small (failures 3.4). */
const cborBytesMax = 64 * 1024

// `int64AsNumber` is missing in the package's types. What a double cannot hold is rounded, as JSON.parse does.
const cborOptions: object = {
  useRecords: false,
  mapsAsObjects: false,
  structuredClone: false,
  pack: false,
  copyBuffers: false,
  int64AsNumber: true,
}
const cbor = new Decoder(cborOptions)

/** What a whole number that is a key is called. */
export type KeyName = (key: number) => string

export function parseCbor(payload: Uint8Array, keyName: KeyName = String): ParsedCbor {
  if (payload.byteLength === 0) return { ok: false, reason: 'the payload is empty' }
  if (payload.byteLength > cborBytesMax) return { ok: false, reason: `not CBOR: more than ${cborBytesMax} bytes` }
  const item = isMarked(payload) ? payload.subarray(3) : payload
  const fault = cborFault(item)
  if (fault !== undefined) return { ok: false, reason: `not CBOR that is taken: ${fault}` }
  try {
    return { ok: true, message: plain(cbor.decode(item), keyName) }
  } catch (error) {
    return { ok: false, reason: `not CBOR: ${error instanceof Error ? error.message : String(error)}` }
  }
}

/** Tag 55799 says "this is CBOR" and nothing more (RFC 8949, 3.4.6). */
function isMarked(payload: Uint8Array): boolean {
  return payload[0] === 0xd9 && payload[1] === 0xd9 && payload[2] === 0xf7
}

/** The walk has bounded the depth. */
function plain(value: unknown, keyName: KeyName): unknown {
  if (typeof value !== 'object') return value === undefined ? null : value
  if (value === null) return null
  if (Array.isArray(value)) return value.map(item => plain(item, keyName))
  if (value instanceof Map) {
    // fromEntries defines keys, it does not assign them: `__proto__` is a key like any other here.
    return Object.fromEntries(
      [...(value as Map<unknown, unknown>)].map(([key, item]) => [
        typeof key === 'number' ? keyName(key) : String(key),
        plain(item, keyName),
      ]),
    )
  }
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new Error('a time that is none')
    return value.toISOString()
  }
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64url')
  throw new Error('a value of a kind that is not taken')
}
