/**
 * What aedes keeps for clients between packets and between connections: subscriptions and queues of persistent
 * sessions, retained messages, QoS 2 publishes that wait for PUBREL, and wills. In memory, and every part of it is
 * bounded [A4, I6]; what does not fit is refused or dropped and counted, never kept silently.
 *
 * The methods are those that aedes calls on a persistence; another one may take this one's place, but it must also
 * answer `matching` and `hasIncoming`, and keep the order in which publishes came (see `now`).
 */
import { Readable } from 'node:stream'
import type { BrokerLimits } from './limits.ts'
import { Retained, type StoredPacket } from './retained.ts'
import type { Tally } from './tally.ts'
import { filterMatches } from './topics.ts'

type ClientName = { readonly id: string }
/** As much of aedes' client as tells whether its session is over. */
type Publisher = ClientName & { readonly clean?: boolean; readonly closed?: boolean }
type Subscription = { readonly topic: string; readonly qos: 0 | 1 | 2 }
type SessionSubscription = Subscription & { readonly clientId: string }
type Ack = { readonly messageId?: number; readonly brokerId?: string; readonly brokerCounter?: number }
type Session = {
  readonly filters: Map<string, Subscription>
  queue: StoredPacket[]
  readonly incoming: Map<number, StoredPacket>
  connections: number
  full: boolean
}

const remembered = 4_096

export class Sessions {
  readonly #limits: BrokerLimits
  readonly #tally: Tally
  readonly #retained: Retained
  readonly #sessions = new Map<string, Session>()
  readonly #wills = new Map<string, StoredPacket>()
  /** Connected with a clean session. */
  readonly #cleanClients = new Map<string, Publisher>()
  readonly #matches = new Map<string, readonly SessionSubscription[]>()
  #brokerId = ''
  #queuedBytes = 0
  /** Changes whenever the answer of `matching` may. */
  revision = 0

  constructor(limits: BrokerLimits, tally: Tally) {
    this.#limits = limits
    this.#tally = tally
    this.#retained = new Retained(limits, tally)
  }

