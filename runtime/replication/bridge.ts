/**
 * One configured bridge at the edge: the link, the greeting, and the exchange of streams over it.
 *
 *   link up ──say hello──> greeting ──down/hello──> talking ──link lost──> link down
 *                             ^                        │
 *                             └──again, new epoch ─────┘
 *
 * Promises: every connection is a new session, and nothing of an older session is listened to; a hub that forgot us, or
 * is not there yet, is greeted until it answers; what the hub refuses stands in the status, by table and with its reason.
 */
import { HoldfastError, messageOf } from '../errors.ts'
import type { Window } from '../schedule.ts'
import type { TableKind } from '../store/types.ts'
import { Exchange } from './exchange.ts'
import type { FarSide, FarSideStatus } from './far-side.ts'
import { unanswered, withAccess } from './link/kept-from-us.ts'
import { frameBytesDefault, hellosInSilence, helloRefreshMs, helloRetryMs, provenMs, waitsAgainMs } from './limits.ts'
import { type BridgeLink, Link, type LinkOptions, type MakeLink, type TlsOptions } from './link/link.ts'
import { decodeAgain, decodeDownHello, decodeRefused, encodeUpHello } from './wire/messages.ts'
import { type Continues, type DownHello, filterOf, longestTopic, parseTopic, topicOf } from './wire/protocol.ts'
import { HubTime } from './receive/hub-time.ts'
import { Receiver } from './receive/receiver.ts'
import { Sender } from './send/sender.ts'
import { type SourceOptions, doorsTo, sourceOf } from './send/source.ts'
import type { Doors, Session, StreamStatus } from './stream.ts'
import { ourTakes, through, tooNarrow } from './wire/takes.ts'
import { Valve, valveOptions } from './lanes/valve.ts'

export type PublishOptions = SourceOptions & {
  readonly window?: Window | undefined
  readonly liveFirst?: boolean
}

export type BridgeOptions = {
  readonly name: string
  readonly url: string
  /** The gateway's id: its topics, and with most brokers its user. */
  readonly gateway: string
  readonly username: string
  readonly password: string | undefined
  readonly publish: readonly PublishOptions[]
  readonly subscribe: readonly string[]
  /** What comes down although nobody named it: a hub that does not offer it is no trouble. */
  readonly alsoSubscribe?: readonly string[]
  readonly keepaliveMs: number
  readonly frameBytes: number | undefined
  readonly tls: TlsOptions | undefined
  readonly rateBytes?: number | undefined
  readonly dailyBytes?: number | undefined
} & Pick<LinkOptions, 'mqtt' | 'clockTrusted' | 'secrets'>

/** A simulator brings its own link; left out, it is an MQTT connection. */
export type BridgeDoors = Doors & { readonly random: () => number; readonly makeLink?: MakeLink }

export class Bridge implements FarSide {
  readonly #options: BridgeOptions
  readonly #doors: BridgeDoors
  readonly #link: BridgeLink
  readonly #senders: readonly Sender[]
  readonly #receivers: readonly Receiver[]
  readonly #exchange: Exchange
  readonly #valve: Valve
  #greetedAtMs = 0
  #sessionId: string | undefined
  #state: FarSideStatus['state'] = 'offline'
  #reason: string | undefined
  #hub: DownHello | undefined
  readonly #hubTime: HubTime
  /** The hub has turned us away with a hello of another version. */
  #isOtherVersion = false
  /** The session of the last hello. */
  #greeted: string | undefined
  #refused = 0
  /** How often we have said hello in this session. */
  #hellos = 0
  /** The streams that wait, as the hub was told last, and when it was told out of turn. */
  #toldWaits = waitsText(new Map())
  #toldWaitsAtMs = Number.NEGATIVE_INFINITY
  /** Greetings and endings, one after the other. */
  #turn: Promise<void> = Promise.resolve()
  #cancelHello: () => void = () => {}
  #cancelProof: () => void = () => {}
  #cancelIdleLook: () => void = () => {}

