/**
 * The far side of bridges: answers the hellos of gateways, takes in the tables that they publish, and sends them those
 * that they subscribe to. What one gateway sends goes on to the others, because they are all followers of one table.
 *
 * It listens to nothing itself: messages come and go through a transport, which is the broker of the same process or a
 * client of any other. The transport vouches that <gateway> in a topic is who sent it (access.ts).
 *
 * Promises: one gateway's garbage, silence or flood never touches another's streams; a gateway is known, with its last
 * contact and its positions, also after a restart; the number of gateways is bounded [I6].
 */
import { messageOf } from '../errors.ts'
import { Exchange } from '../replication/exchange.ts'
import { frameBytesDefault, gatewaysMax, helloRefreshMs } from '../replication/limits.ts'
import { decodeUpHello, encodeAgain, encodeDownHello, encodeRefused } from '../replication/wire/messages.ts'
import {
  type Direction,
  type PlainMessage,
  type UpHello,
  filterOf,
  longestTopic,
  parseTopic,
  topicOf,
} from '../replication/wire/protocol.ts'
import { marksAtStart } from '../replication/send/reach.ts'
import { streamsOwner } from '../replication/send/bookmark.ts'
import { Receiver } from '../replication/receive/receiver.ts'
import { Sender } from '../replication/send/sender.ts'
import type { Doors, Session, StreamStatus } from '../replication/stream.ts'
import { ourTakes, through, tooNarrow } from '../replication/wire/takes.ts'
import type { Seq } from '../store/types.ts'
import { Gateway, type Refusal, continuedIn } from './known-gateway.ts'

export type HubOptions = {
  readonly id: string
  /** Tables that gateways may publish, and those that they may subscribe to. */
  readonly accept: readonly string[]
  readonly offer: readonly string[]
  readonly frameBytes: number | undefined
}

export type Transport = {
  publish(topic: string, payload: Buffer): Promise<void>
  subscribe(filter: string, handler: (topic: string, payload: Buffer) => void): Promise<void>
  /** May a frame of entries be published now? Left out: always. */
  hasRoom?(): boolean
  /** How large a payload to this topic may be. Left out: as large as frames are. */
  payloadBytesMax?(topic: string): number
}

export type GatewayStatus = {
  readonly gateway: string
  readonly state: 'talking' | 'silent'
  /** By the wall clock. */
  readonly lastContactMs: number
  readonly streams: readonly StreamStatus[]
}

export type HubStatus = {
  readonly hub: string
  /** Messages that were not for us, from nobody we know, or could not be read. */
  readonly refused: number
  readonly gateways: readonly GatewayStatus[]
}

/** The state under which known gateways are kept. */
const gatewaysOwner = 'gateways'
const againEveryMs = 1_000
/** Two hellos and some. */
const silenceMs = 2.5 * helloRefreshMs

export class Hub {
  readonly #options: HubOptions
  readonly #doors: Doors
  readonly #transport: Transport
  readonly #gateways = new Map<string, Gateway>()
  readonly #headsAtStart: ReadonlyMap<string, Seq>
  #refused = 0
  #isClosed = false
  #cancelLook: () => void = () => {}

