/**
 * The table `devices`: a row for each device that was ever heard, written by the gateway alone.
 *
 *   { online, since_ms, why, first_seen_ms, last_seen_ms, adapter, labels }
 *
 * Promises: whoever came or went is written within some seconds, and when a device was last seen every few minutes while
 * it goes on: an SD card and a link are not worn by what `list` knows anyway. What the store cannot take now is written
 * when it can. A row that was written while the clock was not trusted says so (`clock: untrusted`), and is written again
 * once it is.
 */
import type { Presence } from '../../adapters/adapter.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Json } from '../reading.ts'
import type { Change, Receipt, Row } from '../store/types.ts'
import { type Device, type Moment, Registry } from './registry.ts'
import { deviceOfRow } from './rows.ts'

export const devicesTable = 'devices'
const tickMs = 5_000
/** How far behind `last_seen_ms` of a row may be of a device that goes on sending. */
const lastSeenEveryMs = 10 * 60_000

export type Labels = Readonly<Record<string, string>>

/** What the configuration says of a device. */
export type Expected = { readonly offlineAfterMs: number | undefined }

export type DevicesOptions = {
  readonly offlineAfterMs: number
  /** Devices of the configuration, heard or not. */
  readonly expected: ReadonlyMap<string, Expected>
}

export type DevicesDoors = {
  readonly store: {
    readonly origin: string
    commit(changes: readonly Change[]): Promise<Receipt>
    rows(table: string): AsyncIterable<Row>
  }
  readonly labels: (device: string) => Labels
  readonly now: () => number
  readonly isTimeTrusted: () => boolean
  readonly monotonicMs: () => number
  readonly after: (delayMs: number, run: () => void) => () => void
  readonly log: Log
}

/** A device as people and programs are told of it. `never`: the configuration names it, and nobody has heard it. */
export type DeviceForm = {
  readonly device: string
  readonly state: 'online' | 'offline' | 'never'
  readonly since_ms: number | null
  /** `reading`, `presence` (it or its will said so) or `silence`. */
  readonly why: string | null
  readonly first_seen_ms: number | null
  readonly last_seen_ms: number | null
  readonly adapter: string | null
  readonly labels: Labels
}

export class Devices {
  readonly #options: DevicesOptions
  readonly #doors: DevicesDoors
  readonly #registry: Registry
  /** What the row of each says: when it was last seen, and its labels. */
  readonly #written = new Map<string, { readonly lastMs: number; readonly labels: Labels }>()
  /** Those whose row speaks of times by a clock that nobody vouched for, in a run that is over. */
  readonly #doubtful = new Set<string>()
  /** What has been told of a moment, so that it is told the same for ever: two clocks never go quite alike. */
  readonly #told = new WeakMap<Moment, number>()
  #isTrusted: boolean
  #isClosed = false
  #stopTick: () => void = () => undefined
  #turn: Promise<void> = Promise.resolve()
  #trouble: string | undefined

  static async open(options: DevicesOptions, doors: DevicesDoors): Promise<Devices> {
    const devices = new Devices(options, doors)
    await devices.#restore()
    devices.#wait()
    return devices
  }

  private constructor(options: DevicesOptions, doors: DevicesDoors) {
    this.#options = options
    this.#doors = doors
    this.#isTrusted = doors.isTimeTrusted()
    this.#registry = new Registry(device => options.expected.get(device)?.offlineAfterMs ?? options.offlineAfterMs)
  }

  saw(devices: ReadonlyMap<string, string>): void {
    this.#registry.saw(devices, this.#doors.monotonicMs())
  }

  told(presence: readonly Presence[], adapter: string): void {
    this.#registry.told(presence, adapter, this.#doors.monotonicMs())
  }

