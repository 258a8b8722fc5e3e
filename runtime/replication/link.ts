/**
 * The one MQTT connection of a bridge. It dials out and nothing else [I11]; every attempt is a new client, so nothing of
 * an older one (its store, its queue, its subscriptions) can leak into this one (failures M1, M5).
 *
 *   connecting ──subscribed──> connected ──lost──> waiting (back-off) ──> connecting
 *
 * Promises: one log line per change of state, not per try; a half-open connection is noticed within 1.5 keepalives;
 * the back-off starts from its beginning only after a connection that has proved itself, so that a broker that throws
 * us out right after the greeting is not stormed.
 */
import { type IClientOptions, type MqttClient, connect } from 'mqtt'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { backoffMs } from './backoff.ts'
import type { Time } from './time.ts'

export type TlsOptions = {
  readonly ca: Buffer | undefined
  readonly cert: Buffer | undefined
  readonly key: Buffer | undefined
  readonly servername: string | undefined
}

export type LinkOptions = {
  readonly name: string
  readonly url: string
  readonly clientId: string
  readonly username: string
  readonly password: string | undefined
  /** What to subscribe to, before anyone is told that the link is up; nothing, where only we have something to say. */
  readonly filter: string | undefined
  readonly keepaliveMs: number
  readonly tls: TlsOptions | undefined
}

export type LinkEvents = {
  readonly onUp: () => void
  readonly onDown: () => void
  readonly onMessage: (topic: string, payload: Buffer) => void
}

export type LinkStatus = {
  readonly state: 'connecting' | 'connected' | 'waiting' | 'closed'
  /** Why the last connection or attempt ended. */
  readonly reason: string | undefined
  readonly attempts: number
  /** By the wall clock. */
  readonly connectedAtMs: number | undefined
}

/** What a bridge asks of its link. */
export type BridgeLink = Pick<Link, 'open' | 'close' | 'publish' | 'reset' | 'settled' | 'status'>

export type MakeLink = (...made: ConstructorParameters<typeof Link>) => BridgeLink

const connectTimeoutMs = 10_000
const answerTimeoutMs = 10_000
const acceptable = 128
/** What MQTT 5 says of a broker that names none; MQTT 3.1.1 knows no such thing. */
const receiveMaximumDefault = 65_535

/** What the broker said of one message: taken, or refused with the reason code of MQTT 5. */
export type PublishAnswer =
  | { readonly isTaken: true }
  | { readonly isTaken: false; readonly code: number | undefined; readonly reason: string }

export class Link {
  readonly #options: LinkOptions
  readonly #events: LinkEvents
  readonly #time: Time
  readonly #random: () => number
  readonly #log: Log
  #client: MqttClient | undefined
  #state: LinkStatus['state'] = 'closed'
  #reason: string | undefined
  #attempts = 0
  #connectedAtMs: number | undefined
  #receiveMaximum = receiveMaximumDefault
  #isQuiet = false
  /** The one timer: of an answer while connecting, of the back-off while waiting. */
  #cancelTimer: () => void = () => {}

  constructor(options: LinkOptions, events: LinkEvents, time: Time, random: () => number, log: Log) {
    this.#options = options
    this.#events = events
    this.#time = time
    this.#random = random
    this.#log = log
  }

