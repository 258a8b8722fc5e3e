/** What both ends of a stream share: the conversation it belongs to, the doors to the world, and what its status says. */
import type { Log } from '../log.ts'
import type { Seq } from '../store/types.ts'
import type { ClockDoor } from './clock-door.ts'
import type { StreamMessage } from './wire/protocol.ts'
import type { StoreDoor } from './store-door.ts'
import type { Takes } from './wire/protocol.ts'
import type { Time } from './time.ts'

/** One conversation between two ends: from a hello until the connection is lost. */
export type Session = {
  readonly id: string
  /** The far side's id: what came from it does not go back to it. */
  readonly peer: string
  /** What the far side takes. */
  readonly far: Takes
  /** `onGone` is called when the next hop has taken or refused it, if this session can tell (`tellsGone`). */
  readonly post: (name: StreamMessage, table: string, payload: Buffer, onGone?: () => void) => void
  readonly tellsGone?: boolean
  /** Nothing but our answers tells the far side when a frame has come: so it is told at once, before the commit. */
  readonly tellsHeard?: boolean
  /** What a small message took there and back while the link was empty. */
  readonly quietMs?: number
  /** May entries of this table be posted now? Left out: always. */
  readonly hasRoom?: (table: string) => boolean
}

export type Doors = {
  readonly store: StoreDoor
  readonly time: Time
  readonly randomId: () => string
  readonly log: Log
  readonly clock?: ClockDoor
}

export type StreamStatus = {
  readonly bridge: string
  readonly table: string
  readonly direction: 'send' | 'receive'
  /** Entries that the far side (sending) or we (receiving) don't have yet. */
  readonly behind: number
  readonly oldestUnsentMs: number | undefined
  readonly confirmed: Seq
  /** By the wall clock; undefined if nothing was confirmed since the start. */
  readonly lastConfirmedAtMs: number | undefined
  readonly framesInFlight: number
  readonly bytes: number
  readonly parked: number
  readonly refused: number
  /** Entries that `where` had no answer for, such as rows without the field that it looks at: not sent. */
  readonly undecided: number
  /** Entries that the receiving side will never get, and why the last of them will not come. */
  readonly gaps: number
  readonly lastGap: string | undefined
  /**
   * moving and idle are green. waiting: held back by a window or a budget, as configured. stalled: connected, but the
   * confirmed position does not move.
   */
  readonly state: 'idle' | 'moving' | 'waiting' | 'stalled' | 'offline' | 'refused' | 'restarting'
  readonly reason: string | undefined
  /** When a stream that waits goes on, by the wall clock; undefined if that is not known. */
  readonly goesOnAtMs?: number | undefined
}
