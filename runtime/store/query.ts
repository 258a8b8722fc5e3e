/**
 * Readings by device, metric and time, told in the order of their times, and of one time in the order of the log.
 *
 * Promises: what was stored when the query began is told, each reading once, and nothing else, whatever is packed, joined
 * or stored meanwhile. Memory is bounded however long the range and however busy its hours are: one chunk, a portion of
 * `portionMax` readings twice, and `limit` readings where they are turned round. An hour that holds more is gone through
 * again for each portion. A reader who leaves ends the work with the next chunk.
 */
import { type Asked, ask, testOf } from './asked.ts'
import type { Database } from './database.ts'
import { Hours, type Lane, lanesOf } from './hours.ts'
import { type Piece, isAscending } from './piece.ts'
import { openHour } from './pieces.ts'
import { Portion } from './portion.ts'
import { Recent } from './recent.ts'
import type { Table } from './table.ts'
import { type Place, type ReadingEntry, type ReadingQuery, timeOf } from './types.ts'

/** Readings that are made objects of at once, about 200 bytes each: 1.6 MB. */
const portionMax = 8_192
/** Columns of an hour up to so many readings are kept while it is gone through again: some 3 MB. */
const keptReadingsMax = 65_536

export async function* queryReadings(
  database: Database,
  table: Table,
  query: ReadingQuery,
): AsyncGenerator<ReadingEntry> {
  const { limit = Number.POSITIVE_INFINITY, order } = query
  const isTurned = order === undefined && limit !== Number.POSITIVE_INFINITY
  const asked = ask(database, table, isTurned ? { ...query, order: 'desc' } : query)
  if (!isTurned) {
    yield* readingsOf(asked, query.beyond, limit)
    return
  }
  const newest: ReadingEntry[] = []
  for await (const entry of readingsOf(asked, query.beyond, limit)) newest.push(entry)
  yield* newest.toReversed()
}

/** In the order asked for, behind a place. */
export async function* readingsOf(asked: Asked, after: Place | undefined, limit: number): AsyncGenerator<ReadingEntry> {
  if (asked.series.length === 0) return
  const recent = new Recent(asked)
  const lanes = lanesOf(asked)
  const hours = new Hours(asked, recent, lanes)
  const isOver = (): boolean => asked.signal?.aborted === true
  let left = limit
  for (let hour = await hours.next(undefined); hour !== undefined; hour = await hours.next(hour)) {
    const pieces = new HourPieces(asked, recent, lanes, hour)
    let beyond = after
    for (let isMore = true; isMore; ) {
      const portion = new Portion(asked.order, Math.min(portionMax, left), beyond)
      for await (const piece of pieces.all()) choose(portion, piece, asked)
      if (isOver()) return
      const entries = portion.take()
      isMore = portion.isCut
      for (const entry of entries) {
        yield entry
        if (--left <= 0 || isOver()) return
        beyond = { timeMs: timeOf(entry), seq: entry.seq }
      }
    }
  }
}

/** Takes from a piece what may belong to the portion; of a piece that is in order no more than fits. */
function choose(portion: Portion, piece: Piece, asked: Asked): void {
  const { times } = piece
  const seqs = piece.seqs()
  const passes = testOf(piece, asked)
  const isUp = asked.order === 'asc'
  const most = isAscending(times) ? portion.most : Number.POSITIVE_INFINITY
  const places: number[] = []
  for (let step = 0; step < times.length; step++) {
    const place = isUp ? step : times.length - 1 - step
    if (!portion.wants(times[place] as number, seqs[place] as number) || !passes(place)) continue
    places.push(place)
    if (places.length < most) continue
    if (step < times.length - 1) portion.isCut = true
    break
  }
  if (!isUp) places.reverse()
  for (const entry of piece.entriesAt(places)) portion.add(entry)
}

/** The pieces of one hour, to be gone through more than once. */
class HourPieces {
  readonly #asked: Asked
  readonly #recent: Recent
  readonly #lanes: readonly Lane[]
  readonly #hour: number
  #kept: Piece[] | undefined

  constructor(asked: Asked, recent: Recent, lanes: readonly Lane[], hour: number) {
    this.#asked = asked
    this.#recent = recent
    this.#lanes = lanes
    this.#hour = hour
  }

  async *all(): AsyncGenerator<Piece> {
    if (this.#kept !== undefined) {
      yield* this.#kept
      return
    }
    let kept: Piece[] | undefined = []
    let readings = 0
    const { apart, filed } = openHour(this.#asked, this.#recent, this.#lanes, this.#hour)
    for (const source of [apart, filed]) {
      for await (const piece of source()) {
        readings += piece.times.length
        if (readings > keptReadingsMax) kept = undefined
        kept?.push(piece)
        yield piece
      }
    }
    this.#kept = kept
  }
}
