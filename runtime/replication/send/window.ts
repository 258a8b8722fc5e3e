/**
 * Where a sender stands: what the far side has confirmed, what is on its way, how far the log was read. Pure
 * transitions with time as an argument; sender.ts does what they say.
 *
 *   confirmed <= sent <= scanned <= head
 *   ────────────┬─────────┬─────────┬──────────>
 *     far side  │  in     │ passed  │ not read yet
 *     has it    │  flight │ over    │
 *
 * An answer moves `confirmed`. An answer with `wanted` (something was lost), or silence, starts a new run: everything in
 * flight is forgotten and read from the log again. Whatever answers come, in whatever order and however often,
 * `confirmed` only moves to positions that the far side has named, and never back.
 */
import type { Seq } from '../../store/types.ts'
import { windowFramesMax } from '../limits.ts'

export type Flight = { readonly last: Seq; readonly bytes: number }

export type Window = {
  readonly run: number
  readonly confirmed: Seq
  readonly sent: Seq
  readonly scanned: Seq
  /** Where a stream that started late begins: what is before it is nobody's to send. */
  readonly floor: Seq
  readonly flying: readonly Flight[]
  readonly flyingBytes: number
  /** Frames that may be in flight now: one after a silence, doubling with every sign of progress. */
  readonly framesMax: number
  readonly progressAtMs: number
}

const later = (a: Seq, b: Seq): Seq => (a > b ? a : b)

/** The far side says where it stands: the stream goes on from there. */
export function openWindow(run: number, position: Seq, floor: Seq, nowMs: number): Window {
  return {
    run,
    confirmed: position,
    sent: position,
    scanned: later(position, floor),
    floor,
    flying: [],
    flyingBytes: 0,
    framesMax: windowFramesMax,
    progressAtMs: nowMs,
  }
}

/** A frame goes out: everything up to `flight.last`. */
export function frameSent(window: Window, flight: Flight, nowMs: number): Window {
  return {
    ...window,
    sent: flight.last,
    scanned: flight.last,
    flying: [...window.flying, flight],
    flyingBytes: window.flyingBytes + flight.bytes,
    // Silence is counted from the first frame that waits for an answer.
    progressAtMs: window.confirmed === window.sent ? nowMs : window.progressAtMs,
  }
}

/** Entries up to `scanned` need not go to the far side: no frame for them alone. */
export const passedOver = (window: Window, scanned: Seq): Window => ({
  ...window,
  scanned: later(window.scanned, scanned),
})

export type Answer = { readonly run: number; readonly seq: Seq; readonly wanted: Seq | undefined }

/** The far side has committed up to `seq`, and may want something again. */
export function answered(window: Window, answer: Answer, nowMs: number): Window {
  const progressed = confirm(window, answer.seq, nowMs)
  if (answer.wanted === undefined || answer.run !== window.run) return progressed
  return goBack(progressed, answer.wanted)
}

/**
 * The far side wants what it had confirmed: its database has lost its end. Links keep the order of
 * what they carry, so it is no old answer that comes late.
 */
export const hasLost = (
  window: Window,
  { run, seq, wanted, base }: Answer & { readonly base: Seq | undefined },
): boolean => base === undefined && run === window.run && wanted === seq && seq < window.confirmed

function confirm(window: Window, seq: Seq, nowMs: number): Window {
  if (seq <= window.confirmed) return window
  const flying = window.flying.filter(flight => flight.last > seq)
  const sent = later(window.sent, seq)
  return {
    ...window,
    confirmed: seq,
    sent,
    // Frames of an earlier run may have arrived after all: then there is nothing to read again.
    scanned: later(window.scanned, sent),
    flying,
    flyingBytes: flying.reduce((sum, flight) => sum + flight.bytes, 0),
    framesMax: Math.min(window.framesMax * 2, windowFramesMax),
    progressAtMs: nowMs,
  }
}

/** Forgets what is in flight after `wanted`, and starts a new run from there. */
export function goBack(window: Window, wanted: Seq): Window {
  if (wanted >= window.sent) return window
  // What is confirmed need not be sent again, whatever an old answer wanted.
  const start = later(wanted, window.confirmed)
  return {
    ...window,
    run: window.run + 1,
    sent: start,
    scanned: later(start, window.floor),
    flying: [],
    flyingBytes: 0,
  }
}

/** True if something waits for an answer and none has moved it for so long. */
export const isStalled = (window: Window, silenceMs: number, nowMs: number): boolean =>
  window.confirmed < window.sent && nowMs - window.progressAtMs >= silenceMs

/** After a silence: one frame at a time until there is progress again. What is in flight stays so until an answer. */
export const slowed = (window: Window, nowMs: number): Window => ({ ...window, framesMax: 1, progressAtMs: nowMs })

/** Up to here nothing must be kept for the far side: it has it, or never needed it. */
export const settled = (window: Window): Seq => (window.confirmed === window.sent ? window.scanned : window.confirmed)
