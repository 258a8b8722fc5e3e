/**
 * What the broker keeps for clients between packets and between connections: subscriptions and queues of persistent
 * sessions, retained messages, QoS 2 publishes that wait for PUBREL, and wills. The working set is in memory, every part
 * of it bounded [A4, I6]; what does not fit is refused or dropped and counted. What must outlive the process goes by the
 * ledger to the shelf, and before anybody is told of it if the telling is a promise [I1, A13].
 *
 * `keeping.ts` says what a publish changes here, `queues.ts` has the messages, and `persistence.ts` the methods by which
 * aedes asks.
 */
import { messageOf } from '../errors.ts'
import { anybody, type Visitor } from './access.ts'
import { Age, type AgeClock } from './age.ts'
import { type PresenceForm, encodeJson, keyOf } from './forms.ts'
import { Keeping } from './keeping.ts'
import { Ledger, type Shelf, type ShelfChange, forget, put } from './ledger.ts'
import type { BrokerLimits } from './limits.ts'
import { Ownership } from './ownership.ts'
import { Queues } from './queues.ts'
import { Retained, type StoredPacket } from './retained.ts'
import type { SubscriptionForm as Subscription } from './forms.ts'
import { type Entry, type Reader, Session } from './session.ts'
import { type Shelved, readShelf } from './shelved.ts'
import { Subscribers } from './subscribers.ts'
import { restore, startOrders, startsOf } from './restore.ts'
import type { Tally } from './tally.ts'
import { Wills } from './wills.ts'

/** As much of aedes' client as tells whether its session is over. */
export type Publisher = { readonly id: string; readonly clean?: boolean; readonly closed?: boolean }

/** What a CONNECT of MQTT 5 says of its session; one of before says neither. */
export type Arrival = {
  readonly startsClean?: boolean
  readonly expiryMs?: number | undefined
  /** Whose QoS 2 publishes are of this session, and of no later one. */
  readonly client?: object
  /** Whose it is, and what that one may have in it. */
  readonly visitor?: Visitor | undefined
}

export type SessionsDoors = {
  /** Left out, nothing outlives the process. */
  readonly shelf?: Shelf | undefined
  readonly clock: AgeClock
  /** May this client have this filter in its session? */
  readonly admits?: ((client: string, filter: string) => boolean) | undefined
  /** Whose client is connected under this id? */
  readonly userOf?: ((client: string) => string | undefined) | undefined
}

const nothing = Buffer.alloc(0)
/** How long a session has been away is written down this often: as much of it is forgotten at most. */
const noteEveryMs = 3_600_000