  /** A client with a persistent session came; false if there is no room for its session. */
  arrive(id: string): boolean {
    const known = this.#sessions.get(id)
    if (!known && this.#sessions.size >= this.#limits.sessionsMax) return false
    ;(known ?? this.#open(id)).connections += 1
    return true
  }

  /** Its connection closed; a session in which nothing is kept is forgotten. */
  depart(id: string): void {
    const session = this.#sessions.get(id)
    if (!session) return
    session.connections = Math.max(0, session.connections - 1)
    this.#forgetIfEmpty(id, session)
  }

  /** Sessions, one entry per client, that must be given a message on this topic. */
  matching(topic: string): readonly SessionSubscription[] {
    let found = this.#matches.get(topic)
    if (found) return found
    const byClient = new Map<string, SessionSubscription>()
    for (const [clientId, session] of this.#sessions) {
      for (const subscription of session.filters.values()) {
        if (subscription.qos === 0 || !filterMatches(subscription.topic, topic)) continue
        const other = byClient.get(clientId)
        if (!other || other.qos < subscription.qos) byClient.set(clientId, { ...subscription, clientId })
      }
    }
    found = [...byClient.values()]
    if (this.#matches.size >= remembered) this.#matches.clear()
    this.#matches.set(topic, found)
    return found
  }

  hasIncoming(id: string, messageId: number): boolean {
    return this.#sessions.get(id)?.incoming.has(messageId) ?? false
  }

  counts(): Record<string, number> {
    return {
      sessions: this.#sessions.size,
      queued_bytes: this.#queuedBytes,
      retained_messages: this.#retained.count,
      retained_bytes: this.#retained.bytes,
    }
  }

  async setup(broker: { readonly id: string }): Promise<void> {
    this.#brokerId = broker.id
  }

  storeRetained(packet: StoredPacket): PromiseLike<void> {
    this.#retained.store(packet)
    return now(undefined)
  }

  createRetainedStreamCombi(filters: readonly string[]): Readable {
    return Readable.from(this.#retained.matching(filters))
  }

  async addSubscriptions({ id }: ClientName, subscriptions: readonly Subscription[]): Promise<void> {
    const session = this.#sessions.get(id) ?? this.#open(id)
    for (const { topic, qos } of subscriptions) session.filters.set(topic, { topic, qos })
    this.#changed()
  }

  async removeSubscriptions({ id }: ClientName, filters: readonly string[]): Promise<void> {
    const session = this.#sessions.get(id)
    if (!session) return
    for (const filter of filters) session.filters.delete(filter)
    this.#changed()
  }

  async subscriptionsByClient({ id }: ClientName): Promise<Subscription[]> {
    return [...(this.#sessions.get(id)?.filters.values() ?? [])].map(subscription => ({ ...subscription }))
  }

  subscriptionsByTopic(topic: string): PromiseLike<readonly SessionSubscription[]> {
    return now(this.matching(topic))
  }

  /** A clean session begins: nothing of an earlier one survives, its queue included [MQTT-3.1.2-6]. */
  async cleanSubscriptions(client: Publisher): Promise<void> {
    const { id } = client
    this.#cleanClients.set(id, client)
    const session = this.#sessions.get(id)
    if (!session) return
    for (const packet of session.queue) this.#queuedBytes -= sizeOf(packet)
    this.#sessions.delete(id)
    this.#changed()
  }

  outgoingEnqueue({ clientId }: { clientId: string }, packet: StoredPacket): PromiseLike<void> {
    return this.outgoingEnqueueCombi([{ clientId, topic: packet.topic, qos: packet.qos }], packet)
  }

  outgoingEnqueueCombi(subscriptions: readonly SessionSubscription[], packet: StoredPacket): PromiseLike<void> {
    if (subscriptions.length === 0) return now(undefined)
    // One copy for all, because a slice would keep the whole chunk that it came in.
    const kept = { ...packet, payload: Buffer.from(packet.payload) }
    for (const { clientId, qos } of subscriptions) this.#enqueue(clientId, kept, qos)
    return now(undefined)
  }

  /** A message got its packet id, or PUBREC turned it into a PUBREL. What was dropped is delivered all the same. */
  async outgoingUpdate({ id }: ClientName, packet: StoredPacket): Promise<void> {
    const queue = this.#sessions.get(id)?.queue ?? []
    const index = queue.findIndex(queued =>
      packet.brokerId === undefined
        ? queued.messageId === packet.messageId
        : queued.brokerId === packet.brokerId && queued.brokerCounter === packet.brokerCounter,
    )
    const queued = queue[index]
    if (!queued) return
    if (packet.brokerId !== undefined) {
      queued.messageId = packet.messageId
    } else {
      this.#queuedBytes += sizeOf(packet) - sizeOf(queued)
      queue[index] = packet
    }
  }

  async outgoingClearMessageId({ id }: ClientName, { messageId }: Ack): Promise<StoredPacket | undefined> {
    const session = this.#sessions.get(id)
    const index = session?.queue.findIndex(queued => queued.messageId === messageId) ?? -1
    if (!session || index < 0) return undefined
    const [packet] = session.queue.splice(index, 1)
    if (packet) this.#queuedBytes -= sizeOf(packet)
    session.full = false
    return packet
  }

  outgoingStream({ id }: ClientName): Readable {
    return Readable.from([...(this.#sessions.get(id)?.queue ?? [])])
  }

  /**
   * A publish may become durable after its connection closed. If its session is over by then (it was clean, or a clean
   * one has taken its place), its packet id, noted now, would make the next session's reading with this id look like a
   * repetition, and lose it.
   */
  async incomingStorePacket({ id, clean, closed }: Publisher, packet: StoredPacket): Promise<void> {
    if (closed === true && (clean === true || this.#cleanClients.has(id))) return
    const known = this.#sessions.get(id)
    if (!known && closed === true && this.#sessions.size >= this.#limits.sessionsMax) {
      return this.#tally.add('qos2_forgotten')
    }
    const session = known ?? this.#open(id)
    // Only the packet id matters any more: the message itself is stored and forwarded.
    if (packet.messageId !== undefined) session.incoming.set(packet.messageId, { ...packet, payload: nothing })
  }

  async incomingGetPacket({ id }: ClientName, { messageId }: Ack): Promise<StoredPacket> {
    const packet = this.#sessions.get(id)?.incoming.get(messageId ?? 0)
    if (!packet) throw new Error('No such packet')
    return packet
  }

  async incomingDelPacket({ id }: ClientName, { messageId }: Ack): Promise<void> {
    const session = this.#sessions.get(id)
    if (!session?.incoming.delete(messageId ?? 0)) throw new Error('No such packet')
    this.#forgetIfEmpty(id, session)
  }

  /** Asked for when a clean session begins, and when its connection has closed. */
  async cleanIncoming(client: Publisher): Promise<void> {
    const { id, closed } = client
    if (closed === true && this.#cleanClients.get(id) === client) this.#cleanClients.delete(id)
    const session = this.#sessions.get(id)
    if (!session) return
    session.incoming.clear()
    this.#forgetIfEmpty(id, session)
  }

  async putWill({ id }: ClientName, packet: StoredPacket): Promise<void> {
    this.#wills.set(id, Object.assign(packet, { brokerId: this.#brokerId, clientId: id }))
  }

  async getWill({ id }: ClientName): Promise<StoredPacket | undefined> {
    return this.#wills.get(id)
  }

  async delWill({ id }: ClientName): Promise<StoredPacket | undefined> {
    const will = this.#wills.get(id)
    this.#wills.delete(id)
    return will
  }

  /** Wills of other brokers: there are none, because nothing here outlives the process. */
  streamWill(): Readable {
    return Readable.from([])
  }

  async destroy(): Promise<void> {
    this.#sessions.clear()
    this.#wills.clear()
  }

  #open(id: string): Session {
    const session: Session = { filters: new Map(), queue: [], incoming: new Map(), connections: 0, full: false }
    this.#sessions.set(id, session)
    return session
  }

  #forgetIfEmpty(id: string, session: Session): void {
    if (session.connections > 0 || session.filters.size > 0 || session.incoming.size > 0) return
    for (const packet of session.queue) this.#queuedBytes -= sizeOf(packet)
    if (this.#sessions.get(id) === session) this.#sessions.delete(id)
  }

  #enqueue(clientId: string, packet: StoredPacket, qos: number): void {
    const session = this.#sessions.get(clientId)
    if (!session) return
    const bytes = sizeOf(packet)
    const { queuedMessagesPerSessionMax, queuedBytesMax } = this.#limits
    if (session.queue.length >= queuedMessagesPerSessionMax || this.#queuedBytes + bytes > queuedBytesMax) {
      // The newest goes, so that what was sent and waits for its acknowledgement stays. Said once per full queue.
      if (session.full) this.#tally.add('queue_dropped')
      else
        this.#tally.warn('queue_dropped', 'The queue of a session is full: new messages are dropped', {
          client: clientId,
        })
      session.full = true
      return
    }
    this.#queuedBytes += bytes
    session.queue.push({ ...packet, qos: Math.min(packet.qos, qos) as 0 | 1 | 2, messageId: undefined })
  }

  #changed(): void {
    this.#matches.clear()
    this.revision += 1
  }
}

const nothing = Buffer.alloc(0)

function sizeOf(packet: StoredPacket): number {
  return (packet.payload?.length ?? 0) + (packet.topic?.length ?? 0) + 200
}

/**
 * A promise that is kept at once. aedes numbers a publish before it asks the persistence, and a subscriber drops a
 * lower number that comes after a higher one: with true promises a QoS 1 or retained publish that is followed by a
 * QoS 0 one in the same turn would be overtaken by it, and lost to the subscriber.
 */
function now<T>(value: T): PromiseLike<T> {
  return {
    // oxlint-disable-next-line unicorn/no-thenable -- being a thenable is its purpose
    then<A, B>(kept?: ((value: T) => A | PromiseLike<A>) | null): PromiseLike<A | B> {
      if (!kept) return now(value) as unknown as PromiseLike<A | B>
      const next = kept(value)
      return isThenable(next) ? next : now(next)
    },
  }
}

function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
