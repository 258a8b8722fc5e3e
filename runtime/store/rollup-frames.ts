/**
 * How the buckets of a rollup lie on the disk: some neighbouring ones of one series in one value, in columns. Pure.
 *
 *   value    byte version (1), byte 1 if all readings are numbers, varint count, then columns (columns-numbers.ts):
 *            places in the frame, readings, [numbers, switches, trues], sums, least, greatest,
 *            first and last times after the beginning of the bucket, whether first and last are kept (2 + 1);
 *            first values, last values (columns-values.ts)
 *
 * A series costs about 15 bytes for each bucket. A text or object that is long is not kept: then the bucket says so.
 */
import type { Json, Value } from '../reading.ts'
import { type Bucket, mergeBuckets } from './buckets.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { readNumbers, writeNumbers } from './columns-numbers.ts'
import { listOf, readValues, writeValues } from './columns-values.ts'

/** Buckets of one value: some ten come with each packing, so most of a value is written twice or so before it is full. */
export const frameBuckets = 32
/** The last one that a key can hold. */
const frameMax = 0xffffffff
/** A frame with the longest texts takes 16 kB; what is longer is read again from the readings. */
const keptTextMax = 256

const version = 1

const frameMs = (periodMs: number): number => periodMs * frameBuckets
export const frameOf = (timeMs: number, periodMs: number): number =>
  Math.min(frameMax, Math.max(0, Math.floor(timeMs / frameMs(periodMs))))
export const frameStart = (frame: number, periodMs: number): number => frame * frameMs(periodMs)

/** Of the years that a key can hold: queries tell nothing of before 1970, and nobody lives to see the other end. */
export const isKeepable = (timeMs: number, periodMs: number): boolean =>
  timeMs >= 0 && timeMs < frameStart(frameMax, periodMs)

/** Two lists of buckets of one frame, each in order, as one; of the second came what is later in the log. */
export function joinBuckets(earlier: readonly Bucket[], later: readonly Bucket[]): readonly Bucket[] {
  if (earlier.length === 0) return later
  const byStart = new Map(earlier.map(bucket => [bucket.startMs, bucket]))
  for (const bucket of later) {
    const known = byStart.get(bucket.startMs)
    byStart.set(bucket.startMs, known === undefined ? bucket : mergeBuckets(known, bucket))
  }
  return [...byStart.values()].toSorted((a, b) => a.startMs - b.startMs)
}

/** The buckets of one frame, in order; at least one. */
export function encodeFrame(buckets: readonly Bucket[], frame: number, periodMs: number): Buffer {
  const out = new ByteWriter(512)
  const base = frameStart(frame, periodMs)
  const column = (of: (bucket: Bucket) => number): void => writeNumbers(out, Float64Array.from(buckets, of))
  const areNumbers = buckets.every(({ count, numbers }) => count === numbers)
  out.byte(version)
  out.byte(areNumbers ? 1 : 0)
  out.varint(buckets.length)
  column(({ startMs }) => (startMs - base) / periodMs)
  column(({ count }) => count)
  if (!areNumbers) {
    column(({ numbers }) => numbers)
    column(({ switches }) => switches)
    column(({ trues }) => trues)
  }
  // In one part: what the rest would add is less than the last digit.
  column(({ sum, sumRest }) => (Number.isFinite(sumRest) ? sum + sumRest : sum))
  column(({ min }) => min)
  column(({ max }) => max)
  column(({ startMs, firstMs }) => firstMs - startMs)
  column(({ startMs, lastMs }) => lastMs - startMs)
  column(({ first, last }) => (isKept(first) ? 2 : 0) + (isKept(last) ? 1 : 0))
  writeValues(
    out,
    buckets.map(({ first }) => (isKept(first) ? first : 0)),
  )
  writeValues(
    out,
    buckets.map(({ last }) => (isKept(last) ? last : 0)),
  )
  return out.take()
}

/** Throws `RangeError` if it is not whole. */
export function decodeFrame(bytes: Buffer, frame: number, periodMs: number): readonly Bucket[] {
  const read = new ByteReader(bytes)
  if (read.byte() !== version) throw new RangeError('unknown form of buckets')
  const areNumbers = read.byte() === 1
  const size = read.varint()
  if (size > frameBuckets) throw new RangeError('too many buckets')
  const column = (): Float64Array => readNumbers(read, size)
  const none = new Float64Array(size)
  const [places, counts] = [column(), column()]
  const [numbers, switches, trues] = areNumbers ? [counts, none, none] : [column(), column(), column()]
  const [sums, least, greatest] = [column(), column(), column()]
  const [firstTimes, lastTimes, kept] = [column(), column(), column()]
  const [firsts, lasts] = [listOf(readValues(read, size)), listOf(readValues(read, size))]
  const base = frameStart(frame, periodMs)
  const at = (values: Float64Array, index: number): number => values[index] as number
  return Array.from(places, (place, index): Bucket => {
    const startMs = base + place * periodMs
    return {
      startMs,
      count: at(counts, index),
      numbers: at(numbers, index),
      sum: at(sums, index),
      sumRest: 0,
      min: at(least, index),
      max: at(greatest, index),
      squares: undefined,
      switches: at(switches, index),
      trues: at(trues, index),
      first: at(kept, index) & 2 ? firsts[index] : undefined,
      firstMs: startMs + at(firstTimes, index),
      last: at(kept, index) & 1 ? lasts[index] : undefined,
      lastMs: startMs + at(lastTimes, index),
    }
  })
}

function isKept(value: Value | undefined): value is Value & Json {
  if (typeof value === 'string') return value.length <= keptTextMax
  return typeof value !== 'object' || JSON.stringify(value).length <= keptTextMax ? value !== undefined : false
}
