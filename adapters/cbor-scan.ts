/**
 * Walks the CBOR of a stranger before the decoder sees it. The decoder trusts what it reads: a bignum (tags 2 and 3) costs
 * it quadratic time, a shared reference (28, 29) makes cyclic objects, tag 27 builds JavaScript errors, and more tags build
 * more than values (failures F10 and C1 to C3).
 *
 * Lets through exactly one well-formed item (RFC 8949) made of numbers, switches, null, texts in UTF-8, byte strings, lists
 * and maps with texts or whole numbers for keys, within a bound of depth; of tags only times (0, 1) and decimal fractions
 * (4), around what they are defined for. Never throws, and looks at each item's head once.
 */
import { isUtf8 } from 'node:buffer'
import { valueDepthMax } from '../runtime/limits.ts'

/** The values that a message is about, and as much again around them. */
const cborDepthMax = 2 * valueDepthMax

const unsigned = 0
const negative = 1
const byteString = 2
const text = 3
const array = 4
const map = 5
const tag = 6

const breakByte = 0xff
const indefinite = 31

/** What may stand behind a tag: its kind, and where it matters more. */
const dateTime = 0
const epochTime = 1
const decimalFraction = 4

/** As the internet writes it (RFC 3339): always with a zone, for a local time would be that of this machine. */
const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/
const rfc3339BytesMax = 40

/** A container that is being read. `left` is infinite where only a break ends it; a map counts keys and values. */
type Open = { left: number; readonly isMap: boolean; isKeyNext: boolean }

/** What is wrong, in words, or undefined if the bytes may be decoded. */
export function cborFault(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const size = bytes.byteLength
  const open: Open[] = [{ left: 1, isMap: false, isKeyNext: false }]
  let at = 0
  let tagged: number | undefined

  for (;;) {
    let level = open.at(-1)
    if (tagged === undefined) {
      while (level !== undefined && level.left === 0) {
        open.pop()
        level = open.at(-1)
      }
    }
    if (level === undefined) return at === size ? undefined : 'bytes follow the message'
    if (at >= size) return 'the message is cut off'
    const initial = bytes[at++] ?? 0
    if (initial === breakByte) {
      // A break behind a tag, or between a key and its value, ends nothing.
      if (level.left !== Number.POSITIVE_INFINITY || tagged !== undefined || (level.isMap && !level.isKeyNext)) {
        return 'a break stands where none may'
      }
      open.pop()
      continue
    }
    const major = initial >> 5
    const short = initial & 0x1f
    const isKey = tagged === undefined && level.isMap && level.isKeyNext
    if (isKey && major !== text && major !== unsigned && major !== negative) {
      return 'the key of a map is neither a text nor a whole number'
    }
    // What a tag marks counts with its tag, as one.
    if (tagged === undefined) {
      level.left -= 1
      if (level.isMap) level.isKeyNext = !level.isKeyNext
    }
    const mark = tagged
    tagged = undefined
    if (mark !== undefined && !fits(mark, initial)) return `tag ${mark} stands before something else`

    if (short === indefinite) {
      if (major !== array && major !== map) return 'a text or byte string comes in pieces'
      if (open.length > cborDepthMax) return `nested more than ${cborDepthMax} deep`
      open.push({ left: Number.POSITIVE_INFINITY, isMap: major === map, isKeyNext: major === map })
      continue
    }
    if (short > 27) return 'not well-formed'
    const extra = short < 24 ? 0 : 1 << (short - 24)
    if (at + extra > size) return 'the message is cut off'
    if (major > tag) {
      // false, true, null, undefined and the three sizes of floating-point numbers.
      if (short < 20 || short === 24) return 'a simple value that has no meaning'
      at += extra
      continue
    }
    const argument = extra === 0 ? short : readArgument(view, at, extra)
    at += extra
    if (major === tag) {
      if (argument !== dateTime && argument !== epochTime && argument !== decimalFraction) {
        return `tag ${argument} is not taken`
      }
      tagged = argument
      continue
    }
    if (major === unsigned || major === negative) continue
    // Whatever its kind, each announced unit takes at least one byte that must be there.
    const units = major === map ? argument * 2 : argument
    if (units > size - at) return 'the message is cut off'
    if (major === text && !isUtf8(bytes.subarray(at, at + units))) return 'a text is not UTF-8'
    if (mark === dateTime && !isDateTime(bytes, at, units)) return 'tag 0 stands before what is no time with a zone'
    if (major === text || major === byteString) at += units
    else {
      if (open.length > cborDepthMax) return `nested more than ${cborDepthMax} deep`
      open.push({ left: units, isMap: major === map, isKeyNext: major === map })
    }
  }
}

/** Is this first byte of an item one that the tag is defined for? */
function fits(mark: number, initial: number): boolean {
  const major = initial >> 5
  if (mark === dateTime) return major === text
  if (mark === decimalFraction) return initial === (array << 5) + 2
  return major === unsigned || major === negative || (initial >= 0xf9 && initial <= 0xfb)
}

function isDateTime(bytes: Uint8Array, at: number, length: number): boolean {
  if (length > rfc3339BytesMax) return false
  return rfc3339.test(Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString('latin1'))
}

function readArgument(view: DataView, at: number, width: number): number {
  if (width === 1) return view.getUint8(at)
  if (width === 2) return view.getUint16(at)
  if (width === 4) return view.getUint32(at)
  return view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4)
}
