/**
 * The messages of all sessions together: bounded, in order, and written down so that what a PUBACK promised to a client
 * that is away, or has not acknowledged, outlives the process [I1].
 *
 *   reserve   before the commit: room is taken, and the change that belongs into the commit is made
 *   settle    the commit is on disk: the message stands in the queues      release   it is not: the room is given back
 *   sent      a message gets its packet id      released   its PUBREC came      done   its PUBACK or PUBCOMP came
 *
 * A message is written once, however many sessions wait for it; while only some of them are done, that is written beside
 * it. Of QoS 2 the packet id and the PUBREL are on disk before the client hears of them, so that it can tell a message
 * that is sent again after a crash from a new one; the rest may be sent again, and is written when there is time.
 */
import { Age, type AgeClock } from './age.ts'
import {
  type DeliveryForm,
  type RecipientForm,
  encodeJson,
  encodeMessage,
  keyOf,
  payloadOf,
  propertiesForm,
} from './forms.ts'
import { type Ledger, type ShelfChange, forget, put } from './ledger.ts'
import type { BrokerLimits } from './limits.ts'
import type { Qos } from './publish.ts'
import type { StoredPacket } from './retained.ts'
import type { Entry, Message, Session } from './session.ts'
import type { Tally } from './tally.ts'

export type Recipient = {
  readonly session: Session
  readonly qos: Qos
  readonly subscriptionIds: readonly number[]
  /** It wants to know whether a message was published to be retained [MQTT-3.3.1-13]. */
  readonly keepsRetain: boolean
}
/** As much of a publish as stands in a queue. */
export type Queued = Pick<StoredPacket, 'topic' | 'payload' | 'qos'> &
  Partial<Pick<StoredPacket, 'brokerId' | 'brokerCounter' | 'retain' | 'properties'>>

/** Room for one message in some queues. */
export type Reservation = {
  readonly recipients: readonly Recipient[]
  readonly message: Message
  readonly packet: StoredPacket
  readonly changes: readonly ShelfChange[]
}

type QueueLimits = Pick<BrokerLimits, 'queuedMessagesPerSessionMax' | 'queuedBytesMax' | 'queuedExpiryMs'>

const nothing = Buffer.alloc(0)

export class Queues {
  readonly #limits: QueueLimits
  readonly #tally: Tally
  readonly #ledger: Ledger
  readonly #clock: AgeClock
  #order: number
  bytes = 0
  count = 0

  /** `order` is the place of the last message there ever was. */
  constructor(limits: QueueLimits, tally: Tally, ledger: Ledger, clock: AgeClock, order: number) {
    this.#limits = limits
    this.#tally = tally
    this.#ledger = ledger
    this.#clock = clock
    this.#order = order
  }

  /** Of the newest message. */
  get order(): number {
    return this.#order
  }