  /** Opens the bridge: it starts to dial, and goes on for ever. Throws TABLE_UNKNOWN for a table the store doesn't have. */
  static async open(options: BridgeOptions, doors: BridgeDoors): Promise<Bridge> {
    const bridge = new Bridge(options, doors)
    for (const sender of bridge.#senders) await sender.prepare()
    bridge.#lookWhileIdle()
    bridge.#link.open()
    return bridge
  }

  private constructor(options: BridgeOptions, doors: BridgeDoors) {
    const log = doors.log.child({ bridge: options.name })
    this.#options = options
    this.#doors = { ...doors, log }
    this.#hubTime = new HubTime(this.#doors)
    const { name, gateway, frameBytes = frameBytesDefault } = options
    this.#senders = options.publish.map(published => {
      const kind = this.#kindOf(published.table)
      const liveFirst = published.liveFirst === true && kind === 'series'
      const stream = { kind, label: name, frameBytes, liveFirst, ...sourceOf(published, name) }
      return new Sender(stream, doorsTo(this.#doors, published))
    })
    for (const sender of this.#senders) sender.onRestart = () => this.#greet()
    this.#receivers = [...options.subscribe, ...(options.alsoSubscribe ?? [])].map(
      table => new Receiver({ table, kind: this.#kindOf(table), label: name }, this.#doors),
    )
    const onSilence = (): void => this.#link.reset('no answer from the hub for 30 s')
    this.#valve = new Valve(valveOptions(options), this.#doors)
    this.#exchange = new Exchange(this.#senders, this.#receivers, this.#doors, onSilence, this.#valve)
    const makeLink = doors.makeLink ?? ((...made) => new Link(...made))
    this.#link = makeLink(
      { ...options, clientId: `${gateway}-${name}`, filter: filterOf(gateway, 'down'), findsDenied: true },
      {
        onUp: () => this.#greet(),
        onDown: () => this.#silence('offline'),
        onMessage: (topic, payload) => this.#message(topic, payload),
        onRoom: () => this.#exchange.rouse(),
      },
      doors.time,
      doors.random,
      log,
    )
  }

  async close(): Promise<void> {
    this.#cancelIdleLook()
    await this.#link.close()
    this.#silence('offline')
    await this.#turn
    await this.#valve.close()
  }

  status(): FarSideStatus {
    const link = this.#link.status()
    const streams = this.#exchange.status().filter(stream => !this.#isNoTrouble(stream))
    return {
      bridge: this.#options.name,
      url: this.#options.url,
      link,
      state: this.#state,
      reason: this.#reason,
      hub: this.#hub?.hub,
      refused: this.#refused + this.#exchange.refused,
      streams: withAccess(streams, this.#options.gateway, link),
      valve: this.#valve.status(),
    }
  }

  /** An older hub does not take, or give, what no configuration names: nothing that a person could do anything about. */
  #isNoTrouble({ table, direction, state }: Pick<StreamStatus, 'table' | 'direction' | 'state'>): boolean {
    if (state !== 'refused') return false
    const { publish, alsoSubscribe = [] } = this.#options
    return direction === 'send'
      ? publish.some(one => one.isImplied && one.table === table)
      : alsoSubscribe.includes(table)
  }

  #kindOf(table: string): TableKind {
    const spec = this.#doors.store.tables.get(table)
    if (spec !== undefined) return spec.kind
    const what = `bridge "${this.#options.name}" names the table "${table}", which does not exist`
    throw new HoldfastError('TABLE_UNKNOWN', what, 'declare it under tables, or take it out of the bridge')
  }

  /** A new session: whatever was going on is over, and the hub is told who we are. */
  #greet(): void {
    if (this.#link.status().state !== 'connected') return
    this.#silence('greeting')
    this.#sessionId = this.#doors.randomId()
    this.#hellos = 0
    this.#sayHello()
  }

  #silence(state: 'offline' | 'greeting' | 'refused'): void {
    this.#cancelHello()
    this.#cancelProof()
    this.#isOtherVersion = false
    this.#sessionId = undefined
    this.#hub = undefined
    this.#state = state
    this.#inTurn(() => this.#exchange.end())
  }

