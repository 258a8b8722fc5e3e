/**
 * A pretend broker and the connections of gateways to it, with the broker's rules: QoS 1, in order within a connection,
 * nothing retained, a clean session each time. Between two connections there are no rules: what the broker had taken
 * from the old one may come to the hub after the greeting of the new one, and what the hub says to a session that is
 * gone is delivered to the one that took its place.
 *
 * The broker is inside the hub's process, and dies with it; or it stands by itself, and takes what nobody hears.
 */
import { backoffMs } from '../../runtime/replication/link/backoff.ts'
import type { Transport } from '../../runtime/cloud/hub.ts'
import type {
  BridgeLink,
  LinkEvents,
  LinkOptions,
  LinkStatus,
  PublishAnswer,
} from '../../runtime/replication/link/link.ts'
import type { Time } from '../../runtime/replication/time.ts'
import type { Random } from '../rigs/random.ts'
import type { Timeline } from './timeline.ts'

export type Way = 'up' | 'down'

/** What lies between one gateway and the broker; faults.ts changes it. */
export type LinkWeather = {
  refuses: boolean
  /** Nothing passes this way, and nobody is told. */
  readonly silent: Record<Way, boolean>
  latencyMs: number
  bytesPerMs: number
  repeatChance: number
}

type Message = {
  readonly topic: string
  readonly payload: Buffer
  readonly arrive: () => void
  /** Not before this, however idle the line is. */
  readonly readyAtMs: number
}

/** One direction of a connection: in order, at a pace, and silent if the weather says so. */
class Pipe {
  readonly #timeline: Timeline
  readonly #weather: LinkWeather
  readonly #way: Way
  #queue: Message[] = []
  #isBusy = false
  isOpen = true
  bytes = 0

  constructor(timeline: Timeline, weather: LinkWeather, way: Way) {
    this.#timeline = timeline
    this.#weather = weather
    this.#way = way
  }

  send(topic: string, payload: Buffer, arrive: () => void): void {
    if (!this.isOpen) return
    this.#queue.push({ topic, payload, arrive, readyAtMs: this.#timeline.nowMs + this.#weather.latencyMs })
    this.bytes += payload.length
    this.pump()
  }

  /** Called again when a silence is over. */
  pump(): void {
    const [message] = this.#queue
    if (message === undefined || this.#isBusy || !this.isOpen || this.#weather.silent[this.#way]) return
    this.#isBusy = true
    const waitMs = Math.max(0, message.readyAtMs - this.#timeline.nowMs)
    this.#timeline.after(waitMs + message.payload.length / this.#weather.bytesPerMs, () => {
      this.#isBusy = false
      if (!this.isOpen || this.#weather.silent[this.#way]) return
      this.#queue.shift()
      this.bytes -= message.payload.length
      message.arrive()
      this.pump()
    })
  }

  /** Returns what had not arrived. */
  cut(): Message[] {
    this.isOpen = false
    return this.#queue.splice(0)
  }
}

type Connection = {
  readonly gateway: string
  readonly up: Pipe
  readonly down: Pipe
  readonly lost: (reason: string) => void
  readonly came: (topic: string, payload: Buffer) => void
}

export type NetworkOptions = {
  readonly timeline: Timeline
  readonly random: Random
  readonly note: (line: string) => void
  readonly isBrokerInside: boolean
  /** Every message that somebody sends, before anything happens to it; what it returns goes out. */
  readonly sent: (topic: string, payload: Buffer) => Buffer
}

export class Network {
  readonly #options: NetworkOptions
  readonly #connections = new Map<string, Connection>()
  readonly #weathers = new Map<string, LinkWeather>()
  #hub: ((topic: string, payload: Buffer) => void) | undefined
  #disconnected: ((gateway: string) => void) | undefined
  #isBrokerUp: boolean

  constructor(options: NetworkOptions) {
    this.#options = options
    this.#isBrokerUp = !options.isBrokerInside
  }

  weather(gateway: string): LinkWeather {
    const known = this.#weathers.get(gateway)
    if (known !== undefined) return known
    const fair = { refuses: false, silent: { up: false, down: false }, latencyMs: 20, bytesPerMs: 500, repeatChance: 0 }
    this.#weathers.set(gateway, fair)
    return fair
  }

  /** A silence is over: what waited goes on, if its connection is still there. */
  resume(gateway: string): void {
    const connection = this.#connections.get(gateway)
    connection?.up.pump()
    connection?.down.pump()
  }

