/**
 * Walks CBOR bytes before the decoder sees them. cbor-x trusts what it reads: a bignum tag costs it quadratic time, a
 * shared reference makes cyclic objects, tag 27 builds JavaScript errors (failures C1 to C3). We need none of it.
 *
 * Lets through exactly one item made of safe integers, finite floats, booleans, null, texts, arrays and maps with text
 * keys, all of definite length and inside the buffer, within the bounds of depth and count. Never throws, allocates
 * nothing, and looks at each byte's item once.
 */
import { cborDepthMax, cborItemsMax } from '../limits.ts'

export type ScanRefusal =
  | 'cbor-truncated'
  | 'cbor-trailing'
  | 'cbor-tag'
  | 'cbor-bytes'
  | 'cbor-indefinite'
  | 'cbor-number'
  | 'cbor-simple'
  | 'cbor-key'
  | 'cbor-depth'
  | 'cbor-items'

const unsigned = 0
const negative = 1
const byteString = 2
const text = 3
const array = 4
const map = 5
const tag = 6

/** The name of the first thing wrong, or undefined if the bytes may be decoded. */
export function scanCbor(bytes: Uint8Array): ScanRefusal | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const size = bytes.byteLength
  let at = 0
  let items = 0

  // Values still to come at each depth; a map counts its keys too, and `isMap` says which of them must be texts.
  const left: number[] = [1]
  const isMap: boolean[] = [false]

  while (left.length > 0) {
    const level = left.length - 1
    const remaining = left[level] ?? 0
    if (remaining === 0) {
      left.pop()
      isMap.pop()
      continue
    }
    left[level] = remaining - 1
    if (++items > cborItemsMax) return 'cbor-items'
    if (at >= size) return 'cbor-truncated'
    const initial = bytes[at++] ?? 0
    const major = initial >> 5
    const short = initial & 0x1f
    if (short === 31) return 'cbor-indefinite'
    if (short > 27) return 'cbor-simple'
    if (isMap[level] === true && remaining % 2 === 0 && major !== text) return 'cbor-key'

    const extra = short < 24 ? 0 : 1 << (short - 24)
    if (at + extra > size) return 'cbor-truncated'
    if (major > tag) {
      const refusal = scanSimple(view, at, short)
      if (refusal !== undefined) return refusal
      at += extra
      continue
    }
    const argument = extra === 0 ? short : readArgument(view, at, extra)
    at += extra
    if (major === tag) return 'cbor-tag'
    if (major === byteString) return 'cbor-bytes'
    if (argument > Number.MAX_SAFE_INTEGER) return 'cbor-number'
    if (major === unsigned || major === negative) continue
    // Whatever its kind, each announced unit takes at least one byte that must be there.
    const units = major === map ? argument * 2 : argument
    if (units > size - at) return 'cbor-truncated'
    if (major === text) at += argument
    else if (major === array || major === map) {
      if (left.length > cborDepthMax) return 'cbor-depth'
      left.push(units)
      isMap.push(major === map)
    }
  }
  return at === size ? undefined : 'cbor-trailing'
}

function readArgument(view: DataView, at: number, width: number): number {
  if (width === 1) return view.getUint8(at)
  if (width === 2) return view.getUint16(at)
  if (width === 4) return view.getUint32(at)
  return view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4)
}

/** false, true, null, undefined (a field that a program left empty), and floats that are finite. */
function scanSimple(view: DataView, at: number, short: number): ScanRefusal | undefined {
  if (short >= 20 && short <= 23) return undefined
  if (short === 25) return (view.getUint16(at) & 0x7c00) === 0x7c00 ? 'cbor-number' : undefined
  if (short === 26) return Number.isFinite(view.getFloat32(at)) ? undefined : 'cbor-number'
  if (short === 27) return Number.isFinite(view.getFloat64(at)) ? undefined : 'cbor-number'
  return 'cbor-simple'
}
