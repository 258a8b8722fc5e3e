/**
 * The LAN broker: listeners, the connections behind them, and aedes behind those. It knows nothing of tables; it hands
 * what clients publish to the intake, and acknowledges what the intake has made durable [I1].
 *
 * `close` refuses what is new at once, and resolves when all that was accepted is done.
 */
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { programVersion } from '../version.ts'
import { type Access, openToAll } from './access.ts'
import { subscriptionFault } from './admission.ts'
import { openAedes } from './aedes.ts'
import { Crowd } from './crowd.ts'
import type { Engine, Hall } from './engine.ts'
import { Gate } from './gate.ts'
import { Guests } from './guests.ts'
import type { Releasing } from './keeping.ts'
import type { Shelf } from './ledger.ts'
import type { BrokerLimits } from './limits.ts'
import type { BrokerTls } from './listen.ts'
import { type ListenAddress, type Listeners, openListeners } from './listeners.ts'
import { Lobby } from './lobby.ts'
import { Logins } from './logins.ts'
import { Meters } from './meters.ts'
import { Porter } from './porter.ts'
import type { Intake, Message, Publish, Qos } from './publish.ts'
import { Sessions } from './sessions.ts'
import { type SystemFacts, SystemTopics } from './system-topics.ts'
import { Tally } from './tally.ts'
import { type Topic, TopicCache } from './topic-cache.ts'
import { Traffic } from './traffic.ts'
import type { Caller, Listener, ListenerKind } from './wire.ts'

export type BrokerOptions = {
  /** Who may come in and do what; left out, everybody. */
  readonly access?: Access | undefined
  readonly listen: readonly ListenAddress[]
  /** Pages that may connect over WebSocket besides our own, as browsers write them; `*` is every page. */
  readonly origins?: readonly string[] | undefined
  /** What the listeners that speak TLS show. */
  readonly tls?: BrokerTls | undefined
  readonly limits: BrokerLimits
  /** Which engine: with true clients may speak MQTT 5 too, with false (or left out) 3.1 and 3.1.1. */
  readonly mqtt5?: boolean | undefined
  readonly intake: Intake
  /** How often the topics below `$SYS` are told again; 0 or left out: there are none. */
  readonly systemIntervalMs?: number | undefined
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly log: Log
  /** Who keeps sessions, queues, retained messages and wills over restarts. Left out, they end with the process. */
  readonly shelf?: Shelf | undefined
  readonly monotonicMs?: (() => number) | undefined
  /** The wall clock, while it can be trusted: nothing expires by one that cannot. */
  readonly trustedMs?: (() => number | undefined) | undefined
}

export type Broker = {
  readonly addresses: () => readonly Listener[]
  /** Publishes to subscribers, past the intake. Resolves when it was handed to all of them. */
  readonly publish: (
    topic: string,
    payload: Buffer | string,
    options?: { qos?: Qos; retain?: boolean },
  ) => Promise<void>
  /** Hears messages inside the process. It hears no retained messages of before, and must not throw. */
  readonly subscribe: (filter: string, handler: (message: Message) => void) => Promise<void>
  /** Connections that are there, by what they came over, for each kind of listener that there is. */
  readonly connections: () => Readonly<Partial<Record<ListenerKind, number>>>
  /** Ids of the clients that are connected. */
  readonly connected: () => readonly string[]
  readonly disconnect: (client: string) => void
  /** Who may come in has changed: closes the connections of those who would not be let in again as they were. */
  readonly review: () => void
  /** Listens there from now on, and nowhere else; who is connected stays. Rejects if it cannot: then it listens nowhere. */
  readonly listenOn: (places: readonly ListenAddress[]) => Promise<void>
  /** Routes changed: `wants` is asked again about every topic. */
  readonly forgetTopics: () => void
  readonly counters: () => Record<string, number>
  readonly close: () => Promise<void>
}

/** How often is looked for what is too old. */
const sweepMs = 60_000