  open(): void {
    if (this.#state !== 'closed') return
    this.#log.info({ url: this.#options.url }, 'connecting')
    this.#connect()
  }

  async close(): Promise<void> {
    this.#cancelTimer()
    const wasUp = this.#state === 'connected'
    this.#state = 'closed'
    const client = this.#client
    this.#client = undefined
    if (wasUp) this.#events.onDown()
    if (client !== undefined) await this.#discard(client)
  }

  /**
   * Sends if connected. What is on its way when the connection breaks is gone: the streams know and send it again.
   * `onAnswer` hears the PUBACK of this message on this connection; after `onDown` it hears nothing any more.
   */
  publish(topic: string, payload: Buffer, onAnswer?: (answer: PublishAnswer) => void): void {
    const client = this.#client
    if (this.#state !== 'connected' || client === undefined) return
    client.publish(topic, payload, { qos: 1 }, error => {
      if (error) this.#log.debug({ topic, reason: messageOf(error) }, 'a message went with the connection')
      if (client === this.#client) onAnswer?.(answerOf(error))
    })
  }

  /** How many messages the broker lets us have unacknowledged; mqtt.js does not hold to it, so we must. */
  get receiveMaximum(): number {
    return this.#receiveMaximum
  }

  /** The connection is good for nothing: begin again. */
  reset(reason: string): void {
    const client = this.#client
    if (client !== undefined) this.#lost(client, reason)
  }

  /** The connection has proved itself: the next back-off starts from its beginning. */
  settled(): void {
    this.#attempts = 0
  }

  status(): LinkStatus {
    return {
      state: this.#state,
      reason: this.#reason,
      attempts: this.#attempts,
      connectedAtMs: this.#connectedAtMs,
    }
  }

  #connect(): void {
    this.#state = 'connecting'
    let client: MqttClient
    try {
      client = connect(this.#options.url, clientOptions(this.#options))
    } catch (error) {
      return this.#retry(messageOf(error))
    }
    this.#client = client
    let reason = 'the connection was closed by the far side'
    client.on('error', error => {
      reason = messageOf(error) || reason
      this.#lost(client, reason)
    })
    client.on('close', () => this.#lost(client, reason))
    client.on('message', (topic, payload) => {
      if (client === this.#client) this.#events.onMessage(topic, payload)
    })
    client.on('connect', ({ properties }) => {
      if (client !== this.#client) return
      this.#receiveMaximum = properties?.receiveMaximum ?? receiveMaximumDefault
      if (this.#options.filter === undefined) this.#isUp()
      else this.#subscribe(client, this.#options.filter)
    })
  }

  #subscribe(client: MqttClient, filter: string): void {
    // Nothing else notices a broker that answers pings but not this.
    const reason = `the broker did not answer our subscription for ${answerTimeoutMs / 1_000} s`
    this.#cancelTimer = this.#time.after(answerTimeoutMs, () => this.#lost(client, reason))
    client.subscribe(filter, { qos: 1 }, (error, granted) => {
      if (client !== this.#client) return
      this.#cancelTimer()
      if (error) return this.#lost(client, `the broker refused our subscription: ${messageOf(error)}`)
      if (granted?.some(({ qos }) => qos >= acceptable))
        return this.#lost(client, 'the broker refused our subscription')
      this.#isUp()
    })
  }

  #isUp(): void {
    this.#state = 'connected'
    this.#reason = undefined
    this.#isQuiet = false
    this.#connectedAtMs = this.#time.wallMs()
    this.#log.info({ url: this.#options.url }, 'connected')
    this.#events.onUp()
  }

  #lost(client: MqttClient, reason: string): void {
    if (client !== this.#client) return
    this.#cancelTimer()
    this.#client = undefined
    const wasUp = this.#state === 'connected'
    void this.#discard(client)
    if (this.#state === 'closed') return
    this.#retry(reason)
    if (wasUp) this.#events.onDown()
  }

  /** Ends a client at once. Its listeners stay, because its own are among them; ours know that it is not ours any more. */
  #discard(client: MqttClient): Promise<void> {
    return new Promise(resolve => client.end(true, {}, () => resolve()))
  }

  #retry(reason: string): void {
    this.#state = 'waiting'
    this.#reason = reason
    const waitMs = backoffMs(this.#attempts++, this.#random())
    if (!this.#isQuiet) this.#log.warn({ url: this.#options.url, reason }, 'lost')
    this.#isQuiet = true
    this.#cancelTimer = this.#time.after(waitMs, () => this.#connect())
  }
}

function answerOf(error: Error | null | undefined): PublishAnswer {
  if (!error) return { isTaken: true }
  const { code } = error as Error & { code?: unknown }
  return { isTaken: false, code: typeof code === 'number' ? code : undefined, reason: messageOf(error) }
}

function clientOptions(options: LinkOptions): IClientOptions {
  const { clientId, username, password, keepaliveMs, tls } = options
  return {
    protocolVersion: 4,
    clean: true,
    clientId,
    username,
    keepalive: Math.max(1, Math.round(keepaliveMs / 1000)),
    connectTimeout: connectTimeoutMs,
    // One attempt per client: the back-off with jitter is ours (failure M2).
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    ...(password === undefined ? {} : { password }),
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls?.key === undefined ? {} : { key: tls.key }),
    ...(tls?.servername === undefined ? {} : { servername: tls.servername }),
  }
}
