/**
 * Publishes become readings become rows. The journey of one publish, step by step:
 *
 *   route    the first route whose topic fits, remembered per topic
 *   decode   its adapter: readings, or a reason
 *   gather   with all that the same turn of the broker brings
 *   commit   as one group
 *   answer   the broker may acknowledge: only now [I1]
 *
 * A payload that cannot be decoded becomes a row of `rejects` and is acknowledged all the same: one bad payload must not
 * wedge a device. What must never happen is an answer before the commit, or a publish that is in neither table.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Levels } from '../../adapters/adapter.ts'
import type { Reading } from '../reading.ts'
import type { Arrival, Change, KeepChange, Receipt } from '../store/types.ts'
import { Decoding, type States, type Told } from './decoding.ts'
import type { Destination, Routes } from './routes.ts'

/** What the broker hands over; see the broker's own door for the promises on either side. */
export type Publish = {
  readonly client: string
  /** Which source has fetched it; left out: it was published at our own broker. */
  readonly source?: string | undefined
  readonly topic: string
  readonly payload: Buffer
  readonly retain?: boolean | undefined
  /** Somebody has kept it from before: if it says what is stored already, it is not stored again. */
  readonly isOld?: boolean | undefined
  readonly arrivalMs: number
  /** What must be in the same commit: queues of subscribers that are away. */
  readonly keep?: readonly KeepChange[] | undefined
  /** May its readings be of this device? Left out: of any. */
  readonly mayName?: ((device: string) => boolean) | undefined
}

/** What ingest asks of the store. */
export type Tables = States & {
  commit(changes: readonly Change[]): Promise<Receipt>
  hasRoomFor(table: string, device: string, metric: string, unit: string | undefined): boolean
}

export type IngestCounts = {
  readonly publishes: number
  readonly readings: number
  readonly duplicates: number
  readonly rejects: number
}

export type IngestDoors = {
  /** Left out: what is told again is stored again. */
  readonly newest?: Newest
  /** Names the boot while its clock is not trusted: what arrives then will have to be corrected. */
  readonly boot?: () => string | undefined
  /** Hears which devices have sent readings that are stored now, each with the adapter that read them. Must not throw. */
  readonly onSeen?: (devices: ReadonlyMap<string, string>) => void
  /** Hears what messages said beside their readings, once those are stored. Must not throw. */
  readonly onTold?: (told: Told) => void
}

/** The reading of a series with the latest time that is stored. */
type Newest = (
  table: string,
  series: Pick<Reading, 'device' | 'metric' | 'unit'>,
) => Pick<Reading, 'value' | 'deviceTimeMs'> | undefined

type Done = (error?: Error) => void

export const rejectsTable = 'rejects'

/** As much of a payload as a person needs to see what was sent. */
const keptBytes = 128
/** Whose rejects they are where the topic names no device, and where there are too many devices already. */
const unnamed = '(unnamed)'
const others = '(others)'

export class Ingest {
  readonly #routes: Routes
  readonly #tables: Tables
  readonly #decoding: Decoding
  readonly #boot: () => string | undefined
  readonly #newest: Newest
  readonly #onSeen: NonNullable<IngestDoors['onSeen']>
  readonly #onTold: NonNullable<IngestDoors['onTold']>
  #seen = new Map<string, string>()
  #gathered = new Map<string, Arrival[]>()
  #kept: KeepChange[] = []
  #waiting: Done[] = []
  #rejected = 0
  #isFlushDue = false
  readonly #counts = { publishes: 0, readings: 0, duplicates: 0, rejects: 0 }

  constructor(routes: Routes, tables: Tables, doors: IngestDoors = {}) {
    this.#routes = routes
    this.#tables = tables
    this.#decoding = new Decoding(tables)
    this.#boot = doors.boot ?? (() => undefined)
    this.#newest = doors.newest ?? (() => undefined)
    this.#onSeen = doors.onSeen ?? (() => undefined)
    this.#onTold = doors.onTold ?? (() => undefined)
  }

