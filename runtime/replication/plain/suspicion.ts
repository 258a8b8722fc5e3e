/**
 * Who made the broker hang up? Over MQTT 3.1.1 a broker cannot refuse one message: mosquitto acknowledges what its access
 * rules forbid and then closes the connection, others close without a word. So an acknowledgement counts only once the
 * connection has outlived it, and a message over which connections end again and again is taken for refused. Pure.
 *
 *   acknowledged ──another answer, or a second of peace──> proven
 *        └────────the connection ends────> suspected ──again──> sent alone ──each time──> condemned: parked
 *
 * A bad link ends connections too, and must not cost an entry. So a suspect goes alone, on a connection that has first
 * been in peace for a second, the next time for two, and so on: a link that breaks by itself breaks in that time as
 * well, and that proves nothing. A message that was not even acknowledged gets more chances.
 */
import { farewellMs } from '../limits.ts'

/** A message on its way, by the stream and the entry that it carries. */
export type Suspect = { readonly table: string; readonly seq: number }

export type Condemned = Suspect & {
  /** Acknowledged first: access rules, so it is the topic. Else it is this message alone. */
  readonly wasAcknowledged: boolean
}

export type Suspicion = {
  /** The last message that was acknowledged, while the connection may still end over it. */
  readonly unproven: Suspect | undefined
  readonly suspect: (Suspect & { readonly times: number }) | undefined
}

export const noSuspicion: Suspicion = { unproven: undefined, suspect: undefined }

/** From this time on it is sent alone. */
const aloneFrom = 2
/** So many ends of connections over the same message; all but the first two of them in peace and alone. */
const timesAcknowledgedMax = 4
const timesSilentMax = 6

const isSame = (a: Suspect | undefined, b: Suspect | undefined): boolean =>
  a !== undefined && b !== undefined && a.table === b.table && a.seq === b.seq

/** The broker has answered after what was acknowledged before, or has left it in peace: nobody hung up over that. */
export function proven(before: Suspicion): Suspicion {
  return { unproven: undefined, suspect: isSame(before.suspect, before.unproven) ? undefined : before.suspect }
}

export const acknowledged = (before: Suspicion, message: Suspect): Suspicion => ({
  ...proven(before),
  unproven: message,
})

/** The connection has ended. `waiting` is the first message without an answer, if the far side ended it. */
export function hungUp(
  before: Suspicion,
  waiting: Suspect | undefined,
): { after: Suspicion; condemned: Condemned | undefined } {
  const { unproven, suspect } = before
  const culprit = unproven ?? waiting
  if (culprit === undefined) return { after: { unproven: undefined, suspect }, condemned: undefined }
  const { table, seq } = culprit
  const times = isSame(suspect, culprit) ? (suspect?.times ?? 0) + 1 : 1
  const wasAcknowledged = unproven !== undefined
  if (times >= (wasAcknowledged ? timesAcknowledgedMax : timesSilentMax)) {
    return { after: noSuspicion, condemned: { table, seq, wasAcknowledged } }
  }
  return { after: { unproven: undefined, suspect: { table, seq, times } }, condemned: undefined }
}

/** The message that must go alone now, and how long the connection must have been in peace before. */
export function aloneNow({ suspect }: Suspicion): (Suspect & { readonly peaceMs: number }) | undefined {
  if (suspect === undefined || suspect.times < aloneFrom) return undefined
  return { ...suspect, peaceMs: farewellMs * 2 ** (suspect.times - aloneFrom) }
}
