/**
 * A column of numbers, as it lies in a chunk (chunk.ts). Every double comes back bit for bit.
 *
 *   column   byte form: bits 0-3 decimal places (15: halves), 4 steps, 5 has a divisor, 6 all are the first, 7 has strangers
 *            [varint how many strangers, of each: varint its distance from the one before, double]
 *            signed first, [varint divisor], the rest in blocks (columns-blocks.ts)
 *   halves   two columns: the upper and the lower 32 bits of each double
 *
 * Decimals are kept as whole numbers: value × 10^places; division gives back exactly the double that was, which is
 * proved for each when it is written. A few that are no such decimal (-0, thirds, NaN) stand by themselves as strangers;
 * of too many the column is written in halves. The whole numbers, less the first and through their greatest common
 * divisor, are kept themselves or as the steps between them, whichever is smaller.
 */
import type { ByteReader, ByteWriter } from './bytes.ts'
import { fitBlocks, readBlocks, writeBlocks } from './columns-blocks.ts'
import { Scratch } from './scratch.ts'

const formPlaces = 15
const formHalves = 15
const formSteps = 16
const formDivisor = 32
const formConstant = 64
const formStrangers = 128
/** Scales of decimals. Nine places are a tenth of a millimetre in degrees. */
const scales = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9] as const
/** Below it a decimal's product with its scale is off by less than a half, so that rounding finds it. */
const scaledMax = 2 ** 50
/** Numbers so near to the first have exact distances, steps, and distances of steps. */
const distanceMax = 2 ** 51
/** A stranger takes nine bytes or more. One in so many costs as much as the halves of all would. */
const strangersShare = 8
/** Where the upper half of a double lies in memory on this machine. */
const upper = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 1 : 0

const scratch = { wholes: new Scratch(), distances: new Scratch(), steps: new Scratch() }

/** Writes a column; `values` is not empty. */
export function writeNumbers(out: ByteWriter, values: Float64Array): void {
  if (writeDecimals(out, values)) return
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2)
  const wholes = scratch.wholes.of(values.length)
  out.byte(formHalves)
  for (const half of [upper, 1 - upper]) {
    for (let index = 0; index < values.length; index++) wholes[index] = words[index * 2 + half] as number
    writeWholes(out, wholes, 0, values, [])
  }
}

/** Writes nothing and returns false if too many are strangers, or too far apart. */
function writeDecimals(out: ByteWriter, values: Float64Array): boolean {
  const strangers: number[] = []
  const places = placesOf(values, strangers)
  if (places === undefined) return false
  if (places === 0 && strangers.length === 0) return writeWholes(out, values, 0, values, strangers)
  const wholes = scratch.wholes.of(values.length)
  const scale = scales[places] as number
  let stranger = 0
  let last: number | undefined
  for (let index = 0; index < values.length; index++) {
    if (strangers[stranger] === index) {
      wholes[index] = last ?? 0
      stranger++
    } else {
      // Before the first of its kind a stranger stands for that.
      const whole = Math.round((values[index] as number) * scale)
      if (last === undefined) wholes.fill(whole, 0, index)
      wholes[index] = last = whole
    }
  }
  return writeWholes(out, wholes, places, values, strangers)
}

/** The fewest decimal places that all values but the strangers have; undefined if those are too many. */
function placesOf(values: Float64Array, strangers: number[]): number | undefined {
  const strangersMax = values.length / strangersShare
  let places = 0
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as number
    if (isDecimal(value, places)) continue
    let more = places + 1
    while (more < scales.length && !isDecimal(value, more)) more++
    if (more < scales.length) places = more
    else if (strangers.push(index) > strangersMax) return undefined
  }
  if (places === 0) return 0
  // Those that came before the place that was found last: a whole number may be too large for it.
  let stranger = 0
  for (let index = 0; index < values.length; index++) {
    if (strangers[stranger] === index) stranger++
    else if (!isDecimal(values[index] as number, places)) return undefined
  }
  return places
}

function isDecimal(value: number, places: number): boolean {
  const scale = scales[places] as number
  const scaled = Math.round(value * scale)
  if (scaled / scale !== value || Math.abs(scaled) > (places === 0 ? Number.MAX_SAFE_INTEGER : scaledMax)) return false
  return value !== 0 || 1 / value > 0
}

