/**
 * Who made the broker hang up? Over MQTT 3.1.1 a broker cannot refuse one message: mosquitto acknowledges what its access
 * rules forbid and then closes the connection, others close without a word. So an acknowledgement counts only once the
 * connection has outlived it, and a message over which connections end again and again is taken for refused. Pure.
 *
 *   acknowledged ──another answer, or a second of peace──> proven
 *        └────────the connection ends────> suspected: it is sent again, from the second time on alone
 *                                                └──third time──> condemned: parked, and the rest flows
 *
 * Of a message that was not even acknowledged it takes five times, because a bad link looks the same.
 */

/** A message on its way, by the stream and the entry that it carries. */
export type Suspect = { readonly table: string; readonly seq: number }

export type Suspicion = {
  /** The last message that was acknowledged, while the connection may still end over it. */
  readonly unproven: Suspect | undefined
  readonly suspect: (Suspect & { readonly times: number }) | undefined
}

export const noSuspicion: Suspicion = { unproven: undefined, suspect: undefined }

export const timesAcknowledgedMax = 3
export const timesSilentMax = 5

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
): { after: Suspicion; condemned: Suspect | undefined } {
  const { unproven, suspect } = before
  const culprit = unproven ?? waiting
  if (culprit === undefined) return { after: { unproven: undefined, suspect }, condemned: undefined }
  const times = isSame(suspect, culprit) ? (suspect?.times ?? 0) + 1 : 1
  if (times >= (unproven === undefined ? timesSilentMax : timesAcknowledgedMax)) {
    return { after: noSuspicion, condemned: culprit }
  }
  const { table, seq } = culprit
  return { after: { unproven: undefined, suspect: { table, seq, times } }, condemned: undefined }
}

/** The message that must go alone now, so that it is certain who made the broker hang up. */
export const aloneNow = ({ suspect }: Suspicion): Suspect | undefined =>
  suspect !== undefined && suspect.times > 1 ? suspect : undefined
