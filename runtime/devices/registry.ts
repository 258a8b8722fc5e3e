/**
 * Which devices there are, since when, and who of them is here. Pure: what was heard and the time come in.
 *
 *   online ──says that it goes, or nothing for so long──> offline ──a reading, or says that it is here──> online
 *
 * Times are kept by the monotonic clock until somebody asks, so that a wall clock that is set moves none of them. After a
 * start nobody is silent sooner than if they had been heard then: nothing could be heard while the gateway was off.
 */
import type { Presence } from '../../adapters/adapter.ts'

/** Each costs some 300 bytes here; a device that invents names must not fill the memory. */
export const devicesMax = 20_000

export type Why = 'reading' | 'presence' | 'silence'

/** By the monotonic clock of this run, or by the wall clock of a run before. */
export type Moment = { readonly monotonicMs: number } | { readonly wallMs: number }

export type Device = {
  readonly first: Moment
  readonly last: Moment
  readonly adapter: string
  readonly isOnline: boolean
  /** Since when it is that. */
  readonly since: Moment
  readonly why: Why
}

type Heard = { -readonly [key in keyof Device]: Device[key] } & {
  /** When it was last heard in this run, or this run began. */
  heardMs: number
}

export class Registry {
  readonly #devices = new Map<string, Heard>()
  /** How long each may be silent. */
  readonly #silenceMs: (device: string) => number
  readonly #changed = new Set<string>()
  /** Devices that there was no room for, counted each time that they were heard. */
  leftOut = 0

  constructor(silenceMs: (device: string) => number) {
    this.#silenceMs = silenceMs
  }

  get all(): ReadonlyMap<string, Device> {
    return this.#devices
  }

  /** What was known when the gateway was last on. */
  restore(device: string, known: Device, nowMs: number): void {
    if (this.#devices.size < devicesMax) this.#devices.set(device, { ...known, heardMs: nowMs })
  }

  /** These devices have sent readings: each with the adapter that read them. */
  saw(devices: ReadonlyMap<string, string>, nowMs: number): void {
    for (const [device, adapter] of devices) this.#hear(device, adapter, true, 'reading', nowMs)
  }

  told(presence: readonly Presence[], adapter: string, nowMs: number): void {
    for (const { device, isOnline } of presence) this.#hear(device, adapter, isOnline, 'presence', nowMs)
  }

  /** Those that have been silent for too long are offline from now on. */
  tick(nowMs: number): void {
    for (const [device, heard] of this.#devices) {
      if (!heard.isOnline || nowMs - heard.heardMs < this.#silenceMs(device)) continue
      heard.isOnline = false
      heard.why = 'silence'
      heard.since = { monotonicMs: nowMs }
      this.#changed.add(device)
    }
  }

  /** Devices that are new, that came or went, or that another adapter reads, since the last call. */
  takeChanged(): readonly string[] {
    const changed = [...this.#changed]
    this.#changed.clear()
    return changed
  }

  /** What could not be written is to be written still. */
  putBack(devices: readonly string[]): void {
    for (const device of devices) this.#changed.add(device)
  }

  #hear(device: string, adapter: string, isOnline: boolean, why: Why, nowMs: number): void {
    const now = { monotonicMs: nowMs }
    const heard = this.#devices.get(device)
    if (heard === undefined) {
      if (this.#devices.size >= devicesMax) {
        this.leftOut += 1
        return
      }
      this.#devices.set(device, { first: now, last: now, adapter, isOnline, since: now, why, heardMs: nowMs })
      this.#changed.add(device)
      return
    }
    heard.heardMs = nowMs
    // That a broker tells of its end is no word of the device.
    if (isOnline) heard.last = now
    if (heard.isOnline === isOnline && heard.adapter === adapter) return
    if (heard.isOnline !== isOnline) {
      heard.since = now
      heard.why = why
    }
    heard.isOnline = isOnline
    heard.adapter = adapter
    this.#changed.add(device)
  }
}
