/**
 * What was handed to the connection and is not answered yet. mqtt.js ignores the server's Receive Maximum and queues
 * without a bound (failures M5), so nothing goes to it beyond the window that is kept here.
 *
 * Promises: at most `window` publishes without their PUBACK; of messages that nobody counts (a hello, a position) one
 * for each topic waits for room, the newest, because it says what the older ones said. It is no queue for entries:
 * those wait in their log, and their sender asks for room first.
 */

/** What the broker said of one message: taken, or refused with the reason code of MQTT 5. */
export type PublishAnswer =
  | { readonly isTaken: true }
  | { readonly isTaken: false; readonly code: number | undefined; readonly reason: string }

export type OnAnswer = (answer: PublishAnswer) => void

/** AWS IoT Core's bound of unacknowledged messages, the tightest that is known. */
export const windowMax = 100
/** Topics of which a message may wait for room: a hello, and an answer for each stream. */
const waitingMax = 600
/** The reason code of MQTT 5 for a packet that is larger than its receiver takes. */
export const tooLargeCode = 149

export type OutboxLimits = {
  readonly window: number
  /** Of a whole MQTT packet, by the server's word. */
  readonly packetBytesMax: number | undefined
}

export type Carrier = (topic: string, payload: Buffer, onAnswer: OnAnswer) => void

type Flight = { readonly sentMs: number }

export class Outbox {
  readonly #nowMs: () => number
  readonly #onRoom: () => void
  #carry: Carrier | undefined
  #limits: OutboxLimits = { window: windowMax, packetBytesMax: undefined }
  readonly #flying = new Set<Flight>()
  readonly #waiting = new Map<string, Buffer>()

  /** `onRoom` is called when there is room again after there was none. */
  constructor(nowMs: () => number, onRoom: () => void) {
    this.#nowMs = nowMs
    this.#onRoom = onRoom
  }

  /** How many more may be published now. */
  get room(): number {
    return this.#carry === undefined ? 0 : Math.max(0, this.#limits.window - this.#flying.size - this.#waiting.size)
  }

  get packetBytesMax(): number | undefined {
    return this.#carry === undefined ? undefined : this.#limits.packetBytesMax
  }

  /** When the oldest message that is not answered was sent. */
  get oldestSentMs(): number | undefined {
    for (const { sentMs } of this.#flying) return sentMs
    return undefined
  }

  begin(carry: Carrier, limits: OutboxLimits): void {
    this.#carry = carry
    this.#limits = limits
  }

  /** The connection is gone, and all that was on its way with it: whoever sent it knows. */
  end(): void {
    this.#carry = undefined
    this.#waiting.clear()
    this.#flying.clear()
  }

  /** Sends if there is room. Without, what nobody waits for the answer of waits for it; the rest is refused. */
  publish(topic: string, payload: Buffer, onAnswer: OnAnswer | undefined): void {
    const carry = this.#carry
    if (carry === undefined) return
    if (this.room > 0) return this.#send(carry, topic, payload, onAnswer)
    if (onAnswer !== undefined) {
      const reason = `${this.#flying.size} messages wait for their answer: no room for another`
      return onAnswer({ isTaken: false, code: undefined, reason })
    }
    if (this.#waiting.has(topic) || this.#waiting.size < waitingMax) this.#waiting.set(topic, payload)
  }

  #send(carry: Carrier, topic: string, payload: Buffer, onAnswer: OnAnswer | undefined): void {
    const { packetBytesMax } = this.#limits
    const bytes = packetBytes(topic, payload)
    if (packetBytesMax !== undefined && bytes > packetBytesMax) {
      const reason = `the far side takes messages of at most ${packetBytesMax} bytes, this one has ${bytes}`
      return onAnswer?.({ isTaken: false, code: tooLargeCode, reason })
    }
    const flight: Flight = { sentMs: this.#nowMs() }
    this.#flying.add(flight)
    carry(topic, payload, answer => {
      const wasFull = this.room === 0
      if (!this.#flying.delete(flight)) return
      onAnswer?.(answer)
      this.#sendWaiting()
      if (wasFull && this.room > 0) this.#onRoom()
    })
  }

  #sendWaiting(): void {
    for (const [topic, payload] of this.#waiting) {
      if (this.#carry === undefined || this.#flying.size >= this.#limits.window) return
      this.#waiting.delete(topic)
      this.#send(this.#carry, topic, payload, undefined)
    }
  }
}

/** A PUBLISH of MQTT 5 without properties: header, length, topic, packet id, no properties [MQTT-3.3]. */
function packetBytes(topic: string, payload: Buffer): number {
  return 1 + 4 + 2 + Buffer.byteLength(topic) + 2 + 1 + payload.length
}
