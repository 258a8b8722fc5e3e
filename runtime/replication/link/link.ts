/**
 * The one MQTT connection of a bridge. It dials out and nothing else [I11]; every attempt is a new client, so nothing of
 * an older one (its store, its queue, its subscriptions) can leak into this one (failures M1, M5).
 *
 *   connecting ──subscribed──> connected ──lost──> waiting (back-off) ──> connecting
 *
 * Promises: one log line per change of state, not per try, and none for a link that comes and goes until it holds; a
 * half-open connection is noticed within 1.5 keepalives, one that answers pings but no message after 30 s; the back-off
 * starts from its beginning only after a connection that has proved itself, so that a broker that throws us out right
 * after the greeting is not stormed; never more on its way than the far side's Receive Maximum.
 */
import type { IConnackPacket, MqttClient } from 'mqtt'
import { messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { pauseMs } from './backoff.ts'
import { Breaker } from './breaker.ts'
import { carrierOf, dial } from './dial.ts'
import { deadMs } from '../limits.ts'
import type { LinkEvents, LinkOptions, LinkStatus } from './link-contract.ts'
import {
  type Mishap,
  closedAgainAndAgain,
  closedByFarSide,
  closedOverCertificate,
  closedWithoutTls,
  mishapOf,
  mishapOfCode,
} from './mishap.ts'
import { OutageLog } from './outage-log.ts'
import { type OnAnswer, Outbox, windowMax } from './outbox.ts'
import type { Time } from '../time.ts'
import { type MqttVersion, VersionChoice, versionNames } from './version-choice.ts'

export type { PublishAnswer } from './outbox.ts'
export type { TlsOptions } from './dial.ts'
export type { LinkEvents, LinkOptions, LinkSecrets, LinkStatus } from './link-contract.ts'

/** What a bridge asks of its link. */
export type BridgeLink = Pick<Link, 'open' | 'close' | 'publish' | 'reset' | 'settled' | 'status'> &
  Partial<Pick<Link, 'payloadBytesMax' | 'room' | 'isDenied' | 'answered'>>

export type MakeLink = (...made: ConstructorParameters<typeof Link>) => BridgeLink

const answerTimeoutMs = 10_000
const acceptable = 128
/** How often the oldest unanswered message is looked at. */
const watchMs = 5_000
/** So many ends in a row that nothing explains are blamed on another client with our id. */
const closesUnexplained = 3
/** A link that was up for so long has its id for itself again. */
const undisputedMs = 900_000

export class Link {
  readonly #options: LinkOptions
  readonly #events: LinkEvents
  readonly #time: Time
  readonly #random: () => number
  readonly #outages: OutageLog
  readonly #version: VersionChoice
  readonly #outbox: Outbox
  readonly #breaker: Breaker
  #client: MqttClient | undefined
  #state: LinkStatus['state'] = 'closed'
  #mishap: Mishap | undefined
  #attempts = 0
  #sinceMs: number | undefined
  #connectedAtMs: number | undefined
  #nextAttemptAtMs: number | undefined
  #receiveMaximum = windowMax
  /** Closed for no reason that we know, in a row; and what is thought of it, and how often. */
  #upAtMs = 0
  #closes = 0
  #takeovers = 0
  #takeover: string | undefined
  /** The one timer: of an answer while connecting, of the watch while connected, of the back-off while waiting. */
  #cancelTimer: () => void = () => {}
  #cancelTrial: () => void = () => {}
  #forgetSecrets: () => void = () => {}

  constructor(options: LinkOptions, events: LinkEvents, time: Time, random: () => number, log: Log) {
    this.#options = options
    this.#events = events
    this.#time = time
    this.#random = random
    this.#outages = new OutageLog(log, options.url)
    this.#version = new VersionChoice(options.mqtt ?? 'auto')
    this.#breaker = new Breaker({
      onDenied: (topic, reason) => log.error({ topic, reason }, 'a topic is kept from us; the others go on'),
      onAllowed: topic => log.info({ topic }, 'a topic is open to us again'),
    })
    const { monotonicMs } = time
    this.#outbox = new Outbox({
      monotonicMs,
      permission: (topic, isIdle) => this.#breaker.permission(topic, monotonicMs(), isIdle),
      onSent: topic => {
        if (options.findsDenied !== true) return
        this.#breaker.published(topic, monotonicMs())
        this.#awaitBreaker()
      },
      onAnswer: (topic, code) => {
        if (options.findsDenied !== true) return
        this.#breaker.acknowledged(topic, code, monotonicMs())
        this.#awaitBreaker()
      },
      onRoom: () => events.onRoom?.(),
    })
  }

  open(): void {
    if (this.#state !== 'closed') return
    this.#sinceMs = this.#time.wallMs()
    this.#outages.connecting()
    this.#forgetSecrets = this.#options.secrets?.onChange(() => this.#renew()) ?? (() => {})
    this.#connect()
  }

  async close(): Promise<void> {
    this.#forgetSecrets()
    this.#cancelTimer()
    this.#cancelTrial()
    const wasUp = this.#state === 'connected'
    this.#state = 'closed'
    this.#outbox.end()
    const client = this.#client
    this.#client = undefined
    if (wasUp) this.#events.onDown()
    if (client !== undefined) await this.#discard(client)
  }

  /**
   * Sends if connected. What is on its way when the connection breaks is gone: the streams know and send it again.
   * `onAnswer` hears the PUBACK of this message on this connection; after `onDown` it hears nothing any more.
   */
  publish(topic: string, payload: Buffer, onAnswer?: OnAnswer): void {
    if (this.#state === 'connected') this.#outbox.publish(topic, payload, onAnswer)
  }

  /** How many messages may be published now: the window less what is not acknowledged. */
  get room(): number {
    return this.#state === 'connected' ? this.#outbox.room : 0
  }

  /** How large a payload may be that is published there; a broker that tells no limit takes any. */
  payloadBytesMax(topic: string): number {
    return this.#outbox.payloadBytesMax(topic)
  }

  /** Does the far side keep this topic from us, for now? */
  isDenied(topic: string): boolean {
    return this.#breaker.isDenied(topic, this.#time.monotonicMs())
  }

  /** The far side has answered what was published there: it is not kept from us. */
  answered(topic: string): void {
    this.#breaker.answered(topic)
    this.#outbox.pump()
  }

  /** How many messages the broker lets us have unacknowledged, and we let ourselves. */
  get receiveMaximum(): number {
    return this.#receiveMaximum
  }

  /** The connection is good for nothing: begin again. */
  reset(reason: string): void {
    const client = this.#client
    if (client !== undefined) this.#lost(client, { kind: 'silent', reason })
  }

  /** The connection has proved itself: the next back-off starts from its beginning. */
  settled(): void {
    this.#attempts = 0
    this.#closes = 0
    this.#breaker.settled()
    this.#outbox.pump()
    this.#outages.holds()
  }

  status(): LinkStatus {
    const { monotonicMs } = this.#time
    const atMs = this.#state === 'waiting' ? this.#nextAttemptAtMs : undefined
    return {
      state: this.#state,
      sinceMs: this.#sinceMs,
      reason: this.#mishap?.reason,
      kind: this.#mishap?.kind,
      attempts: this.#attempts,
      nextAttemptInMs: atMs === undefined ? undefined : Math.max(0, atMs - monotonicMs()),
      mqtt: versionNames[this.#version.next],
      denied: this.#breaker.status(monotonicMs()),
      certificateExpiresMs: this.#options.secrets?.expiresMs(),
      warnings: [this.#takeover, this.#options.secrets?.warning()].filter(warning => warning !== undefined),
      connectedAtMs: this.#connectedAtMs,
    }
  }

  #connect(): void {
    this.#state = 'connecting'
    let ending: Mishap | undefined
    let isWelcome = false
    let { tls } = this.#options
    let client: MqttClient | undefined
    const around = (): Parameters<typeof mishapOf>[1] => this.#around()
    const lost = (mishap: Mishap): void => {
      if (client === undefined || client !== this.#client) return
      if (!isWelcome && mishap.kind === 'version' && this.#version.refused()) return this.#again(client)
      if (isWelcome || mishap.kind !== 'closed') return this.#lost(client, mishap)
      this.#version.closed()
      if (this.#options.url.startsWith('mqtt://')) return this.#lost(client, closedWithoutTls(mishap))
      this.#lost(client, tls?.cert === undefined ? mishap : closedOverCertificate(mishap))
    }
    try {
      const version = this.#version.next
      const options = { ...this.#options, ...this.#options.secrets?.current(), version }
      tls = options.tls
      client = dial(options, error => (ending ??= mishapOf(error, around())))
      this.#client = client
      client.on('error', error => {
        ending ??= mishapOf(error, around())
        lost(ending)
      })
      client.on('disconnect', ({ reasonCode = 0 }) => {
        ending ??= mishapOfCode(reasonCode, 'it ended the connection', around())
      })
      client.on('close', () => lost(ending ?? closedByFarSide))
      client.on('message', (topic, payload) => {
        if (client === this.#client) this.#events.onMessage(topic, payload)
      })
      client.on('connect', connack => {
        if (client === undefined || client !== this.#client) return
        isWelcome = true
        this.#version.accepted()
        this.#welcomed(client, version, connack)
      })
    } catch (error) {
      this.#retry({ kind: 'certificate', reason: `cannot connect: ${messageOf(error)}` })
    }
  }

  #welcomed(client: MqttClient, version: MqttVersion, { properties }: IConnackPacket): void {
    const limits = version === 5 ? properties : undefined
    this.#receiveMaximum = Math.min(limits?.receiveMaximum ?? windowMax, windowMax)
    const up = (): void => {
      const packetBytesMax = limits?.maximumPacketSize
      this.#outbox.begin(carrierOf(client), { window: this.#receiveMaximum, packetBytesMax })
      this.#isUp()
    }
    if (this.#options.filter === undefined) up()
    else this.#subscribe(client, this.#options.filter, up)
  }

  #subscribe(client: MqttClient, filter: string, done: () => void): void {
    // Nothing else notices a broker that answers pings but not this.
    const reason = `the broker did not answer our subscription for ${answerTimeoutMs / 1_000} s`
    this.#cancelTimer = this.#time.after(answerTimeoutMs, () => this.#lost(client, { kind: 'silent', reason }))
    client.subscribe(filter, { qos: 1 }, (error, granted) => {
      if (client !== this.#client) return
      this.#cancelTimer()
      const isRefused = error !== null || granted?.some(({ qos }) => qos >= acceptable)
      if (!isRefused) return done()
      const words = `the broker refused our subscription to ${filter}: its access rules must let this user read it`
      this.#lost(client, { kind: 'refused', reason: error ? `${words} (${messageOf(error)})` : words })
    })
  }

  #isUp(): void {
    this.#state = 'connected'
    this.#mishap = undefined
    this.#connectedAtMs = this.#time.wallMs()
    this.#sinceMs = this.#connectedAtMs
    this.#upAtMs = this.#time.monotonicMs()
    this.#outages.connected(versionNames[this.#version.next])
    this.#watch()
    this.#breaker.began(this.#upAtMs)
    this.#awaitBreaker()
    this.#events.onUp()
  }

  /** A broker may answer pings and nothing else (failures M4). */
  #watch(): void {
    this.#cancelTimer = this.#time.after(watchMs, () => {
      const { oldestSentMs } = this.#outbox
      if (this.#time.monotonicMs() - this.#upAtMs >= undisputedMs) this.#undisputed()
      if (oldestSentMs === undefined || this.#time.monotonicMs() - oldestSentMs < deadMs) return this.#watch()
      this.reset(`the broker did not acknowledge a message for ${deadMs / 1_000} s`)
    })
  }

  #undisputed(): void {
    this.#takeovers = 0
    this.#takeover = undefined
  }

  /** What waits for the breaker is sent as soon as that lets it. */
  #awaitBreaker(): void {
    const dueInMs = this.#breaker.dueInMs(this.#time.monotonicMs())
    if (dueInMs === undefined) return
    this.#cancelTrial()
    this.#cancelTrial = this.#time.after(Math.ceil(dueInMs), () => {
      this.#breaker.tick(this.#time.monotonicMs())
      this.#outbox.pump()
      this.#awaitBreaker()
      this.#events.onRoom?.()
    })
  }

  /** Certificates or passwords have changed: a connection with the old ones ends, a pause that they caused too. */
  #renew(): void {
    if (this.#state === 'closed') return
    const client = this.#client
    const wasUp = this.#state === 'connected'
    this.#cancelTimer()
    this.#cancelTrial()
    this.#client = undefined
    this.#state = 'waiting'
    this.#outbox.end()
    this.#breaker.lost()
    this.#attempts = 0
    if (client !== undefined) void this.#discard(client)
    if (wasUp) this.#events.onDown()
    this.#connect()
  }

  /** Another attempt at once, of which nobody need know. */
  #again(client: MqttClient): void {
    this.#cancelTimer()
    this.#client = undefined
    void this.#discard(client)
    this.#connect()
  }

  #lost(client: MqttClient, mishap: Mishap): void {
    if (client !== this.#client) return
    this.#cancelTimer()
    this.#client = undefined
    this.#outbox.end()
    const wasUp = this.#state === 'connected'
    this.#cancelTrial()
    void this.#discard(client)
    if (this.#state === 'closed') return
    if (wasUp) this.#sinceMs = this.#time.wallMs()
    this.#retry(wasUp ? this.#explained(mishap) : mishap)
    if (wasUp) this.#events.onDown()
  }

  /** What a connection that was up was lost by, as far as the ones before it tell. */
  #explained(mishap: Mishap): Mishap {
    // A cable that was pulled, a broker that was killed: neither ends in good order.
    const inOrder = mishap === closedByFarSide && this.#options.findsDenied === true
    const isByTopic = mishap.kind === 'closed' && this.#breaker.closed(inOrder, this.#time.monotonicMs())
    this.#breaker.lost()
    if (inOrder && !isByTopic) this.#closes++
    const isRepeated = inOrder && this.#closes >= closesUnexplained
    const explained = isRepeated ? closedAgainAndAgain(this.#options.clientId) : mishap
    if (explained.kind === 'taken-over') {
      this.#takeovers++
      this.#takeover = explained.reason
    }
    return explained
  }

  /** Ends a client at once. Its listeners stay, because its own are among them; ours know that it is not ours any more. */
  #discard(client: MqttClient): Promise<void> {
    return new Promise(resolve => client.end(true, {}, () => resolve()))
  }

  #retry(mishap: Mishap): void {
    this.#state = 'waiting'
    this.#mishap = mishap
    this.#outages.lost(mishap)
    const waitMs = pauseMs(mishap.kind, this.#attempts++, this.#takeovers - 1, this.#random())
    this.#nextAttemptAtMs = this.#time.monotonicMs() + waitMs
    this.#cancelTimer = this.#time.after(waitMs, () => this.#connect())
  }

  #around(): Parameters<typeof mishapOf>[1] {
    const { url, clientId, clockTrusted } = this.#options
    const host = URL.canParse(url) ? new URL(url).host : url
    return { host, clientId, wallMs: this.#time.wallMs(), clockTrusted: clockTrusted?.() ?? true }
  }
}