  get counts(): IngestCounts {
    return { ...this.#counts }
  }

  /** Is this topic a reading? */
  wants(topic: string): boolean {
    return this.#routes.find(topic) !== undefined
  }

  /** Takes a publish of a wanted topic. `done` is called once it is durable, or with the error if it is not. */
  accept(publish: Publish, done: Done): void {
    const destination = this.#routes.find(publish.topic)
    if (!destination) return done(new Error(`no route takes the topic ${publish.topic}`))
    this.#counts.publishes++
    this.#gather(destination, publish)
    if (publish.keep !== undefined) this.#kept.push(...publish.keep)
    this.#waiting.push(done)
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    // The broker says when a chunk is through; this is for publishes that come alone.
    setImmediate(() => this.flush())
  }

  /** Hands over what was gathered as one commit. */
  flush(): void {
    this.#isFlushDue = false
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    const changes = [...this.#gathered].map(([table, readings]): Change => ({ kind: 'append', table, readings }))
    for (const change of this.#kept) changes.push(change)
    if (this.#kept.length > 0) this.#kept = []
    const { changes: remembered, told } = this.#decoding.take()
    for (const change of remembered) changes.push(change)
    const rejected = this.#rejected
    this.#waiting = []
    const seen = this.#seen
    this.#gathered = new Map()
    this.#seen = new Map()
    this.#rejected = 0
    this.#tables.commit(changes).then(
      receipt => {
        this.#counts.rejects += rejected
        this.#counts.readings += receipt.stored - rejected
        this.#counts.duplicates += receipt.duplicates
        for (const done of waiting) done()
        this.#onSeen(seen)
        for (const one of told) this.#onTold(one)
      },
      (error: unknown) => {
        this.#decoding.reset()
        const reason = error instanceof Error ? error : new Error(String(error))
        for (const done of waiting) done(reason)
      },
    )
  }

  #gather(destination: Destination, publish: Publish): void {
    const { route, levels } = destination
    // The broker hands over in the turn in which it looked at the clock.
    const boot = this.#boot()
    const decoded = this.#decoding.decode(destination, publish, boot)
    if (!decoded.ok) return this.#reject(publish, levels, route.adapter.name, decoded.reason)
    const full = decoded.readings.find(
      ({ device, metric, unit }) => !this.#tables.hasRoomFor(route.table, device, metric, unit),
    )
    if (full) {
      return this.#reject(
        publish,
        levels,
        route.adapter.name,
        `too many series: no room for ${full.device}/${full.metric}`,
      )
    }
    if (publish.isOld === true && this.#isStored(route.table, decoded.readings)) return
    const gathered = this.#listOf(route.table)
    let joined = false
    let last: string | undefined
    for (const reading of decoded.readings) {
      if (reading.device !== last) this.#seen.set((last = reading.device), route.adapter.name)
      gathered.push(arrived(reading, publish.arrivalMs, joined, boot))
      joined = true
    }
    if (decoded.more?.refused !== undefined) this.#reject(publish, levels, route.adapter.name, decoded.more.refused)
  }

  /** Does a message that somebody has kept from before say nothing but what was stored last? */
  #isStored(table: string, readings: readonly Reading[]): boolean {
    const isStored = readings.every(reading => {
      const newest = this.#newest(table, reading)
      if (newest === undefined || !isDeepStrictEqual(newest.value, reading.value)) return false
      return reading.deviceTimeMs === undefined || reading.deviceTimeMs === newest.deviceTimeMs
    })
    if (isStored) this.#counts.duplicates += readings.length
    return isStored
  }

  /** Under the device that the topic names: a client's id may be another at each connection. */
  #reject({ client, topic, payload, arrivalMs }: Publish, levels: Levels, adapter: string, reason: string): void {
    this.#rejected++
    const kept = payload.subarray(0, keptBytes)
    const value = {
      topic,
      client,
      reason,
      bytes: payload.length,
      text: kept.toString('utf8'),
      hex: kept.toString('hex'),
    }
    const named = levels.get('device') ?? unnamed
    const device = this.#tables.hasRoomFor(rejectsTable, named, adapter, undefined) ? named : others
    const reading = { device, metric: adapter, value, deviceTimeMs: undefined, id: undefined, unit: undefined }
    this.#listOf(rejectsTable).push(arrived(reading, arrivalMs, false, this.#boot()))
  }

  #listOf(table: string): Arrival[] {
    let list = this.#gathered.get(table)
    if (!list) this.#gathered.set(table, (list = []))
    return list
  }
}

/** Spelled out, not spread: this runs for every reading. */
function arrived(reading: Reading, arrivalMs: number, joined: boolean, boot: string | undefined): Arrival {
  const { device, metric, value, deviceTimeMs, id, unit } = reading
  return { device, metric, value, deviceTimeMs, id, unit, arrivalMs, joined, boot }
}
