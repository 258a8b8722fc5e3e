/**
 * Retained messages, bounded by count and bytes [A4]. A message beyond the bounds is still delivered to those who
 * listen now; only its keeping is refused, and counted.
 */
import type { BrokerLimits } from './limits.ts'
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
  readonly brokerId?: string | undefined
  readonly brokerCounter?: number | undefined
  messageId?: number | undefined
}

type RetainedLimits = Pick<BrokerLimits, 'retainedMessagesMax' | 'retainedBytesMax'>

export class Retained {
  readonly #limits: RetainedLimits
  readonly #tally: Tally
  readonly #packets = new Map<string, StoredPacket>()
  #bytes = 0

  constructor(limits: RetainedLimits, tally: Tally) {
    this.#limits = limits
    this.#tally = tally
  }

  get count(): number {
    return this.#packets.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Keeps the packet as the last of its topic; an empty payload removes what was kept [MQTT-3.3.1-10]. */
  store(packet: StoredPacket): void {
    const { topic, payload } = packet
    const old = this.#packets.get(topic)
    if (old) {
      // Also if the new one will not fit: a value that is out of date is worse than none.
      this.#bytes -= sizeOf(old)
      this.#packets.delete(topic)
    }
    if (payload.length === 0) return
    const bytes = this.#bytes + sizeOf(packet)
    if (bytes > this.#limits.retainedBytesMax || this.#packets.size >= this.#limits.retainedMessagesMax) {
      this.#tally.warn('retained_refused', 'A retained message was delivered but not kept: there are too many', {
        topic,
      })
      return
    }
    this.#bytes = bytes
    // A copy, because a slice would keep the whole chunk that it came in.
    this.#packets.set(topic, { ...packet, payload: Buffer.from(payload) })
  }

  /** Each packet once per filter that matches it, as MQTT has it for overlapping filters. */
  *matching(filters: readonly string[]): Generator<StoredPacket> {
    for (const filter of filters) {
      for (const packet of this.#packets.values()) if (filterMatches(filter, packet.topic)) yield packet
    }
  }
}

function sizeOf(packet: StoredPacket): number {
  return packet.payload.length + packet.topic.length + 200
}
