/** What all connections of a broker have carried since it was opened: MQTT's own bytes, without those of TCP, TLS or WebSocket. */
import { frameTypes } from './frames.ts'
import type { ListenerKind } from './wire.ts'

export class Traffic {
  /** Connections that are there, by what they came over. */
  readonly present: Record<ListenerKind, number> = { mqtt: 0, mqtts: 0, ws: 0, wss: 0 }
  /** Connections that were let in, and those that said CONNECT. */
  sockets = 0
  connects = 0
  bytesReceived = 0
  bytesSent = 0
  messagesReceived = 0
  messagesSent = 0
  publishesReceived = 0
  publishesSent = 0

  came(kind: ListenerKind): void {
    this.sockets += 1
    this.present[kind] += 1
  }

  left(kind: ListenerKind): void {
    this.present[kind] -= 1
  }

  /** A packet of this type has come. */
  received(type: number): void {
    this.messagesReceived += 1
    if (type === frameTypes.publish) this.publishesReceived += 1
    else if (type === frameTypes.connect) this.connects += 1
  }
}

/**
 * Counts the packets of one connection as they go out, in whatever pieces: aedes writes its own a few bytes at a time, so
 * only the bytes tell. Reads the headers alone.
 */
export class SentPackets {
  readonly #traffic: Traffic
  /** Bytes left of the packet's body. */
  #left = 0
  /** Reading the length, which has seven bits a byte: the weight of the next; 0 before a packet begins. */
  #weight = 0

  constructor(traffic: Traffic) {
    this.#traffic = traffic
  }

  add(bytes: Buffer): void {
    const traffic = this.#traffic
    traffic.bytesSent += bytes.length
    let at = 0
    while (at < bytes.length) {
      if (this.#left > 0 && this.#weight === 0) {
        const skipped = Math.min(this.#left, bytes.length - at)
        this.#left -= skipped
        at += skipped
        continue
      }
      const byte = bytes[at] ?? 0
      at += 1
      if (this.#weight === 0) {
        traffic.messagesSent += 1
        if (byte >> 4 === frameTypes.publish) traffic.publishesSent += 1
        this.#weight = 1
        this.#left = 0
      } else {
        this.#left += (byte & 0x7f) * this.#weight
        this.#weight = byte < 0x80 ? 0 : this.#weight * 128
      }
    }
  }
}
