/**
 * Where the stream to a plain broker stands: what was acknowledged without a hole, what is on its way, how far the log
 * was read. Pure; plain-stream.ts does what it says.
 *
 *   confirmed ──── flying (some of them acknowledged) ──── scanned ──── head
 *
 * `confirmed` moves over entries whose messages are acknowledged, and over those that have no message (a gap, a parked
 * row), one after the other and never past one that still waits. It is what is kept as the cursor [I1].
 */
import type { Seq } from '../../store/types.ts'

type Flight = {
  readonly seq: Seq
  readonly isDone: boolean
}

export type PlainWindow = {
  readonly confirmed: Seq
  readonly scanned: Seq
  /** In the order of the log; the first is never done. */
  readonly flying: readonly Flight[]
  /** How many of them wait for an answer. */
  readonly waiting: number
}

export const openPlainWindow = (cursor: Seq): PlainWindow => ({
  confirmed: cursor,
  scanned: cursor,
  flying: [],
  waiting: 0,
})

/** The entry's message goes out. */
export const messageSent = (window: PlainWindow, seq: Seq): PlainWindow => ({
  ...window,
  scanned: seq,
  flying: [...window.flying, { seq, isDone: false }],
  waiting: window.waiting + 1,
})

/** The entry has no message: nothing to wait for but what is before it. */
export const entryPassed = (window: PlainWindow, seq: Seq): PlainWindow =>
  settled({ ...window, scanned: seq, flying: [...window.flying, { seq, isDone: true }] })

/** The entry's journey has ended. An answer for an entry that is not on its way changes nothing. */
export function entryDone(window: PlainWindow, seq: Seq): PlainWindow {
  const flying = window.flying.map(flight => (flight.seq === seq ? { seq, isDone: true } : flight))
  const waiting = flying.filter(({ isDone }) => !isDone).length
  return settled({ ...window, flying, waiting })
}

/** A run of entries that are done takes one place, that of its last; a run at the beginning is confirmed. */
function settled(window: PlainWindow): PlainWindow {
  const runs = window.flying.filter(({ isDone }, index) => !isDone || window.flying[index + 1]?.isDone !== true)
  const [first, ...rest] = runs
  return first?.isDone === true ? { ...window, confirmed: first.seq, flying: rest } : { ...window, flying: runs }
}
