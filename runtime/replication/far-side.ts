/**
 * A far side: whatever entries go to over one connection. A hub is one (bridge.ts), a plain broker is one
 * (broker-bridge.ts), a database will be one. What they have in common is this contract, which test/replication/
 * far-side-suite.ts runs on each of them:
 *
 * - Every stream to it follows one table from a durable cursor, by the name `bridge/<bridge>/<table>` (bookmark.ts).
 * - The cursor moves only over what this far side counts as the end of an entry's journey [I1]: the hub's position, which
 *   it commits together with the entries; the PUBACK of a plain broker. It moves over all entries in the order of the
 *   log, never past one whose journey has not ended.
 * - A conversation begins when the connection is up and has been greeted, and ends with the connection. What was on its
 *   way then is forgotten, and read again from where the far side stands: nothing waits in any other queue.
 * - So each entry arrives in order and at least once; once in effect, where the far side keeps the position.
 * - What the far side refuses is parked with its reason, and the rest flows [I4]. If it refuses everything, the stream
 *   stops and says so.
 * - While there is no conversation it holds nothing but counts; while there is nothing to send it says nothing.
 * - Its status is the truth: green only if the cursor moves or there is nothing to send, and the age of the oldest
 *   unsent entry is told whether it is connected or not [I9].
 */
import type { LinkStatus } from './link/link.ts'
import type { StreamStatus } from './stream.ts'
import type { ValveStatus } from './lanes/valve.ts'

export type FarSideStatus = {
  readonly bridge: string
  readonly url: string
  readonly link: LinkStatus
  readonly state: 'offline' | 'greeting' | 'talking' | 'refused'
  readonly reason: string | undefined
  /** Who answers there, if it has a name. */
  readonly hub: string | undefined
  /** Messages that were not for us, could not be read, or belonged to an older session. */
  readonly refused: number
  readonly streams: readonly StreamStatus[]
  /** What the configuration lets it use of the link, and what is left of it. */
  readonly valve: ValveStatus
}

/** It was opened with its streams, and dials by itself for ever. */
export type FarSide = {
  status(): FarSideStatus
  /** Ends the conversation and the connection; resolves when nothing of it is on its way to the disk any more. */
  close(): Promise<void>
}
