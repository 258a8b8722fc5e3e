/**
 * What is known in memory of one table: where its log stands, its newest entries, and for a series table its series.
 * Rebuilt from the disk at every open; nothing here is the only copy of anything.
 */
import { readingsPerMessageMax } from '../limits.ts'
import type { Reading, Value } from '../reading.ts'
import { Tail } from './tail.ts'
import {
  type GapEntry,
  type ReadingEntry,
  type Seq,
  type Series,
  type TableKind,
  asSeq,
  seqZero,
  timeOf,
} from './types.ts'

/** A bound against devices that invent names: each series costs about 460 bytes of memory [I6]. */
export const seriesMax = 100_000
/** Kept free of what devices invent: for the readings of one message, and for the series that rejects share. */
const seriesSpare = 2 * readingsPerMessageMax

/** True if a device may begin a series of its own. A little less than what a commit would take. */
export const hasRoom = (series: SeriesIndex): boolean => series.size < seriesMax - seriesSpare

export class Table {
  readonly id: number
  readonly name: string
  readonly kind: TableKind
  readonly tail = new Tail()
  readonly series: SeriesIndex
  /** The last durable position, and the last one given to a write that may still fail. */
  head: Seq = seqZero
  reserved: Seq = seqZero
  /** The first position that is still in the log. */
  first: Seq = asSeq(1)
  /** Up to here readings are packed: they stand in chunks, and no more in the log's blocks. */
  packed: Seq = seqZero
  gaps: GapEntry[] = []
  /** What the log's blocks take on disk, with their keys; and how much of it came since the number was last written. */
  logBytes = 0
  uncountedBytes = 0
  /** What chunks and ranges take, and how many readings they hold. */
  packedBytes = 0
  packedRows = 0
  /** Changes when anything before `packed` is written in another way or goes: what was planned by then is void. */
  revision = 0
  #oldest: { readonly first: Seq; readonly ms: number } | undefined
  /** About how much memory the readings take that wait to be packed. */
  unpackedBytes = 0

  constructor(id: number, name: string, kind: TableKind) {
    this.id = id
    this.name = name
    this.kind = kind
    this.series = new SeriesIndex(name)
  }

  /** Gives the next position to an entry whose write may still fail. */
  reserve(): Seq {
    this.reserved = asSeq(this.reserved + 1)
    return this.reserved
  }

  get bytes(): number {
    return this.logBytes + this.packedBytes
  }

  /** Entries of the log; of a series table the readings stored. */
  get rows(): number {
    return this.packedRows + this.head - Math.max(this.packed, this.first - 1)
  }

  /** When the block or range at the beginning was written, if somebody has looked. */
  oldestMs(first: Seq): number | undefined {
    return this.#oldest?.first === first ? this.#oldest.ms : undefined
  }

  rememberOldest(ms: number): void {
    this.#oldest = { first: this.first, ms }
  }

  /** Keeps a durable reading for queries until it is packed. */
  gather(entry: ReadingEntry): void {
    ;(entry.series as KnownSeries).add(entry)
    this.unpackedBytes += entryBytes + valueBytes(entry.value)
  }

  /** Forgets what was trimmed, so that memory and disk tell the same. */
  dropThrough(seq: Seq): void {
    this.first = asSeq(seq + 1)
    this.tail.dropThrough(seq)
    if (seq <= this.packed || this.kind === 'records') return
    this.unpackedBytes = 0
    for (const series of this.series.all()) {
      series.dropPacked(seq)
      for (const { value } of series.unpacked) this.unpackedBytes += entryBytes + valueBytes(value)
    }
  }
}

/** What the store's status tells of a table. */
export const tableStatus = ({ name, kind, first, head, series, rows, bytes, logBytes }: Table) => ({
  name,
  kind,
  first,
  head,
  series: series.size,
  rows,
  bytes,
  logBytes,
})

/** What a reading takes in memory besides a text or an object, measured. */
const entryBytes = 200

/** About what a text or an object takes in memory. */
export function valueBytes(value: Value): number {
  if (typeof value === 'string') return value.length
  // An object in memory takes several times its text.
  return typeof value === 'object' ? 4 * JSON.stringify(value).length : 0
}

/** A reading's identity within its series. */
export type Identity = string

/**
 * The device time with the id, or without one with the value: two readings that differ in a clock of whole seconds are
 * two. Undefined for a reading without a device time; if it has an id, that alone is its identity.
 */
export function identityOf({
  deviceTimeMs,
  id,
  value,
}: Pick<Reading, 'deviceTimeMs' | 'id' | 'value'>): Identity | undefined {
  if (deviceTimeMs === undefined) return undefined
  return id === undefined ? `${deviceTimeMs}=${JSON.stringify(value)}` : `${deviceTimeMs}#${id}`
}

/** The identities of readings that have one. */
export function identitiesOf(readings: Iterable<Pick<Reading, 'deviceTimeMs' | 'id' | 'value'>>): Set<Identity> {
  const identities = new Set<Identity>()
  for (const reading of readings) {
    const identity = identityOf(reading)
    if (identity !== undefined) identities.add(identity)
  }
  return identities
}

