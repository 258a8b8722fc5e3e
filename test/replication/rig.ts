/**
 * Two ends of a bridge for tests: real stores, a real broker with the hub behind it, a real MQTT connection through a
 * proxy that can be cut and stalled. Only the back-off is shortened.
 */
import { randomUUID } from 'node:crypto'
import { type AddressInfo, type Server, createServer } from 'node:net'
import { Aedes, type Client } from 'aedes'
import { hybridClock } from '../../runtime/clock/hybrid.ts'
import { gatewayMay } from '../../runtime/cloud/access.ts'
import { Hub, type HubOptions, type Transport } from '../../runtime/cloud/hub.ts'
import { type Log, silentLog } from '../../runtime/log.ts'
import { Bridge, type BridgeOptions } from '../../runtime/replication/bridge.ts'
import { Link } from '../../runtime/replication/link/link.ts'
import type { StreamStatus } from '../../runtime/replication/stream.ts'
import { type Time, systemTime } from '../../runtime/replication/time.ts'
import type { Home } from '../../runtime/store/home.ts'
import { Store } from '../../runtime/store/store.ts'
import { type Arrival, type Entry, type TableSpec, seqZero } from '../../runtime/store/types.ts'
import { type Proxy, openProxy } from '../rigs/proxy.ts'
import { type Place, diskPlace, memoryPlace } from '../store/homes.ts'

export const tables: readonly TableSpec[] = [
  { name: 'readings', kind: 'series' },
  { name: 'thresholds', kind: 'records' },
  { name: 'alerts', kind: 'records' },
  { name: 'gaps', kind: 'records' },
  { name: 'parked', kind: 'records' },
]

export const openTestStore = (place: Place, origin: string, more: { home?: Home } = {}): Promise<Store> =>
  place.open({ origin, tables, stamps: hybridClock(() => systemTime.wallMs()), commitIntervalMs: 5, ...more })

/** Resolves when the condition holds; fails loudly if it never does. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 60_000): Promise<void> {
  const endMs = systemTime.monotonicMs() + withinMs
  while (!(await holds())) {
    if (systemTime.monotonicMs() > endMs) throw new Error(`never happened: ${what}`)
    await sleep(10)
  }
}

export const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** Time that runs so many times as fast; the wall clock is the real one. */
export const fasterBy = (times: number): Time => ({
  wallMs: systemTime.wallMs,
  monotonicMs: () => systemTime.monotonicMs() * times,
  after: (delayMs, run) => systemTime.after(delayMs / times, run),
})

export function arrival(value: number, fields: Partial<Arrival> = {}): Arrival {
  return {
    device: 'freezer-1',
    metric: 'temperature',
    value,
    deviceTimeMs: undefined,
    id: undefined,
    unit: '°C',
    arrivalMs: systemTime.wallMs(),
    joined: false,
    ...fields,
  }
}

export const append = (store: Store, ...values: number[]): Promise<unknown> =>
  store.commit([{ kind: 'append', table: 'readings', readings: values.map(value => arrival(value)) }])
export const put = (
  store: Store,
  key: string,
  value: number | string | object,
  table = 'thresholds',
): Promise<unknown> => store.commit([{ kind: 'put', table, key, value: value as number }])
export const remove = (store: Store, key: string, table = 'thresholds'): Promise<unknown> =>
  store.commit([{ kind: 'delete', table, key }])

export async function logOf(store: Store, table: string): Promise<readonly Entry[]> {
  return store.read(table, seqZero, 1_000_000)
}

export async function values(store: Store, table = 'readings'): Promise<unknown[]> {
  return (await logOf(store, table)).map(entry => (entry.kind === 'gap' ? 'gap' : entry.value))
}

/** The rows of a records table with their stamps: two sides that agree here have converged. */
export async function rowsOf(store: Store, table = 'thresholds'): Promise<Record<string, unknown>> {
  const rows: Record<string, unknown> = {}
  for await (const { key, value, stamp, origin } of store.rows(table)) rows[key] = [value, stamp, origin]
  return rows
}

/** The hub's side: a broker on a port, which knows a gateway by its user, and the hub behind it. */
export class Cloud {
  readonly place: Place
  readonly port: number
  readonly id: string
  store!: Store
  hub!: Hub
  /** Counts messages of gateways by topic. */
  readonly messages = new Map<string, number>()
  /** The topics of those messages, in the order in which they came. */
  readonly order: string[] = []
  /** Publishes and subscriptions that were denied. */
  denied = 0
  #broker!: Aedes
  #server!: Server
  #options: Partial<HubOptions>
  readonly #time: Time

  static async open(options: Partial<HubOptions> = {}, place = memoryPlace(), time = systemTime): Promise<Cloud> {
    const server = createServer()
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise(resolve => server.close(resolve))
    const cloud = new Cloud(port, options, place, time)
    await cloud.start()
    return cloud
  }

  private constructor(port: number, options: Partial<HubOptions>, place: Place, time: Time) {
    this.port = port
    this.id = options.id ?? 'hub'
    this.#options = options
    this.place = place
    this.#time = time
  }

  async start(): Promise<void> {
    this.store = await openTestStore(this.place, this.id)
    await this.listen()
  }

