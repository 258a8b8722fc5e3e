/**
 * What can be asked of the readings of a table beside the readings themselves: their columns, aggregates, and the latest of
 * each series. Each answer is of what was stored when it began; a reader who leaves, or whose signal aborts, ends the work.
 */
import { type Aggregate, type AggregateRow, type BucketKeeper, type KeptBuckets, aggregateRows } from './aggregate.ts'
import { type Asked, ask } from './asked.ts'
import { type ColumnBlock, columnsOf } from './columns.ts'
import type { Database } from './database.ts'
import { latestOf } from './latest.ts'
import type { ReadingEntry, ReadingQuery, Series } from './types.ts'

/** What of a query makes sense here: these are told whole, and in an order of their own. */
export type SeriesQuery = Omit<ReadingQuery, 'order' | 'limit' | 'beyond'>

export class Questions {
  readonly #ready: () => Promise<void>
  readonly #database: () => Database
  /** Whoever keeps buckets of tables says so here; until then all is made of readings. */
  keeper: BucketKeeper | undefined

  /** `database` is the one that is open now, if it is `ready`. */
  constructor(database: () => Database, store: { ready(): Promise<void> }) {
    this.#ready = () => store.ready()
    this.#database = database
  }

  /** Hour by hour, each series of an hour at once, sorted by time. */
  async *columns(table: string, query: SeriesQuery): AsyncGenerator<ColumnBlock> {
    yield* columnsOf(await this.#ask(table, query))
  }

  /** Series after series, the rows of each by time. */
  async *aggregate(
    table: string,
    query: SeriesQuery,
    aggregate: Omit<Aggregate, 'fromMs' | 'toMs'>,
  ): AsyncGenerator<AggregateRow> {
    const asked = await this.#ask(table, query)
    const kept = this.#kept(table, query, aggregate)
    yield* aggregateRows(asked, { ...aggregate, fromMs: query.fromMs, toMs: query.toMs }, kept)
  }

  /** The length of the longest buckets that such a question is answered from; undefined if all is made of readings. */
  rollupOf(
    table: string,
    query: SeriesQuery,
    aggregate: Pick<Aggregate, 'intervals' | 'functions'>,
  ): number | undefined {
    return this.#kept(table, query, aggregate)[0]?.lengthMs
  }

  /** Buckets know nothing of single values, and corrections as they are now. */
  #kept(
    table: string,
    { where, afterSeq, correctedThrough }: SeriesQuery,
    { intervals, functions }: Pick<Aggregate, 'intervals' | 'functions'>,
  ): readonly KeptBuckets[] {
    const isPlain = where?.isOfSeries !== false && (afterSeq ?? 0) === 0 && correctedThrough === undefined
    return isPlain ? (this.keeper?.(table, lengthMs => intervals.fits(lengthMs), functions) ?? []) : []
  }

  /** The latest reading of each series, by device and metric; with `toMs` the latest before that. */
  async *latest(table: string, query: SeriesQuery): AsyncGenerator<ReadingEntry> {
    yield* latestOf(await this.#ask(table, query))
  }

  /** Of one series what memory has: the reading with the latest time that was ever stored. */
  newest(series: Omit<Series, 'id'>): ReadingEntry | undefined {
    const { table, origin, device, metric, unit } = series
    return this.#database().table(table).series.find(origin, device, metric, unit)?.latest
  }

  async #ask(table: string, query: SeriesQuery): Promise<Asked> {
    await this.#ready()
    const database = this.#database()
    return ask(database, database.table(table), query)
  }
}
