/**
 * What a chart needs to know of a series, and no more of it however long the series is: for each column of the picture
 * the least and the greatest value, so that a spike of one reading is seen in a week of them; and the limits that were
 * in force. Pure, and bounded by the number of columns [I6].
 */

export type TraceSpan = { readonly fromMs: number; readonly toMs: number }

/** What one column shows. */
export type TraceColumn = {
  readonly min: number
  readonly max: number
  readonly first: number
  readonly last: number
}

export type Side = 'above' | 'below'

export class Trace {
  readonly span: TraceSpan
  readonly columns: number
  readonly #min: Float64Array
  readonly #max: Float64Array
  readonly #first: Float64Array
  readonly #last: Float64Array
  readonly #limits: Readonly<Record<Side, Float64Array>>

  /** `columns` is at least 1; what lies outside the span is not shown. */
  constructor(span: TraceSpan, columns: number) {
    const empty = (): Float64Array => new Float64Array(columns).fill(Number.NaN)
    this.span = span
    this.columns = columns
    this.#min = empty()
    this.#max = empty()
    this.#first = empty()
    this.#last = empty()
    this.#limits = { above: empty(), below: empty() }
  }

  /** The column of a time, or undefined if it is not in the picture. */
  columnOf(timeMs: number): number | undefined {
    const { fromMs, toMs } = this.span
    if (timeMs < fromMs || timeMs > toMs) return undefined
    return Math.min(this.columns - 1, Math.floor(((timeMs - fromMs) / Math.max(1, toMs - fromMs)) * this.columns))
  }

  /** A value, in the order of their arrival. */
  add(timeMs: number, value: number): void {
    const column = this.columnOf(timeMs)
    if (column === undefined) return
    const min = this.#min[column] as number
    if (Number.isNaN(min)) {
      this.#min[column] = this.#max[column] = this.#first[column] = value
    } else {
      if (value < min) this.#min[column] = value
      if (value > (this.#max[column] as number)) this.#max[column] = value
    }
    this.#last[column] = value
  }

  /** The limit that was in force at a time. */
  limit(timeMs: number, side: Side, value: number): void {
    const column = this.columnOf(timeMs)
    if (column !== undefined) this.#limits[side][column] = value
  }

  at(column: number): TraceColumn | undefined {
    const min = this.#min[column] ?? Number.NaN
    if (Number.isNaN(min)) return undefined
    return {
      min,
      max: this.#max[column] as number,
      first: this.#first[column] as number,
      last: this.#last[column] as number,
    }
  }

  /** The limit of each column. Where nothing was judged it is the one before, or else the one after. */
  limits(side: Side): readonly (number | undefined)[] {
    const known = Array.from(this.#limits[side], value => (Number.isNaN(value) ? undefined : value))
    let last = known.find(value => value !== undefined)
    return known.map(value => (last = value ?? last))
  }

  get isEmpty(): boolean {
    return this.#min.every(Number.isNaN)
  }
}
