/**
 * Aggregates: for each series that is asked for and each interval one row. Series come one after the other, by device, metric,
 * origin and unit, and the rows of each in the order of time: so a chart or a line between two rows needs no other series.
 *
 * Promises: in memory is what columns.ts holds of one series and the bucket that is open, however long the range is. Where somebody
 * keeps buckets already, what they hold is not read again: the rows are the same as if it were.
 */
import type { Asked } from './asked.ts'
import { type Bucket, type BucketFunction, bucketOf, mergeBuckets } from './buckets.ts'
import { type ColumnBlock, columnsOf } from './columns.ts'
import { type Fill, type Row, Rows } from './fill.ts'
import { type Intervals, oneInterval } from './intervals.ts'
import { restAfter } from './rollup-rest.ts'
import { byName } from './series-order.ts'
import type { KnownSeries } from './table.ts'
import type { Seq, Series } from './types.ts'

export type Aggregate = {
  readonly intervals: Intervals
  readonly functions: readonly BucketFunction[]
  readonly fill: Fill
  /** All of it is filled where it is given. */
  readonly fromMs: number | undefined
  readonly toMs: number | undefined
}

export type AggregateRow = Row & { readonly series: Series }

/** Buckets of one length that somebody keeps of a table. */
export type KeptBuckets = {
  /** They begin at the epoch. */
  readonly lengthMs: number
  /** Those of one series as they are now; undefined where they cannot be told. Closed by who has opened them. */
  open(series: Series): OpenBuckets | undefined
}

/** Buckets of one series, of one moment. */
export type OpenBuckets = {
  /** Every reading up to this position is in them, and none after it. */
  readonly through: Seq
  /** Those that begin earlier may have been let go. */
  readonly fromMs: number
  /** Those that begin from one time on and before another, in order. */
  read(fromMs: number, toMs: number, signal: AbortSignal | undefined): AsyncIterable<Bucket>
  close(): Promise<void>
}

/** Whoever keeps buckets gives those that know all the functions and that fit, the longest first. */
export type BucketKeeper = (
  table: string,
  fits: (lengthMs: number) => boolean,
  functions: readonly BucketFunction[],
) => readonly KeptBuckets[]

export async function* aggregateRows(
  asked: Asked,
  aggregate: Aggregate,
  kept: readonly KeptBuckets[],
): AsyncGenerator<AggregateRow> {
  const { intervals, functions, fill, fromMs, toMs } = aggregate
  for (const series of asked.series.toSorted(byName)) {
    const ofOne = { ...asked, series: [series] }
    const rows = new Rows(intervals, functions, fill, fromMs, toMs)
    const named = ({ startMs, values }: Row): AggregateRow => ({ series, startMs, values })
    for await (const bucket of withKept(ofOne, series, kept, intervals)) {
      for (const row of rows.take(bucket)) yield named(row)
    }
    for (const row of rows.end()) yield named(row)
    if (asked.signal?.aborted === true) return
  }
}

/** The buckets of one series, in order. */
async function* bucketsOf(asked: Asked, intervals: Intervals): AsyncGenerator<Bucket> {
  let open: Bucket | undefined
  for await (const block of columnsOf(asked)) {
    for (const bucket of cut(block, intervals)) {
      if (open === undefined) open = bucket
      else if (open.startMs === bucket.startMs) open = mergeBuckets(open, bucket)
      else {
        yield open
        open = bucket
      }
    }
  }
  if (open !== undefined) yield open
}

/** The buckets of readings that are sorted by time. */
export function* cut(
  { times, values }: Pick<ColumnBlock, 'times' | 'values'>,
  intervals: Pick<Intervals, 'startOf' | 'next'>,
): Generator<Bucket> {
  for (let from = 0, to = 0; from < times.length; from = to) {
    const startMs = intervals.startOf(times[from] as number)
    const endMs = intervals.next(startMs)
    to = from + 1
    while (to < times.length && (times[to] as number) < endMs) to++
    yield bucketOf(startMs, times, values, from, to)
  }
}