  /** All of them, by name. */
  list(): readonly DeviceForm[] {
    const names = new Set([...this.#registry.all.keys(), ...this.#options.expected.keys()])
    return [...names].toSorted().map(device => this.#formOf(device))
  }

  counts(): { readonly online: number; readonly offline: number; readonly left_out: number } {
    const all = [...this.#registry.all.values()]
    const online = all.filter(({ isOnline }) => isOnline).length
    return { online, offline: all.length - online, left_out: this.#registry.leftOut }
  }

  /** Writes what is due. Resolves when it is on the disk, or will be tried again. */
  tick(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#write(lastSeenEveryMs))
    return this.#turn
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#stopTick()
    this.#turn = this.#turn.then(() => this.#write(0))
    await this.#turn
  }

  async #restore(): Promise<void> {
    const { store, monotonicMs } = this.#doors
    const nowMs = monotonicMs()
    for await (const { key, value, origin } of store.rows(devicesTable)) {
      // A hub has the rows of its gateways too.
      const row = origin === store.origin ? deviceOfRow(value) : undefined
      if (row === undefined) continue
      this.#registry.restore(key, row.device, nowMs)
      this.#written.set(key, { lastMs: row.lastMs, labels: row.labels })
      if (row.isDoubtful) this.#doubtful.add(key)
    }
  }

  #wait(): void {
    this.#stopTick = this.#doors.after(tickMs, () => {
      void this.tick().then(() => this.#isClosed || this.#wait())
    })
  }

  async #write(staleMs: number): Promise<void> {
    this.#registry.tick(this.#doors.monotonicMs())
    const due = this.#due(staleMs)
    if (due.size === 0) return
    const rows = [...due].map(device => this.#formOf(device))
    const isTrusted = this.#doors.isTimeTrusted()
    try {
      await this.#doors.store.commit(
        rows.map(row => {
          const value = rowOf(row, isTrusted && !this.#doubtful.has(row.device))
          return { kind: 'put', table: devicesTable, key: row.device, value }
        }),
      )
      for (const { device, last_seen_ms: lastMs, labels } of rows)
        this.#written.set(device, { lastMs: lastMs ?? 0, labels })
      this.#trouble = undefined
    } catch (error) {
      this.#registry.putBack([...due])
      this.#note(messageOf(error))
    }
  }

  #due(staleMs: number): Set<string> {
    const due = new Set(this.#registry.takeChanged())
    const isTrustedNow = this.#doors.isTimeTrusted() && !this.#isTrusted
    this.#isTrusted ||= isTrustedNow
    for (const [device, { last, isOnline }] of this.#registry.all) {
      const written = this.#written.get(device)
      if (written === undefined || due.has(device)) continue
      const isStale = isOnline && this.#wallMs(last) - written.lastMs > staleMs
      if (isTrustedNow || isStale || !isSame(this.#doors.labels(device), written.labels)) due.add(device)
    }
    return due
  }

  /** Once for each cause: the next tick tries again. */
  #note(reason: string): void {
    if (reason !== this.#trouble) this.#doors.log.warn({ reason }, 'what is known of devices cannot be written yet')
    this.#trouble = reason
  }

  #formOf(device: string): DeviceForm {
    const known: Device | undefined = this.#registry.all.get(device)
    const labels = this.#doors.labels(device)
    const times = known && {
      since_ms: this.#wallMs(known.since),
      first_seen_ms: this.#wallMs(known.first),
      last_seen_ms: this.#wallMs(known.last),
    }
    return {
      device,
      state: known === undefined ? 'never' : known.isOnline ? 'online' : 'offline',
      why: known?.why ?? null,
      adapter: known?.adapter ?? null,
      labels,
      ...(times ?? { since_ms: null, first_seen_ms: null, last_seen_ms: null }),
    }
  }

  #wallMs(moment: Moment): number {
    if ('wallMs' in moment) return moment.wallMs
    const known = this.#told.get(moment)
    if (known !== undefined) return known
    const wallMs = Math.round(this.#doors.now() - (this.#doors.monotonicMs() - moment.monotonicMs))
    if (this.#doors.isTimeTrusted()) this.#told.set(moment, wallMs)
    return wallMs
  }
}

function rowOf({ state, device: _key, ...facts }: DeviceForm, isCertain: boolean): Json {
  return { online: state === 'online', ...facts, ...(isCertain ? {} : { clock: 'untrusted' }) }
}

function isSame(one: Labels, other: Labels): boolean {
  if (one === other) return true
  const names = Object.keys(one)
  return names.length === Object.keys(other).length && names.every(name => one[name] === other[name])
}
