/**
 * The methods by which aedes asks for what is kept of clients: those of aedes-persistence 11, whose own suite this
 * passes. Nothing is kept here; `sessions.ts` keeps it, and says when a promise may be kept.
 */
import { Readable } from 'node:stream'
import { now } from './now.ts'
import type { StoredPacket } from './retained.ts'
import type { SubscriptionForm as Subscription } from './forms.ts'
import type { Publisher, Sessions } from './sessions.ts'
import type { SessionSubscription } from './subscribers.ts'
import type { SystemTopics } from './system-topics.ts'
import type { Will } from './wills.ts'

type ClientName = { readonly id: string }
type Recipient = { readonly clientId: string } & Partial<Subscription>
/** Its connection is there where it is a client of aedes. */
type Releaser = Publisher & { readonly conn?: { refuse(cause: string): void } }
type Ack = { readonly messageId?: number | undefined }
/** aedes writes the packet that it asks about, so what is changed in it is sent so. */
type Outgoing = StoredPacket

export class Persistence {
  readonly #sessions: Sessions
  readonly #system: SystemTopics | undefined
  #broker: { id: string } | undefined

  /** `system`: what the broker tells of itself, retained though it is nowhere kept. */
  constructor(sessions: Sessions, system?: SystemTopics) {
    this.#sessions = sessions
    this.#system = system
  }

  get broker(): { id: string } | undefined {
    return this.#broker
  }

  async setup(broker: { id: string }): Promise<void> {
    this.#broker = broker
  }

  storeRetained(packet: StoredPacket): PromiseLike<void> {
    this.#sessions.keeping.retain(packet)
    return now(undefined)
  }

  createRetainedStream(filter: string): Readable {
    return this.createRetainedStreamCombi([filter])
  }

  createRetainedStreamCombi(filters: readonly string[]): Readable {
    const kept = this.#sessions.retained.matching(filters)
    const ours = this.#system?.matching(filters) ?? []
    return Readable.from(concatenated(kept, ours))
  }

  async addSubscriptions({ id }: ClientName, subscriptions: readonly Subscription[]): Promise<void> {
    await this.#sessions.subscribe(id, subscriptions)
  }

  async removeSubscriptions({ id }: ClientName, filters: readonly string[]): Promise<void> {
    await this.#sessions.unsubscribe(id, filters)
  }

  async subscriptionsByClient({ id }: ClientName): Promise<Subscription[]> {
    return [...(this.#sessions.find(id)?.filters.values() ?? [])].map(subscription => ({ ...subscription }))
  }

  subscriptionsByTopic(topic: string): PromiseLike<readonly SessionSubscription[]> {
    return now(this.#sessions.subscribers.all(topic))
  }

  async cleanSubscriptions(client: Publisher): Promise<void> {
    // In MQTT 5 a session may start clean and be kept; `arrive` has made it so.
    if (client.clean === false) await this.#sessions.noteSubscriptions(client.id)
    else await this.#sessions.beginClean(client)
  }

  async countOffline(): Promise<{ subsCount: number; clientsCount: number }> {
    return this.#sessions.subscribers.counts
  }

  getClientList(topic: string): Readable {
    return Readable.from(this.#sessions.subscribers.clientsOf(topic))
  }

  outgoingEnqueue(subscription: Recipient, packet: StoredPacket): PromiseLike<void> {
    return this.outgoingEnqueueCombi([subscription], packet)
  }

  outgoingEnqueueCombi(subscriptions: readonly Recipient[], packet: StoredPacket): PromiseLike<void> {
    if (subscriptions.length > 0) this.#sessions.keeping.enqueue(subscriptions, packet)
    return now(undefined)
  }

  /** A message gets its packet id, or PUBREC turns it into a PUBREL. What was dropped is delivered all the same. */
  outgoingUpdate({ id }: ClientName, packet: Outgoing): PromiseLike<void> {
    const session = this.#sessions.find(id)
    const { messages } = this.#sessions
    if (packet.cmd === 'pubrel') {
      const entry = session?.withMessageId(packet.messageId)
      if (!session || !entry) return now(undefined)
      return kept(done => messages.released(session, entry, packet, done))
    }
    const entry = session?.queue.get(packet.brokerCounter ?? 0)
    if (!session || !entry) return now(undefined)
    return kept(done => {
      packet.messageId = messages.sent(session, entry, packet.messageId ?? 0, done)
    })
  }

  async outgoingClearMessageId({ id }: ClientName, { messageId }: Ack): Promise<StoredPacket | undefined> {
    const session = this.#sessions.find(id)
    const entry = session?.withMessageId(messageId)
    if (!session || !entry) return undefined
    this.#sessions.messages.done(session, entry)
    session.pump()
    return entry.packet
  }

  outgoingStream({ id }: ClientName): Readable {
    return Readable.from([...(this.#sessions.find(id)?.queue.values() ?? [])].map(({ packet }) => packet))
  }

  async incomingStorePacket(client: Publisher, packet: StoredPacket): Promise<void> {
    this.#sessions.addIncoming(client, packet)
  }

  async incomingGetPacket({ id }: ClientName, { messageId }: Ack): Promise<StoredPacket> {
    const packet = this.#sessions.find(id)?.incoming.get(messageId ?? 0)
    if (!packet) throw new Error('No such packet')
    return packet
  }

  async incomingDelPacket(client: Releaser, { messageId }: Ack): Promise<void> {
    // aedes 1 tells PUBCOMP whatever comes of this, and aedes 2 lets a rejection escape, which ends the process. But an id
    // that is on the disk is not free: after a power cut the next reading under it would be taken for this one, and lost.
    try {
      await this.#sessions.releaseIncoming(client, messageId ?? 0)
    } catch (error) {
      if (!client.conn) throw error
      client.conn.refuse('not_durable')
    }
  }

  async cleanIncoming(client: Publisher): Promise<void> {
    this.#sessions.cleanIncoming(client)
  }

  async putWill({ id }: ClientName, packet: StoredPacket): Promise<void> {
    this.#sessions.wills.put(id, packet, this.#broker?.id ?? '')
  }

  async getWill({ id }: ClientName): Promise<Will | undefined> {
    return this.#sessions.wills.get(id)
  }

  async delWill({ id }: ClientName): Promise<Will | undefined> {
    return this.#sessions.wills.delete(id)
  }

  /** Those of the clients of dead brokers: of this one, before it was started again. */
  streamWill(living?: Readonly<Record<string, unknown>>): Readable {
    return Readable.from(this.#sessions.wills.of(living, this.#broker?.id ?? ''))
  }

  async destroy(): Promise<void> {
    this.#sessions.forgetAll()
  }
}

function* concatenated<Item>(...lists: readonly Iterable<Item>[]): Generator<Item> {
  for (const list of lists) yield* list
}

/** A promise that is kept at once if what it waits for is. */
function kept(start: (done: (error?: Error) => void) => void): PromiseLike<void> {
  let error: Error | undefined
  let isDone = false
  let settle: ((error?: Error) => void) | undefined
  start(failure => {
    isDone = true
    error = failure
    settle?.(failure)
  })
  if (isDone && error === undefined) return now(undefined)
  return new Promise((resolve, reject) => {
    settle = failure => (failure === undefined ? resolve() : reject(failure))
    if (isDone) settle(error)
  })
}
