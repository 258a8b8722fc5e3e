/**
 * One period of one series: what is known of the readings that fell into it, in a form of fixed size that can be saved, and
 * the values that are kept of it. Pure.
 */
import type { Json, Value } from '../reading.ts'
import type { Stamp } from '../stamp.ts'

export const keeps = ['avg', 'min', 'max', 'last', 'count'] as const
export type Keep = (typeof keeps)[number]

export type Bucket = {
  readonly startMs: number
  /** The boot whose clock could not be trusted: the times of this bucket are off by one amount, which may be told later. */
  readonly boot: string | undefined
  /** When its first reading came, by the clock that closes it. */
  readonly openedMs: number
  count: number
  /** Of the readings that are numbers. The sum is kept in two parts: a million small values do not vanish beside a large one. */
  numbers: number
  sum: number
  sumRest: number
  min: number
  max: number
  /** Of the readings that are true or false. */
  switches: number
  trues: number
  /** The latest by its own time; of two at the same time the one that came later. */
  last: Value
  lastMs: number
  /** Of the entry that came last. */
  stamp: Stamp
  arrivalMs: number
}

/** What of a reading goes into a bucket. */
export type Sample = {
  readonly value: Value
  readonly timeMs: number
  readonly arrivalMs: number
  readonly stamp: Stamp
}

export function openBucket(startMs: number, boot: string | undefined, openedMs: number, first: Sample): Bucket {
  const { value, timeMs, arrivalMs, stamp } = first
  const empty = { count: 0, numbers: 0, sum: 0, sumRest: 0, min: 0, max: 0, switches: 0, trues: 0 }
  const bucket = { startMs, boot, openedMs, ...empty, last: value, lastMs: timeMs, stamp, arrivalMs }
  addTo(bucket, first)
  return bucket
}

export function addTo(bucket: Bucket, { value, timeMs, arrivalMs, stamp }: Sample): void {
  bucket.count++
  bucket.arrivalMs = arrivalMs
  if (stamp > bucket.stamp) bucket.stamp = stamp
  if (timeMs >= bucket.lastMs) {
    bucket.last = value
    bucket.lastMs = timeMs
  }
  if (typeof value === 'number') addNumber(bucket, value)
  else if (typeof value === 'boolean') {
    bucket.switches++
    if (value) bucket.trues++
  }
}

function addNumber(bucket: Bucket, value: number): void {
  bucket.min = bucket.numbers === 0 ? value : Math.min(bucket.min, value)
  bucket.max = bucket.numbers === 0 ? value : Math.max(bucket.max, value)
  bucket.numbers++
  // Neumaier's sum: what the addition lost is added up beside it.
  const sum = bucket.sum + value
  const lost = Math.abs(bucket.sum) >= Math.abs(value) ? bucket.sum - sum + value : value - sum + bucket.sum
  bucket.sum = sum
  bucket.sumRest += lost
}

/** What is kept of a bucket. Texts have no average; switches have one, the share of true. */
export function valueOf(bucket: Bucket, keep: Keep): Value | undefined {
  switch (keep) {
    case 'count':
      return bucket.count
    case 'last':
      return bucket.last
    case 'min':
      return bucket.numbers > 0 ? bucket.min : undefined
    case 'max':
      return bucket.numbers > 0 ? bucket.max : undefined
    case 'avg':
      if (bucket.numbers > 0) return meanOf(bucket)
      return bucket.switches > 0 ? bucket.trues / bucket.switches : undefined
  }
}

/** Never outside of what was measured, however the sum was rounded; numbers near the largest there is overflow it. */
function meanOf({ sum, sumRest, numbers, min, max }: Bucket): number {
  const mean = (sum + sumRest) / numbers
  return Number.isFinite(mean) ? Math.min(Math.max(mean, min), max) : min / 2 + max / 2
}

/** The form in which a bucket is saved. A sum that has overflowed has no form in JSON: null. */
export function bucketForm(bucket: Bucket): Json {
  const { startMs, boot, openedMs, count, numbers, sum, sumRest, min, max, switches, trues } = bucket
  const { last, lastMs, stamp, arrivalMs } = bucket
  const sums = [sum, sumRest].map(part => (Number.isFinite(part) ? part : null))
  return [
    startMs,
    boot ?? null,
    openedMs,
    count,
    numbers,
    ...sums,
    min,
    max,
    switches,
    trues,
    last,
    lastMs,
    stamp,
    arrivalMs,
  ]
}

/** Reads what `bucketForm` wrote; nobody else writes it. */
export function bucketFrom(form: Json): Bucket {
  const [
    startMs,
    boot,
    openedMs,
    count,
    numbers,
    sum,
    sumRest,
    min,
    max,
    switches,
    trues,
    last,
    lastMs,
    stamp,
    arrivalMs,
  ] = form as [
    number,
    string | null,
    number,
    number,
    number,
    number | null,
    number | null,
    number,
    number,
    number,
    number,
    Value,
    number,
    Stamp,
    number,
  ]
  return {
    startMs,
    boot: boot ?? undefined,
    openedMs,
    count,
    numbers,
    sum: sum ?? Number.NaN,
    sumRest: sumRest ?? Number.NaN,
    min,
    max,
    switches,
    trues,
    last,
    lastMs,
    stamp,
    arrivalMs,
  }
}