export class KnownSeries implements Series {
  readonly id: number
  readonly table: string
  readonly origin: string
  readonly device: string
  readonly metric: string
  readonly unit: string | undefined
  /** The latest time of any reading, stored or about to be: a reading later than this cannot be a repetition. */
  newestMs: number
  /** No packed reading is later than this: who asks for later ones needs not look on the disk. */
  packedMs: number
  /** The reading with the latest time, of all that were ever stored: retention may have taken it. */
  latest: ReadingEntry | undefined
  /** Stored, not packed yet, in log order. */
  unpacked: ReadingEntry[] = []
  /** The position of the last reading that came after a later one: those behind it are in the order of their times. */
  lateSeq: Seq = seqZero
  /** The identities of `unpacked`, made when a reading first comes out of order. */
  #identities: Set<Identity> | undefined

  constructor(
    id: number,
    table: string,
    origin: string,
    device: string,
    metric: string,
    unit: string | undefined,
    newestMs: number,
  ) {
    this.id = id
    this.table = table
    this.origin = origin
    this.device = device
    this.metric = metric
    this.unit = unit
    this.newestMs = newestMs
    this.packedMs = newestMs
  }

  add(entry: ReadingEntry): void {
    this.unpacked.push(entry)
    const timeMs = timeOf(entry)
    if (timeMs > this.newestMs) this.newestMs = timeMs
    if (this.latest === undefined || timeMs >= timeOf(this.latest)) this.latest = entry
    else this.lateSeq = entry.seq
    const identity = this.#identities && identityOf(entry)
    if (identity !== undefined) this.#identities?.add(identity)
  }

  holdsUnpacked(identity: Identity): boolean {
    this.#identities ??= identitiesOf(this.unpacked)
    return this.#identities.has(identity)
  }

  /** Forgets the readings up to a position, which are packed now or gone. */
  dropPacked(upTo: Seq): void {
    if ((this.unpacked[0]?.seq ?? upTo + 1) > upTo) return
    this.unpacked = this.unpacked.filter(entry => entry.seq > upTo)
    this.#identities = undefined
  }
}

export class SeriesIndex {
  readonly #table: string
  readonly #byId = new Map<number, KnownSeries>()
  // origin -> device -> metric -> the series of each unit; nested, so that no key string is built per reading.
  readonly #byName = new Map<string, Map<string, Map<string, KnownSeries[]>>>()
  #nextId = 1

  constructor(table: string) {
    this.#table = table
  }

  get size(): number {
    return this.#byId.size
  }

  all(): IterableIterator<KnownSeries> {
    return this.#byId.values()
  }

  byId(id: number): KnownSeries | undefined {
    return this.#byId.get(id)
  }

  find(origin: string, device: string, metric: string, unit: string | undefined): KnownSeries | undefined {
    const units = this.#byName.get(origin)?.get(device)?.get(metric)
    if (!units) return undefined
    for (const series of units) if (series.unit === unit) return series
    return undefined
  }

  make(origin: string, device: string, metric: string, unit: string | undefined): KnownSeries {
    const series = new KnownSeries(this.#nextId, this.#table, origin, device, metric, unit, Number.NEGATIVE_INFINITY)
    this.insert(series)
    return series
  }

  /** Numbers up to this one are taken, even if nobody knows any longer by whom. */
  reserveIds(last: number): void {
    this.#nextId = Math.max(this.#nextId, last + 1)
  }

  insert(series: KnownSeries): void {
    this.#byId.set(series.id, series)
    this.reserveIds(series.id)
    const devices = getOrMake(this.#byName, series.origin, () => new Map<string, Map<string, KnownSeries[]>>())
    const metrics = getOrMake(devices, series.device, () => new Map<string, KnownSeries[]>())
    getOrMake(metrics, series.metric, () => []).push(series)
  }

  /** The series whose device and metric match the patterns (`*` is any run of characters). */
  matching(device: string, metric: string): KnownSeries[] {
    const isMetric = wildcard(metric)
    const found: KnownSeries[] = []
    for (const devices of this.#byName.values()) {
      for (const metrics of devicesLike(devices, device)) {
        for (const [name, units] of metrics) if (isMetric(name)) found.push(...units)
      }
    }
    return found
  }
}

/** A name that is written out is looked up: a start asks for thousands of series one by one. */
function devicesLike<Metrics>(devices: ReadonlyMap<string, Metrics>, pattern: string): Iterable<Metrics> {
  if (!pattern.includes('*')) {
    const named = devices.get(pattern)
    return named === undefined ? [] : [named]
  }
  const isDevice = wildcard(pattern)
  return [...devices].flatMap(([name, metrics]) => (isDevice(name) ? [metrics] : []))
}

/** Whether texts match a pattern (`*` is any run of characters), in time linear in text times stars. */
export function wildcard(pattern: string): (text: string) => boolean {
  if (pattern === '*') return () => true
  if (!pattern.includes('*')) return text => text === pattern
  // No regular expression: with many stars one that does not match would take for ever, and devices choose their names.
  const runs = pattern.split('*')
  const [first = '', last = ''] = [runs[0], runs.at(-1)]
  return text => {
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
    const end = text.length - last.length
    let from = first.length
    for (const run of runs.slice(1, -1)) {
      const found = text.indexOf(run, from)
      if (found < 0 || found + run.length > end) return false
      from = found + run.length
    }
    return true
  }
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) {
    value = make()
    map.set(key, value)
  }
  return value
}
