/**
 * Readings that rules have made, on their way into the log: in the commit of the cursor and the states that they came with,
 * so that after a crash none is missing and none is there twice [I3].
 *
 * What cannot be stored (a table with as many series as it may have, a number that is none) is left out and counted: it must
 * never keep an alert or a cursor back.
 */
import type { Recorded } from '../../rules/judge/judge.ts'
import type { Value } from '../reading.ts'
import type { Store } from '../store/store.ts'
import type { Arrival, Change } from '../store/types.ts'

export class Recording {
  readonly #store: Store
  readonly #now: () => number
  #waiting = new Map<string, Arrival[]>()
  #count = 0

  constructor(store: Store, now: () => number) {
    this.#store = store
    this.#now = now
  }

  /** How many wait to be committed. */
  get count(): number {
    return this.#count
  }

  /** `boot`: that of the readings they were made of, while its clock cannot be trusted. How many were left out. */
  add(recorded: readonly Recorded[], boot: string | undefined): number {
    let left = 0
    const nowMs = this.#now()
    for (const { table, device, metric, value, timeMs, atMs } of recorded) {
      if (!isStorable(value) || !this.#store.hasRoomFor(table, device, metric, undefined)) {
        left++
        continue
      }
      let readings = this.#waiting.get(table)
      if (readings === undefined) this.#waiting.set(table, (readings = []))
      // What was made of a peer's reading is ours, and our arrivals make time pass: a peer's clock must not run ahead of it.
      const arrivalMs = Math.min(atMs, nowMs)
      // A time of their own only if it differs: the arrival is corrected with its boot.
      const deviceTimeMs = timeMs === arrivalMs ? undefined : timeMs
      readings.push({
        device,
        metric,
        value,
        deviceTimeMs,
        id: undefined,
        unit: undefined,
        arrivalMs,
        joined: false,
        boot,
      })
      this.#count++
    }
    return left
  }

  take(): Change[] {
    const waiting = this.#waiting
    this.#waiting = new Map()
    this.#count = 0
    return [...waiting].map(([table, readings]) => ({ kind: 'append', table, readings }))
  }
}

const isStorable = (value: Value): boolean => typeof value !== 'number' || Number.isFinite(value)
