/**
 * One pretend machine: a disk and a clock that outlive its processes, and the process that runs now, with the real store
 * and the real bridge or hub in it. To kill it is to take its doors away: no timer of it fires any more, no write of it
 * returns, nothing it says is heard. What it leaves is what is on its disk.
 */
import { earliestHonestMs, hybridClock } from '../../runtime/clock/hybrid.ts'
import { Hub, type HubOptions } from '../../runtime/cloud/hub.ts'
import { messageOf } from '../../runtime/errors.ts'
import { Bridge, type BridgeOptions } from '../../runtime/replication/bridge.ts'
import type { StoreDoor } from '../../runtime/replication/store-door.ts'
import { Retention } from '../../runtime/retention/retention.ts'
import type { TableLimit } from '../../runtime/retention/tables.ts'
import type { Time } from '../../runtime/replication/time.ts'
import { Store } from '../../runtime/store/store.ts'
import type { Timers } from '../../runtime/store/timers.ts'
import type { TableSpec } from '../../runtime/store/types.ts'
import type { Random } from '../rigs/random.ts'
import type { WallClock } from './clock.ts'
import { Disk, type Image } from './disk.ts'
import type { Network } from './network.ts'
import type { World } from './world.ts'

export type Role =
  | { readonly kind: 'hub'; readonly options: HubOptions }
  | { readonly kind: 'gateway'; readonly bridge: BridgeOptions }

/** A break for a test of the tests: the store as replication sees it, with something wrong. */
type WrapStore = (store: Store) => StoreDoor

export type NodeOptions = {
  readonly id: string
  readonly role: Role
  readonly tables: readonly TableSpec[]
  readonly commitIntervalMs: number
  readonly limits: readonly TableLimit[]
  readonly clock: WallClock
  readonly random: Random
  readonly wrapStore: WrapStore | undefined
}

/** One process, from its start to its end. */
export type Life = {
  isAlive: boolean
  readonly time: Time
  readonly timers: Timers
  store: Store | undefined
  hub: Hub | undefined
  bridge: Bridge | undefined
}

/** What starts a process again, as systemd does. */
const restartMs = 2_000

export class SimNode {
  readonly id: string
  readonly options: NodeOptions
  readonly disk: Disk
  readonly #world: World
  readonly #network: Network
  life: Life | undefined
  /** How often its card was replaced by an older copy. */
  restores = 0
  lives = 0

  constructor(world: World, network: Network, options: NodeOptions) {
    this.id = options.id
    this.options = options
    this.#world = world
    this.#network = network
    this.disk = new Disk(options.random, what => world.violate(`${options.id}: ${what}`))
  }

  /** The store of the process that runs now, once it is open. */
  get store(): Store | undefined {
    return this.life?.store
  }

  boot(): void {
    if (this.life !== undefined) return
    const life = this.#bear()
    this.life = life
    this.lives++
    this.#world.note(`${this.id} boots`)
    this.#start(life).catch((error: unknown) => {
      if (!life.isAlive) return
      this.#world.note(`${this.id} could not start: ${messageOf(error)}`)
      this.kill(true)
      this.#world.timeline.after(restartMs, () => this.boot())
    })
  }

  /** Nothing is closed, nothing is said: the process is gone, and perhaps the power with it. */
  kill(hasPower: boolean): void {
    const { life } = this
    if (life === undefined) return
    life.isAlive = false
    this.life = undefined
    this.disk.abandon(hasPower)
    this.#world.note(`${this.id} is killed${hasPower ? '' : ' with its power'}`)
    if (this.options.role.kind === 'hub') this.#network.hubDied()
    else this.#network.gatewayDied(this.id)
  }

  restore(image: Image): void {
    this.disk.restore(image)
    this.restores++
    this.#world.note(`${this.id} has an older copy of its database`)
  }

  #bear(): Life {
    const { timeline } = this.#world
    const { clock } = this.options
    const bornMs = timeline.nowMs
    const after = (delayMs: number, run: () => void): (() => void) =>
      timeline.after(delayMs, () => {
        if (life.isAlive) run()
      })
    const every = (periodMs: number, run: () => void): (() => void) => {
      let cancel = (): void => {}
      const again = (): void => {
        cancel = after(periodMs, () => {
          run()
          again()
        })
      }
      again()
      return () => cancel()
    }
    const time: Time = { wallMs: () => clock.wallMs(), monotonicMs: () => timeline.nowMs - bornMs, after }
    const timers: Timers = { after, soon: run => after(0, run), every }
    const life: Life = { isAlive: true, time, timers, store: undefined, hub: undefined, bridge: undefined }
    return life
  }

  async #start(life: Life): Promise<void> {
    const { id, role, tables, commitIntervalMs, limits, wrapStore, random } = this.options
    const { time, timers } = life
    const log = this.#world.log(id)
    const randomId = (): string => Math.floor(random.next() * 2 ** 48).toString(36)
    const store = await Store.open({
      path: 'pretend',
      home: this.disk.home(time),
      tables,
      stamps: hybridClock(time.wallMs),
      origin: id,
      commitIntervalMs,
      ballastBytes: 0,
      monotonicMs: time.monotonicMs,
      now: time.wallMs,
      log,
      timers,
      randomId,
    })
    if (!life.isAlive) return
    life.store = store
    Retention.open(limits, {
      store,
      trustedMs: () => (time.wallMs() >= earliestHonestMs ? time.wallMs() : undefined),
      wallMs: time.wallMs,
      after: time.after,
      tableOf: cursor => (cursor.startsWith('pack/') ? undefined : cursor.split('/').at(-1)),
      mayForget: () => true,
      monotonicMs: time.monotonicMs,
      disk: undefined,
      log,
    })
    const doors = { store: wrapStore?.(store) ?? store, time, randomId, log }
    if (role.kind === 'hub') {
      const transport = this.#network.transport(
        () => life.isAlive,
        () => gateway => life.hub?.disconnected(gateway),
      )
      life.hub = await Hub.open(role.options, doors, transport)
    } else {
      life.bridge = await Bridge.open(role.bridge, {
        ...doors,
        random: () => random.next(),
        makeLink: (options, events, ownTime, dice) => this.#network.link(options, events, ownTime, dice),
      })
    }
    this.#world.note(`${id} is up`)
  }
}
