/**
 * What the broker tells of itself below `$SYS/broker/`, by the names and in the forms of mosquitto, so that what watches
 * a mosquitto can watch this. Told to whoever may subscribe there, now and when they subscribe.
 *
 * Promises: nothing of it is ever written to disk or queued, and only what has changed is told again.
 */
import type { StoredPacket } from './retained.ts'
import { filterMatches } from './topics.ts'
import type { Traffic } from './traffic.ts'

export const systemPrefix = '$SYS/broker/'

export type SystemFacts = {
  readonly traffic: Traffic
  readonly clientsConnected: number
  /** Sessions whose clients are not connected, and those that have ended for that. */
  readonly clientsAway: number
  readonly clientsExpired: number
  readonly subscriptions: number
  readonly retainedMessages: number
  /** Retained or waiting for a session. */
  readonly storedMessages: number
  readonly storedBytes: number
  readonly publishesDropped: number
}

export type SystemDoors = {
  readonly version: string
  readonly monotonicMs: () => number
  readonly facts: () => SystemFacts
  readonly publish: (topic: string, payload: string) => void
}

/** The rates of a minute, averaged over so many. */
const loadMinutes = [1, 5, 15] as const

export class SystemTopics {
  readonly #doors: SystemDoors
  readonly #told = new Map<string, StoredPacket>()
  readonly #loads = new Map<string, number>()
  readonly #startedMs: number
  #lastMs: number
  #before: Readonly<Record<string, number>> = {}
  #clientsMost = 0

  constructor(doors: SystemDoors) {
    this.#doors = doors
    this.#startedMs = doors.monotonicMs()
    this.#lastMs = this.#startedMs
  }

  /** Tells what has changed since the last time. */
  tell(): void {
    const { version, monotonicMs, facts } = this.#doors
    const nowMs = monotonicMs()
    const now = facts()
    this.#clientsMost = Math.max(this.#clientsMost, now.clientsConnected)
    this.#say('version', `holdfast version ${version}`)
    this.#say('uptime', `${Math.floor((nowMs - this.#startedMs) / 1_000)} seconds`)
    for (const [name, value] of Object.entries(countsOf(now, this.#clientsMost))) this.#say(name, String(value))
    this.#tellLoads(ratesOf(now), nowMs)
  }

  /** As retained messages: what was told last, for each filter that matches. */
  *matching(filters: readonly string[]): Generator<StoredPacket> {
    for (const filter of filters) {
      if (!filter.startsWith('$SYS/')) continue
      for (const packet of this.#told.values()) if (filterMatches(filter, packet.topic)) yield packet
    }
  }

  /** Averages that forget exponentially, as mosquitto has them. */
  #tellLoads(counted: Readonly<Record<string, number>>, nowMs: number): void {
    const passedMs = nowMs - this.#lastMs
    for (const [name, count] of Object.entries(counted)) {
      const perMinute = passedMs > 0 ? ((count - (this.#before[name] ?? 0)) * 60_000) / passedMs : 0
      for (const minutes of loadMinutes) {
        const topic = `load/${name}/${minutes}min`
        const kept = Math.exp(-passedMs / (minutes * 60_000))
        const load = perMinute + kept * ((this.#loads.get(topic) ?? 0) - perMinute)
        this.#loads.set(topic, load)
        this.#say(topic, load.toFixed(2))
      }
    }
    this.#before = counted
    this.#lastMs = nowMs
  }

  #say(name: string, value: string): void {
    const topic = systemPrefix + name
    if (this.#told.get(topic)?.payload.toString() === value) return
    this.#told.set(topic, { cmd: 'publish', topic, payload: Buffer.from(value), qos: 0, retain: true })
    this.#doors.publish(topic, value)
  }
}

function countsOf(facts: SystemFacts, clientsMost: number): Readonly<Record<string, number>> {
  const { traffic, clientsConnected: connected, clientsAway: away } = facts
  return {
    'clients/total': connected + away,
    'clients/maximum': clientsMost,
    'clients/connected': connected,
    'clients/active': connected,
    'clients/disconnected': away,
    'clients/inactive': away,
    'clients/expired': facts.clientsExpired,
    'messages/received': traffic.messagesReceived,
    'messages/sent': traffic.messagesSent,
    'messages/stored': facts.storedMessages,
    'bytes/received': traffic.bytesReceived,
    'bytes/sent': traffic.bytesSent,
    'publish/messages/received': traffic.publishesReceived,
    'publish/messages/sent': traffic.publishesSent,
    'publish/messages/dropped': facts.publishesDropped,
    'retained messages/count': facts.retainedMessages,
    'store/messages/count': facts.storedMessages,
    'store/messages/bytes': facts.storedBytes,
    'subscriptions/count': facts.subscriptions,
  }
}

function ratesOf({ traffic, publishesDropped }: SystemFacts): Readonly<Record<string, number>> {
  return {
    connections: traffic.connects,
    sockets: traffic.sockets,
    'messages/received': traffic.messagesReceived,
    'messages/sent': traffic.messagesSent,
    'bytes/received': traffic.bytesReceived,
    'bytes/sent': traffic.bytesSent,
    'publish/received': traffic.publishesReceived,
    'publish/sent': traffic.publishesSent,
    'publish/dropped': publishesDropped,
  }
}
