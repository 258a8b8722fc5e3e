/**
 * The door between the broker and whoever stores readings: the broker hands publishes over and waits.
 * Types only. The broker knows nothing of tables, and the intake nothing of MQTT connections.
 */
import type { ShelfChange } from './ledger.ts'
import type { Properties } from './properties.ts'

export type Qos = 0 | 1 | 2

/** What arrived: never changed afterwards, and the payload's bytes are never written again. */
export type Publish = {
  readonly client: string
  readonly topic: string
  readonly payload: Buffer
  readonly qos: Qos
  readonly retain: boolean
  readonly arrivalMs: number
  /** What a client of MQTT 5 said besides. */
  readonly properties?: Properties | undefined
  /** What must be written in the same commit, or not at all: queues of sessions that are away. */
  readonly keep?: readonly ShelfChange[] | undefined
  /** May its readings be of this device? Left out: of any. */
  readonly mayName?: ((device: string) => boolean) | undefined
}

export type Intake = {
  /** Is this topic a reading (does a route match)? Asked once per topic, then remembered until `forgetTopics`. */
  readonly wants: (topic: string) => boolean
  /**
   * Takes a publish. `done()` once it is durable; `done(error)` if it is not: then the connection is closed and
   * nothing is acknowledged [I1]. It is called for QoS 0 too, and exactly once.
   */
  readonly accept: (publish: Publish, done: (error?: Error) => void) => void
  /** Told once after a chunk of one connection was scanned whole, so that the chunk can become one commit. */
  readonly flush: () => void
}

/** A message as an in-process subscriber sees it. */
export type Message = {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: Qos
  readonly retain: boolean
}
