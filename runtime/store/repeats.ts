/**
 * Was this reading stored before? A reading is known by its device time and its id or value within its series, or by its id alone.
 *
 * Most readings are later than anything their series holds and need no look. One that is not is compared with the
 * readings in memory, and with the packed ones of its hour, whose identities are read once and kept for a while.
 */
import { chunksOf } from './chunks.ts'
import type { Database } from './database.ts'
import { idKey } from './keys.ts'
import { type Identity, type KnownSeries, type Table, identitiesOf, identityOf } from './table.ts'
import type { Arrival, Change } from './types.ts'

export const hourMs = 3_600_000
export const hourOf = (ms: number): number => Math.max(0, Math.floor(ms / hourMs))

/** Identities kept of hours read before, about 160 bytes each: 28 hours of a sensor that measures every second. */
const identitiesMax = 100_000

export class Repeats {
  readonly #database: Database
  readonly #hours = new Map<string, Set<Identity>>()
  #identities = 0
  /** Which of the readings of this group are packed already. */
  readonly #packed = new Set<string>()

  constructor(database: Database) {
    this.#database = database
  }

  /** Reads what `isRepeat` will need for a whole group: each hour once, however its readings are mixed. */
  async prepare(origin: string, changes: Iterable<Change>): Promise<void> {
    const hours = new Map<string, { table: Table; series: KnownSeries; hour: number; wanted: Identity[] }>()
    for (const change of changes) {
      const table = change.kind === 'append' ? this.#database.tables.get(change.table) : undefined
      if (change.kind !== 'append' || !table) continue
      for (const reading of change.readings) {
        const { device, metric, unit, deviceTimeMs } = reading
        if (deviceTimeMs === undefined) continue
        const series = table.series.find(origin, device, metric, unit)
        if (!series || deviceTimeMs > series.newestMs) continue
        const name = hourName(table, series, deviceTimeMs)
        const known = hours.get(name) ?? { table, series, hour: hourOf(deviceTimeMs), wanted: [] }
        known.wanted.push(identityOf(reading) ?? '')
        hours.set(name, known)
      }
    }
    for (const [name, { table, series, hour, wanted }] of hours) {
      const packed = this.#hours.get(name) ?? (await this.#load(table, series, hour))
      this.#keep(name, packed)
      for (const identity of wanted) if (packed.has(identity)) this.#packed.add(`${name}/${identity}`)
    }
  }

  /** True if the series already holds this reading. `prepare` has seen it. */
  isRepeat(table: Table, series: KnownSeries, reading: Arrival): boolean {
    const identity = identityOf(reading)
    if (identity !== undefined && reading.deviceTimeMs !== undefined) {
      if (reading.deviceTimeMs > series.newestMs) return false
      const name = hourName(table, series, reading.deviceTimeMs)
      return series.holdsUnpacked(identity) || this.#packed.has(`${name}/${identity}`)
    }
    return reading.id !== undefined && this.#database.get(idKey(table.id, series.id, reading.id)) !== undefined
  }

  /** Readings of this hour were packed: what is kept of it is out of date. */
  forget(table: Table, series: number, hour: number): void {
    this.#drop(`${table.id}/${series}/${hour}`)
  }

  /** A group is resolved: what was prepared for it is not needed any more. */
  endGroup(): void {
    this.#packed.clear()
  }

  /** Keeps an hour, and lets go of the oldest beyond the bound. */
  #keep(name: string, hour: Set<Identity>): void {
    if (this.#hours.has(name)) return
    this.#hours.set(name, hour)
    this.#identities += hour.size
    for (const oldest of this.#hours.keys()) {
      if (this.#identities <= identitiesMax || oldest === name) return
      this.#drop(oldest)
    }
  }

  #drop(name: string): void {
    this.#identities -= this.#hours.get(name)?.size ?? 0
    this.#hours.delete(name)
  }

  async #load(table: Table, series: KnownSeries, hour: number): Promise<Set<Identity>> {
    const identities = new Set<Identity>()
    for await (const { chunk } of chunksOf(this.#database, table, hour, [series.id]))
      for (const identity of identitiesOf(chunk.entries())) identities.add(identity)
    return identities
  }
}

function hourName(table: Table, series: KnownSeries, timeMs: number): string {
  return `${table.id}/${series.id}/${hourOf(timeMs)}`
}
