/**
 * A column of numbers, as it lies in a chunk (chunk.ts). Every double comes back bit for bit.
 *
 *   column   byte form: bits 0-3 decimal places (15: halves), 4 delta, 5 has a divisor, 6 all are the first
 *            signed first, [varint divisor], blocks of up to 128 of the rest
 *   block    byte width, signed base - the base of the block before, the numbers less base in `width` bits each
 *   halves   two columns: the upper and the lower 32 bits of each double
 *
 * Decimals are kept as whole numbers: value × 10^places; division gives back exactly the double that was, which is
 * proved for each when it is written. What is no such decimal (thirds, NaN, -0) goes into halves. The whole numbers, less
 * the first and through their greatest common divisor, are kept themselves or as steps, whichever is smaller.
 */
import { packBits, packedBytes, unpackBits } from './bits.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'

const blockLength = 128
const formPlaces = 15
const formHalves = 15
const formDelta = 16
const formDivisor = 32
const formConstant = 64
const widthMax = 32
/** Scales of decimals. Nine places are a tenth of a millimetre in degrees. */
const scales = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9] as const
/** Below it a decimal's product with its scale is off by less than a half, so that rounding finds it. */
const scaledMax = 2 ** 50
const wholeMax = Number.MAX_SAFE_INTEGER
/** Where the upper half of a double lies in memory on this machine. */
const upper = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 1 : 0

/** Writes a column; `values` is not empty. */
export function writeNumbers(out: ByteWriter, values: Float64Array): void {
  const places = placesOf(values)
  if (places !== undefined) {
    const wholes = places === 0 ? values : new Float64Array(values.length)
    const scale = scales[places] as number
    if (places > 0)
      for (let index = 0; index < values.length; index++) wholes[index] = Math.round((values[index] as number) * scale)
    if (writeWholes(out, wholes, places)) return
  }
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2)
  out.byte(formHalves)
  for (const half of [upper, 1 - upper]) {
    const wholes = new Float64Array(values.length)
    for (let index = 0; index < values.length; index++) wholes[index] = words[index * 2 + half] as number
    writeWholes(out, wholes, 0)
  }
}

/** The fewest decimal places that all values have, or undefined if one of them is no decimal. */
function placesOf(values: Float64Array): number | undefined {
  let places = 0
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as number
    while (!isDecimal(value, places)) if (++places >= scales.length) return undefined
  }
  if (places === 0) return 0
  for (let index = 0; index < values.length; index++) if (!isDecimal(values[index] as number, places)) return undefined
  return places
}

function isDecimal(value: number, places: number): boolean {
  const scale = scales[places] as number
  const scaled = Math.round(value * scale)
  if (scaled / scale !== value || Math.abs(scaled) > (places === 0 ? wholeMax : scaledMax)) return false
  return value !== 0 || 1 / value > 0
}

/** Writes nothing and returns false if they are too far apart. */
function writeWholes(out: ByteWriter, wholes: Float64Array, places: number): boolean {
  const count = wholes.length
  const first = wholes[0] as number
  const divisor = divisorOf(wholes)
  if (divisor === 0) {
    out.byte(places | formConstant)
    out.signed(first)
    return true
  }
  const numbers = new Float64Array(count)
  for (let index = 0; index < count; index++) {
    const distance = (wholes[index] as number) - first
    if (Math.abs(distance) > wholeMax) return false
    numbers[index] = divisor === 1 ? distance : distance / divisor
  }
  const isDelta = chooseDelta(numbers)
  if (isDelta === undefined) return false
  out.byte(places | (isDelta ? formDelta : 0) | (divisor === 1 ? 0 : formDivisor))
  out.signed(first)
  if (divisor !== 1) out.varint(divisor)
  if (isDelta)
    for (let index = count - 1; index > 0; index--)
      numbers[index] = (numbers[index] as number) - (numbers[index - 1] as number)
  writeBlocks(out, numbers)
  return true
}

/** The greatest common divisor of all distances; 0 if there are none, 1 where it is not worth finding. */
function divisorOf(wholes: Float64Array): number {
  let divisor = 0
  for (let index = 1; index < wholes.length; index++) {
    const step = (wholes[index] as number) - (wholes[index - 1] as number)
    if (step === 0) continue
    let rest = step | 0
    if (rest !== step || rest === -0x80000000) return 1
    let other = divisor
    while (rest !== 0) {
      const next = (other % rest) | 0
      other = rest
      rest = next
    }
    divisor = Math.abs(other)
    if (divisor === 1) return 1
  }
  return divisor
}

