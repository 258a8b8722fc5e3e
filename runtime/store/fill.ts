/**
 * From the buckets of one series, in their order, to rows: an interval without readings is left out, or told with nothing,
 * with what was before, on the line between its neighbours, or with a number. Pure; holds one row.
 */
import { HoldfastError } from '../errors.ts'
import type { Value } from '../reading.ts'
import { type Bucket, type BucketFunction, valueOf } from './buckets.ts'
import type { Intervals } from './intervals.ts'

export type Fill = 'none' | 'null' | 'previous' | 'linear' | number

/** The values in the order of the functions asked for. */
export type Row = { readonly startMs: number; readonly values: readonly (Value | null)[] }

/** Intervals without a reading between two that have one. More is a slip of the pen, or of a device's clock [I6]. */
const emptyMax = 1_000_000

export class Rows {
  readonly #intervals: Intervals
  readonly #functions: readonly BucketFunction[]
  readonly #fill: Fill
  readonly #toMs: number | undefined
  /** Where the next row begins if nothing is left out; undefined while nobody knows where to begin. */
  #nextMs: number | undefined
  #last: Row | undefined

  /** With a range, all of it is filled; without one, from the first reading to the last. */
  constructor(
    intervals: Intervals,
    functions: readonly BucketFunction[],
    fill: Fill,
    fromMs: number | undefined,
    toMs: number | undefined,
  ) {
    this.#intervals = intervals
    this.#functions = functions
    this.#fill = fill
    this.#toMs = toMs
    this.#nextMs = fromMs === undefined ? undefined : intervals.startOf(fromMs)
  }

  *take(bucket: Bucket): Generator<Row> {
    const startMs = Number.isFinite(bucket.startMs) ? bucket.startMs : bucket.firstMs
    const row = { startMs, values: this.#functions.map(name => valueOf(bucket, name)) }
    yield* this.#empty(row.startMs, row)
    yield row
    this.#last = row
    this.#nextMs = this.#intervals.next(row.startMs)
  }

  /** What is empty after the last bucket. A series without any has no rows. */
  *end(): Generator<Row> {
    if (this.#last !== undefined && this.#toMs !== undefined) yield* this.#empty(this.#toMs, undefined)
  }

  *#empty(endMs: number, next: Row | undefined): Generator<Row> {
    if (this.#fill === 'none' || this.#nextMs === undefined) return
    let count = 0
    for (let startMs = this.#nextMs; startMs < endMs; startMs = this.#intervals.next(startMs)) {
      if (++count > emptyMax) throw tooManyEmpty()
      yield { startMs, values: this.#functions.map((name, index) => this.#filled(name, index, startMs, next)) }
    }
  }

  #filled(name: BucketFunction, index: number, startMs: number, next: Row | undefined): Value | null {
    if (name === 'count') return 0
    if (typeof this.#fill === 'number') return this.#fill
    const before = this.#last?.values[index] ?? null
    if (this.#fill === 'previous') return before
    const after = next?.values[index]
    if (this.#fill !== 'linear' || typeof before !== 'number' || typeof after !== 'number') return null
    const fromMs = this.#last?.startMs ?? 0
    return before + (after - before) * ((startMs - fromMs) / ((next?.startMs ?? 0) - fromMs))
  }
}

const tooManyEmpty = (): HoldfastError =>
  new HoldfastError(
    'BAD_ARGUMENT',
    `more than ${emptyMax} intervals in a row have no reading`,
    'choose a longer interval or a shorter range, or leave "fill" out',
  )
