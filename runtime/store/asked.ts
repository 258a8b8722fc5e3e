/** A query made exact, once: which series, which times, which positions, and what was known of wrong clocks by then. */
import type { Value } from '../reading.ts'
import { type Shifts, shiftsOf } from './corrections.ts'
import type { Database } from './database.ts'
import type { Piece } from './piece.ts'
import { type KnownSeries, type Table, wildcard } from './table.ts'
import { type Order, type ReadingQuery, type ReadingTest, type Series, type TestedReading, seqZero } from './types.ts'

export type Asked = {
  readonly database: Database
  readonly table: Table
  readonly series: readonly KnownSeries[]
  readonly fromMs: number
  readonly toMs: number
  /** Positions after the first up to the second. What is stored while the query runs is not told. */
  readonly afterSeq: number
  readonly throughSeq: number
  /** By origin; as known when the query began: a reading must not move from one hour to another while hours are read. */
  readonly shifts: ReadonlyMap<string, Shifts>
  /** Looks at values or times; one that does not has chosen among the series already. */
  readonly where: ReadingTest | undefined
  readonly order: Order
  readonly signal: AbortSignal | undefined
}

export function ask(database: Database, table: Table, query: ReadingQuery): Asked {
  const { device = '*', metric = '*', fromMs = 0, toMs = Number.POSITIVE_INFINITY, where, order = 'asc' } = query
  const { afterSeq = seqZero, throughSeq = table.head, correctedThrough, beyond, signal } = query
  const isOfOrigin = wildcard(query.origin ?? '*')
  const fits = (series: KnownSeries): boolean =>
    isOfOrigin(series.origin) &&
    (query.unit === undefined || query.unit === (series.unit ?? '')) &&
    (where?.isOfSeries !== true || where.chooses(testedOf(series)) === true)
  const series = table.series.matching(device, metric).filter(fits)
  const origins = new Set(series.map(({ origin }) => origin))
  const isUp = order === 'asc'
  return {
    database,
    table,
    series,
    fromMs: beyond !== undefined && isUp ? Math.max(fromMs, beyond.timeMs) : fromMs,
    toMs: beyond !== undefined && !isUp ? Math.min(toMs, beyond.timeMs + 1) : toMs,
    afterSeq,
    throughSeq: Math.min(throughSeq, table.head),
    shifts: new Map([...origins].map(origin => [origin, shiftsOf(database.corrections, origin, correctedThrough)])),
    where: where?.isOfSeries === true ? undefined : where,
    order,
    signal,
  }
}

/** Whether the reading at a place of a piece is chosen. */
export function testOf({ series, times, values }: Piece, { where }: Asked): (place: number) => boolean {
  if (where === undefined) return () => true
  const column = values()
  // One object for all of them: a million readings make no million objects.
  const tested = testedOf(series)
  return place => {
    tested.value = column[place] as Value
    tested.timeMs = times[place] as number
    return where.chooses(tested) === true
  }
}

function testedOf({ device, metric, unit, origin }: Series): {
  -readonly [Name in keyof TestedReading]: TestedReading[Name]
} {
  return { device, metric, unit, origin, value: 0, timeMs: 0 }
}