  /** The connection of a gateway breaks, and both its ends are told. */
  cut(gateway: string, reason: string): void {
    const connection = this.#connections.get(gateway)
    if (connection === undefined) return
    this.#drop(connection)
    connection.lost(reason)
  }

  /** Bytes that the broker holds for a gateway. */
  heldBytes(gateway: string): number {
    return this.#connections.get(gateway)?.down.bytes ?? 0
  }

  /** The hub's end. A hub that dies takes its broker with it, if that is inside. */
  transport(isAlive: () => boolean, disconnected: () => ((gateway: string) => void) | undefined): Transport {
    return {
      publish: (topic, payload) => {
        if (isAlive()) this.#fromHub(topic, payload)
        return Promise.resolve()
      },
      subscribe: (_filter, handler) => {
        this.#hub = (topic, payload) => {
          if (isAlive()) handler(topic, payload)
        }
        this.#disconnected = gateway => {
          if (isAlive()) disconnected()?.(gateway)
        }
        this.#isBrokerUp = true
        return Promise.resolve()
      },
    }
  }

  hubDied(): void {
    this.#hub = undefined
    this.#disconnected = undefined
    if (!this.#options.isBrokerInside) return
    this.#isBrokerUp = false
    for (const gateway of this.#connections.keys()) this.cut(gateway, 'the broker is gone')
  }

  /** A process at the edge is gone: the broker may notice, or not until its next connection. */
  gatewayDied(gateway: string): void {
    const connection = this.#connections.get(gateway)
    if (connection !== undefined) this.#drop(connection)
  }

  link(options: LinkOptions, events: LinkEvents, time: Time, random: () => number): BridgeLink {
    return new PretendLink(this, options, events, time, random)
  }

  /** A gateway dials. Undefined if the broker does not answer. */
  connect(gateway: string, ends: Pick<Connection, 'lost' | 'came'>): Connection | undefined {
    const weather = this.weather(gateway)
    if (weather.refuses || !this.#isBrokerUp) return undefined
    const old = this.#connections.get(gateway)
    if (old !== undefined) this.#drop(old)
    const { timeline } = this.#options
    const up = new Pipe(timeline, weather, 'up')
    const down = new Pipe(timeline, weather, 'down')
    const connection = { gateway, up, down, ...ends }
    this.#connections.set(gateway, connection)
    this.#options.note(`net ${gateway} connected`)
    return connection
  }

  /** The gateway gave it up; its broker learns of it or not. */
  gaveUp(connection: Connection): void {
    if (this.#connections.get(connection.gateway) === connection) this.#drop(connection)
  }

  fromGateway(connection: Connection, topic: string, sent: Buffer): void {
    const payload = this.#options.sent(topic, sent)
    const arrive = (): void => {
      this.#toHub(topic, payload)
      if (this.#options.random.next() < this.weather(connection.gateway).repeatChance) this.#later(topic, payload)
    }
    connection.up.send(topic, payload, arrive)
  }

  #later(topic: string, payload: Buffer): void {
    const { timeline, random } = this.#options
    timeline.after(random.below(2_000), () => this.#toHub(topic, payload))
  }

  #toHub(topic: string, payload: Buffer): void {
    this.#hub?.(topic, payload)
  }

  #fromHub(topic: string, sent: Buffer): void {
    const payload = this.#options.sent(topic, sent)
    const gateway = topic.split('/')[2] ?? ''
    const connection = this.#connections.get(gateway)
    if (connection === undefined) return
    const { random, timeline } = this.#options
    const arrive = (): void => {
      connection.came(topic, payload)
      if (random.next() >= this.weather(gateway).repeatChance) return
      timeline.after(random.below(2_000), () => this.#connections.get(gateway)?.came(topic, payload))
    }
    connection.down.send(topic, payload, arrive)
  }

  /** Of what was on its way up, the broker may have taken the first part: that comes late, in its order. */
  #drop(connection: Connection): void {
    const { random, timeline, note } = this.#options
    const { gateway } = connection
    this.#connections.delete(gateway)
    connection.down.cut()
    const pending = connection.up.cut()
    const taken = pending.slice(0, random.below(pending.length + 1))
    const delayMs = random.next() < 0.5 ? random.below(50) : random.below(8_000)
    note(`net ${gateway} disconnected, ${taken.length} of ${pending.length} messages come ${delayMs} ms later`)
    taken.forEach(({ topic, payload }, index) => {
      timeline.after(delayMs + index * 0.01, () => this.#toHub(topic, payload))
    })
    // A transport may tell the hub, soon or late; without it silence tells.
    if (random.next() < 0.5) timeline.after(random.below(3_000), () => this.#told(gateway))
  }

  #told(gateway: string): void {
    if (!this.#connections.has(gateway)) this.#disconnected?.(gateway)
  }
}

/** What Link is to a bridge, over the pretend network. */
class PretendLink implements BridgeLink {
  readonly receiveMaximum = 65_535
  readonly #network: Network
  readonly #options: LinkOptions
  readonly #events: LinkEvents
  readonly #time: Time
  readonly #random: () => number
  #connection: Connection | undefined
  #state: LinkStatus['state'] = 'closed'
  #reason: string | undefined
  #attempts = 0
  #connectedAtMs: number | undefined
  #cancelTimer: () => void = () => {}
  #silentSinceMs: number | undefined

  constructor(network: Network, options: LinkOptions, events: LinkEvents, time: Time, random: () => number) {
    this.#network = network
    this.#options = options
    this.#events = events
    this.#time = time
    this.#random = random
  }

  open(): void {
    if (this.#state === 'closed') this.#connect()
  }

  async close(): Promise<void> {
    this.#cancelTimer()
    const wasUp = this.#state === 'connected'
    this.#state = 'closed'
    if (this.#connection !== undefined) this.#network.gaveUp(this.#connection)
    this.#connection = undefined
    if (wasUp) this.#events.onDown()
  }

  publish(topic: string, payload: Buffer, onAnswer?: (answer: PublishAnswer) => void): void {
    if (this.#connection === undefined) return
    this.#network.fromGateway(this.#connection, topic, payload)
    onAnswer?.({ isTaken: true })
  }

  reset(reason: string): void {
    if (this.#connection === undefined) return
    this.#network.gaveUp(this.#connection)
    this.#lost(reason)
  }

  settled(): void {
    this.#attempts = 0
  }

  status(): LinkStatus {
    return {
      state: this.#state,
      sinceMs: undefined,
      reason: this.#reason,
      kind: undefined,
      attempts: this.#attempts,
      nextAttemptInMs: undefined,
      mqtt: '3.1.1',
      denied: [],
      warnings: [],
      connectedAtMs: this.#connectedAtMs,
    }
  }

  #connect(): void {
    this.#state = 'connecting'
    const { username = '' } = this.#options
    const { silent, latencyMs } = this.#network.weather(username)
    // Into a silence one dials until the time is up.
    const waitMs = silent.up || silent.down ? 10_000 : 4 * latencyMs
    this.#cancelTimer = this.#time.after(waitMs, () => {
      const ends = {
        lost: (reason: string) => this.#lost(reason),
        came: (topic: string, payload: Buffer) => {
          if (this.#state === 'connected') this.#events.onMessage(topic, payload)
        },
      }
      const connection = silent.up || silent.down ? undefined : this.#network.connect(username, ends)
      if (connection === undefined) return this.#retry('connection refused')
      this.#connection = connection
      this.#state = 'connected'
      this.#reason = undefined
      this.#connectedAtMs = this.#time.wallMs()
      this.#silentSinceMs = undefined
      this.#keepAlive()
      this.#events.onUp()
    })
  }

  /** Pings, in effect: a silence of one and a half keepalives is noticed. */
  #keepAlive(): void {
    const { silent } = this.#network.weather(this.#options.username ?? '')
    const nowMs = this.#time.monotonicMs()
    if (!silent.up && !silent.down) this.#silentSinceMs = undefined
    else this.#silentSinceMs ??= nowMs
    const isDead = nowMs - (this.#silentSinceMs ?? nowMs) >= this.#options.keepaliveMs * 1.5
    if (isDead) return this.reset('keepalive timeout')
    this.#cancelTimer = this.#time.after(1_000, () => this.#keepAlive())
  }

  #lost(reason: string): void {
    if (this.#connection === undefined) return
    this.#cancelTimer()
    this.#connection = undefined
    const wasUp = this.#state === 'connected'
    if (this.#state === 'closed') return
    this.#retry(reason)
    if (wasUp) this.#events.onDown()
  }

  #retry(reason: string): void {
    this.#state = 'waiting'
    this.#reason = reason
    this.#cancelTimer = this.#time.after(backoffMs(this.#attempts++, this.#random()), () => this.#connect())
  }
}
