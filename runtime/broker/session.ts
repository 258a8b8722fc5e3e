/**
 * One session in memory: what its client subscribed to, the messages that wait for it or for its acknowledgement, and
 * the packet ids of QoS 2 publishes that it has not released. Messages are kept, and told, in the order in which they
 * became durable. Nothing here writes anything down; `sessions.ts` does.
 */
import type { Age } from './age.ts'
import type { SubscriptionForm as Subscription } from './forms.ts'
import type { Qos } from './publish.ts'
import type { StoredPacket } from './retained.ts'

/** A message, shared by all the sessions in whose queues it stands. */
export type Message = {
  /** Its place among all messages, of earlier starts too. */
  readonly order: number
  readonly bytes: number
  readonly age: Age
  /** How many sessions are not done with it. */
  left: number
  /** Keys under which is written how far a client is with it. Most need none, and an empty set is not small. */
  marks: Set<string> | undefined
}

export type Entry = {
  readonly message: Message
  readonly qos: Qos
  /** The numbers of the subscriptions by which it is for it. */
  readonly subscriptionIds: readonly number[]
  /** The number by which the engine knows it. */
  readonly counter: number
  /** The PUBLISH; after its PUBREC, the PUBREL. */
  packet: StoredPacket
  /** How often it was sent, as far as is known: what may have been sent before counts as sent. */
  sends: number
}

export type Window = { readonly max: number; readonly onFull: () => void }

/** The connection of a client that may be sent what waits for it. */
export type Reader = {
  /** May another message of QoS 1 or 2 be under way to it? */
  readonly hasRoom: () => boolean
  readonly deliver: (entry: Entry, done: () => void) => void
  /** Messages that may be sent and not acknowledged, and who is told when as many are. */
  readonly window: Window
  writing: number
}

/** Messages handed to a connection and not yet taken by its socket: more would only move the queue into it. */
const writingMax = 64
const messageIdMax = 65_535

export class Session {
  readonly id: string
  /** Whose it is; empty: nobody's in particular. */
  user = ''
  readonly filters = new Map<string, Subscription>()
  readonly incoming = new Map<number, StoredPacket>()
  /** In order, by counter. */
  readonly queue = new Map<number, Entry>()
  /** What was not handed to this connection yet, in order. */
  #waiting = new Map<number, Entry>()
  readonly #byMessageId = new Map<number, Entry>()
  #lastMessageId = 0
  connections = 0
  /** Messages on their way to the disk that will stand in the queue. */
  reserved = 0
  /** It ended: what was on its way to it is for nobody. */
  isOver = false
  /** Messages are being dropped, which was said. */
  isFull = false
  /** As much as may be is sent and not acknowledged, which was said. */
  #isWindowFull = false
  /** How long its client has been away; undefined while it is connected. */
  away: Age | undefined
  /** Messages after this one were never sent; undefined if nobody knows. */
  upTo: number | undefined
  /** How long its client wants it to be kept; undefined if it did not say. */
  expiryMs: number | undefined
  reader: Reader | undefined
  /** Settles when the subscriptions are on disk as they are. */
  saved: Promise<void> | undefined
  /** Something of it is, or will be, on disk. */
  isWritten = false

  constructor(id: string) {
    this.id = id
  }

  get isEmpty(): boolean {
    const { connections, reserved, filters, incoming, queue } = this
    return connections === 0 && reserved === 0 && filters.size === 0 && incoming.size === 0 && queue.size === 0
  }

  /** Were its client away, would there be nothing to keep? */
  get isEmptyAway(): boolean {
    return this.filters.size === 0 && this.incoming.size === 0 && this.queue.size === 0
  }

  push(entry: Entry): void {
    this.queue.set(entry.counter, entry)
    this.#waiting.set(entry.counter, entry)
    const { messageId } = entry.packet
    if (messageId !== undefined) this.#byMessageId.set(messageId, entry)
  }

  withMessageId(messageId: number | undefined): Entry | undefined {
    return messageId === undefined ? undefined : this.#byMessageId.get(messageId)
  }

  /** The message is about to be sent: under the id proposed, unless another message that is under way has it. */
  sendAs(entry: Entry, proposed: number): number {
    this.#waiting.delete(entry.counter)
    entry.sends += 1
    if (entry.packet.messageId !== undefined) return entry.packet.messageId
    let messageId = proposed
    while (this.#byMessageId.has(messageId)) messageId = (messageId % messageIdMax) + 1
    entry.packet.messageId = messageId
    this.#byMessageId.set(messageId, entry)
    this.#lastMessageId = messageId
    return messageId
  }

  /** From where a new connection counts its packet ids, so that it does not soon meet those that are under way. */
  get nextMessageId(): number {
    return (this.#lastMessageId % messageIdMax) + 1
  }

  remove(entry: Entry): void {
    this.queue.delete(entry.counter)
    this.#waiting.delete(entry.counter)
    const { messageId } = entry.packet
    if (messageId !== undefined && this.#byMessageId.get(messageId) === entry) this.#byMessageId.delete(messageId)
  }

  /** The oldest message that was never sent. */
  get firstUnsent(): Entry | undefined {
    for (const entry of this.queue.values()) if (entry.packet.messageId === undefined) return entry
    return undefined
  }

  /** Whoever reads from now on gets everything, what was sent before and not acknowledged first [MQTT-4.4.0-1]. */
  readBy(reader: Reader | undefined): void {
    this.reader = reader
    if (reader) this.#waiting = new Map(this.queue)
  }

  /** Hands what waits to the connection, as fast as that takes it. */
  pump(): void {
    const { reader } = this
    if (reader === undefined) return
    while (reader.writing < writingMax && reader.hasRoom()) {
      const [entry] = this.#waiting.values()
      if (entry === undefined || !this.#hasWindow(reader.window)) return
      this.#waiting.delete(entry.counter)
      reader.writing += 1
      reader.deliver(entry, () => {
        reader.writing -= 1
        if (this.reader === reader) this.pump()
      })
    }
  }

  #hasWindow({ max, onFull }: Window): boolean {
    const inflight = this.queue.size - this.#waiting.size
    if (inflight * 2 <= max) this.#isWindowFull = false
    if (inflight < max) return true
    if (!this.#isWindowFull) onFull()
    this.#isWindowFull = true
    return false
  }
}
