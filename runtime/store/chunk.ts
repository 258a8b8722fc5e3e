/**
 * A chunk: readings of one series and one hour, in columns, so that times and numbers are read without the rest.
 *
 *   chunk   byte version (1), byte flags, varint count, varint last position - the first, parts
 *   part    varint its length, bytes; in this order, those in brackets as the flags say
 *
 *   times       column of timeOf: the device's time, else the arrival
 *   values      columns-values.ts
 *   positions   column of the distances from the first
 *   stamps      columns-moments.ts
 *   [timed]     column of 1 where the device told its time; without it all did, or none (flags)
 *   [arrivals]  columns-moments.ts; where no device told its time they are the times
 *   [joined]    column of 1 where joined to the one before
 *   [ids]       varint how many have one, column of 1 where there is one unless all have, list of texts
 *   [boots]     names
 *   [vias]      names; without it all are committed here first
 *
 * Promises: every field of every entry comes back as it was, even times that nobody should send; work and memory are
 * bounded by `chunkReadingsMax` before a byte is believed, and damage is a `RangeError`. It keeps no checksum: the store
 * seals every value (seal.ts).
 */
import type { Value } from '../reading.ts'
import type { Stamp } from '../stamp.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import { readNumbers, writeNumbers } from './columns-numbers.ts'
import { readArrivals, readStamps, writeArrivals, writeStamps } from './columns-moments.ts'
import { readNames, readTexts, writeNames, writeTexts } from './columns-texts.ts'
import { type Values, listOf, readValues, writeValues } from './columns-values.ts'
import { Scratch } from './scratch.ts'
import { countUpTo } from './search.ts'
import { type ReadingEntry, type Seq, type Series, asSeq, timeOf } from './types.ts'

/** More of one series and hour go into several chunks: larger ones are no smaller by the reading, and hold up the loop. */
export const chunkReadingsMax = 8192

const version = 1
const flagTimed = 1
const flagAllTimed = 2
const flagJoined = 4
const flagIds = 8
const flagBoots = 16
const flagVias = 32

/** What was stored of one series and hour. Columns are read when they are asked for; nobody may write into them. */
export type Chunk = {
  readonly series: Series
  readonly count: number
  readonly firstSeq: Seq
  readonly lastSeq: Seq
  /** True if any reading has an id. */
  readonly hasIds: boolean
  seqs(): Float64Array
  /** `timeOf` each reading: the device's own time, else the arrival. */
  times(): Float64Array
  /** The values, if all of them are numbers. */
  numbers(): Float64Array | undefined
  values(): readonly Value[]
  /** The boots that readings still wait in for their time, if any does. */
  boots(): readonly (string | undefined)[] | undefined
  entries(): ReadingEntry[]
  /** The entries whose position is later than one and up to another. */
  entriesBetween(afterSeq: Seq, throughSeq: Seq): ReadingEntry[]
}

/** Where chunks are put together, one after another. */
const out = new ByteWriter()
const part = new ByteWriter()
const scratch = {
  times: new Scratch(),
  arrivals: new Scratch(),
  seqs: new Scratch(),
  stamps: new Scratch(),
  timed: new Scratch(),
  joined: new Scratch(),
}
const end = (): void => out.bytes(part.lend())

/** Writes a chunk. `entries` are of one series, at most `chunkReadingsMax`, at least one, and in the order of the log. */
export function encodeChunk(entries: readonly ReadingEntry[]): Buffer {
  const count = entries.length
  if (count === 0 || count > chunkReadingsMax) throw new RangeError(`a chunk of ${count} readings`)
  const columns = gather(entries)
  const first = entries[0] as ReadingEntry
  const last = entries[count - 1] as ReadingEntry
  out.clear()
  part.clear()
  out.byte(version)
  out.byte(columns.flags)
  out.varint(count)
  out.varint(last.seq - first.seq)
  writeNumbers(part, columns.times)
  end()
  writeValues(part, columns.values)
  end()
  writeNumbers(part, columns.seqs)
  end()
  writeStamps(part, columns.stamps, columns.arrivals, columns.seqs)
  end()
  if (columns.flags & flagTimed) {
    if (!(columns.flags & flagAllTimed)) {
      writeNumbers(part, columns.timed)
      end()
    }
    writeArrivals(part, columns.arrivals, columns.times, columns.timed)
    end()
  }
  if (columns.flags & flagJoined) {
    writeNumbers(part, columns.joined)
    end()
  }
  if (columns.flags & flagIds) {
    writeIds(part, entries)
    end()
  }
  if (columns.flags & flagBoots) {
    writeNames(
      part,
      entries.map(entry => entry.boot),
    )
    end()
  }
  if (columns.flags & flagVias) {
    writeNames(
      part,
      entries.map(entry => entry.via),
    )
    end()
  }
  return out.take()
}

