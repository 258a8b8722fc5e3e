/**
 * The endpoints that ask of the readings of a series table:
 *
 *   GET tables/T/readings      the readings, in order                 questions.ts says what may be asked
 *   GET tables/T/aggregate     one line for each series and interval; the header `holdfast-rollup` says which rollup helped
 *   GET tables/T/latest        the latest reading of each series
 *
 * Promises: one batch in memory beside what the store holds for a query (store/query.ts, aggregate.ts); a reader that
 * leaves ends the work.
 */
import type { Context, Hono } from 'hono'
import { HoldfastError } from '../errors.ts'
import type { AggregateRow } from '../store/aggregate.ts'
import type { BucketFunction } from '../store/buckets.ts'
import type { Store } from '../store/store.ts'
import { type ReadingEntry, type ReadingQuery, type TableSpec, timeOf } from '../store/types.ts'
import { formatDuration } from '../units.ts'
import { type AggregateForm, type ReadingForm, readingForm, timeText } from './forms.ts'
import { readingsPerBatch } from './limits.ts'
import { aggregatesNotation, readingsNotation, takeFormat } from './notation.ts'
import { parseLimit, readParameters } from './parameters.ts'
import {
  type WhereDoor,
  aggregateNames,
  aggregateQuestion,
  commonNames,
  parseOrder,
  seriesQuestion,
} from './questions.ts'
import { type Readers, breakingOff, inBatches } from './readers.ts'
import { type PageForm, type Walk, beginWalk, cursorOf, limitsOf, pageSize, pin, walkFrom, walkOn } from './walk.ts'

export type ReadingsDoors = {
  readonly store: Store
  readonly readers: Readers
  readonly where: WhereDoor | undefined
  readonly now: () => number
  /** Throws TABLE_UNKNOWN or TABLE_KIND. */
  readonly tableOf: (name: string) => TableSpec
}

export function readingsRoutes(app: Hono, base: string, { store, readers, where, now, tableOf }: ReadingsDoors): void {
  const begin = (c: Context) => {
    const { name } = tableOf(c.req.param('table') ?? '')
    return { table: name, ...takeFormat(new URL(c.req.url).searchParams) }
  }

  app.get(`${base}/tables/:table/readings`, c => {
    const { table, format, rest } = begin(c)
    const texts = readParameters(rest, [...commonNames, 'order', 'limit', 'page', 'cursor'])
    const { limit, page, cursor, ...question } = texts
    if (page === undefined && cursor === undefined) {
      const query: ReadingQuery = {
        ...seriesQuestion(question, now(), where),
        order: question.order === undefined ? undefined : parseOrder(question.order),
        limit: limit === undefined ? undefined : parseLimit(limit),
      }
      const source = (signal: AbortSignal) =>
        inBatches(store.query(table, { ...query, signal }), readingsPerBatch, readingForm, signal)
      return readers.respond(source, readingsNotation(format), breakingOff(c))
    }
    if (limit !== undefined) {
      throw new HoldfastError('BAD_ARGUMENT', '"limit" does not go with pages', 'write page=N for pages of N readings')
    }
    if (format !== 'ndjson') {
      throw new HoldfastError(
        'BAD_ARGUMENT',
        `"format" ${format} has no place for the cursor of a page`,
        'leave it out',
      )
    }
    const walk = cursor === undefined ? beginWalk(table, question, now()) : walkFrom(cursor, table, question, store)
    const query: ReadingQuery = {
      ...seriesQuestion(walk.texts, walk.nowMs, where),
      order: parseOrder(walk.texts.order ?? 'asc'),
    }
    const size = pageSize(page)
    return readers.respond(signal => pageOf(store, walk, query, size, signal))
  })

  app.get(`${base}/tables/:table/aggregate`, c => {
    const { table, format, rest } = begin(c)
    const texts = readParameters(rest, aggregateNames)
    const query = seriesQuestion(texts, now(), where)
    const question = aggregateQuestion(texts, query)
    const formOf = aggregateFormOf(question.functions)
    const source = (signal: AbortSignal) =>
      inBatches(store.readings.aggregate(table, { ...query, signal }, question), readingsPerBatch, formOf, signal)
    const usedMs = store.readings.rollupOf(table, query, question)
    const answer = readers.respond(source, aggregatesNotation(format, question.functions), breakingOff(c))
    if (usedMs !== undefined) answer.headers.set('holdfast-rollup', formatDuration(usedMs))
    return answer
  })

  app.get(`${base}/tables/:table/latest`, c => {
    const { table, format, rest } = begin(c)
    const query = seriesQuestion(readParameters(rest, commonNames), now(), where)
    const source = (signal: AbortSignal) =>
      inBatches(store.readings.latest(table, { ...query, signal }), readingsPerBatch, readingForm, signal)
    return readers.respond(source, readingsNotation(format), breakingOff(c))
  })
}

/** One page of a walk, and where it goes on. */
async function* pageOf(
  store: Store,
  walk: Walk,
  query: ReadingQuery,
  size: number,
  signal: AbortSignal,
): AsyncGenerator<readonly (ReadingForm | PageForm)[]> {
  const pinned = pin(walk, store)
  let count = 0
  let last: ReadingEntry | undefined
  let isMore = false
  // One more than the page has, to know whether there is another.
  const entries = store.query(walk.table, { ...query, ...limitsOf(pinned), limit: size + 1, signal })
  async function* ofPage(): AsyncGenerator<ReadingEntry> {
    for await (const entry of entries) {
      isMore = ++count > size
      if (isMore) return
      last = entry
      yield entry
    }
  }
  yield* inBatches(ofPage(), readingsPerBatch, readingForm, signal)
  // Broken off, nobody knows what the rest would have been.
  if (signal.aborted) return
  const place = isMore && last !== undefined ? { timeMs: timeOf(last), seq: last.seq } : undefined
  yield [{ kind: 'page', cursor: cursorOf(walkOn(pinned, place), store.epoch), more: isMore }]
}

const aggregateFormOf =
  (functions: readonly BucketFunction[]) =>
  ({ series, startMs, values }: AggregateRow): AggregateForm => ({
    kind: 'aggregate',
    time: timeText(startMs),
    time_ms: startMs,
    device: series.device,
    metric: series.metric,
    unit: series.unit ?? null,
    origin: series.origin,
    ...Object.fromEntries(functions.map((name, index) => [name, values[index] ?? null])),
  })
