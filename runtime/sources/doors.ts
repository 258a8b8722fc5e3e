/**
 * The door between sources and whoever stores what they bring: the same that the broker of the LAN has. Types only.
 */
import type { Change, KeepChange, Receipt } from '../store/types.ts'

/** What arrived: never changed afterwards, and the payload's bytes are never written again. */
export type Publish = {
  readonly client: string
  /** The name of the source: a client of our own broker may call itself as it likes. */
  readonly source: string
  readonly topic: string
  readonly payload: Buffer
  readonly retain: boolean
  /** It was kept there from before: what says the same as what is stored is not stored again. */
  readonly isOld?: boolean
  readonly arrivalMs: number
  /** What must be written in the same commit, or not at all. */
  readonly keep?: readonly KeepChange[] | undefined
}

export type Intake = {
  /** Does a route take this topic? */
  readonly wants: (topic: string) => boolean
  /** Takes a publish of a wanted topic. `done` is called exactly once: when it is durable, or with the error if not. */
  readonly accept: (publish: Publish, done: (error?: Error) => void) => void
  /** Hands over all that was accepted in this turn as one commit. */
  readonly flush: () => void
}

/** What a source keeps for itself over restarts. */
export type Memory = {
  commit(changes: readonly Change[]): Promise<Receipt>
  states(owner: string): ReadonlyMap<string, unknown>
  kept(owner: string): AsyncIterable<readonly [key: string, bytes: Buffer]>
}
