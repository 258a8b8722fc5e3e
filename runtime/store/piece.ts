/**
 * Some readings of one series as columns: what a chunk holds, or what is not packed yet. Queries look at the columns, and
 * make objects of the readings that they tell, no others. Times are corrected; they come in the order of the log.
 */
import type { Value } from '../reading.ts'
import type { Chunk } from './chunk.ts'
import type { Series } from './types.ts'
import { type ReadingEntry, type Seq, asSeq, timeOf } from './types.ts'

/** Numbers in a typed array where all are numbers. */
export type ValueColumn = Float64Array | readonly Value[]

export type Piece = {
  readonly series: Series
  /** The time that queries use, in milliseconds since 1970. */
  readonly times: Float64Array
  readonly seqs: () => Float64Array
  readonly values: () => ValueColumn
  /** The readings at these places, which ascend. */
  readonly entriesAt: (places: readonly number[]) => readonly ReadingEntry[]
}

export function pieceOfEntries(series: Series, entries: readonly ReadingEntry[]): Piece {
  return {
    series,
    times: columnOf(entries, timeOf),
    seqs: once(() => columnOf(entries, entry => entry.seq)),
    values: once(() => valuesOf(entries)),
    entriesAt: places => places.map(place => entries[place] as ReadingEntry),
  }
}

/** Of a chunk of which no boot has been corrected. */
export function pieceOfChunk(chunk: Chunk): Piece {
  return {
    series: chunk.series,
    times: chunk.times(),
    seqs: () => chunk.seqs(),
    values: () => chunk.numbers() ?? chunk.values(),
    entriesAt: places => {
      const seqs = chunk.seqs()
      const [first, last] = [places[0], places.at(-1)]
      if (first === undefined || last === undefined) return []
      const entries = chunk.entriesBetween(asSeq((seqs[first] as number) - 1), seqs[last] as Seq)
      return places.length === entries.length ? entries : places.map(place => entries[place - first] as ReadingEntry)
    },
  }
}

/** The readings at these places alone, which ascend. */
export function pick(piece: Piece, places: readonly number[]): Piece {
  const count = places.length
  if (count === piece.times.length) return piece
  const first = places[0] ?? 0
  if ((places.at(-1) ?? -1) - first + 1 === count) return cut(piece, first, first + count)
  return {
    series: piece.series,
    times: columnOf(places, place => piece.times[place] as number),
    seqs: once(() => columnOf(places, place => piece.seqs()[place] as number)),
    values: once(() => {
      const values = piece.values()
      return values instanceof Float64Array
        ? columnOf(places, place => values[place] as number)
        : places.map(place => values[place] as Value)
    }),
    entriesAt: inner => piece.entriesAt(inner.map(place => places[place] as number)),
  }
}

function cut(piece: Piece, from: number, to: number): Piece {
  return {
    series: piece.series,
    times: piece.times.subarray(from, to),
    seqs: () => piece.seqs().subarray(from, to),
    values: () => {
      const values = piece.values()
      return values instanceof Float64Array ? values.subarray(from, to) : values.slice(from, to)
    },
    entriesAt: inner => piece.entriesAt(inner.map(place => place + from)),
  }
}

/** A loop: `Float64Array.from` takes ten times as long. */
export function columnOf<T>(items: readonly T[], read: (item: T) => number): Float64Array {
  const column = new Float64Array(items.length)
  for (let index = 0; index < items.length; index++) column[index] = read(items[index] as T)
  return column
}

export function isAscending(times: Float64Array): boolean {
  for (let index = 1; index < times.length; index++) {
    if ((times[index] as number) < (times[index - 1] as number)) return false
  }
  return true
}

function valuesOf(entries: readonly ReadingEntry[]): ValueColumn {
  const numbers = new Float64Array(entries.length)
  for (let index = 0; index < entries.length; index++) {
    const { value } = entries[index] as ReadingEntry
    if (typeof value !== 'number') return entries.map(entry => entry.value)
    numbers[index] = value
  }
  return numbers
}

function once<T extends object>(make: () => T): () => T {
  let made: T | undefined
  return () => (made ??= make())
}