type Columns = {
  readonly flags: number
  readonly times: Float64Array
  readonly arrivals: Float64Array
  readonly seqs: Float64Array
  readonly stamps: Float64Array
  readonly timed: Float64Array
  readonly joined: Float64Array
  readonly values: readonly Value[]
}

function gather(entries: readonly ReadingEntry[]): Columns {
  const count = entries.length
  const times = scratch.times.of(count)
  const arrivals = scratch.arrivals.of(count)
  const seqs = scratch.seqs.of(count)
  const stamps = scratch.stamps.of(count)
  const timed = scratch.timed.of(count).fill(0)
  const joined = scratch.joined.of(count).fill(0)
  const values: Value[] = []
  const first = (entries[0] as ReadingEntry).seq
  let flags = flagAllTimed
  for (let index = 0; index < count; index++) {
    const entry = entries[index] as ReadingEntry
    times[index] = timeOf(entry)
    arrivals[index] = entry.arrivalMs
    seqs[index] = entry.seq - first
    stamps[index] = entry.stamp
    values.push(entry.value)
    if (entry.deviceTimeMs === undefined) flags &= ~flagAllTimed
    else {
      timed[index] = 1
      flags |= flagTimed
    }
    if (entry.joined) {
      joined[index] = 1
      flags |= flagJoined
    }
    if (entry.id !== undefined) flags |= flagIds
    if (entry.boot !== undefined) flags |= flagBoots
    if (entry.via !== '') flags |= flagVias
  }
  return { flags, times, arrivals, seqs, stamps, timed, joined, values }
}

function writeIds(out: ByteWriter, entries: readonly ReadingEntry[]): void {
  const ids = entries.map(entry => entry.id)
  const known = ids.filter(id => id !== undefined)
  out.varint(known.length)
  if (known.length < ids.length)
    writeNumbers(
      out,
      Float64Array.from(ids, id => (id === undefined ? 0 : 1)),
    )
  writeTexts(out, known)
}

/** Opens a chunk whose first position is `first`. Throws `RangeError` if it is not whole; so may each of its columns. */
export function openChunk(block: Buffer, first: Seq, series: Series): Chunk {
  return new PackedChunk(block, first, series)
}

class PackedChunk implements Chunk {
  readonly series: Series
  readonly count: number
  readonly firstSeq: Seq
  readonly lastSeq: Seq
  readonly #flags: number
  readonly #parts: Parts
  #times: Float64Array | undefined
  #values: Values | undefined
  #list: readonly Value[] | undefined
  #seqs: Float64Array | undefined

  constructor(block: Buffer, first: Seq, series: Series) {
    const read = new ByteReader(block)
    if (read.byte() !== version) throw new RangeError('a chunk of another version')
    this.#flags = read.byte()
    this.count = read.varint()
    if (this.count === 0 || this.count > chunkReadingsMax) throw new RangeError(`a chunk of ${this.count} readings`)
    this.series = series
    this.firstSeq = first
    this.lastSeq = asSeq(first + read.varint())
    this.#parts = partsOf(read, this.#flags)
  }