function writeWholes(
  out: ByteWriter,
  wholes: Float64Array,
  places: number,
  values: Float64Array,
  strangers: readonly number[],
): boolean {
  const first = wholes[0] as number
  const divisor = divisorOf(wholes)
  const numbers = distancesOf(wholes, divisor)
  if (numbers === undefined) return false
  const steps = stepsOf(numbers)
  const plain = fitBlocks(numbers, 1)
  const stepped = fitBlocks(steps, 1)
  const isSteps = stepped.bits < plain.bits
  const blocks = isSteps ? stepped : plain
  if (blocks.bits === Number.POSITIVE_INFINITY) return false
  out.byte(
    places |
      (isSteps ? formSteps : 0) |
      (divisor > 1 ? formDivisor : 0) |
      (divisor === 0 ? formConstant : 0) |
      (strangers.length > 0 ? formStrangers : 0),
  )
  if (strangers.length > 0) {
    out.varint(strangers.length)
    strangers.forEach((place, index) => {
      out.varint(place - (strangers[index - 1] ?? 0))
      out.double(values[place] as number)
    })
  }
  out.signed(first)
  if (divisor > 1) out.varint(divisor)
  if (divisor > 0) writeBlocks(out, isSteps ? steps : numbers, 1, blocks)
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

/** How far each is from the first, in divisors; undefined if one is too far. */
function distancesOf(wholes: Float64Array, divisor: number): Float64Array | undefined {
  const first = wholes[0] as number
  const distances = scratch.distances.of(wholes.length)
  if (divisor === 0) return distances.fill(0)
  for (let index = 0; index < wholes.length; index++) {
    const distance = (wholes[index] as number) - first
    if (Math.abs(distance) > distanceMax) return undefined
    distances[index] = divisor === 1 ? distance : distance / divisor
  }
  return distances
}

function stepsOf(numbers: Float64Array): Float64Array {
  const steps = scratch.steps.of(numbers.length)
  steps[0] = 0
  for (let index = 1; index < numbers.length; index++)
    steps[index] = (numbers[index] as number) - (numbers[index - 1] as number)
  return steps
}

/** Reads a column of `count` numbers, which the caller has bounded. Throws `RangeError` if it is not whole. */
export function readNumbers(read: ByteReader, count: number): Float64Array {
  const values = new Float64Array(count)
  const form = read.byte()
  if (form !== formHalves) {
    readDecimals(read, values, form)
    return values
  }
  const words = new Uint32Array(values.buffer)
  const wholes = new Float64Array(count)
  for (const half of [upper, 1 - upper]) {
    readDecimals(read, wholes, read.byte())
    for (let index = 0; index < count; index++) words[index * 2 + half] = wholes[index] as number
  }
  return values
}

function readDecimals(read: ByteReader, values: Float64Array, form: number): void {
  const scale = scales[form & formPlaces]
  if (scale === undefined) throw new RangeError('unknown form of numbers')
  const strangers = form & formStrangers ? readStrangers(read, values.length) : undefined
  const first = read.signed()
  if (form & formConstant) values.fill(first / scale)
  else {
    const divisor = form & formDivisor ? read.varint() : 1
    readBlocks(read, values, 1)
    values[0] = 0
    if (form & formSteps) sum(values, first, divisor, scale)
    else
      for (let index = 0; index < values.length; index++)
        values[index] = (first + (values[index] as number) * divisor) / scale
  }
  strangers?.forEach((value, place) => (values[place] = value))
}

function sum(steps: Float64Array, first: number, divisor: number, scale: number): void {
  let whole = first
  for (let index = 0; index < steps.length; index++) {
    whole += (steps[index] as number) * divisor
    steps[index] = whole / scale
  }
}

function readStrangers(read: ByteReader, count: number): Map<number, number> {
  const size = read.varint()
  if (size > count) throw new RangeError('more strangers than numbers')
  const strangers = new Map<number, number>()
  let place = 0
  for (let index = 0; index < size; index++) {
    place += read.varint()
    if (place >= count) throw new RangeError('stranger out of its column')
    strangers.set(place, read.double())
  }
  return strangers
}
