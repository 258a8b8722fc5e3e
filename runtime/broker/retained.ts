/**
 * Retained messages, bounded by count and bytes [A4]. A message beyond the bounds is still delivered to those who
 * listen now; only its keeping is refused, and counted.
 */
import type { Age } from './age.ts'
import type { BrokerLimits } from './limits.ts'
import type { Properties } from './properties.ts'
import type { Qos } from './publish.ts'
import type { Tally } from './tally.ts'
import { filterMatches } from './topics.ts'

/** A packet as aedes hands it over; PUBREL has neither topic nor payload. */
export type StoredPacket = {
  readonly cmd: string
  readonly topic: string
  readonly payload: Buffer
  readonly qos: Qos
  readonly retain: boolean
  readonly dup?: boolean
  readonly brokerId?: string | undefined
  readonly brokerCounter?: number | undefined
  messageId?: number | undefined
  readonly properties?: Properties | undefined
}

type RetainedLimits = Pick<BrokerLimits, 'retainedMessagesMax' | 'retainedBytesMax' | 'retainedExpiryMs'>
type Kept = { readonly packet: StoredPacket; readonly age: Age }

export class Retained {
  readonly #limits: RetainedLimits
  readonly #tally: Tally
  readonly #kept = new Map<string, Kept>()
  #bytes = 0

  constructor(limits: RetainedLimits, tally: Tally) {
    this.#limits = limits
    this.#tally = tally
  }

  get count(): number {
    return this.#kept.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /**
   * Keeps the packet as the last of its topic; an empty payload removes what was kept [MQTT-3.3.1-10]. False if nothing
   * is kept of the topic now. The payload must not be a slice of something larger.
   */
  store(packet: StoredPacket, age: Age): boolean {
    const { topic, payload } = packet
    // Also if the new one will not fit: a value that is out of date is worse than none.
    this.drop(topic)
    if (payload.length === 0) return false
    if (!this.fits(packet)) {
      this.refuse(packet)
      return false
    }
    this.#bytes += sizeOf(packet)
    this.#kept.set(topic, { packet, age })
    return true
  }

  /** Nothing is kept of the topic, because what came did not fit. */
  refuse(packet: StoredPacket): void {
    const { topic } = packet
    this.drop(topic)
    const cause = this.#isTooMany(topic) ? 'retained_refused' : 'retained_refused_bytes'
    this.#tally.warn(cause, 'A retained message was delivered but not kept: there are too many', { topic })
  }

  has(topic: string): boolean {
    return this.#kept.has(topic)
  }

  /** Would it be kept now? */
  fits(packet: StoredPacket): boolean {
    const old = this.#kept.get(packet.topic)
    const bytes = this.#bytes - (old ? sizeOf(old.packet) : 0) + sizeOf(packet)
    return packet.payload.length > 0 && bytes <= this.#limits.retainedBytesMax && !this.#isTooMany(packet.topic)
  }

  #isTooMany(topic: string): boolean {
    return !this.#kept.has(topic) && this.#kept.size >= this.#limits.retainedMessagesMax
  }

  drop(topic: string): void {
    const kept = this.#kept.get(topic)
    if (kept === undefined) return
    this.#bytes -= sizeOf(kept.packet)
    this.#kept.delete(topic)
  }

  /** Forgets what is older than the limit, and returns its topics. */
  expire(): readonly string[] {
    const { retainedExpiryMs } = this.#limits
    const old = [...this.#kept.values()].filter(
      kept => (retainedExpiryMs !== undefined && kept.age.ms > retainedExpiryMs) || isSpent(kept),
    )
    for (const { packet } of old) this.drop(packet.topic)
    return old.map(({ packet }) => packet.topic)
  }

  /** Each packet once per filter that matches it, as MQTT has it for overlapping filters. */
  *matching(filters: readonly string[]): Generator<StoredPacket> {
    for (const filter of filters) {
      for (const kept of this.#kept.values())
        if (filterMatches(filter, kept.packet.topic) && !isSpent(kept)) yield aged(kept.packet, kept.age)
    }
  }
}

/** Its publisher said how long it is of use [MQTT-3.3.2-5]. */
function isSpent({ packet, age }: Kept): boolean {
  const { expirySeconds } = packet.properties ?? {}
  return expirySeconds !== undefined && age.ms >= expirySeconds * 1_000
}

/** The packet as it goes out: it is of use for less long now [MQTT-3.3.2-6]. */
export function aged(packet: StoredPacket, age: Age): StoredPacket {
  const { expirySeconds, bytes } = packet.properties ?? {}
  if (expirySeconds === undefined || bytes === undefined) return packet
  return {
    ...packet,
    properties: { bytes, expirySeconds: Math.max(0, Math.ceil(expirySeconds - age.ms / 1_000)) },
  }
}

function sizeOf(packet: StoredPacket): number {
  return packet.payload.length + packet.topic.length + (packet.properties?.bytes.length ?? 0) + 200
}