  /** Undefined if no queue has room. */
  reserve(
    recipients: readonly Recipient[],
    queued: Queued,
    whenFull: ShelfChange['whenFull'],
  ): Reservation | undefined {
    const bytes = sizeOf(queued)
    const taken = recipients.filter(({ session }) => this.#take(session, bytes))
    if (taken.length === 0) return undefined
    const { topic, payload, qos, retain = false, properties } = queued
    const order = ++this.#order
    const message: Message = { order, bytes, age: new Age(this.#clock), left: taken.length, marks: undefined }
    const packet: StoredPacket = {
      cmd: 'publish',
      topic,
      payload,
      qos,
      retain,
      dup: false,
      messageId: undefined,
      ...(properties && { properties }),
      ...engineOf(queued),
    }
    // A copy, because a slice would keep the whole chunk that it came in: one for the disk, all queues, and the socket.
    if (!this.#ledger.isKept) return { recipients: taken, message, packet: ownPayload(packet), changes: [] }
    const to = taken.map(recipient => toForm(recipient, qos, retain))
    const form = encodeMessage({ topic, qos, to, age: message.age.note(), ...propertiesForm(properties) }, payload)
    const own = Buffer.isBuffer(payload) ? { ...packet, payload: payloadOf(form) } : packet
    return { recipients: taken, message, packet: own, changes: [put(keyOf.message(order), form, whenFull)] }
  }

  /** The message is on disk. Sessions that ended meanwhile are passed over. */
  settle({ recipients, message, packet }: Reservation): void {
    for (const recipient of recipients) {
      const { session, qos } = recipient
      session.reserved -= 1
      if (session.isOver) {
        this.#count(-1, message.bytes)
        this.#leave(session, message)
        continue
      }
      const retain = packet.retain && recipient.keepsRetain // [MQTT-3.3.1-9, MQTT-3.3.1-12]
      const own = { ...packet, qos: Math.min(packet.qos, qos) as Qos, retain }
      this.#push(session, own, message, 0, recipient.subscriptionIds)
      session.pump()
    }
  }

  release({ recipients, message }: Reservation): void {
    for (const { session } of recipients) session.reserved -= 1
    this.#count(-recipients.length, message.bytes)
  }

  /** A message of before the start. False if there is no room for it. */
  restore(
    session: Session,
    packet: StoredPacket,
    message: Message,
    form: DeliveryForm | undefined,
    subscriptionIds: readonly number[],
  ): boolean {
    if (!this.#hasRoom(session, message.bytes)) return false
    if (form) markOf(message, session)
    this.#count(1, message.bytes)
    message.left += 1
    const wasSent = session.upTo === undefined || message.order <= session.upTo
    const restored = form?.messageId === undefined ? packet : { ...packet, messageId: form.messageId }
    const entry = this.#push(session, restored, message, wasSent ? 1 : 0, subscriptionIds)
    if (form?.released === true) this.#turnIntoPubrel(entry, { ...packet, cmd: 'pubrel', messageId: form.messageId })
    return true
  }

  /** Returns the packet id to send it under, and calls `done` when it may be sent. */
  sent(session: Session, entry: Entry, proposed: number, done: (error?: Error) => void): number {
    const isFirst = entry.packet.messageId === undefined
    const messageId = session.sendAs(entry, proposed)
    if (entry.qos === 2 && isFirst) this.#ledger.now([this.#mark(session, entry.message, { messageId })], done)
    else done()
    return messageId
  }

  released(session: Session, entry: Entry, packet: StoredPacket, done: (error?: Error) => void): void {
    const { messageId } = entry.packet
    const isKnown = entry.packet.cmd === 'pubrel'
    if (isKnown || messageId === undefined) return done()
    this.#turnIntoPubrel(entry, packet)
    this.#ledger.now([this.#mark(session, entry.message, { messageId, released: true })], done)
  }

  done(session: Session, entry: Entry): void {
    session.remove(entry)
    this.#count(-1, entry.message.bytes)
    this.#leave(session, entry.message)
    if (session.queue.size * 2 <= this.#limits.queuedMessagesPerSessionMax) session.isFull = false
    session.pump()
  }

  /** Everything that waits for a session that is over. */
  clear(session: Session): void {
    for (const entry of session.queue.values()) this.done(session, entry)
  }

  /** Drops what has waited too long and was never sent. */
  expire(session: Session): void {
    const { queuedExpiryMs } = this.#limits
    for (let first = session.firstUnsent; first !== undefined; first = session.firstUnsent) {
      if (first.message.age.ms <= queuedExpiryMs) return
      this.done(session, first)
      this.#tally.warn('queue_expired', 'Messages were dropped: their session did not come for them in time', {
        client: session.id,
      })
    }
  }

  #take(session: Session, bytes: number): boolean {
    if (!this.#hasRoom(session, bytes)) return false
    session.reserved += 1
    this.#count(1, bytes)
    return true
  }

  #hasRoom(session: Session, bytes: number): boolean {
    const { queuedMessagesPerSessionMax, queuedBytesMax } = this.#limits
    const isFull = session.queue.size + session.reserved >= queuedMessagesPerSessionMax
    if (!isFull && this.bytes + bytes <= queuedBytesMax) return true
    // The newest goes, so that what was sent and waits for its acknowledgement stays. Said once per full queue.
    const cause = isFull ? 'queue_dropped' : 'queue_dropped_bytes'
    if (session.isFull) this.#tally.add(cause)
    else this.#tally.warn(cause, 'The queue of a session is full: new messages are dropped', { client: session.id })
    session.isFull = true
    return false
  }

  #push(
    session: Session,
    packet: StoredPacket,
    message: Message,
    sends: number,
    subscriptionIds: readonly number[],
  ): Entry {
    const counter = packet.brokerCounter ?? message.order
    const own = { ...packet, brokerCounter: counter }
    const entry: Entry = { message, qos: packet.qos, subscriptionIds, counter, packet: own, sends }
    session.push(entry)
    return entry
  }

  /** Its payload is not needed any more. */
  #turnIntoPubrel(entry: Entry, packet: StoredPacket): void {
    const { messageId } = entry.packet
    entry.packet = packet.payload === undefined ? packet : ({ cmd: 'pubrel', messageId } as StoredPacket)
  }

  #leave(session: Session, message: Message): void {
    message.left -= 1
    if (!this.#ledger.isKept) return
    if (message.left > 0) return this.#ledger.later([this.#mark(session, message, { done: true })])
    this.#ledger.later([forget(keyOf.message(message.order)), ...[...(message.marks ?? [])].map(forget)])
  }

  #mark(session: Session, message: Message, form: DeliveryForm): ShelfChange {
    return put(markOf(message, session), encodeJson(form))
  }

  #count(messages: number, bytes: number): void {
    this.count += messages
    this.bytes += messages * bytes
  }
}

function ownPayload(packet: StoredPacket): StoredPacket {
  return Buffer.isBuffer(packet.payload) ? { ...packet, payload: Buffer.from(packet.payload) } : packet
}

function toForm(
  { session, qos: asked, subscriptionIds, keepsRetain }: Recipient,
  sent: Qos,
  retain: boolean,
): readonly [client: string, qos: Qos, more?: RecipientForm] {
  const qos = Math.min(sent, asked) as Qos
  const more: RecipientForm = {
    ...(subscriptionIds.length > 0 ? { ids: subscriptionIds } : {}),
    ...(retain && keepsRetain ? { retain } : {}),
  }
  return Object.keys(more).length > 0 ? [session.id, qos, more] : [session.id, qos]
}

/** Names that the engine gave it, if it did. */
function engineOf({ brokerId, brokerCounter }: Queued): Pick<StoredPacket, 'brokerId' | 'brokerCounter'> {
  return brokerCounter === undefined ? {} : { brokerId, brokerCounter }
}

/** The key under which is written how far this session is with it, noted so that it is forgotten with the message. */
function markOf(message: Message, session: Session): string {
  const key = keyOf.delivery(message.order, session.id)
  message.marks ??= new Set()
  message.marks.add(key)
  return key
}

/**
 * What a message takes in memory besides its bytes, measured: its buffer, age and head, and its place in one queue. One that
 * stands in several queues is charged whole in each, because the last of them keeps it whole.
 */
const overheadBytes = 1_100

export function sizeOf({ payload, topic, properties }: Pick<StoredPacket, 'topic' | 'payload' | 'properties'>): number {
  return (payload ?? nothing).length + (topic ?? '').length + (properties?.bytes.length ?? 0) + overheadBytes
}