export class Sessions {
  readonly #limits: BrokerLimits
  readonly #tally: Tally
  readonly #ledger: Ledger
  readonly #clock: AgeClock
  readonly #admits: (client: string, filter: string) => boolean
  readonly #openedMs: number
  readonly #starts: number
  readonly #sessions = new Map<string, Session>()
  readonly subscribers = new Subscribers(this.#sessions)
  readonly retained: Retained
  readonly messages: Queues
  readonly wills: Wills
  readonly keeping: Keeping
  readonly ownership: Ownership
  /** Connected with a clean session. */
  readonly #cleanClients = new Map<string, Publisher>()
  readonly #arrived = new WeakMap<object, Session>()
  #notedMs: number

  static async open(limits: BrokerLimits, tally: Tally, doors: SessionsDoors): Promise<Sessions> {
    const ledger = new Ledger(doors.shelf, error =>
      tally.warn('not_written', 'What sessions keep could not be written yet: it is tried again', {
        error: messageOf(error),
      }),
    )
    return new Sessions(limits, tally, doors, ledger, await readShelf(ledger))
  }

  private constructor(limits: BrokerLimits, tally: Tally, doors: SessionsDoors, ledger: Ledger, shelved: Shelved) {
    const { clock } = doors
    this.#limits = limits
    this.#tally = tally
    this.#ledger = ledger
    this.#clock = clock
    this.#admits = doors.admits ?? (() => true)
    this.#openedMs = this.#notedMs = clock.monotonicMs()
    this.#starts = startsOf(shelved) + 1
    this.retained = new Retained(limits, tally)
    this.messages = new Queues(limits, tally, ledger, clock, this.#starts * startOrders)
    this.wills = new Wills(ledger, doors.userOf)
    this.ownership = new Ownership({
      sessions: this.#sessions,
      messages: this.messages,
      tally,
      end: session => this.#end(session),
      unsubscribe: (id, filters) => this.unsubscribe(id, filters),
    })
    const { subscribers, retained, messages } = this
    this.keeping = new Keeping({ subscribers, retained, messages, ledger, clock, sessionOf: id => this.#sessionOf(id) })
    ledger.later([put(keyOf.starts, encodeJson(this.#starts))])
    restore(shelved, {
      limits,
      tally,
      clock,
      ledger,
      sessions: this.#sessions,
      queues: this.messages,
      retained: this.retained,
      wills: this.wills,
    })
    ledger.flush()
  }

  /** Sorts by start, whatever the clock says: a name that came again would make old messages look like new ones. */
  get brokerId(): string {
    return `gw-${String(this.#starts).padStart(10, '0')}`
  }

  /** Changes whenever the answer of `queues` may. */
  get revision(): number {
    return this.subscribers.revision
  }

  /**
   * A client with a session came; undefined if there is no room for it. One that starts clean gets a new one
   * [MQTT-3.1.2-4], and so does one that was away for longer than it wanted [MQTT-4.1.0-2], or whose session was to end
   * with the connection that is taken over.
   */
  arrive(id: string, { startsClean = false, expiryMs, client, visitor = anybody }: Arrival = {}): Session | undefined {
    const known = this.#sessions.get(id)
    if (known && (startsClean || known.expiryMs === 0 || this.#isExpired(known))) this.#end(known)
    if (!this.#sessions.has(id) && this.#sessions.size >= this.#limits.sessionsMax) return undefined
    const session = this.#sessionOf(id)
    session.expiryMs = expiryMs
    if (client) this.#arrived.set(client, session)
    session.user = visitor.user
    this.ownership.judge(session, visitor)
    session.connections += 1
    session.readBy(undefined) // whoever it was has just been taken over
    session.away = undefined
    this.#notePresence(session)
    return session
  }

  /** What waits for it, and what will, is handed to `deliver`. */
  ready(
    id: string,
    deliver: (session: Session, entry: Entry, done: () => void) => void,
    hasRoom: Reader['hasRoom'],
  ): void {
    const session = this.#sessions.get(id)
    if (!session || session.connections === 0) return
    const onFull = (): void =>
      this.#tally.note('held_inflight_out', 'Messages wait in a queue: its client has not acknowledged those before', {
        client: id,
      })
    const window = { max: this.#limits.inflightOutMax, onFull }
    session.readBy({ deliver: (entry, done) => deliver(session, entry, done), hasRoom, window, writing: 0 })
    session.pump()
  }

  /** From where its packet ids are counted. */
  nextMessageId(id: string): number {
    return this.#sessions.get(id)?.nextMessageId ?? 1
  }

  /** Its connection closed; a session in which nothing is kept, or that was to end with it, is forgotten. */
  depart(id: string, arrived?: Session, expiryMs?: number): void {
    const session = this.#sessions.get(id)
    if (!session || (arrived && arrived !== session)) return
    session.connections = Math.max(0, session.connections - 1)
    if (session.connections > 0) return
    session.reader = undefined
    session.away = new Age(this.#clock)
    session.upTo = this.messages.order
    if (arrived) session.expiryMs = expiryMs
    if (expiryMs === 0) return this.#end(session)
    if (!this.#forgetIfEmpty(session)) this.#notePresence(session)
  }

  hasIncoming(id: string, messageId: number): boolean {
    return this.#sessions.get(id)?.incoming.has(messageId) ?? false
  }

  /** Lets go of what is too old. Called every minute or so. */
  sweep(): void {
    const nowMs = this.#clock.monotonicMs()
    const isNoted = nowMs - this.#notedMs >= noteEveryMs
    if (isNoted) this.#notedMs = nowMs
    for (const session of this.#sessions.values()) {
      if (this.#isExpired(session)) {
        this.#tally.warn('sessions_expired', 'A session ended: its client was away too long', { client: session.id })
        this.#end(session)
        continue
      }
      this.messages.expire(session)
      if (!this.#forgetIfEmpty(session) && isNoted && session.away !== undefined) this.#notePresence(session)
    }
    const topics = this.retained.expire()
    if (topics.length > 0) this.#tally.add('retained_expired', topics.length)
    this.#ledger.later(topics.map(topic => forget(keyOf.retained(topic))))
  }

  counts(): Record<string, number> {
    return {
      sessions: this.#sessions.size,
      queued_messages: this.messages.count,
      queued_bytes: this.messages.bytes,
      retained_messages: this.retained.count,
      retained_bytes: this.retained.bytes,
    }
  }

  /** Writes what is left to write. */
  close(): Promise<void> {
    return this.#ledger.close()
  }

  find(id: string): Session | undefined {
    return this.#sessions.get(id)
  }

  /** Resolves when the session is on disk so. A filter that its client may not have is passed over. */
  subscribe(id: string, subscriptions: readonly Subscription[]): Promise<void> {
    const session = this.#sessionOf(id)
    const { filters } = session
    let isChanged = false
    for (const subscription of subscriptions) {
      const { topic } = subscription
      const isFull = !filters.has(topic) && filters.size >= this.#limits.subscriptionsPerClientMax
      if (isFull || !this.#admits(id, topic) || isSame(filters.get(topic), subscription)) continue
      filters.set(topic, { ...subscription })
      isChanged = true
    }
    return this.#saved(session, isChanged)
  }

  unsubscribe(id: string, topics: readonly string[]): Promise<void> {
    const session = this.#sessions.get(id)
    if (!session) return Promise.resolve()
    const removed = topics.filter(topic => session.filters.delete(topic))
    return this.#saved(session, removed.length > 0)
  }

  /** A clean session begins: nothing of an earlier one survives, its queue included [MQTT-3.1.2-6]. */
  beginClean(client: Publisher): Promise<void> {
    this.#cleanClients.set(client.id, client)
    const session = this.#sessions.get(client.id)
    if (!session) return Promise.resolve()
    this.#end(session)
    return this.#written([forget(keyOf.subscriptions(client.id))])
  }

  /** Asked for when a clean session begins, and when its connection has closed. */
  cleanIncoming(client: Publisher): void {
    const { id, closed } = client
    if (closed === true && this.#cleanClients.get(id) === client) this.#cleanClients.delete(id)
    const session = this.#sessions.get(id)
    // Somebody with a session may have come in its place.
    if (!session || (closed === true && session.connections > 0)) return
    this.#ledger.later([...session.incoming.keys()].map(messageId => forget(keyOf.incoming(id, messageId))))
    session.incoming.clear()
    this.#forgetIfEmpty(session)
  }

  /**
   * A publish may become durable after its connection closed. If its session is over by then (it was clean, or a clean
   * one has taken its place), its packet id, noted now, would make the next session's reading with this id look like a
   * repetition, and lose it.
   */
  addIncoming(client: Publisher, packet: StoredPacket): void {
    const { id, clean, closed } = client
    if (closed === true && (clean === true || this.#cleanClients.has(id))) return
    if (this.#arrived.get(client)?.isOver === true) return
    const known = this.#sessions.get(id)
    if (!known && closed === true && this.#sessions.size >= this.#limits.sessionsMax) {
      return this.#tally.add('qos2_forgotten')
    }
    // Only the packet id matters any more: the message itself is stored and forwarded. On disk it is already.
    if (packet.messageId === undefined) return
    const { cmd, topic, qos, retain, dup = false, messageId } = packet
    // Whoever is no client of aedes wants the message back as it was.
    const payload = clean === undefined ? packet.payload : nothing
    this.#sessionOf(id).incoming.set(messageId, { cmd, topic, payload, qos, retain, dup, messageId })
  }

  /** The PUBREL came: its id is free once this resolves [MQTT-4.3.3-2]. False if there is none. */
  async releaseIncoming({ id, clean }: Publisher, messageId: number): Promise<boolean> {
    const session = this.#sessions.get(id)
    const packet = session?.incoming.get(messageId)
    if (!session || !packet) return false
    // Known until it is written: a PUBREL that comes again meanwhile must wait too.
    if (clean === false) await this.#written([forget(keyOf.incoming(id, messageId))])
    if (session.incoming.get(messageId) === packet) session.incoming.delete(messageId)
    this.#forgetIfEmpty(session)
    return true
  }

  forgetAll(): void {
    this.#sessions.clear()
    this.subscribers.changed()
  }

  /** What is kept of its subscriptions is on disk when this resolves. */
  noteSubscriptions(id: string): Promise<void> {
    const session = this.#sessions.get(id)
    return session ? this.#saved(session, true) : Promise.resolve()
  }

  /** How many QoS 2 publishes of it wait for their PUBREL. */
  incomingCount(id: string): number {
    return this.#sessions.get(id)?.incoming.size ?? 0
  }

  #isExpired({ away, expiryMs = Number.POSITIVE_INFINITY }: Session): boolean {
    if (away === undefined || away.ms <= Math.min(expiryMs, this.#limits.sessionExpiryMs)) return false
    // Nobody could come while the gateway was off.
    return this.#clock.monotonicMs() - this.#openedMs >= this.#limits.sessionGraceMs
  }

  #sessionOf(id: string): Session {
    let session = this.#sessions.get(id)
    if (!session) this.#sessions.set(id, (session = new Session(id)))
    return session
  }

  #forgetIfEmpty(session: Session): boolean {
    if (!session.isEmpty || this.#sessions.get(session.id) !== session) return false
    this.#end(session)
    return true
  }

  #end(session: Session): void {
    const { id, incoming } = session
    session.isOver = true
    session.reader = undefined
    this.messages.clear(session)
    const keys = session.isWritten ? [keyOf.subscriptions(id), keyOf.presence(id)] : []
    // These are written with their publishes, of sessions of which nothing else is.
    keys.push(...[...incoming.keys()].map(of => keyOf.incoming(id, of)))
    this.#ledger.later(keys.map(forget))
    this.#sessions.delete(id)
    this.subscribers.changed()
  }

  #notePresence(session: Session): void {
    if (!this.#ledger.isKept || session.isEmptyAway) return
    session.isWritten = true
    this.#ledger.later([presenceOf(session)])
  }

  #saved(session: Session, isChanged: boolean): Promise<void> {
    if (isChanged) this.subscribers.changed()
    if (!isChanged && session.saved) return session.saved
    session.isWritten = true
    const key = keyOf.subscriptions(session.id)
    const filters = [...session.filters.values()]
    const saving = [filters.length > 0 ? put(key, encodeJson(filters)) : forget(key)]
    // What is kept of a user is kept with its name, or somebody else could have it; and for as long as it was to be.
    const isBound = session.user !== '' || session.expiryMs !== undefined
    if (isBound && filters.length > 0) saving.push(presenceOf(session))
    const saved = this.#written(saving)
    session.saved = saved
    // The next to ask tries again.
    saved.catch(() => {
      if (session.saved === saved) session.saved = undefined
    })
    return saved
  }

  #written(changes: readonly ShelfChange[]): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#ledger.now(changes, error => (error === undefined ? resolve() : reject(error))),
    )
  }
}

function presenceOf({ id, away, upTo, expiryMs, user }: Session): ShelfChange {
  const form: PresenceForm = {
    away: away?.note(),
    upTo: away && upTo,
    ...(expiryMs === undefined ? {} : { expiryMs }),
    ...(user === '' ? {} : { user }),
  }
  return put(keyOf.presence(id), encodeJson(form))
}

function isSame(known: Subscription | undefined, subscription: Subscription): boolean {
  return known !== undefined && JSON.stringify(known) === JSON.stringify({ ...subscription })
}
