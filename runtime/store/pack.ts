/**
 * Packing: readings leave the order of the log for the order of queries. What has gathered in memory is written into
 * chunks, one for each series and hour, and goes from the log. In steps that ride in ordinary commits: no commit of
 * readings waits for more than one of them.
 *
 * Until its last step a run changes nothing that anybody sees: readers pass over what chunks hold of positions that are
 * not packed. The last one makes it true: the range, the position, the sizes, in one batch. A run that a crash cut off is
 * known by its fact, and the next opening removes its chunks.
 */
import { stampZero } from '../stamp.ts'
import { chunkReadingsMax, encodeChunk } from './chunk.ts'
import { encodeSeq, packedCursor } from './database.ts'
import * as keys from './keys.ts'
import type { Put } from './put.ts'
import { encodeRange } from './ranges.ts'
import { type Repeats, hourOf } from './repeats.ts'
import { sealBytes } from './seal.ts'
import { encodeSeries } from './series-value.ts'
import { type KnownSeries, type Table, valueBytes } from './table.ts'
import { type ChunksChange, type ReadingEntry, type Seq, asSeq, timeOf } from './types.ts'

/** While this stands, chunks may hold readings that are not packed yet. */
export const packingFact = (table: Table): string => `packing/${table.id}`

export class PackRun {
  readonly table: Table
  readonly #repeats: Repeats
  readonly #first: Seq
  readonly #upTo: Seq
  readonly #logBytes: number
  readonly #memoryBytes: number
  readonly #series: readonly KnownSeries[]
  readonly #hours = new Map<number, number[]>()
  readonly #written: Buffer[] = []
  #at = 0
  #steps = 0
  #count = 0
  #bytes = 0
  #newest = stampZero

  /** Of everything that is stored in a table now. */
  constructor(table: Table, repeats: Repeats) {
    this.table = table
    this.#repeats = repeats
    this.#first = asSeq(Math.max(table.packed + 1, table.first))
    this.#upTo = table.head
    this.#logBytes = table.logBytes
    this.#memoryBytes = table.unpackedBytes
    this.#series = [...table.series.all()].filter(series => series.unpacked.length > 0)
  }

  /** False once the log has been trimmed into what it packs: then another run must begin. */
  get isValid(): boolean {
    return this.#first === asSeq(Math.max(this.table.packed + 1, this.table.first))
  }

  /** Takes back what its steps have written. */
  abandon(): ChunksChange {
    const puts = this.#written.map(key => ({ key, value: undefined }))
    return { kind: 'chunks', table: this.table.name, puts: [...puts, this.#mark(false)] }
  }

  /** The next step, of about so many readings, and whether it was the last. */
  step(readingsMax: number): { readonly change: ChunksChange; readonly isLast: boolean } {
    const puts: Put[] = []
    const before = this.#count
    while (this.#at < this.#series.length && this.#count - before < readingsMax)
      puts.push(...this.#pack(this.#series[this.#at++] as KnownSeries))
    const isLast = this.#at === this.#series.length
    this.#steps++
    if (isLast) return { change: this.#last(puts), isLast }
    if (this.#steps === 1) puts.push(this.#mark(true))
    return { change: { kind: 'chunks', table: this.table.name, puts }, isLast }
  }

  *#pack(series: KnownSeries): Generator<Put> {
    for (const [hour, ofHour] of byHour(series.unpacked, this.#upTo)) {
      for (const entries of portionsOf(ofHour)) yield this.#chunk(series, hour, entries)
      const ids = this.#hours.get(hour)
      if (ids) ids.push(series.id)
      else this.#hours.set(hour, [series.id])
    }
    yield { key: keys.seriesKey(this.table.id, series.id), value: encodeSeries(series) }
  }

  #chunk(series: KnownSeries, hour: number, entries: readonly ReadingEntry[]): Put {
    const key = keys.chunkKey(this.table.id, hour, series.id, (entries[0] as ReadingEntry).seq)
    const value = encodeChunk(entries)
    for (const { stamp } of entries) if (stamp > this.#newest) this.#newest = stamp
    this.#written.push(key)
    this.#count += entries.length
    this.#bytes += key.length + value.length + sealBytes
    return { key, value }
  }

  #last(puts: Put[]): ChunksChange {
    const { table } = this
    const [last, first, count] = [this.#upTo, this.#first, this.#count]
    const hole = count < last - first + 1 ? 'damaged on disk' : ''
    const value = encodeRange({ first, last, count, newest: this.#newest, level: 0, hole, hours: this.#hours })
    const range = { key: keys.rangeKey(table.id, last), value }
    puts.push(range, { key: keys.cursorKey(packedCursor(table.name)), value: encodeSeq(last) })
    if (this.#steps > 1) puts.push(this.#mark(false))
    const packed = this.#bytes + range.key.length + value.length + sealBytes
    return {
      kind: 'chunks',
      table: table.name,
      puts,
      grown: { log: -this.#logBytes, packed, rows: count },
      packed: last,
      done: () => this.#forget(),
    }
  }

  #mark(isCut: boolean): Put {
    return { key: keys.factKey(packingFact(this.table)), value: isCut ? Buffer.alloc(0) : undefined }
  }

  /** Everything is on disk in its new place. */
  #forget(): void {
    const { table } = this
    table.unpackedBytes = Math.max(0, table.unpackedBytes - this.#memoryBytes)
    for (const series of this.#series) {
      series.packedMs = Math.max(series.packedMs, latestOf(series.unpacked, this.#upTo))
      series.dropPacked(this.#upTo)
    }
    for (const [hour, ids] of this.#hours) for (const id of ids) this.#repeats.forget(table, id, hour)
  }
}

/** Texts and objects of one chunk: it is read as a whole. */
const chunkBytesMax = 1 << 20

/** What goes into one chunk. */
function* portionsOf(entries: readonly ReadingEntry[]): Generator<readonly ReadingEntry[]> {
  let from = 0
  let bytes = 0
  for (let at = 0; at < entries.length; at++) {
    const size = valueBytes((entries[at] as ReadingEntry).value)
    if (at > from && (at - from === chunkReadingsMax || bytes + size > chunkBytesMax)) {
      yield entries.slice(from, at)
      from = at
      bytes = 0
    }
    bytes += size
  }
  yield from === 0 ? entries : entries.slice(from)
}

/** The latest time of the readings up to a position. */
function latestOf(entries: readonly ReadingEntry[], upTo: Seq): number {
  let latestMs = Number.NEGATIVE_INFINITY
  for (const entry of entries) if (entry.seq <= upTo) latestMs = Math.max(latestMs, timeOf(entry))
  return latestMs
}

/** Readings up to a position, in the order in which they came, by the hour of their own time. */
function byHour(entries: readonly ReadingEntry[], upTo: Seq): Map<number, ReadingEntry[]> {
  const hours = new Map<number, ReadingEntry[]>()
  let ofLast: ReadingEntry[] = []
  let last: number | undefined
  for (const entry of entries) {
    if (entry.seq > upTo) break
    const hour = hourOf(timeOf(entry))
    if (hour !== last) {
      ofLast = hours.get(hour) ?? []
      if (ofLast.length === 0) hours.set(hour, ofLast)
      last = hour
    }
    ofLast.push(entry)
  }
  return hours
}
