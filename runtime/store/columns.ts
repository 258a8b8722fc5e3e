/**
 * Readings as columns: the times and values of one series and hour, sorted by time, without an object for any of them.
 *
 * Promises: hours come in order, each series in them at once; what was stored when the query began, as in query.ts. In
 * memory is one hour of one series, and what of that hour is not packed yet.
 */
import type { Value } from '../reading.ts'
import { type Asked, testOf } from './asked.ts'
import { Hours, lanesOf } from './hours.ts'
import { type Piece, type ValueColumn, isAscending, pick } from './piece.ts'
import { openHour } from './pieces.ts'
import { Recent } from './recent.ts'
import type { Series } from './types.ts'

export type ColumnBlock = {
  readonly series: Series
  readonly times: Float64Array
  /** Numbers in a typed array where all are numbers. */
  readonly values: ValueColumn
}

export async function* columnsOf(asked: Asked): AsyncGenerator<ColumnBlock> {
  if (asked.series.length === 0) return
  const recent = new Recent(asked)
  const lanes = lanesOf(asked)
  const hours = new Hours(asked, recent, lanes)
  for (let hour = await hours.next(undefined); hour !== undefined; hour = await hours.next(hour)) {
    const { apart, filed } = openHour(asked, recent, lanes, hour)
    const waiting = new Map<Series, Piece[]>()
    for await (const piece of apart()) {
      const others = waiting.get(piece.series)
      if (others) others.push(piece)
      else waiting.set(piece.series, [piece])
    }
    let pieces: Piece[] = []
    for await (const piece of filed()) {
      if (pieces[0] !== undefined && pieces[0].series !== piece.series) {
        yield* together(pieces, asked)
        pieces = []
      }
      if (pieces.length === 0) pieces = takeFrom(waiting, piece.series)
      pieces.push(piece)
    }
    yield* together(pieces, asked)
    for (const left of waiting.values()) yield* together(left, asked)
    if (asked.signal?.aborted === true) return
  }
}

function takeFrom(waiting: Map<Series, Piece[]>, series: Series): Piece[] {
  const pieces = waiting.get(series) ?? []
  waiting.delete(series)
  return pieces
}

function* together(pieces: readonly Piece[], asked: Asked): Generator<ColumnBlock> {
  const chosen = pieces.map(piece => choose(piece, asked)).filter(({ times }) => times.length > 0)
  const [first] = chosen
  if (first === undefined) return
  const { series } = first
  if (chosen.length === 1 && isAscending(first.times)) yield { series, times: first.times, values: first.values() }
  else yield { series, ...sorted(chosen) }
}

function choose(piece: Piece, asked: Asked): Piece {
  if (asked.where === undefined) return piece
  const passes = testOf(piece, asked)
  const places: number[] = []
  for (let place = 0; place < piece.times.length; place++) if (passes(place)) places.push(place)
  return pick(piece, places)
}

function sorted(pieces: readonly Piece[]): Pick<ColumnBlock, 'times' | 'values'> {
  const inLogOrder = pieces.toSorted((a, b) => (a.seqs()[0] as number) - (b.seqs()[0] as number))
  const times = joined(inLogOrder.map(piece => piece.times))
  const columns = inLogOrder.map(piece => piece.values())
  const areNumbers = columns.every(column => column instanceof Float64Array)
  const values = areNumbers ? joined(columns) : columns.flatMap(column => [...column] as Value[])
  if (isAscending(times)) return { times, values }
  const seqs = joined(inLogOrder.map(piece => piece.seqs()))
  const order = Array.from(times.keys()).toSorted(
    (a, b) => (times[a] as number) - (times[b] as number) || (seqs[a] as number) - (seqs[b] as number),
  )
  return {
    times: Float64Array.from(order, place => times[place] as number),
    values:
      values instanceof Float64Array
        ? Float64Array.from(order, place => values[place] as number)
        : order.map(place => values[place] as Value),
  }
}

function joined(columns: readonly Float64Array[]): Float64Array {
  const whole = new Float64Array(columns.reduce((sum, column) => sum + column.length, 0))
  let at = 0
  for (const column of columns) {
    whole.set(column, at)
    at += column.length
  }
  return whole
}
