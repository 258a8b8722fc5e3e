/**
 * Readings as columns: the times and values of one series, sorted by time, without an object for any of them.
 *
 * Promises: hours come in order, in each one series after the other; what was stored when the query began, as in query.ts. In
 * memory is one chunk, or those of one series and hour that overlap in time; so a device whose clock stands still, which
 * files all it ever sends under one hour, does not pile up.
 */
import type { Value } from '../reading.ts'
import { type Asked, testOf } from './asked.ts'
import { Hours, lanesOf } from './hours.ts'
import { type Piece, type ValueColumn, columnOf, isAscending, pick } from './piece.ts'
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
    let held: Piece[] = []
    for await (const piece of filed()) {
      const others = waiting.get(piece.series) ?? []
      const last = held.at(-1)
      if (last !== undefined && last.series !== piece.series) {
        yield* together([...held, ...(waiting.get(last.series) ?? [])], asked)
        waiting.delete(last.series)
        held = []
      } else if (held.length > 0 && [piece, ...others].every(other => isAfter(held, other))) {
        yield* together(held, asked)
        held = []
      }
      held.push(piece)
    }
    const last = held[0]?.series
    if (last !== undefined) {
      yield* together([...held, ...(waiting.get(last) ?? [])], asked)
      waiting.delete(last)
    }
    for (const left of waiting.values()) yield* together(left, asked)
    if (asked.signal?.aborted === true) return
  }
}

/** True if all of a piece comes after all that is held, which then needs not wait for it. */
function isAfter(held: readonly Piece[], piece: Piece): boolean {
  const from = endOf(piece, Math.min)
  const to = Math.max(...held.map(one => endOf(one, Math.max)))
  if (from !== to) return from > to
  return held.every(one => (one.seqs().at(-1) as number) < (piece.seqs()[0] as number))
}

function endOf({ times }: Piece, choose: (a: number, b: number) => number): number {
  let end = times[0] as number
  for (let place = 1; place < times.length; place++) end = choose(end, times[place] as number)
  return end
}

function* together(pieces: readonly Piece[], asked: Asked): Generator<ColumnBlock> {
  const chosen = pieces.map(piece => chosenOf(piece, asked)).filter(({ times }) => times.length > 0)
  const [first] = chosen
  if (first === undefined) return
  const { series } = first
  if (chosen.length === 1 && isAscending(first.times)) yield { series, times: first.times, values: first.values() }
  else yield { series, ...inOrder(chosen) }
}

function chosenOf(piece: Piece, asked: Asked): Piece {
  if (asked.where === undefined) return piece
  const passes = testOf(piece, asked)
  const places: number[] = []
  for (let place = 0; place < piece.times.length; place++) if (passes(place)) places.push(place)
  return pick(piece, places)
}

/** Pieces of one series as one, by time and of one time by position. */
export function inOrder(pieces: readonly Piece[]): Pick<ColumnBlock, 'times' | 'values'> {
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
    times: columnOf(order, place => times[place] as number),
    values:
      values instanceof Float64Array
        ? columnOf(order, place => values[place] as number)
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
