/**
 * A board with a store, its clocks in the hand of the test: the world's true time goes on by itself, the wall clock is
 * off by as much as the test says, and a reboot starts the uptime anew. Real store, stamps, board clock and keeper.
 */
import { shiftRuleStates } from '../../runtime/alerting/shift.ts'
import { type BoardClock, boardClock } from '../../runtime/clock/board.ts'
import { type HybridClock, hybridClock, isTooFarAhead } from '../../runtime/clock/hybrid.ts'
import type { MachineFacts } from '../../runtime/clock/trust.ts'
import { silentLog } from '../../runtime/log.ts'
import type { Json } from '../../runtime/reading.ts'
import type { Store } from '../../runtime/store/store.ts'
import { type PeerRecord, type ReadingEntry, type Seq, seqZero } from '../../runtime/store/types.ts'
import { Timekeeper } from '../../runtime/timekeeping/keeper.ts'
import { memoryPlace, specs } from '../store/homes.ts'
import { arrival, collect } from '../store/suite.ts'

export const hourMs = 3_600_000
export const dayMs = 24 * hourMs
export const yearMs = 365 * dayMs
/** Of every board together: a test moves it on. */
export type World = { nowMs: number }
export const newWorld = (): World => ({ nowMs: Date.UTC(2027, 5, 1) })

export const synchronised: MachineFacts = {
  service: { name: 'timesyncd', isSynchronised: true },
  hasBatteryClock: false,
}
export const nothing: MachineFacts = { service: undefined, hasBatteryClock: false }
export const battery: MachineFacts = { service: undefined, hasBatteryClock: true }

const tables = [...specs, { name: 'clock', kind: 'records' as const }]
const maxAheadMs = hourMs

export class Board {
  readonly id: string
  readonly #world: World
  readonly #place = memoryPlace()
  /** What the wall clock shows too much. */
  #wallAheadMs = 0
  #bootedAtMs = 0
  #boots = 0
  facts: MachineFacts = nothing
  store!: Store
  clock!: BoardClock
  stamps!: HybridClock
  keeper!: Timekeeper
  /** Position in this board's log up to which a peer has its records; by peer. */
  readonly #sent = new Map<string, Seq>()
  parked = 0

  constructor(id: string, world: World) {
    this.id = id
    this.#world = world
  }

  wallMs = (): number => this.#world.nowMs + this.#wallAheadMs

  /** The wall clock shows this time from now on. */
  setWall(ms: number): void {
    this.#wallAheadMs = ms - this.#world.nowMs
  }

  async boot(wallMs: number, facts: MachineFacts): Promise<void> {
    this.#boots++
    this.#bootedAtMs = this.#world.nowMs
    this.facts = facts
    this.setWall(wallMs)
    await this.start()
  }

  async start(): Promise<void> {
    const monotonicMs = (): number => this.#world.nowMs - this.#bootedAtMs
    const boot = { id: `boot${this.#boots}`, uptimeMs: monotonicMs() }
    const clocks = { wallMs: this.wallMs, monotonicMs }
    this.clock = boardClock(clocks, boot)
    const { clock } = this
    this.stamps = hybridClock(clock.now, () => (clock.isTrusted ? clock.now() : undefined), maxAheadMs)
    const open = { tables, stamps: this.stamps, origin: this.id, monotonicMs, now: clock.now, commitIntervalMs: 0 }
    this.store = await this.#place.open(open)
    this.keeper = await Timekeeper.open(
      { trust: 'auto', maxAheadMs },
      {
        store: this.store,
        stamps: this.stamps,
        clock,
        boot,
        clocks,
        after: () => () => undefined,
        facts: async () => this.facts,
        shiftRules: (...shift) => shiftRuleStates(this.store, ...shift),
        log: silentLog,
      },
    )
  }

  async stop(): Promise<void> {
    await this.keeper.close()
    await this.store.close()
  }

  async put(key: string, value: Json): Promise<void> {
    await this.store.commit([{ kind: 'put', table: 'thresholds', key, value }], 'now')
  }

  value(key: string): Json | undefined {
    return this.store.latest('thresholds', key)?.value
  }

  /** A reading whose value is the true time, so that what is told of it can be compared. */
  async ingest(): Promise<void> {
    const reading = arrival({ arrivalMs: this.clock.now(), boot: this.clock.boot(), value: this.#world.nowMs })
    await this.store.commit([{ kind: 'append', table: 'readings', readings: [reading] }], 'now')
  }

  readings = (): Promise<ReadingEntry[]> => collect(this.store.query('readings', {}))

  /** As a hello would: the hub's time, then all that either has and the other has not, `first` first. */
  async syncWith(hub: Board, first: 'up' | 'down' = 'up'): Promise<void> {
    const heardAtMs = this.#world.nowMs - this.#bootedAtMs
    const told = { wallMs: hub.clock.now(), isTrusted: hub.clock.isTrusted, askedAtMs: heardAtMs, heardAtMs }
    await this.keeper.heard(told)
    const ways = [() => this.#sendTo(hub), () => hub.#sendTo(this)]
    for (const send of first === 'up' ? ways : ways.toReversed()) await send()
  }

  async #sendTo(peer: Board): Promise<void> {
    const entries = await this.store.read('thresholds', this.#sent.get(peer.id) ?? seqZero, 1_000_000)
    const records: PeerRecord[] = []
    for (const entry of entries) {
      if (entry.kind !== 'record' || entry.via === peer.id || entry.origin === peer.id) continue
      const { key, value, origin, stamp } = entry
      if (isTooFarAhead(stamp, peer.clock.now(), maxAheadMs)) peer.parked++
      else records.push({ key, value, origin, stamp, joined: false })
    }
    const last = entries.at(-1)?.seq
    if (last !== undefined) this.#sent.set(peer.id, last)
    await peer.store.commit([{ kind: 'apply-records', table: 'thresholds', via: this.id, records }], 'now')
  }
}
