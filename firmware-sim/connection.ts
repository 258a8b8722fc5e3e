/**
 * One MQTT 3.1.1 connection of one device, from CONNECT to its end, with a clean session. It never connects again by
 * itself and never sends again: that is the device's business, since the library's own store would reorder and double
 * messages behind its back. After `onClosed` it calls nothing any more.
 */
import { connect, type MqttClient } from 'mqtt'
import type { Qos } from './plan.ts'

type ConnectionEvents = {
  onOpen: () => void
  /** Once, however it ended; `reason` is empty for an end that was asked for. */
  onClosed: (reason: string) => void
  /** Something on a topic that was subscribed to. */
  onMessage?: (topic: string, payload: Buffer) => void
}

/** What the broker shall say when the connection is torn. */
type Will = { readonly topic: string; readonly payload: string | Buffer; readonly retain: boolean }

const connectTimeoutMs = 5_000
/** How long the broker may take to hang up after our DISCONNECT. */
const leaveMs = 1_000
/** A broker that is silent for one and a half of these is taken for dead. */
const keepaliveSeconds = 10

export class Connection {
  readonly #client: MqttClient
  readonly #events: ConnectionEvents
  #closed = false
  #reason = ''
  #leaving: NodeJS.Timeout | undefined

  constructor(url: string, clientId: string, events: ConnectionEvents, will?: Will) {
    this.#events = events
    this.#client = connect(url, {
      clientId,
      clean: true,
      protocolVersion: 4,
      reconnectPeriod: 0,
      connectTimeout: connectTimeoutMs,
      keepalive: keepaliveSeconds,
      // A stream of readings must not hide a peer that has gone: ping on time, whatever is sent.
      reschedulePings: false,
      queueQoSZero: false,
      resubscribe: false,
      ...(will && { will: { ...will, payload: Buffer.from(will.payload), qos: 1 } }),
    })
    this.#client.on('connect', () => {
      if (!this.#closed) events.onOpen()
    })
    this.#client.on('message', (topic, payload) => {
      if (!this.#closed) events.onMessage?.(topic, payload)
    })
    this.#client.on('error', error => {
      // `close` follows most errors; where it would not (a refused CONNECT), hang up ourselves. The first error is the cause.
      this.#reason ||= reasonOf(error)
      this.#client.end(true)
    })
    this.#client.on('close', () => this.#ended())
  }

  /** A broker that refuses says so in its own log: a device goes on without. */
  subscribe(filters: readonly string[]): void {
    if (filters.length > 0) this.#client.subscribe([...filters], { qos: 1 }, () => undefined)
  }

  /** `onDelivered` on PUBACK or PUBCOMP; for QoS 0 when the bytes were handed over. */
  publish(topic: string, payload: string | Buffer, qos: Qos, onDelivered: () => void, retain = false): void {
    this.#client.publish(topic, payload, { qos, retain }, error => {
      if (!error && !this.#closed) onDelivered()
    })
  }

  /** DISCONNECT, and hang up. */
  leave(): void {
    if (this.#leaving) return
    this.#leaving = setTimeout(() => this.cut(), leaveMs)
    if (Object.keys(this.#client.outgoing).length > 0) {
      // The library would wait for their acks, perhaps for ever.
      this.cut()
    } else {
      this.#client.end()
    }
  }

  /** Gone without a word. */
  cut(): void {
    this.#client.end(true)
    this.#client.stream.destroy()
  }

  #ended(): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#leaving)
    this.#events.onClosed(this.#reason)
  }
}

/** A refused connection to `localhost` comes as one error for each address, with no message of its own. */
function reasonOf(error: Error): string {
  if (error instanceof AggregateError) return error.errors.map(String).join(', ')
  return error.message || error.name
}