/** Are the steps between them smaller than they are? Undefined if neither fits into blocks. */
function chooseDelta(numbers: Float64Array): boolean | undefined {
  let plain = 0
  let delta = 0
  let before = numbers[0] as number
  for (let start = 1; start < numbers.length; start += blockLength) {
    const end = Math.min(start + blockLength, numbers.length)
    let least = Number.POSITIVE_INFINITY
    let most = Number.NEGATIVE_INFINITY
    let leastStep = Number.POSITIVE_INFINITY
    let mostStep = Number.NEGATIVE_INFINITY
    for (let index = start; index < end; index++) {
      const number = numbers[index] as number
      const step = number - before
      before = number
      if (number < least) least = number
      if (number > most) most = number
      if (step < leastStep) leastStep = step
      if (step > mostStep) mostStep = step
    }
    plain += widthOf(most - least) * (end - start)
    delta += widthOf(mostStep - leastStep) * (end - start)
    if (Math.max(Math.abs(leastStep), Math.abs(mostStep)) > wholeMax) delta = Number.POSITIVE_INFINITY
  }
  if (plain === Number.POSITIVE_INFINITY && delta === plain) return undefined
  return delta < plain || (delta === plain && numbers.length > blockLength)
}

const widthOf = (range: number): number => (range > 0xffffffff ? Number.POSITIVE_INFINITY : 32 - Math.clz32(range))

function writeBlocks(out: ByteWriter, numbers: Float64Array): void {
  const packed = new Uint8Array(blockLength * 4)
  const residuals = new Uint32Array(blockLength)
  let base = 0
  for (let start = 1; start < numbers.length; start += blockLength) {
    const end = Math.min(start + blockLength, numbers.length)
    let least = Number.POSITIVE_INFINITY
    let most = Number.NEGATIVE_INFINITY
    for (let index = start; index < end; index++) {
      const number = numbers[index] as number
      if (number < least) least = number
      if (number > most) most = number
    }
    const width = widthOf(most - least)
    for (let index = start; index < end; index++) residuals[index - start] = (numbers[index] as number) - least
    out.byte(width)
    out.signed(least - base)
    base = least
    packBits(packed, 0, residuals, end - start, width)
    out.raw(packed.subarray(0, packedBytes(end - start, width)))
  }
}

/** Reads a column of `count` numbers, which the caller has bounded. Throws `RangeError` if it is not whole. */
export function readNumbers(read: ByteReader, count: number): Float64Array {
  const values = new Float64Array(count)
  const form = read.byte()
  if ((form & formPlaces) !== formHalves) {
    readWholes(read, values, form)
    return values
  }
  const words = new Uint32Array(values.buffer)
  const wholes = new Float64Array(count)
  for (const half of [upper, 1 - upper]) {
    readWholes(read, wholes, read.byte())
    for (let index = 0; index < count; index++) words[index * 2 + half] = wholes[index] as number
  }
  return values
}

function readWholes(read: ByteReader, values: Float64Array, form: number): void {
  const scale = scales[form & formPlaces]
  if (scale === undefined || form >= formConstant * 2) throw new RangeError('unknown form of numbers')
  const first = read.signed()
  if (form & formConstant) {
    values.fill(first / scale)
    return
  }
  const divisor = form & formDivisor ? read.varint() : 1
  values[0] = first
  let base = 0
  let last = first
  for (let start = 1; start < values.length; start += blockLength) {
    const end = Math.min(start + blockLength, values.length)
    const width = read.byte()
    if (width > widthMax) throw new RangeError('number too wide')
    base += read.signed()
    unpackBits(read.raw(packedBytes(end - start, width)), values, start, end - start, width)
    if (form & formDelta) {
      for (let index = start; index < end; index++) {
        last += (base + (values[index] as number)) * divisor
        values[index] = last
      }
    } else {
      for (let index = start; index < end; index++) values[index] = first + (base + (values[index] as number)) * divisor
    }
  }
  if (scale !== 1) for (let index = 0; index < values.length; index++) values[index] = (values[index] as number) / scale
}