  /** The broker and the hub, over a store that is open. */
  async listen(): Promise<void> {
    this.#broker = await Aedes.createBroker()
    this.#broker.authenticate = (client, username, _password, done) => {
      Object.assign(client, { user: username })
      done(null, true)
    }
    const user = (client: Client | null): string => (client as (Client & { user: string }) | null)?.user ?? ''
    this.#broker.authorizePublish = (client, packet, done) => {
      this.order.push(packet.topic)
      this.messages.set(packet.topic, (this.messages.get(packet.topic) ?? 0) + 1)
      const may = client === null || gatewayMay(user(client), packet.topic, 'publish')
      if (!may) this.denied++
      done(may ? null : new Error('not authorised'))
    }
    this.#broker.authorizeSubscribe = (client, subscription, done) => {
      const may = client === null || gatewayMay(user(client), subscription.topic, 'subscribe')
      if (!may) this.denied++
      done(null, may ? subscription : null)
    }
    const tables = ['readings', 'thresholds', 'alerts']
    const options = { id: 'hub', accept: tables, offer: tables, frameBytes: undefined, ...this.#options }
    this.hub = await Hub.open(options, doors(this.store, this.#time), transportOf(this.#broker))
    this.#server = createServer(socket => this.#broker.handle(socket))
    await new Promise<void>(resolve => this.#server.listen(this.port, '127.0.0.1', resolve))
  }

  /** Everything but the store goes away, as when a process is killed after a commit. */
  async hangUp(): Promise<void> {
    await new Promise<void>(resolve => this.#broker.close(() => resolve()))
    await new Promise(resolve => this.#server.close(resolve))
    await this.hub.close()
  }

  async stop(): Promise<void> {
    await this.hangUp()
    await this.store.close()
  }

  async close(): Promise<void> {
    await this.stop()
    this.place.remove()
  }

  messageCount(part: string): number {
    return [...this.messages].reduce((sum, [topic, count]) => sum + (topic.includes(part) ? count : 0), 0)
  }
}

export function transportOf(broker: Aedes): Transport {
  return {
    publish: (topic, payload) =>
      new Promise((resolve, reject) => {
        const packet = { cmd: 'publish' as const, topic, payload, qos: 1 as const, dup: false, retain: false }
        broker.publish(packet, error => (error ? reject(error) : resolve()))
      }),
    subscribe: (filter, handler) =>
      new Promise(resolve => {
        broker.subscribe(
          filter,
          (packet, done) => {
            handler(packet.topic, packet.payload as Buffer)
            done()
          },
          resolve,
        )
      }),
  }
}

export const doors = (store: Store, time: Time = systemTime, log: Log = silentLog) => ({
  store,
  time,
  log,
  randomId: () => randomUUID().slice(0, 8),
})

/** Cursors are lazy: they ride with the next commit, so this one takes them along. */
export const flush = (store: Store): Promise<unknown> =>
  store.commit([{ kind: 'state', owner: 'test', key: 'flush', value: true }], 'now')

/** A gateway behind a proxy. */
export class Edge {
  readonly id: string
  readonly place: Place
  readonly proxy: Proxy
  /** The topics of the messages that came to it, in their order. */
  readonly arrived: string[] = []
  readonly #options: Partial<BridgeOptions>
  readonly #log: Log
  readonly #time: Time
  store!: Store
  bridge!: Bridge

  static async open(
    cloud: { port: number },
    id: string,
    options: Partial<BridgeOptions> = {},
    place = memoryPlace(),
    log = silentLog,
    time = systemTime,
  ): Promise<Edge> {
    const proxy = await openProxy({ target: { host: '127.0.0.1', port: cloud.port } })
    const edge = new Edge(id, place, proxy, options, log, time)
    try {
      await edge.start()
    } catch (error) {
      await edge.store.close()
      await proxy.close()
      throw error
    }
    return edge
  }

  private constructor(id: string, place: Place, proxy: Proxy, options: Partial<BridgeOptions>, log: Log, time: Time) {
    this.id = id
    this.place = place
    this.proxy = proxy
    this.#options = options
    this.#log = log
    this.#time = time
  }

  async start(): Promise<void> {
    this.store = await openTestStore(this.place, this.id)
    await this.dial()
  }

  async dial(): Promise<void> {
    const options: BridgeOptions = {
      name: 'cloud',
      url: `mqtt://127.0.0.1:${this.proxy.port}`,
      gateway: this.id,
      username: this.id,
      password: undefined,
      publish: [
        { table: 'readings', start: 'beginning' },
        { table: 'alerts', start: 'beginning' },
      ],
      subscribe: ['thresholds'],
      keepaliveMs: 5_000,
      frameBytes: undefined,
      tls: undefined,
      ...this.#options,
    }
    // A little jitter, so that tests don't wait and a refused connection is not a busy loop.
    const made = { ...doors(this.store, this.#time, this.#log), random: () => 0.02 }
    this.bridge = await Bridge.open(options, { ...made, makeLink: (...link) => this.#listening(...link) })
  }

  /** A real link, whose messages are noted as they come. */
  #listening(...[options, events, ...more]: ConstructorParameters<typeof Link>): Link {
    const onMessage = (topic: string, payload: Buffer): void => {
      this.arrived.push(topic)
      events.onMessage(topic, payload)
    }
    return new Link(options, { ...events, onMessage }, ...more)
  }

  async stop(): Promise<void> {
    await this.bridge.close()
    await this.store.close()
  }

  async close(): Promise<void> {
    await this.stop()
    await this.proxy.close()
    this.place.remove()
  }

  stream(table: string, direction: 'send' | 'receive' = 'send'): StreamStatus {
    const found = this.bridge.status().streams.find(one => one.table === table && one.direction === direction)
    if (found === undefined) throw new Error(`no stream ${table} ${direction}`)
    return found
  }
}

export const places = { memory: memoryPlace, disk: diskPlace }
