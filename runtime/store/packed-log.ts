/**
 * The packed part of a series log, in the order of its positions: what a reader sees who is further behind than the
 * blocks of the log go. Ranges are put back together from their chunks; positions that are not there any more come as
 * gaps, with the reason that the range gives.
 */
import { rangesAfter, readRange } from './chunks.ts'
import { type Database, gapEntry } from './database.ts'
import type { PackedRange } from './ranges.ts'
import { placeAfter } from './search.ts'
import { wholeTransactions } from './tail.ts'
import type { Table } from './table.ts'
import { type Entry, type Seq, asSeq } from './types.ts'

/** Ranges kept for the next portion: readers at as many places do not put each other's together again and again. */
const keptMax = 2

type Kept = {
  readonly table: Table
  readonly revision: number
  readonly range: PackedRange
  readonly entries: readonly Entry[]
}

export class PackedLog {
  readonly #database: Database
  #kept: Kept[] = []

  constructor(database: Database) {
    this.#database = database
  }

  /** About `limit` entries after `after`, which is before the end of what is packed. Never empty. */
  async read(table: Table, after: Seq, limit: number): Promise<readonly Entry[]> {
    const { range, entries } = await this.#open(table, after)
    if (range.first > after + 1) return [gapEntry(asSeq(after + 1), asSeq(range.first - 1), 'missing on disk')]
    const start = placeAfter(0, entries.length, place => (entries[place] as Entry).seq <= after)
    return entries.slice(start, wholeTransactions(entries, start, limit))
  }

  async #open(table: Table, after: Seq): Promise<Kept> {
    const { revision } = table
    const known = this.#kept.find(
      kept =>
        kept.table === table && kept.revision === revision && kept.range.first <= after + 1 && kept.range.last > after,
    )
    const kept = known ?? (await this.#read(table, after))
    this.#kept = [kept, ...this.#kept.filter(other => other !== kept)].slice(0, keptMax)
    return kept
  }

  async #read(table: Table, after: Seq): Promise<Kept> {
    const { revision } = table
    for await (const { range } of rangesAfter(this.#database, table, after)) {
      const readings = range.first > after + 1 ? [] : await readRange(this.#database, table, range)
      const entries = withGaps(readings, range.first, range.last, range.hole || 'damaged on disk')
      return { table, revision, range, entries }
    }
    const range = {
      first: asSeq(after + 1),
      last: table.packed,
      count: 0,
      newest: 0 as never,
      level: 0,
      hole: '',
      hours: new Map(),
    }
    return { table, revision, range, entries: [gapEntry(range.first, range.last, 'missing on disk')] }
  }
}

/** The entries with a gap for each run of positions from `first` to `last` that is not among them. */
function withGaps(readings: readonly Entry[], first: Seq, last: Seq, reason: string): readonly Entry[] {
  if (readings.length === last - first + 1) return readings
  const entries: Entry[] = []
  let next: number = first
  for (const reading of readings) {
    if (reading.seq > next) entries.push(gapEntry(asSeq(next), asSeq(reading.seq - 1), reason))
    // Behind a hole nothing is joined to what stood there.
    entries.push(reading.seq > next && reading.joined ? { ...reading, joined: false } : reading)
    next = reading.seq + 1
  }
  if (next <= last) entries.push(gapEntry(asSeq(next), last, reason))
  return entries
}
