/**
 * What was handed to the connection and is not answered yet. mqtt.js ignores the server's Receive Maximum and queues
 * without a bound (failures M5), so nothing goes to it beyond the window that is kept here.
 *
 * Promises: at most `window` publishes without their PUBACK; of messages that nobody counts (a hello, a position) one
 * for each topic waits for room, the newest, because it says what the older ones said. It is no queue for entries:
 * those wait in their log, and their sender asks for room first.
 */
import { type Permission, notAuthorizedCode } from './breaker.ts'

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

export type OutboxDoors = {
  readonly monotonicMs: () => number
  /** May this be sent now? `isIdle` if nothing is on its way. */
  readonly permission: (topic: string, isIdle: boolean) => Permission
  readonly onSent: (topic: string) => void
  readonly onAnswer: (topic: string, code: number | undefined) => void
  /** There is room again after there was none. */
  readonly onRoom: () => void
}

type Message = { readonly topic: string; readonly payload: Buffer; readonly onAnswer: OnAnswer | undefined }

export class Outbox {
  readonly #doors: OutboxDoors
  #carry: Carrier | undefined
  #limits: OutboxLimits = { window: windowMax, packetBytesMax: undefined }
  /** Sent and not answered, with when. */
  readonly #flying = new Map<Message, number>()
  /** Taken into the window, but their topic may not be sent to yet. */
  #held: Message[] = []
  /** Beyond the window: the newest of each topic. */
  readonly #waiting = new Map<string, Buffer>()

  constructor(doors: OutboxDoors) {
    this.#doors = doors
  }

  /** How many more may be published now. */
  get room(): number {
    if (this.#carry === undefined) return 0
    return Math.max(0, this.#limits.window - this.#flying.size - this.#held.length - this.#waiting.size)
  }

  /** How large a payload to this topic may be, by the server's word. */
  payloadBytesMax(topic: string): number {
    return (this.#limits.packetBytesMax ?? Number.POSITIVE_INFINITY) - packetBytes(topic, 0)
  }

  /** When the oldest message that is not answered was sent. */
  get oldestSentMs(): number | undefined {
    for (const sentMs of this.#flying.values()) return sentMs
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
    this.#held = []
    this.#flying.clear()
  }

  /** Sends if there is room. Without, what nobody waits for the answer of waits for it; the rest is refused. */
  publish(topic: string, payload: Buffer, onAnswer: OnAnswer | undefined): void {
    if (this.#carry === undefined) return
    if (this.room > 0) return this.#send({ topic, payload, onAnswer })
    if (onAnswer !== undefined) {
      const reason = `${this.#limits.window} messages wait for their answer: no room for another`
      return onAnswer({ isTaken: false, code: undefined, reason })
    }
    if (this.#waiting.has(topic) || this.#waiting.size < waitingMax) this.#waiting.set(topic, payload)
  }

  /** Sends what may be sent by now. */
  pump(): void {
    for (const message of this.#held.splice(0)) this.#send(message)
    for (const [topic, payload] of this.#waiting) {
      if (this.#flying.size + this.#held.length >= this.#limits.window) return
      this.#waiting.delete(topic)
      this.#send({ topic, payload, onAnswer: undefined })
    }
  }

  #send(message: Message): void {
    const { topic, payload, onAnswer } = message
    const permission = this.#doors.permission(topic, this.#flying.size === 0)
    if (permission === 'later') return void this.#held.push(message)
    if (permission === 'never') {
      return onAnswer?.({ isTaken: false, code: notAuthorizedCode, reason: 'the far side keeps this topic from us' })
    }
    const { packetBytesMax } = this.#limits
    const bytes = packetBytes(topic, payload.length)
    if (packetBytesMax !== undefined && bytes > packetBytesMax) {
      const reason = `the far side takes messages of at most ${packetBytesMax} bytes, this one has ${bytes}`
      return onAnswer?.({ isTaken: false, code: tooLargeCode, reason })
    }
    this.#flying.set(message, this.#doors.monotonicMs())
    this.#doors.onSent(topic)
    this.#carry?.(topic, payload, answer => this.#answered(message, answer))
  }

  #answered(message: Message, answer: PublishAnswer): void {
    const wasFull = this.room === 0
    if (!this.#flying.delete(message)) return
    this.#doors.onAnswer(message.topic, answer.isTaken ? undefined : answer.code)
    message.onAnswer?.(answer)
    this.pump()
    if (wasFull && this.room > 0) this.#doors.onRoom()
  }
}

/** A PUBLISH of MQTT 5 without properties: header, length, topic, packet id, no properties [MQTT-3.3]. */
function packetBytes(topic: string, payloadBytes: number): number {
  return 1 + 4 + 2 + Buffer.byteLength(topic) + 2 + 1 + payloadBytes
}