  static async open(options: HubOptions, doors: Doors, transport: Transport): Promise<Hub> {
    const hub = new Hub(options, doors, transport)
    hub.#markReach()
    await transport.subscribe(filterOf('+', 'up'), (topic, payload) => hub.#message(topic, payload))
    hub.#lookForSilence()
    return hub
  }

  private constructor(options: HubOptions, doors: Doors, transport: Transport) {
    this.#options = options
    this.#doors = { ...doors, log: doors.log.child({ hub: options.id }) }
    this.#transport = transport
    const { store } = doors
    const offered = options.offer.filter(table => store.tables.has(table))
    this.#headsAtStart = new Map(offered.map(table => [table, store.head(table)]))
    for (const [id, known] of doors.store.states(gatewaysOwner)) {
      this.#gateways.set(id, new Gateway(id, (known as { lastContactMs: number }).lastContactMs))
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelLook()
    const gateways = [...this.#gateways.values()]
    for (const gateway of gateways) this.#endTalk(gateway)
    await Promise.all(gateways.map(gateway => gateway.turn))
  }

  /** The transport may tell that a gateway's connection is gone; without it, silence tells, later. */
  disconnected(id: string): void {
    const gateway = this.#gateways.get(id)
    if (gateway !== undefined) this.#endTalk(gateway)
  }

  /** The hub's own connection is lost, and every conversation with it. */
  unreachable(): void {
    for (const gateway of this.#gateways.values()) this.#endTalk(gateway)
  }

  /** It is back. Gateways have not noticed anything: they are asked to say hello, those that are there. */
  reachable(): void {
    for (const gateway of this.#gateways.values()) {
      gateway.againAtMs = Number.NEGATIVE_INFINITY
      this.#sayAgain(gateway)
    }
  }

  /** The connection has room for frames again. */
  roomCame(): void {
    for (const { exchange } of this.#gateways.values()) if (exchange?.session !== undefined) exchange.rouse()
  }

  /** Nobody tells that a gateway is gone: one that has nothing to say still says hello every few minutes. */
  #lookForSilence(): void {
    const silentSinceMs = this.#doors.time.monotonicMs() - silenceMs
    for (const gateway of this.#gateways.values()) {
      if (gateway.exchange?.session !== undefined && gateway.heardAtMs < silentSinceMs) this.#endTalk(gateway)
    }
    this.#cancelLook = this.#doors.time.after(silenceMs / 10, () => this.#lookForSilence())
  }

  status(): HubStatus {
    const gateways = [...this.#gateways.values()].map(
      ({ id, lastContactMs, exchange }): GatewayStatus => ({
        gateway: id,
        state: exchange?.session === undefined ? 'silent' : 'talking',
        lastContactMs,
        streams: exchange?.status() ?? [],
      }),
    )
    return { hub: this.#options.id, refused: this.#refused, gateways }
  }

  #message(topic: string, payload: Buffer): void {
    if (this.#isClosed) return
    const parsed = parseTopic(topic)
    if (parsed === undefined || parsed.direction !== 'up') {
      this.#refused++
      return
    }
    const gateway = this.#gateways.get(parsed.gateway)
    if (gateway !== undefined) this.#heardOf(gateway)
    switch (parsed.name) {
      case 'hello':
        return this.#helloCame(parsed.gateway, payload)
      case 'entries':
      case 'position':
      case 'ask':
        if (gateway?.exchange?.session !== undefined) return gateway.exchange.handle(parsed.name, parsed.table, payload)
        // It believes that we talk: we were restarted, or thought it gone.
        if (gateway !== undefined) this.#sayAgain(gateway)
        this.#refused++
        return
      case 'again':
      case 'refused':
        this.#refused++
    }
  }

  #heardOf(gateway: Gateway): void {
    gateway.lastContactMs = this.#doors.time.wallMs()
    gateway.heardAtMs = this.#doors.time.monotonicMs()
  }

  #helloCame(id: string, payload: Buffer): void {
    const decoded = decodeUpHello(payload)
    if (!decoded.ok) {
      this.#refused++
      this.#doors.log.warn({ gateway: id, refused: decoded.refused, detail: decoded.detail }, 'a hello was refused')
      return this.#send(id, 'refused', encodeRefused(decoded.refused))
    }
    if (decoded.value.gateway !== id) {
      this.#refused++
      return this.#send(id, 'refused', encodeRefused('gateway-mismatch'))
    }
    const gateway = this.#gateways.get(id) ?? this.#admit(id)
    if (gateway === undefined || this.#isRival(gateway, decoded.value)) return
    const { session, publish } = decoded.value
    // At once: a frame that comes after this hello knows better.
    if (gateway.exchange?.session?.id === session) gateway.exchange.told(publish)
    const isQueued = gateway.waiting !== undefined
    gateway.waiting = decoded.value
    if (!isQueued) this.#inTurn(gateway, () => this.#greet(gateway))
  }

  #isRival(gateway: Gateway, hello: UpHello): boolean {
    const holder = gateway.holderAgainst(hello, this.#doors.time.monotonicMs())
    if (holder === undefined) return false
    const { bridge, session } = hello
    const reason = `this gateway talks to the hub over its bridge "${holder}": one bridge to one hub`
    this.#refused++
    if (gateway.rival !== bridge)
      this.#doors.log.error({ gateway: gateway.id, refused: bridge, talking: holder }, reason)
    gateway.rival = bridge
    this.#send(gateway.id, 'refused', encodeRefused(reason, session))
    return true
  }

  #admit(id: string): Gateway | undefined {
    if (this.#gateways.size >= gatewaysMax) {
      this.#refused++
      this.#send(id, 'refused', encodeRefused('too-many-gateways'))
      return undefined
    }
    const gateway = new Gateway(id, this.#doors.time.wallMs())
    this.#heardOf(gateway)
    this.#gateways.set(id, gateway)
    return gateway
  }

  async #greet(gateway: Gateway): Promise<void> {
    const hello = gateway.waiting
    gateway.waiting = undefined
    if (hello === undefined || this.#isClosed) return
    const talk = gateway.exchange?.session
    // The same hello again: it only wants to know that we are here.
    if (talk !== undefined && talk.id === hello.session) return this.#answer(gateway, hello)
    await gateway.exchange?.end()
    const exchange = await this.#exchangeFor(gateway, hello)
    this.#remember(gateway)
    const session: Session = {
      id: hello.session,
      peer: gateway.id,
      far: through(hello.takes, this.#payloadBytesMax(gateway.id)),
      post: (name, table, payload) => this.#publish(topicOf(gateway.id, 'down', name, table), payload),
      hasRoom: () => this.#transport.hasRoom?.() ?? true,
    }
    exchange.begin({
      session,
      positions: new Map(),
      epochs: new Map(hello.publish.map(({ table, epoch }) => [table, epoch])),
      ...continuedIn(hello),
      believedMs: this.#doors.time.wallMs,
    })
    gateway.hello = hello
    this.#doors.log.info({ gateway: gateway.id, refused: gateway.refusals }, 'talking to a gateway')
    this.#answer(gateway, hello)
  }

  /** The streams with this gateway; kept from one conversation to the next while the tables are the same. */
  async #exchangeFor(gateway: Gateway, hello: UpHello): Promise<Exchange> {
    const narrow = tooNarrow(this.#payloadBytesMax(gateway.id))
    const wishes = hello.subscribe.map(({ table, kind }) => [table, kind])
    const tables = JSON.stringify([hello.publish.map(({ table, kind }) => [table, kind]), wishes, narrow])
    if (gateway.exchange !== undefined && gateway.tables === tables) return gateway.exchange
    const refusals: Refusal[] = []
    const isTaken = (direction: Direction, table: string, kind: string): boolean => {
      const reason = this.#objection(direction, table, kind) ?? (direction === 'down' ? narrow : undefined)
      if (reason !== undefined) refusals.push({ table, direction, reason })
      return reason === undefined
    }
    const label = gateway.id
    const { frameBytes = frameBytesDefault } = this.#options
    const receivers = hello.publish
      .filter(({ table, kind }) => isTaken('up', table, kind))
      .map(({ table, kind }) => new Receiver({ table, kind, label }, this.#doors))
    const senders = hello.subscribe
      .filter(({ table, kind }) => isTaken('down', table, kind))
      .map(({ table, kind }) => {
        const cursor = `gateway/${gateway.id}/${table}`
        // Only its first exchange in this process can know more than it was sent in this process.
        const headAtStart = gateway.exchange === undefined ? this.#headsAtStart.get(table) : undefined
        return new Sender({ table, kind, label, cursor, start: 'beginning', frameBytes, headAtStart }, this.#doors)
      })
    for (const sender of senders) {
      sender.onRestart = () => {
        this.#endTalk(gateway)
        // However lately it was said: an idle gateway that does not hear it believes for minutes that we talk.
        gateway.againAtMs = Number.NEGATIVE_INFINITY
        this.#sayAgain(gateway)
      }
      await sender.prepare()
    }
    gateway.refusals = refusals
    gateway.tables = tables
    gateway.exchange = new Exchange(senders, receivers, this.#doors, () => this.#endTalk(gateway))
    return gateway.exchange
  }

  /** For gateways that may not come in the whole life of this process too. */
  #markReach(): void {
    const { store, log } = this.#doors
    const streams = [...store.states(streamsOwner).keys()].flatMap(cursor => {
      const head = cursor.startsWith('gateway/') ? this.#headsAtStart.get(cursor.split('/').at(-1) ?? '') : undefined
      return head === undefined ? [] : [{ cursor, head }]
    })
    store.commit(marksAtStart(store, streams), 'lazy').catch((error: unknown) => {
      log.debug({ reason: messageOf(error) }, 'the reach of the streams was not saved')
    })
  }

  #payloadBytesMax(gateway: string): number {
    return this.#transport.payloadBytesMax?.(longestTopic(gateway, 'down')) ?? Number.POSITIVE_INFINITY
  }

  #objection(direction: Direction, table: string, kind: string): string | undefined {
    const allowed = direction === 'up' ? this.#options.accept : this.#options.offer
    const spec = this.#doors.store.tables.get(table)
    if (spec === undefined) return 'the hub has no such table: name it under "tables" there'
    // Tried again here, another side's parked rows would be applied here.
    if (table === 'parked') return 'parked rows stay where they are'
    if (!allowed.includes(table)) {
      return direction === 'up' ? 'the hub does not accept this table' : 'the hub does not offer this table'
    }
    return spec.kind === kind ? undefined : `at the hub it is a ${spec.kind} table`
  }

  #answer(gateway: Gateway, hello: UpHello): void {
    const { exchange } = gateway
    if (exchange === undefined) return
    const { store, time } = this.#doors
    const positions = hello.publish.flatMap(({ table, continues }) => {
      const seq = exchange.position(table)
      if (seq === undefined) return []
      const back = exchange.wantsBack(table) && { back: true }
      return [
        { table, seq, ahead: exchange.ahead(table), ...(continues !== undefined && { continued: true }), ...back },
      ]
    })
    const streams = hello.subscribe.flatMap(({ table }) => {
      const epoch = exchange.epoch(table)
      const continues = exchange.continues(table)
      return epoch === undefined ? [] : [{ table, epoch, ...(continues !== undefined && { continues }) }]
    })
    const answer = {
      session: hello.session,
      hub: this.#options.id,
      epoch: store.epoch,
      wallMs: time.wallMs(),
      clockTrusted: this.#doors.clock?.isTrusted() ?? false,
      takes: ourTakes,
      positions,
      streams,
      refused: gateway.refusals,
    }
    this.#send(gateway.id, 'hello', encodeDownHello(answer))
  }

  #endTalk(gateway: Gateway): void {
    this.#inTurn(gateway, async () => gateway.exchange?.end())
  }

  #sayAgain(gateway: Gateway): void {
    const nowMs = this.#doors.time.monotonicMs()
    if (nowMs - gateway.againAtMs < againEveryMs) return
    gateway.againAtMs = nowMs
    this.#send(gateway.id, 'again', encodeAgain())
  }

  /** After a restart the status still knows who has been here, and when. */
  #remember(gateway: Gateway): void {
    const value = { lastContactMs: gateway.lastContactMs }
    this.#doors.store
      .commit([{ kind: 'state', owner: gatewaysOwner, key: gateway.id, value }], 'lazy')
      .catch((error: unknown) => {
        this.#doors.log.debug({ gateway: gateway.id, reason: messageOf(error) }, 'the contact was not kept')
      })
  }

  #inTurn(gateway: Gateway, work: () => Promise<void> | undefined): void {
    gateway.turn = gateway.turn.then(work).catch((error: unknown) => {
      this.#doors.log.error({ gateway: gateway.id, reason: messageOf(error) }, 'a gateway could not be served')
    })
  }

  #send(gateway: string, name: PlainMessage, payload: Buffer): void {
    this.#publish(topicOf(gateway, 'down', name), payload)
  }

  #publish(topic: string, payload: Buffer): void {
    this.#transport.publish(topic, payload).catch((error: unknown) => {
      this.#doors.log.debug({ topic, reason: messageOf(error) }, 'a message could not be sent')
    })
  }
}
