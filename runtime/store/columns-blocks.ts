/**
 * Whole numbers in blocks, each as wide as its own need it, as they lie in a column (columns-numbers.ts).
 *
 *   block   byte width (+ 64 if it has outliers), signed base - the base of the block before, [byte how many outliers],
 *           the numbers less base in `width` bits each, [byte place, signed number - base of each outlier]
 *
 * Outliers are a reading that was missed or a spike: one of them shall not make the hundred around it wide.
 */
import { packBits, packedBytes, unpackBits } from './bits.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'

const blockLength = 128
const widthMax = 32
const hasOutliers = 64
/** A place and a number of four bytes or so. */
const outlierBits = 36
const outliersMax = 12
/** Fewer numbers are not worth looking for outliers. */
const searchedMin = 32
const samples = 16

type Fit = { readonly base: number; readonly width: number; readonly outliers: number; readonly bits: number }
type Blocks = { readonly fits: readonly Fit[]; readonly bits: number }

/** How the numbers from `from` on would be written, in so many bits; infinite if one of the blocks cannot be. */
export function fitBlocks(numbers: Float64Array, from: number): Blocks {
  const fits: Fit[] = []
  let bits = 0
  for (let start = from; start < numbers.length; start += blockLength) {
    const fit = fitOf(numbers, start, Math.min(start + blockLength, numbers.length))
    fits.push(fit)
    bits += fit.bits
  }
  return { fits, bits }
}

export function writeBlocks(out: ByteWriter, numbers: Float64Array, from: number, { fits }: Blocks): void {
  let base = 0
  let start = from
  for (const fit of fits) {
    const end = Math.min(start + blockLength, numbers.length)
    out.byte(fit.outliers > 0 ? fit.width | hasOutliers : fit.width)
    out.signed(fit.base - base)
    base = fit.base
    if (fit.outliers > 0) writeOutlying(out, numbers, start, end, fit)
    else {
      for (let index = start; index < end; index++) residuals[index - start] = (numbers[index] as number) - base
      writeResiduals(out, end - start, fit.width)
    }
    start = end
  }
}

/** Reads blocks into `target` from `from` on. Throws `RangeError` if they are not whole. */
export function readBlocks(read: ByteReader, target: Float64Array, from: number): void {
  let base = 0
  for (let start = from; start < target.length; start += blockLength) {
    const end = Math.min(start + blockLength, target.length)
    const form = read.byte()
    const width = form & ~hasOutliers
    if (width > widthMax) throw new RangeError('number too wide')
    base += read.signed()
    const outliers = form & hasOutliers ? read.byte() : 0
    if (width === 0) target.fill(base, start, end)
    else unpackBits(read.buffer, read.skip(packedBytes(end - start, width)), target, start, end, width, base)
    for (let count = 0; count < outliers; count++) {
      const index = start + read.byte()
      if (index >= end) throw new RangeError('outlier out of its block')
      target[index] = base + read.signed()
    }
  }
}

/** Used again for each block: nothing in them outlives a call. */
const residuals = new Uint32Array(blockLength)
const packed = new Uint8Array(blockLength * 4)
const sorted = new Float64Array(blockLength)

/** The narrowest way to write these numbers. */
function fitOf(numbers: Float64Array, start: number, end: number): Fit {
  let least = numbers[start] as number
  let most = least
  for (let index = start + 1; index < end; index++) {
    const number = numbers[index] as number
    if (number < least) least = number
    else if (number > most) most = number
  }
  const width = widthOf(most - least)
  const all = { base: least, width, outliers: 0, bits: width * (end - start) }
  return end - start >= searchedMin && width > 2 && mayHaveOutliers(numbers, start, end, width)
    ? withoutOutliers(numbers, start, end, all)
    : all
}

const widthOf = (range: number): number => (range > 0xffffffff ? Number.POSITIVE_INFINITY : 32 - Math.clz32(range))

/** A few of the numbers, less the least and the most of them, are much narrower than all: sorting them may pay. */
function mayHaveOutliers(numbers: Float64Array, start: number, end: number, width: number): boolean {
  const stride = (end - start) / samples
  let [least, second, most, secondMost] = [Infinity, Infinity, -Infinity, -Infinity]
  for (let sample = 0; sample < samples; sample++) {
    const number = numbers[start + Math.floor(sample * stride)] as number
    if (number < least) {
      second = least
      least = number
    } else if (number < second) second = number
    if (number > most) {
      secondMost = most
      most = number
    } else if (number > secondMost) secondMost = number
  }
  return widthOf(Math.max(0, secondMost - second)) + 2 <= width
}

function withoutOutliers(numbers: Float64Array, start: number, end: number, all: Fit): Fit {
  const count = end - start
  const inOrder = sorted.subarray(0, count)
  inOrder.set(numbers.subarray(start, end))
  inOrder.sort()
  let best = all
  for (let outliers = 1; outliers <= outliersMax; outliers++) {
    for (let below = 0; below <= outliers; below++) {
      const base = inOrder[below] as number
      const width = widthOf((inOrder[count - 1 - outliers + below] as number) - base)
      const bits = width * count + outliers * outlierBits
      if (bits < best.bits) best = { base, width, outliers, bits }
    }
  }
  return best
}

function writeOutlying(out: ByteWriter, numbers: Float64Array, start: number, end: number, fit: Fit): void {
  const places: number[] = []
  const most = 2 ** fit.width - 1
  for (let index = start; index < end; index++) {
    const residual = (numbers[index] as number) - fit.base
    const isOutlier = residual < 0 || residual > most
    if (isOutlier) places.push(index - start)
    residuals[index - start] = isOutlier ? 0 : residual
  }
  out.byte(places.length)
  writeResiduals(out, end - start, fit.width)
  for (const place of places) {
    out.byte(place)
    out.signed((numbers[start + place] as number) - fit.base)
  }
}

function writeResiduals(out: ByteWriter, count: number, width: number): void {
  if (width === 0) return
  packBits(packed, 0, residuals, count, width)
  out.raw(packed.subarray(0, packedBytes(count, width)))
}