/** The same out of buckets that are kept, and of what they do not hold: later positions, and the ends of the range. */
async function* withKept(
  asked: Asked,
  series: KnownSeries,
  [longest, ...shorter]: readonly KeptBuckets[],
  intervals: Intervals,
): AsyncGenerator<Bucket> {
  if (asked.fromMs >= asked.toMs) return
  if (longest === undefined || asked.afterSeq > 0) return yield* bucketsOf(asked, intervals)
  const { lengthMs } = longest
  const open = longest.open(series)
  try {
    const fromMs = Math.ceil(Math.max(asked.fromMs, open?.fromMs ?? 0) / lengthMs) * lengthMs
    const toMs = Math.floor(asked.toMs / lengthMs) * lengthMs
    if (open === undefined || fromMs >= toMs || asked.throughSeq < open.through)
      return yield* withKept(asked, series, shorter, intervals)
    yield* inTurn([
      withKept({ ...asked, toMs: fromMs }, series, shorter, intervals),
      merged([
        rejoined(whole(open.read(fromMs, toMs, asked.signal), asked, open.through, longest), intervals),
        bucketsAfter({ ...asked, fromMs, toMs }, series, open.through, intervals),
      ]),
      withKept({ ...asked, fromMs: toMs }, series, shorter, intervals),
    ])
  } finally {
    await open?.close()
  }
}

/** Of the readings that were stored after a position. */
async function* bucketsAfter(
  asked: Asked,
  series: KnownSeries,
  afterSeq: Seq,
  intervals: Intervals,
): AsyncGenerator<Bucket> {
  const rest = await restAfter(asked, series, afterSeq)
  if (rest.fromMs < rest.toMs) yield* bucketsOf({ ...asked, ...rest, afterSeq }, intervals)
}

/** A bucket that has not kept a long text or object is made of its readings, where they are all there still. */
async function* whole(
  buckets: AsyncIterable<Bucket>,
  asked: Asked,
  throughSeq: Seq,
  { lengthMs }: KeptBuckets,
): AsyncGenerator<Bucket> {
  for await (const bucket of buckets) {
    let told = bucket
    if (bucket.first === undefined || bucket.last === undefined) {
      const { startMs } = bucket
      const ofOne = { ...asked, fromMs: startMs, toMs: startMs + lengthMs, throughSeq }
      const made = await next(bucketsOf(ofOne, oneInterval(startMs)))
      if (made?.count === bucket.count) told = made
    }
    yield told
  }
}

/** Parts of a range, one after the other: an interval may end one and begin the next. */
async function* inTurn(parts: readonly AsyncGenerator<Bucket>[]): AsyncGenerator<Bucket> {
  let open: Bucket | undefined
  for (const part of parts) {
    for await (const bucket of part) {
      if (open?.startMs === bucket.startMs) open = mergeBuckets(open, bucket)
      else {
        if (open !== undefined) yield open
        open = bucket
      }
    }
  }
  if (open !== undefined) yield open
}

/** Buckets of the intervals asked for, out of shorter ones. */
async function* rejoined(shorter: AsyncIterable<Bucket>, intervals: Intervals): AsyncGenerator<Bucket> {
  let open: Bucket | undefined
  for await (const bucket of shorter) {
    const moved = { ...bucket, startMs: intervals.startOf(bucket.startMs) }
    if (open?.startMs === moved.startMs) open = mergeBuckets(open, moved)
    else {
      if (open !== undefined) yield open
      open = moved
    }
  }
  if (open !== undefined) yield open
}

/** Two lists of buckets as one; what the second has of an interval is later in the log. */
async function* merged([earlier, later]: [AsyncGenerator<Bucket>, AsyncGenerator<Bucket>]): AsyncGenerator<Bucket> {
  try {
    let [a, b] = [await next(earlier), await next(later)]
    while (a !== undefined || b !== undefined) {
      if (b === undefined || (a !== undefined && a.startMs < b.startMs)) {
        yield a as Bucket
        a = await next(earlier)
      } else if (a === undefined || b.startMs < a.startMs) {
        yield b
        b = await next(later)
      } else {
        yield mergeBuckets(a, b)
        ;[a, b] = [await next(earlier), await next(later)]
      }
    }
  } finally {
    await earlier.return(undefined)
    await later.return(undefined)
  }
}

async function next(buckets: AsyncGenerator<Bucket>): Promise<Bucket | undefined> {
  const { value, done } = await buckets.next()
  return done === true ? undefined : value
}
