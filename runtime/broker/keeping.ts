/**
 * What a publish changes in what is kept, apart from its reading: queues, a retained message, the id of a QoS 2 packet.
 *
 *   prepare           before the commit: what it must hold besides the reading, so that both are on disk, or neither [I1]
 *   settle, abandon   the commit is on disk, or is not
 *
 * A message that stands in a queue is delivered from there alone (`Session.pump`), in order; what aedes would deliver
 * live of it is held back (`isQueued`).
 */
import { Age, type AgeClock } from './age.ts'
import { type SubscriptionForm, encodeMessage, keyOf, payloadOf, propertiesForm } from './forms.ts'
import { type Ledger, type ShelfChange, forget, put } from './ledger.ts'
import type { Publish } from './publish.ts'
import type { Queues, Recipient, Reservation } from './queues.ts'
import type { Retained, StoredPacket } from './retained.ts'
import type { Session } from './session.ts'
import { type Subscribers, recipientOf } from './subscribers.ts'

export type Prepared = {
  readonly publish: Publish
  readonly changes: readonly ShelfChange[]
  readonly reservation: Reservation | undefined
  readonly retained: { readonly packet: StoredPacket; readonly isRefused: boolean } | undefined
  readonly judged: ReadonlySet<string>
}

/** The QoS 2 packet id that must be known until its PUBREL comes. */
export type Releasing = { readonly client: string; readonly messageId: number }

type Parts = {
  readonly subscribers: Subscribers
  readonly retained: Retained
  readonly messages: Queues
  readonly ledger: Ledger
  readonly clock: AgeClock
  readonly sessionOf: (id: string) => Session
}

/** Of a publish that was prepared: for whom it was judged, and in whose queues it stands. */
type Settled = { readonly judged: ReadonlySet<string>; readonly taken: Set<string> }

const nothing = Buffer.alloc(0)
const nobody: readonly Recipient[] = []

export class Keeping {
  readonly #parts: Parts
  /** By payload, which aedes hands on as it is: what was prepared is not done again. */
  readonly #settled = new WeakMap<Buffer, Settled>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Does any session want messages on this topic? */
  queues(topic: string): boolean {
    return this.#parts.subscribers.recipients(topic).length > 0
  }

  /** Undefined if the publish changes nothing here. */
  prepare(publish: Publish, whenFull: ShelfChange['whenFull'], releasing?: Releasing): Prepared | undefined {
    const { subscribers, messages, ledger } = this.#parts
    const judged = publish.qos > 0 ? subscribers.recipients(publish.topic) : nobody
    const recipients = publish.qos > 0 ? subscribers.recipients(publish.topic, publish.client) : nobody
    if (judged.length === 0 && !publish.retain && releasing === undefined) return undefined
    const reservation = recipients.length > 0 ? messages.reserve(recipients, publish, whenFull) : undefined
    const { retained, changes: retaining } = this.#retaining(publish, whenFull)
    const changes = [...(reservation?.changes ?? []), ...retaining]
    if (releasing) changes.push(put(keyOf.incoming(releasing.client, releasing.messageId), nothing))
    ledger.overtake(changes)
    return { publish, changes, reservation, retained, judged: new Set(judged.map(({ session }) => session.id)) }
  }

  /** What was prepared is on disk. */
  settle({ publish, reservation, retained, judged }: Prepared): void {
    const taken = new Set(reservation?.recipients.map(({ session }) => session.id))
    this.#settled.set(publish.payload, { judged, taken })
    if (retained?.isRefused === true) this.#parts.retained.refuse(retained.packet)
    else if (retained) this.#retain(retained.packet, new Age(this.#parts.clock))
    if (reservation) this.#parts.messages.settle(reservation)
  }

  abandon({ reservation }: Prepared): void {
    if (reservation) this.#parts.messages.release(reservation)
  }

  /** Writes what was prepared, for publishes that are no readings; calls back once it is on disk. */
  write({ changes }: Prepared, done: (error?: Error) => void): void {
    this.#parts.ledger.now(changes, done)
  }

  /** The same for what nobody waits for. */
  writeLater({ changes }: Prepared): void {
    this.#parts.ledger.later(changes)
  }

  /** Is this message, told live, in the queue of this client, from where it will get it? */
  isQueued(id: string, payload: Buffer | string): boolean {
    return Buffer.isBuffer(payload) && (this.#settled.get(payload)?.taken.has(id) ?? false)
  }

  /** A message that aedes would keep for these: those that its `prepare` did not judge came while it was written. */
  enqueue(
    subscriptions: readonly ({ readonly clientId: string } & Partial<SubscriptionForm>)[],
    packet: StoredPacket,
  ): void {
    const { sessionOf, messages, ledger } = this.#parts
    const settled = Buffer.isBuffer(packet.payload) ? this.#settled.get(packet.payload) : undefined
    const fitting = new Map<string, Partial<SubscriptionForm>[]>()
    for (const { clientId, ...subscription } of subscriptions) {
      if (settled?.judged.has(clientId) === true) continue
      const known = fitting.get(clientId) ?? []
      fitting.set(clientId, [...known, { qos: packet.qos, ...subscription }])
    }
    if (fitting.size === 0) return
    const recipients = [...fitting].flatMap(([id, those]) => recipientOf(sessionOf(id), those))
    const reservation = messages.reserve(recipients, packet, 'take')
    if (!reservation) return
    const taken = settled?.taken ?? new Set<string>()
    for (const { session } of reservation.recipients) taken.add(session.id)
    if (!settled && Buffer.isBuffer(packet.payload)) this.#settled.set(packet.payload, { judged: new Set(), taken })
    ledger.later(reservation.changes)
    messages.settle(reservation)
  }

  /** A message that aedes would retain; one that was prepared is kept already. */
  retain(packet: StoredPacket): void {
    if (this.#settled.has(packet.payload)) return
    const { topic, payload, qos, properties } = packet
    const age = new Age(this.#parts.clock)
    if (!this.#retain({ ...packet, payload: Buffer.from(payload) }, age)) return
    this.#parts.ledger.later([
      put(
        keyOf.retained(topic),
        encodeMessage({ topic, qos, age: age.note(), ...propertiesForm(properties) }, payload),
      ),
    ])
  }

  #retaining(
    { topic, payload, qos, retain, properties }: Publish,
    whenFull: ShelfChange['whenFull'],
  ): Pick<Prepared, 'retained' | 'changes'> {
    if (!retain) return { retained: undefined, changes: [] }
    const { retained, clock } = this.#parts
    const packet: StoredPacket = { cmd: 'publish', topic, payload, qos, retain: true, properties }
    const key = keyOf.retained(topic)
    const isRefused = payload.length > 0 && !retained.fits(packet)
    if (isRefused || payload.length === 0) {
      return { retained: { packet, isRefused }, changes: retained.has(topic) ? [forget(key)] : [] }
    }
    const head = { topic, qos, age: new Age(clock).note(), ...propertiesForm(properties) }
    const form = encodeMessage(head, payload)
    const own = { ...packet, payload: payloadOf(form) }
    return { retained: { packet: own, isRefused }, changes: [put(key, form, whenFull)] }
  }

  #retain(packet: StoredPacket, age: Age): boolean {
    const { retained, ledger } = this.#parts
    const isKept = retained.store(packet, age)
    if (!isKept) ledger.later([forget(keyOf.retained(packet.topic))])
    return isKept
  }
}