export async function openBroker(options: BrokerOptions): Promise<Broker> {
  const { limits, intake, now, log, monotonicMs = now } = options
  const tally = new Tally(log, now)
  const gate = new Gate(limits)
  const topics = new TopicCache(limits, intake.wants)
  const { standIn } = options.access ?? openToAll
  const guests = new Guests(options.access ?? openToAll, tally)
  const sessions = await Sessions.open(limits, tally, {
    shelf: options.shelf,
    clock: { monotonicMs, trustedMs: options.trustedMs ?? now },
    admits: (client, filter) => subscriptionFault(guests.visitorOf(client), filter, [], limits) === undefined,
    userOf: client => guests.visitorOf(client)?.user,
  })
  guests.heed((client, user) => sessions.ownership.isAnothers(client, user, standIn))
  const pending = new Pending(intake, tally)
  const turn = new Turn()
  const meters = new Meters(limits, tally, monotonicMs)
  const logins = new Logins(limits, tally, monotonicMs)
  const hall: Hall = {
    speaks5: options.mqtt5 ?? false,
    limits,
    now,
    tally,
    gate,
    meters,
    logins,
    crowd: new Crowd(limits),
    traffic: new Traffic(),
    topics,
    guests,
    heard: (topic: Topic) => engine.heard(topic),
    flush: () => pending.flush(),
    flushSoon: () => turn.flushSoon(() => pending.flush()),
    afterTurn: task => turn.after(task),
    accept: (publish, settle) => pending.accept(publish, settle),
    queues: (topic: Topic) => engine.queues(topic),
    acceptKept: (publish, wanted, settle, releasing) =>
      acceptKept({ sessions, pending }, publish, wanted, settle, releasing),
  }
  const { systemIntervalMs = 0 } = options
  const system =
    systemIntervalMs > 0
      ? new SystemTopics({
          version: programVersion(),
          monotonicMs: monotonicMs,
          facts: () => factsOf(hall, engine, sessions),
          publish: (topic, payload) => {
            const message = { topic, payload: Buffer.from(payload), qos: 0 as const, retain: false }
            engine.publish(message).catch((error: unknown) => {
              tally.warn('broker_error', 'The broker could not tell of itself', { topic, error: messageOf(error) })
            })
          },
        })
      : undefined
  const engine = await openAedes(hall, sessions, system)
  system?.tell()
  const porter = new Porter(limits, monotonicMs)
  const lobby = new Lobby(hall, porter, engine.handle)
  const doors = {
    tls: options.tls,
    origins: options.origins ?? [],
    limits,
    tally,
    enter: (caller: Caller): void => lobby.enter(caller),
  }
  let listeners: Listeners
  try {
    listeners = await openListeners(options.listen, doors)
  } catch (error) {
    await engine.close()
    throw error
  }
  let isClosed = false
  const telling = system && setInterval(() => system.tell(), systemIntervalMs).unref()
  const sweeping = setInterval(() => {
    for (const kept of [sessions, porter, meters, logins]) kept.sweep()
  }, sweepMs).unref()
  return {
    addresses: () => listeners.addresses,
    publish: (topic, payload, { qos = 0, retain = false } = {}) =>
      engine.publish({ topic, payload: Buffer.isBuffer(payload) ? payload : Buffer.from(payload), qos, retain }),
    subscribe: engine.subscribe,
    connections: () => Object.fromEntries(listeners.addresses.map(({ kind }) => [kind, hall.traffic.present[kind]])),
    connected: engine.connected,
    disconnect: engine.disconnect,
    review: () => {
      engine.review()
      sessions.ownership.review(standIn, id => guests.visitorOf(id)?.isCurrent() === true)
    },
    listenOn: async places => {
      listeners.stop()
      listeners = { addresses: [], stop: () => undefined }
      if (!isClosed) listeners = await openListeners(places, doors)
      if (isClosed) listeners.stop()
    },
    forgetTopics: () => topics.clear(),
    counters: () => ({
      ...tally.counts(),
      ...sessions.counts(),
      accepted: pending.accepted,
      clients: engine.connected().length,
      connections: lobby.size,
      pending: pending.count,
      pending_bytes: gate.bytes,
      pending_bytes_peak: gate.peakBytes,
      waiting_bytes: hall.crowd.waitingBytes,
    }),
    close: async () => {
      isClosed = true
      clearInterval(telling)
      listeners.stop()
      lobby.shut()
      await pending.settled()
      await engine.close() // its clients' wills may be readings
      await pending.settled()
      clearInterval(sweeping)
      await sessions.close()
      lobby.clear()
    },
  }
}

