/**
 * One interval of one series: what is known of the readings that fall into it, of a size that does not grow with them, in a
 * form that can be stored and put together from parts. Pure; works on columns, some ten nanoseconds a reading.
 *
 * Parts are put together in an order: of two readings at one time, the one in the later part is the later one. So readings
 * come sorted by time, and what is stored in buckets up to a position of the log comes before what was read after it.
 */
import type { Value } from '../reading.ts'
import type { ValueColumn } from './piece.ts'

export type Bucket = {
  readonly startMs: number
  /** Readings of any kind. */
  readonly count: number
  /** Those that are numbers, and of them: the sum in two parts, so that a million small ones do not vanish beside a large one. */
  readonly numbers: number
  readonly sum: number
  readonly sumRest: number
  readonly min: number
  readonly max: number
  /** The sum of the squared distances from their mean; undefined where it was not kept. */
  readonly squares: number | undefined
  /** Those that are true or false. */
  readonly switches: number
  readonly trues: number
  /** The earliest and the latest by their own time; undefined where they were not kept. */
  readonly first: Value | undefined
  readonly firstMs: number
  readonly last: Value | undefined
  readonly lastMs: number
}

export const bucketFunctions = ['avg', 'min', 'max', 'sum', 'count', 'first', 'last', 'stddev'] as const
export type BucketFunction = (typeof bucketFunctions)[number]

/** Of the readings from one place of a column up to another, at least one, sorted by time. */
export function bucketOf(startMs: number, times: Float64Array, values: ValueColumn, from: number, to: number): Bucket {
  const ends = {
    startMs,
    count: to - from,
    first: values[from] as Value,
    firstMs: times[from] as number,
    last: values[to - 1] as Value,
    lastMs: times[to - 1] as number,
  }
  if (values instanceof Float64Array) return { ...ends, ...ofNumbers(values, from, to), switches: 0, trues: 0 }
  const numbers: number[] = []
  let [switches, trues] = [0, 0]
  for (let place = from; place < to; place++) {
    const value = values[place]
    if (typeof value === 'number') numbers.push(value)
    else if (typeof value === 'boolean') {
      switches++
      if (value) trues++
    }
  }
  return { ...ends, ...ofNumbers(Float64Array.from(numbers), 0, numbers.length), switches, trues }
}

function ofNumbers(values: Float64Array, from: number, to: number) {
  const numbers = to - from
  let [sum, sumRest, min, max] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let place = from; place < to; place++) {
    const value = values[place] as number
    if (value < min) min = value
    if (value > max) max = value
    // What the addition loses is added up beside it.
    const next = sum + value
    const added = next - sum
    sumRest += sum - (next - added) + (value - added)
    sum = next
  }
  const mean = (sum + sumRest) / numbers
  let squares = 0
  for (let place = from; place < to; place++) {
    const distance = (values[place] as number) - mean
    squares += distance * distance
  }
  return { numbers, sum, sumRest, min, max, squares }
}

/** Both together: of one interval and series, `later` of what came after `earlier`. */
export function mergeBuckets(earlier: Bucket, later: Bucket): Bucket {
  const sum = earlier.sum + later.sum
  const added = sum - earlier.sum
  const lost = earlier.sum - (sum - added) + (later.sum - added)
  const [first, last] = [firstOf(earlier, later), later.lastMs >= earlier.lastMs ? later : earlier]
  return {
    startMs: earlier.startMs,
    count: earlier.count + later.count,
    numbers: earlier.numbers + later.numbers,
    sum,
    sumRest: earlier.sumRest + later.sumRest + lost,
    min: Math.min(earlier.min, later.min),
    max: Math.max(earlier.max, later.max),
    squares: squaresOf(earlier, later),
    switches: earlier.switches + later.switches,
    trues: earlier.trues + later.trues,
    first: first.first,
    firstMs: first.firstMs,
    last: last.last,
    lastMs: last.lastMs,
  }
}

const firstOf = (earlier: Bucket, later: Bucket): Bucket => (later.firstMs < earlier.firstMs ? later : earlier)

function squaresOf(a: Bucket, b: Bucket): number | undefined {
  if (a.squares === undefined || b.squares === undefined) return undefined
  if (a.numbers === 0) return b.squares
  if (b.numbers === 0) return a.squares
  const distance = meanOf(b) - meanOf(a)
  return a.squares + b.squares + distance * distance * ((a.numbers * b.numbers) / (a.numbers + b.numbers))
}

/** What a function says of a bucket; null where it has nothing to say: texts have no average. Switches have one, the share of true. */
export function valueOf(bucket: Bucket, name: BucketFunction): Value | null {
  switch (name) {
    case 'count':
      return bucket.count
    case 'first':
      return bucket.first ?? null
    case 'last':
      return bucket.last ?? null
    case 'min':
      return bucket.numbers > 0 ? bucket.min : null
    case 'max':
      return bucket.numbers > 0 ? bucket.max : null
    case 'sum':
      return bucket.numbers > 0 ? finite(bucket.sum + bucket.sumRest) : null
    case 'avg':
      if (bucket.numbers > 0) return meanOf(bucket)
      return bucket.switches > 0 ? bucket.trues / bucket.switches : null
    case 'stddev':
      if (bucket.squares === undefined || bucket.numbers < 2) return null
      return finite(Math.sqrt(bucket.squares / (bucket.numbers - 1)))
  }
}

/** Never outside of what was measured, however the sum was rounded; numbers near the largest there is overflow it. */
function meanOf({ sum, sumRest, numbers, min, max }: Bucket): number {
  const mean = (sum + sumRest) / numbers
  return Number.isFinite(mean) ? Math.min(Math.max(mean, min), max) : min / 2 + max / 2
}

/** JSON has no infinity. */
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null)
