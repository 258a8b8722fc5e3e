/**
 * Was this reading stored before? A reading is known by its device time and its id or value within its series, or by its id alone.
 *
 * Most readings are later than anything their series holds and need no look. One that is not is compared with the
 * readings in memory, and with the packed ones of its hour, whose identities are read once and kept for a while.
 */
import type { Database } from './database.ts'
import { idKey, packedKey } from './keys.ts'
import { readPackedReadings } from './readings.ts'
import { type Identity, type KnownSeries, type Table, identitiesOf, identityOf } from './table.ts'
import { type Arrival, asSeq } from './types.ts'

export const hourMs = 3_600_000
export const hourOf = (ms: number): number => Math.max(0, Math.floor(ms / hourMs))

/** Hours whose identities are kept: a device that sends a day again needs 24. */
const hoursKept = 256

export class Repeats {
  readonly #database: Database
  readonly #hours = new Map<string, Set<Identity>>()

  constructor(database: Database) {
    this.#database = database
  }

  /** Reads what `isRepeat` will need for these readings and does not have yet. */
  async prepare(table: Table, origin: string, readings: readonly Arrival[]): Promise<void> {
    for (const { device, metric, unit, deviceTimeMs } of readings) {
      if (deviceTimeMs === undefined) continue
      const series = table.series.find(origin, device, metric, unit)
      if (!series || deviceTimeMs > series.newestMs) continue
      const name = hourName(table, series, deviceTimeMs)
      if (!this.#hours.has(name)) this.#hours.set(name, await this.#load(table, series, hourOf(deviceTimeMs)))
    }
  }

  /** True if the series already holds this reading. `prepare` has seen it. */
  isRepeat(table: Table, series: KnownSeries, reading: Arrival): boolean {
    const identity = identityOf(reading)
    if (identity !== undefined && reading.deviceTimeMs !== undefined) {
      if (reading.deviceTimeMs > series.newestMs) return false
      const packed = this.#hours.get(hourName(table, series, reading.deviceTimeMs))
      return series.holdsUnpacked(identity) || (packed?.has(identity) ?? false)
    }
    return reading.id !== undefined && this.#database.get(idKey(table.id, series.id, reading.id)) !== undefined
  }

  /** Readings of this hour were packed: what is kept of it is out of date. */
  forget(table: Table, series: KnownSeries, hour: number): void {
    this.#hours.delete(`${table.id}/${series.id}/${hour}`)
  }

  /** Lets go of the oldest hours beyond the bound, between commits. */
  trim(): void {
    for (const name of this.#hours.keys()) {
      if (this.#hours.size <= hoursKept) return
      this.#hours.delete(name)
    }
  }

  async #load(table: Table, series: KnownSeries, hour: number): Promise<Set<Identity>> {
    const identities = new Set<Identity>()
    const range = { gte: packedKey(table.id, series.id, hour, 0), lt: packedKey(table.id, series.id, hour + 1, 0) }
    for await (const [, block] of this.#database.scan(range)) {
      for (const identity of identitiesOf(readPackedReadings(block, asSeq(0), series))) identities.add(identity)
    }
    return identities
  }
}

function hourName(table: Table, series: KnownSeries, timeMs: number): string {
  return `${table.id}/${series.id}/${hourOf(timeMs)}`
}