/** What the topics below `$SYS` tell of. */
function factsOf({ traffic, tally }: Hall, engine: Engine, sessions: Sessions): SystemFacts {
  const connected = engine.connected()
  const away = sessions.subscribers.away(new Set(connected))
  const { retained, messages } = sessions
  const counts = tally.counts()
  return {
    traffic,
    clientsConnected: connected.length,
    clientsAway: away.clients,
    clientsExpired: counts['sessions_expired'] ?? 0,
    subscriptions: engine.subscriptions() + away.subscriptions,
    retainedMessages: retained.count,
    storedMessages: retained.count + messages.count,
    storedBytes: retained.bytes + messages.bytes,
    publishesDropped: (counts['queue_dropped'] ?? 0) + (counts['queue_expired'] ?? 0),
  }
}

/** What sessions keep of a publish is in the same commit as its reading, or in one of its own if it is none [I1]. */
function acceptKept(
  { sessions: { keeping }, pending }: { readonly sessions: Sessions; readonly pending: Pending },
  publish: Publish,
  wanted: boolean,
  settle: (error?: Error) => void,
  releasing: Releasing | undefined,
): void {
  // The gateway's own, which names no client, tells of alerts: it may take the last of the space.
  const prepared = keeping.prepare(publish, publish.client === '' ? 'take' : 'refuse', releasing)
  if (!prepared) return wanted ? pending.accept(publish, settle) : settle()
  const done = (error?: Error): void => {
    if (error) keeping.abandon(prepared)
    else keeping.settle(prepared)
    settle(error)
  }
  if (wanted) return pending.accept({ ...publish, keep: prepared.changes }, done)
  if (publish.qos > 0) return pending.during(done, settled => keeping.write(prepared, settled))
  // A retained publish of QoS 0 is promised nothing.
  keeping.writeLater(prepared)
  done()
}

/** Counts what the intake has accepted and not settled. Nothing that the intake throws gets past it. */
class Pending {
  readonly #intake: Intake
  readonly #tally: Tally
  #idle: (() => void)[] = []
  accepted = 0
  count = 0

  constructor(intake: Intake, tally: Tally) {
    this.#intake = intake
    this.#tally = tally
  }

  accept(publish: Publish, settle: (error?: Error) => void): void {
    this.accepted += 1
    const done = this.#track(settle)
    try {
      this.#intake.accept(publish, done)
    } catch (error) {
      done(error instanceof Error ? error : new Error(messageOf(error)))
    }
  }

  /** Counts as pending until what `start` began is done. */
  during(settle: (error?: Error) => void, start: (done: (error?: Error) => void) => void): void {
    start(this.#track(settle))
  }

  flush(): void {
    try {
      this.#intake.flush()
    } catch (error) {
      this.#tally.warn('broker_error', 'The intake failed to flush', { error: messageOf(error) })
    }
  }

  /** `settle` is called once, however often what this returns is. */
  #track(settle: (error?: Error) => void): (error?: Error) => void {
    this.count += 1
    let open = true
    return error => {
      if (!open) return
      open = false
      try {
        settle(error)
      } finally {
        this.count -= 1
        if (this.count === 0) for (const resolve of this.#idle.splice(0)) resolve()
      }
    }
  }

  /** Resolves one turn after everything is settled, so that the acknowledgements are written. */
  async settled(): Promise<void> {
    if (this.count > 0) await new Promise<void>(resolve => this.#idle.push(resolve))
    await new Promise(resolve => setImmediate(resolve))
  }
}

/** Tasks that run once after what is under way now, however many ask for it: the place where writes are gathered. */
class Turn {
  #tasks: (() => void)[] = []
  #flushAsked = false

  after(task: () => void): void {
    if (this.#tasks.push(task) > 1) return
    process.nextTick(() => {
      const tasks = this.#tasks
      this.#tasks = []
      for (const run of tasks) run()
    })
  }

  flushSoon(flush: () => void): void {
    if (this.#flushAsked) return
    this.#flushAsked = true
    this.after(() => {
      this.#flushAsked = false
      flush()
    })
  }
}
