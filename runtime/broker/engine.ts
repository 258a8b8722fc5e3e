/**
 * What the connections need from the MQTT engine, and the engine from the connections. Types only, so that aedes stays
 * behind one file and neither side imports the other.
 */
import type { Visitor } from './access.ts'
import type { Crowd } from './crowd.ts'
import type { Gate } from './gate.ts'
import type { Guests } from './guests.ts'
import type { Releasing } from './keeping.ts'
import type { BrokerLimits } from './limits.ts'
import type { Logins } from './logins.ts'
import type { Meters } from './meters.ts'
import type { Message, Publish } from './publish.ts'
import type { Tally } from './tally.ts'
import type { Topic, TopicCache } from './topic-cache.ts'
import type { Traffic } from './traffic.ts'

/** A client that has been welcomed. */
export type Guest = {
  readonly id: string
  readonly visitor: Visitor
  /** The client was heard from: its keepalive starts again [MQTT-3.1.2-24]. */
  readonly touch: () => void
  /** Hands a publish that is durable to whoever subscribes to it. */
  readonly forward: (publish: Publish, done: () => void) => void
  /** It is done with a message that it was sent. */
  readonly acknowledged: () => void
}

/** What all connections of a broker share. */
export type Hall = {
  /** May clients speak MQTT 5? */
  readonly speaks5: boolean
  readonly limits: BrokerLimits
  readonly now: () => number
  readonly tally: Tally
  readonly gate: Gate
  /** How fast each client may send. */
  readonly meters: Meters
  /** Who must wait because of wrong passwords. */
  readonly logins: Logins
  /** What waits to be read by clients. */
  readonly crowd: Crowd
  readonly traffic: Traffic
  readonly topics: TopicCache
  readonly guests: Guests
  /** Does anybody subscribe to this topic? Remembered on the topic itself. */
  readonly heard: (topic: Topic) => boolean
  /** Does a session want it, that gets it also if its client is away? Remembered with `heard`. */
  readonly queues: (topic: Topic) => boolean
  /** Tells the intake that a chunk is over; `flushSoon`, once for all that ask in this turn. */
  readonly flush: () => void
  readonly flushSoon: () => void
  /** Has `task` run after everything that is under way in this turn, once for all connections that ask. */
  readonly afterTurn: (task: () => void) => void
  /** Hands a publish to the intake and counts it as pending until it is settled; `settle` is called once. */
  readonly accept: (publish: Publish, settle: (error?: Error) => void) => void
  /**
   * The same for a publish that sessions or retained messages may keep. One that is not `wanted` is no reading, and goes
   * past the intake; it is settled once what is kept of it is durable.
   */
  readonly acceptKept: (
    publish: Publish,
    wanted: boolean,
    settle: (error?: Error) => void,
    releasing?: Releasing,
  ) => void
}

export type Engine = {
  readonly connected: () => string[]
  /** How many, of the clients that are connected. */
  readonly subscriptions: () => number
  readonly disconnect: (client: string) => void
  readonly publish: (message: Message) => Promise<void>
  readonly subscribe: (filter: string, handler: (message: Message) => void) => Promise<void>
  readonly heard: (topic: Topic) => boolean
  readonly queues: (topic: Topic) => boolean
  /** Closes the connections of visitors who would not be let in again as they were. */
  readonly review: () => void
  readonly close: () => Promise<void>
}