  get hasIds(): boolean {
    return (this.#flags & flagIds) !== 0
  }

  seqs(): Float64Array {
    if (this.#seqs) return this.#seqs
    const seqs = whole(this.#parts.positions, read => readNumbers(read, this.count))
    for (let index = 0; index < seqs.length; index++) {
      seqs[index] = (seqs[index] as number) + this.firstSeq
      if (index > 0 && !((seqs[index] as number) > (seqs[index - 1] as number)))
        throw new RangeError('positions go back')
    }
    if (seqs[0] !== this.firstSeq || seqs.at(-1) !== this.lastSeq) throw new RangeError('positions of another chunk')
    return (this.#seqs = seqs)
  }

  times(): Float64Array {
    return (this.#times ??= whole(this.#parts.times, read => readNumbers(read, this.count)))
  }

  numbers(): Float64Array | undefined {
    const values = this.#read()
    return values.kind === 'numbers' ? values.numbers : undefined
  }

  values(): readonly Value[] {
    return (this.#list ??= listOf(this.#read()))
  }

  boots(): readonly (string | undefined)[] | undefined {
    return this.#parts.boots && whole(this.#parts.boots, read => readNames(read, this.count))
  }

  entries(): ReadingEntry[] {
    return this.#between(0, this.count)
  }

  entriesBetween(afterSeq: Seq, throughSeq: Seq): ReadingEntry[] {
    if (afterSeq < this.firstSeq && throughSeq >= this.lastSeq) return this.entries()
    if (afterSeq >= this.lastSeq || throughSeq < this.firstSeq) return []
    const seqs = this.seqs()
    return this.#between(countUpTo(seqs, afterSeq), countUpTo(seqs, throughSeq))
  }

  #read(): Values {
    return (this.#values ??= whole(this.#parts.values, read => readValues(read, this.count)))
  }

  #between(start: number, end: number): ReadingEntry[] {
    const { count, series } = this
    const parts = this.#parts
    const seqs = this.seqs()
    const times = this.times()
    const values = this.values()
    const timed = parts.timed && whole(parts.timed, read => readNumbers(read, count))
    const arrivals = parts.arrivals ? whole(parts.arrivals, read => readArrivals(read, times, timed)) : times
    const stamps = whole(parts.stamps, read => readStamps(read, arrivals, seqs, this.firstSeq))
    const joined = parts.joined && whole(parts.joined, read => readNumbers(read, count))
    const ids = parts.ids && whole(parts.ids, read => readIds(read, count))
    const boots = this.boots()
    const vias = parts.vias && whole(parts.vias, read => readNames(read, count))
    const hasTimes = (this.#flags & flagTimed) !== 0
    const entries: ReadingEntry[] = []
    for (let index = start; index < end; index++) {
      const isTimed = timed ? timed[index] !== 0 : hasTimes
      entries.push({
        kind: 'reading',
        seq: seqs[index] as Seq,
        stamp: stamps[index] as Stamp,
        origin: series.origin,
        via: vias?.[index] ?? '',
        joined: joined !== undefined && joined[index] !== 0,
        series,
        value: values[index] as Value,
        arrivalMs: arrivals[index] as number,
        deviceTimeMs: isTimed ? times[index] : undefined,
        id: ids?.[index],
        boot: boots?.[index],
      })
    }
    return entries
  }
}

type Parts = {
  readonly times: Buffer
  readonly values: Buffer
  readonly positions: Buffer
  readonly stamps: Buffer
  readonly timed: Buffer | undefined
  readonly arrivals: Buffer | undefined
  readonly joined: Buffer | undefined
  readonly ids: Buffer | undefined
  readonly boots: Buffer | undefined
  readonly vias: Buffer | undefined
}

function partsOf(read: ByteReader, flags: number): Parts {
  const optional = (isThere: boolean): Buffer | undefined => (isThere ? read.bytes() : undefined)
  const isTimed = (flags & flagTimed) !== 0
  const parts: Parts = {
    times: read.bytes(),
    values: read.bytes(),
    positions: read.bytes(),
    stamps: read.bytes(),
    timed: optional(isTimed && !(flags & flagAllTimed)),
    arrivals: optional(isTimed),
    joined: optional((flags & flagJoined) !== 0),
    ids: optional((flags & flagIds) !== 0),
    boots: optional((flags & flagBoots) !== 0),
    vias: optional((flags & flagVias) !== 0),
  }
  if (!read.done) throw new RangeError('more than a chunk')
  return parts
}

/** Reads all of a part. */
function whole<T>(part: Buffer, readPart: (read: ByteReader) => T): T {
  const read = new ByteReader(part)
  const column = readPart(read)
  if (!read.done) throw new RangeError('more than a column')
  return column
}

function readIds(read: ByteReader, count: number): (string | undefined)[] {
  const size = read.varint()
  if (size > count) throw new RangeError('more ids than readings')
  if (size === count) return readTexts(read, count)
  const has = readNumbers(read, count)
  const ids = readTexts(read, size)
  let next = 0
  return Array.from(has, one => (one === 0 ? undefined : ids[next++]))
}
