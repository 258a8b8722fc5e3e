/**
 * What is left of many numbers: how many, their sum, mean, spread, extremes, the first and the last by time. Pure arithmetic
 * on rows of one array, because a gateway keeps hundreds of thousands of them and walks them with every reading.
 *
 * Promises: the same numbers in the same order and grouping give the same bits, so that a window filled again from the
 * store is the window that was. Mean and spread by Welford, joined by Chan, so that a constant has no spread at all.
 */

/** The columns of a row, as constants of their own: the hot functions below look up no object for them. */
const readings = 0
const count = 1
const sum = 2
const mean = 3
const squares = 4
const min = 5
const max = 6
const first = 7
const firstMs = 8
const last = 9
const lastMs = 10
/** The last one is free for whoever keeps the rows. */
export const ownColumn = 11
export const columns = 12

export function clearRow(rows: Float64Array, at: number): void {
  for (let offset = 0; offset < ownColumn; offset++) rows[at + offset] = 0
}

/** One more reading; undefined where it is no number. Of two at the same time the one that is added later is the later. */
export function addToRow(rows: Float64Array, at: number, value: number | undefined, timeMs: number): void {
  rows[at + readings] = get(rows, at + readings) + 1
  if (value === undefined) return
  const before = get(rows, at + count)
  if (before === 0) return beginRow(rows, at, value, timeMs)
  const distance = value - get(rows, at + mean)
  const newMean = get(rows, at + mean) + distance / (before + 1)
  rows[at + count] = before + 1
  rows[at + sum] = get(rows, at + sum) + value
  rows[at + mean] = newMean
  rows[at + squares] = get(rows, at + squares) + distance * (value - newMean)
  if (value < get(rows, at + min)) rows[at + min] = value
  if (value > get(rows, at + max)) rows[at + max] = value
  if (timeMs < get(rows, at + firstMs)) {
    rows[at + first] = value
    rows[at + firstMs] = timeMs
  }
  if (timeMs >= get(rows, at + lastMs)) {
    rows[at + last] = value
    rows[at + lastMs] = timeMs
  }
}

function beginRow(rows: Float64Array, at: number, value: number, timeMs: number): void {
  rows[at + count] = 1
  rows[at + sum] = value
  rows[at + mean] = value
  // The squares of a distance of nothing.
  rows[at + squares] = 0
  rows[at + min] = value
  rows[at + max] = value
  rows[at + first] = value
  rows[at + firstMs] = timeMs
  rows[at + last] = value
  rows[at + lastMs] = timeMs
}

/** Everything of another row besides what is in this one; where times are the same, the other is the later. */
export function joinRows(rows: Float64Array, at: number, others: Float64Array, from: number): void {
  rows[at + readings] = get(rows, at + readings) + get(others, from + readings)
  const theirs = get(others, from + count)
  if (theirs === 0) return
  const ours = get(rows, at + count)
  if (ours === 0) {
    for (let offset = count; offset <= lastMs; offset++) rows[at + offset] = get(others, from + offset)
    return
  }
  const all = ours + theirs
  const distance = get(others, from + mean) - get(rows, at + mean)
  const between = (distance * distance * ours * theirs) / all
  rows[at + squares] = get(rows, at + squares) + get(others, from + squares) + between
  rows[at + mean] = get(rows, at + mean) + (distance * theirs) / all
  rows[at + count] = all
  rows[at + sum] = get(rows, at + sum) + get(others, from + sum)
  if (get(others, from + min) < get(rows, at + min)) rows[at + min] = get(others, from + min)
  if (get(others, from + max) > get(rows, at + max)) rows[at + max] = get(others, from + max)
  if (get(others, from + firstMs) < get(rows, at + firstMs)) {
    rows[at + first] = get(others, from + first)
    rows[at + firstMs] = get(others, from + firstMs)
  }
  if (get(others, from + lastMs) >= get(rows, at + lastMs)) {
    rows[at + last] = get(others, from + last)
    rows[at + lastMs] = get(others, from + lastMs)
  }
}

/** One row that can be asked by name. */
export class Totals {
  readonly row = new Float64Array(columns)

  clear(): void {
    clearRow(this.row, 0)
  }
  get readings(): number {
    return get(this.row, readings)
  }
  get count(): number {
    return get(this.row, count)
  }
  get sum(): number {
    return get(this.row, sum)
  }
  get mean(): number {
    return get(this.row, mean)
  }
  get min(): number {
    return get(this.row, min)
  }
  get max(): number {
    return get(this.row, max)
  }
  /** Of the sample. */
  get stddev(): number {
    return this.count > 1 ? Math.sqrt(get(this.row, squares) / (this.count - 1)) : 0
  }
  get first(): { readonly value: number; readonly timeMs: number } {
    return { value: get(this.row, first), timeMs: get(this.row, firstMs) }
  }
  get last(): { readonly value: number; readonly timeMs: number } {
    return { value: get(this.row, last), timeMs: get(this.row, lastMs) }
  }
}

/** What is asked for is always there; the type of an array cannot say so. */
export function get(rows: Float64Array, at: number): number {
  return rows[at] ?? 0
}
