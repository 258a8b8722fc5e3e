/**
 * What rules have judged, read again: the readings of a table in the order in which they were committed, late ones at
 * the place at which they came, in a form so dense that a day of a hundred sensors passes in seconds.
 *
 *   {"through_ms": 1763884800000,
 *    "known": [[1, "gw-1", "freezer-1", "temperature", "°C"]],    each series that fits, in the first lines
 *    "seq":    [4711, 1, 1],                                      position; after the first the distance to the one before
 *    "series": [1, 1, 1],
 *    "at":     [1763884799000, 100, 100],                         arrival; the same
 *    "own":    [-20, null, -20],                                  device time - arrival; left out where there is none at all
 *    "value":  [-18.5, -18.4, -18.6]}
 *
 * Promises: one batch in memory; readings that arrived from `from` on and before `to`. Must never hold up the gateway for
 * longer than a batch takes.
 */
import type { Json } from '../reading.ts'
import type { Store } from '../store/store.ts'
import { wildcard } from '../store/table.ts'
import { type Entry, type ReadingEntry, type Seq, type Series, asSeq, seqZero, timeOf } from '../store/types.ts'
import { entriesPerHistoryBatch } from './limits.ts'

export type HistoryForm = {
  /** Arrivals up to here have been told, wanted or not. */
  readonly through_ms: number
  readonly known: readonly (readonly [
    id: number,
    origin: string,
    device: string,
    metric: string,
    unit: string | null,
  ])[]
  readonly seq: readonly number[]
  readonly series: readonly number[]
  readonly at: readonly number[]
  readonly own?: readonly (number | null)[] | undefined
  readonly value: readonly Json[]
}

export type HistoryQuery = {
  /** Patterns of device and metric; a reading is told if one of them fits. */
  readonly series: readonly (readonly [device: string, metric: string])[]
  readonly fromMs: number
  readonly toMs: number
}

/** Clocks are set back by less than this; a table whose readings come from peers too is read from its beginning. */
const slackMs = 3_600_000

export async function* history(
  store: Store,
  table: string,
  query: HistoryQuery,
  signal: AbortSignal,
): AsyncGenerator<readonly HistoryForm[]> {
  const { fromMs, toMs } = query
  const known = [...store.series(table)]
  const patterns = query.series.map(([device, metric]) => ({ device: wildcard(device), metric: wildcard(metric) }))
  const fits = (series: Series): boolean => patterns.some(is => is.device(series.device) && is.metric(series.metric))
  const wanted = new Set(known.filter(fits).map(({ id }) => id))
  const isWanted = (entry: Entry): entry is ReadingEntry =>
    entry.kind === 'reading' && wanted.has(entry.series.id) && entry.arrivalMs >= fromMs && entry.arrivalMs < toMs
  const told = known.filter(({ id }) => wanted.has(id)).map(nameOf)
  for (let at = 0; at < told.length; at += entriesPerHistoryBatch) {
    yield [{ ...nothing, known: told.slice(at, at + entriesPerHistoryBatch) }]
  }
  const write = new Writer()
  const head = store.head(table)
  const isOwn = known.every(series => series.origin === store.origin)
  let position = isOwn ? await placeOf(store, table, fromMs - slackMs, head) : asSeq(store.firstSeq(table) - 1)
  while (position < head && !signal.aborted) {
    const entries = await store.read(table, position, entriesPerHistoryBatch)
    const last = entries.at(-1)
    if (last === undefined) return
    position = last.seq
    yield [write.form(entries.filter(isWanted), arrivalOf(entries))]
    if (isOwn && (arrivalOf(entries.slice(0, 1)) ?? 0) > toMs + slackMs) return
  }
}

/** A position before which nothing arrived later than `ms`, found by halving the log. */
async function placeOf(store: Store, table: string, ms: number, head: Seq): Promise<Seq> {
  let low = store.firstSeq(table) - 1
  let high: number = head
  while (high - low > entriesPerHistoryBatch) {
    const middle = asSeq(Math.floor((low + high) / 2))
    const arrival = await arrivalAfter(store, table, middle, head)
    if (arrival === undefined || arrival >= ms) high = middle
    else low = middle
  }
  return asSeq(Math.max(seqZero, low))
}

async function arrivalAfter(store: Store, table: string, after: Seq, head: Seq): Promise<number | undefined> {
  if (after >= head) return undefined
  return arrivalOf(await store.read(table, after, 1))
}

/** The last arrival among entries, by the clock of whoever took them; readings of boots without a clock say nothing. */
function arrivalOf(entries: readonly Entry[]): number | undefined {
  const last = entries.findLast(entry => entry.kind === 'reading' && entry.boot === undefined)
  return last?.kind === 'reading' ? last.arrivalMs : undefined
}

const nothing: HistoryForm = { through_ms: 0, known: [], seq: [], series: [], at: [], value: [] }

/** Makes lines, and remembers how far they have come. */
class Writer {
  #throughMs = 0

  form(entries: readonly ReadingEntry[], throughMs?: number): HistoryForm {
    const [seq, series, at, value]: [number[], number[], number[], Json[]] = [[], [], [], []]
    const own: (number | null)[] = []
    let [lastSeq, lastAt, hasOwn] = [0, 0, false]
    for (const entry of entries) {
      seq.push(entry.seq - lastSeq)
      series.push(entry.series.id)
      at.push(entry.arrivalMs - lastAt)
      value.push(entry.value)
      own.push(entry.deviceTimeMs === undefined ? null : timeOf(entry) - entry.arrivalMs)
      hasOwn ||= entry.deviceTimeMs !== undefined
      ;[lastSeq, lastAt] = [entry.seq, entry.arrivalMs]
    }
    this.#throughMs = Math.max(this.#throughMs, throughMs ?? lastAt)
    return { through_ms: this.#throughMs, known: [], seq, series, at, ...(hasOwn && { own }), value }
  }
}

function nameOf({ id, origin, device, metric, unit }: Series): HistoryForm['known'][number] {
  return [id, origin, device, metric, unit ?? null]
}
