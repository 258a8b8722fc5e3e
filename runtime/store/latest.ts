/**
 * The latest reading of each series, of the table's memory where that is known to be right: not where the clock of a boot
 * was corrected, so that its readings have moved past the one that was thought to be the latest, or where that is gone.
 */
import { type Asked, testOf } from './asked.ts'
import { byName } from './series-order.ts'
import { pieceOfEntries } from './piece.ts'
import { readingsOf } from './query.ts'
import type { KnownSeries } from './table.ts'
import { type ReadingEntry, timeOf } from './types.ts'

/** In the order of devices and metrics. `where` and the range choose among the latest: none has an older one instead. */
export async function* latestOf(asked: Asked): AsyncGenerator<ReadingEntry> {
  for (const series of asked.series.toSorted(byName)) {
    if (asked.signal?.aborted === true) return
    const entry = remembered(series, asked) ?? (await found(series, asked))
    if (entry === undefined || timeOf(entry) < asked.fromMs) continue
    if (testOf(pieceOfEntries(series, [entry]), asked)(0)) yield entry
  }
}

function remembered(series: KnownSeries, { database, table, toMs }: Asked): ReadingEntry | undefined {
  const { latest } = series
  if (latest === undefined || latest.seq < table.first) return undefined
  const timeMs = timeOf(latest)
  // Of a series that an older program has written nobody remembers more than the time.
  if (timeMs >= toMs || timeMs < series.newestMs) return undefined
  for (const shift of database.corrections.of(series.origin).values()) {
    if (shift.toMs >= timeMs || shift.boot === latest.boot) return undefined
  }
  return latest
}

async function found(series: KnownSeries, asked: Asked): Promise<ReadingEntry | undefined> {
  const ofOne: Asked = { ...asked, series: [series], fromMs: 0, where: undefined, order: 'desc' }
  for await (const entry of readingsOf(ofOne, undefined, 1)) return entry
  return undefined
}