  /** Says hello, and again until it is answered; on a healthy link now and then, so that a hub that lost us hears it. */
  #sayHello(): void {
    const session = this.#sessionId
    if (session === undefined) return
    const { store, time } = this.#doors
    const { gateway } = this.#options
    const pending = this.#exchange.pending()
    const publish = this.#senders.map(({ options: { table, kind }, epoch }) => {
      return { table, kind, epoch, ...pending.get(table), ...continuing(this.#exchange.continues(table)) }
    })
    this.#toldWaits = waitsText(this.#exchange.waits())
    const subscribe = this.#receivers.map(({ options: { table, kind }, wantsBack }) => {
      return { table, kind, ...(wantsBack && { back: true }) }
    })
    const clockTrusted = this.#doors.clock?.isTrusted() ?? false
    const own = {
      session,
      gateway,
      bridge: this.#options.name,
      epoch: store.epoch,
      wallMs: time.wallMs(),
      clockTrusted,
    }
    const hello = { ...own, takes: ourTakes, publish, subscribe }
    this.#hubTime.asked(session !== this.#greeted)
    this.#greeted = session
    this.#greetedAtMs = time.monotonicMs()
    this.#link.publish(topicOf(gateway, 'up', 'hello'), encodeUpHello(hello))
    if (this.#state === 'greeting' && ++this.#hellos > hellosInSilence) this.#noAnswer()
    const nextMs =
      this.#state === 'talking' ? helloRefreshMs : this.#state === 'refused' ? helloRetryMs * 12 : helloRetryMs
    this.#cancelHello()
    this.#cancelHello = time.after(nextMs, () => this.#sayHello())
  }

  #noAnswer(): void {
    const reason = unanswered(this.#options.gateway, this.#link.status().denied ?? [])
    if (this.#reason !== reason) this.#doors.log.warn({ reason }, 'nobody answers our greeting')
    this.#reason = reason
  }

  #message(topic: string, payload: Buffer): void {
    const parsed = parseTopic(topic)
    if (parsed === undefined || parsed.gateway !== this.#options.gateway || parsed.direction !== 'down') {
      this.#refused++
      return
    }
    switch (parsed.name) {
      case 'hello':
        return this.#helloCame(payload)
      case 'again':
        if (!decodeAgain(payload).ok) this.#refused++
        else if (this.#state === 'talking') this.#greet()
        else this.#wake()
        return
      case 'refused':
        return this.#refusedBy(payload)
      case 'entries':
      case 'position':
      case 'ask':
        if (this.#state !== 'talking') return void this.#refused++
        if (parsed.name === 'position') this.#link.answered?.(topicOf(parsed.gateway, 'up', 'entries', parsed.table))
        this.#exchange.handle(parsed.name, parsed.table, payload)
    }
  }

  #helloCame(payload: Buffer): void {
    const decoded = decodeDownHello(payload)
    if (!decoded.ok) {
      this.#refused++
      if (decoded.refused !== 'version') return
      this.#turnedAway(`the hub speaks another version: ${decoded.detail}`)
      this.#isOtherVersion = true
      return
    }
    const hello = decoded.value
    if (hello.session !== this.#sessionId) {
      this.#refused++
      // It speaks our version now.
      if (this.#isOtherVersion) this.#wake()
      return
    }
    this.#link.answered?.(topicOf(this.#options.gateway, 'up', 'hello'))
    const seen = this.#hubTime.seen(hello)
    // The answer to a repeated hello: a hub that was restarted needs our positions again.
    if (this.#hub !== undefined && isSameTalk(this.#hub, hello)) {
      void this.#hubTime.tell(seen)
      if (this.#state === 'talking') this.#exchange.announce()
      return
    }
    this.#hub = hello
    this.#inTurn(async () => {
      await this.#exchange.end()
      await this.#hubTime.tell(seen)
      if (this.#sessionId === hello.session && this.#hub === hello) this.#talk(hello)
    })
  }

  #talk(hello: DownHello): void {
    const { time, log } = this.#doors
    const { gateway } = this.#options
    const bytesMax = this.#link.payloadBytesMax?.(longestTopic(gateway, 'up')) ?? Number.POSITIVE_INFINITY
    const narrow = tooNarrow(bytesMax)
    if (narrow !== undefined) return this.#turnedAway(narrow)
    const session: Session = {
      id: hello.session,
      peer: hello.hub,
      far: through(hello.takes, bytesMax),
      post: (name, table, payload, onGone) =>
        this.#link.publish(topicOf(gateway, 'up', name, table), payload, onGone && (() => onGone())),
      tellsGone: true,
      tellsHeard: true,
      quietMs: time.monotonicMs() - this.#greetedAtMs,
      hasRoom: table =>
        this.#link.room !== 0 && this.#link.isDenied?.(topicOf(gateway, 'up', 'entries', table)) !== true,
    }
    this.#state = 'talking'
    this.#reason = undefined
    log.info({ hub: hello.hub, refused: hello.refused }, 'talking to the hub')
    this.#exchange.begin({
      session,
      positions: new Map(hello.positions.map(({ table, seq }) => [table, seq])),
      ahead: new Map(hello.positions.flatMap(({ table, ahead }) => (ahead === undefined ? [] : [[table, ahead]]))),
      epochs: new Map(hello.streams.map(({ table, epoch }) => [table, epoch])),
      ...continuedIn(hello),
      believedMs: this.#hubTime.believedMs(hello),
    })
    for (const { table, direction, reason } of hello.refused) {
      const streams: readonly (Sender | Receiver)[] = direction === 'up' ? this.#senders : this.#receivers
      streams.find(stream => stream.options.table === table)?.refuse(reason)
    }
    this.#exchange.announce()
    this.#cancelHello()
    this.#cancelHello = time.after(helloRefreshMs, () => this.#sayHello())
    this.#cancelProof = time.after(provenMs, () => this.#link.settled())
  }

  #refusedBy(payload: Buffer): void {
    const decoded = decodeRefused(payload)
    if (!decoded.ok) this.#refused++
    // Another bridge of this gateway may be the one that is meant.
    else if ((decoded.value.session ?? this.#sessionId) === this.#sessionId) this.#turnedAway(decoded.value.reason)
  }

  /** The hub will not have us. It is asked again from time to time: somebody may change its mind. */
  #turnedAway(reason: string): void {
    if (this.#reason !== reason) this.#doors.log.error({ reason }, 'the hub refuses this gateway')
    const session = this.#sessionId
    this.#silence('refused')
    this.#sessionId = session
    this.#reason = reason
    this.#cancelHello = this.#doors.time.after(helloRetryMs * 12, () => this.#sayHello())
  }

  /** It may be another hub now, or an upgraded one: greeted soon, but not as often as it speaks. */
  #wake(): void {
    if (this.#state !== 'refused') return
    const { time } = this.#doors
    const sinceMs = time.monotonicMs() - this.#greetedAtMs
    this.#cancelHello()
    if (sinceMs >= helloRetryMs) return this.#greet()
    this.#cancelHello = time.after(helloRetryMs - sinceMs, () => this.#greet())
  }

  #inTurn(work: () => Promise<void> | void): void {
    this.#turn = this.#turn.then(work).catch((error: unknown) => {
      this.#doors.log.error({ reason: messageOf(error) }, 'the bridge could not change its state')
    })
  }

  /** Nothing but a hello tells the hub that a window or a budget holds a stream back, or does not any more. */
  #tellWaits(): void {
    const nowMs = this.#doors.time.monotonicMs()
    if (this.#state !== 'talking' || nowMs - this.#toldWaitsAtMs < waitsAgainMs) return
    if (waitsText(this.#exchange.waits()) === this.#toldWaits) return
    this.#toldWaitsAtMs = nowMs
    this.#sayHello()
  }

  /** The status tells the age of the oldest unsent entry while there is no link too. */
  #lookWhileIdle(): void {
    this.#exchange.lookAtOldest()
    this.#tellWaits()
    this.#cancelIdleLook = this.#doors.time.after(10_000, () => this.#lookWhileIdle())
  }
}

const continuing = (continues: Continues | undefined) => (continues === undefined ? {} : { continues })

/** What databases that were restored have to say, on either end. */
const continuedIn = ({ positions, streams }: DownHello) => ({
  continues: new Map(streams.flatMap(({ table, continues }) => (continues === undefined ? [] : [[table, continues]]))),
  continued: new Set(positions.filter(({ continued }) => continued === true).map(({ table }) => table)),
  back: new Set(positions.filter(({ back }) => back === true).map(({ table }) => table)),
})

const waitsText = (waits: ReadonlyMap<string, string>): string => JSON.stringify([...waits])

function isSameTalk(a: DownHello, b: DownHello): boolean {
  const streams = (hello: DownHello): string =>
    JSON.stringify([hello.hub, hello.epoch, hello.takes, hello.streams, hello.refused])
  return streams(a) === streams(b)
}
