/**
 * What one client is sent: every PUBLISH, and the PUBREL of messages that were sent before. aedes says for whom a message
 * is; how it goes out is decided here.
 *
 * Promises: nothing before CONNACK [MQTT-3.2.0-1]; what is handed over is written in that order; never more messages of
 * QoS 1 and 2 under way than a client of MQTT 5 takes at once [MQTT-3.3.4-9]; `done` comes once the socket has room
 * again, or the client is gone, and never from within the call.
 */
import type { Duplex } from 'node:stream'
import type { BrokerLimits } from './limits.ts'
import { type Outgoing, encodePublish, encodePubrel, publishLength } from './publish-form.ts'
import type { MqttVersion } from './shape.ts'
import type { Tally } from './tally.ts'

/** What a client said of itself in CONNECT. */
export type Listener = {
  readonly version: MqttVersion
  /** Messages of QoS 1 and 2 that it takes at once. */
  readonly receiveMaximum: number
  readonly packetBytesMax: number | undefined
}
type DeliveryLimits = Pick<BrokerLimits, 'queuedMessagesPerSessionMax' | 'pendingBytesPerConnectionMax'>
type Held = { readonly message: Outgoing; readonly done: () => void }

const messageIdMax = 65_535
const nobodyYet: Listener = { version: 4, receiveMaximum: messageIdMax, packetBytesMax: undefined }

export class Delivery {
  readonly #stream: Duplex
  readonly #limits: DeliveryLimits
  readonly #tally: Pick<Tally, 'add'>
  #listener = nobodyYet
  #isOpen = false
  #isCorked = false
  #messageId = 0
  #underWay = 0
  /** For CONNACK. */
  #early: (() => void)[] = []
  /** For an acknowledgement. */
  #held: Held[] = []
  #heldBytes = 0
  /** For room in the socket. */
  #waiting: (() => void)[] = []

  constructor(stream: Duplex, limits: DeliveryLimits, tally: Pick<Tally, 'add'>) {
    this.#stream = stream
    this.#limits = limits
    this.#tally = tally
    stream.once('close', () => this.#end())
  }

  get version(): MqttVersion {
    return this.#listener.version
  }

  /** Who listens, and where its packet ids begin. */
  begin(listener: Listener, firstMessageId: number): void {
    this.#listener = listener
    this.#messageId = firstMessageId - 1
  }

  /** CONNACK was sent. */
  open(): void {
    this.#isOpen = true
    for (const go of this.#early.splice(0)) go()
  }

  /** May another message of QoS 1 or 2 be under way? */
  get hasRoom(): boolean {
    return this.#underWay < this.#listener.receiveMaximum
  }

  /** The next packet id. */
  nextMessageId(): number {
    this.#messageId = (this.#messageId % messageIdMax) + 1
    return this.#messageId
  }

  /** May it be sent to this client? One that is too large for it is as good as delivered [MQTT-3.1.2-25]. */
  fits(message: Outgoing): boolean {
    const { packetBytesMax, version } = this.#listener
    if (packetBytesMax === undefined || publishLength(message, version) <= packetBytesMax) return true
    this.#tally.add('too_large_for_client')
    return false
  }

  /** A message of its queue: it waits there for its turn. */
  publish(message: Outgoing, done: () => void): void {
    if (message.qos > 0 && !this.hasRoom) {
      this.#held.push({ message, done })
      return
    }
    this.#publish(message, done)
  }

  /** One that is told live, for which nobody may have to wait: too many are dropped, and counted. */
  tell(message: Outgoing, done: () => void): void {
    if (message.qos === 0 || this.hasRoom) return this.#publish(message, done)
    setImmediate(done)
    const bytes = publishLength(message, this.#listener.version)
    const { queuedMessagesPerSessionMax, pendingBytesPerConnectionMax } = this.#limits
    const isTooMuch = this.#heldBytes + bytes > pendingBytesPerConnectionMax
    if (isTooMuch || this.#held.length >= queuedMessagesPerSessionMax) return this.#tally.add('queue_dropped')
    this.#heldBytes += bytes
    this.#held.push({ message, done: () => (this.#heldBytes -= bytes) })
  }

  release(messageId: number, done: () => void): void {
    this.#send(() => encodePubrel(messageId), done)
  }

  /** PUBACK or PUBCOMP came, or a PUBREC that refuses. */
  acknowledged(): void {
    this.#underWay = Math.max(0, this.#underWay - 1)
    while (this.hasRoom) {
      const next = this.#held.shift()
      if (!next) return
      this.#publish(next.message, next.done)
    }
  }

  #publish(message: Outgoing, done: () => void): void {
    // Only clients of MQTT 5 bound it, and only of theirs are acknowledgements counted.
    if (message.qos > 0 && this.#listener.version === 5) this.#underWay += 1
    this.#send(() => encodePublish(message, this.#listener.version), done)
  }

  #send(encode: () => Buffer, done: () => void): void {
    if (this.#stream.destroyed) return void setImmediate(done)
    if (!this.#isOpen) {
      this.#early.push(() => this.#send(encode, done))
      return
    }
    this.#cork()
    if (this.#stream.write(encode())) return void setImmediate(done)
    if (this.#waiting.push(done) === 1) this.#stream.once('drain', () => this.#goOn())
  }

  /** What one turn brings goes out in one write. */
  #cork(): void {
    if (this.#isCorked) return
    this.#isCorked = true
    this.#stream.cork()
    process.nextTick(() => {
      this.#isCorked = false
      this.#stream.uncork()
    })
  }

  #goOn(): void {
    for (const done of this.#waiting.splice(0)) setImmediate(done)
  }

  #end(): void {
    this.open()
    for (const { done } of this.#held.splice(0)) setImmediate(done)
    this.#goOn()
  }
}
