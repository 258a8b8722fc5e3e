/** Every bound of the summaries, with its reason [I6]. */

/** Open periods, each about 150 bytes: every series of a large gateway with a few late ones. Beyond it the oldest close early. */
export const openMax = 20_000
/** Of those, so many close at once: one by one, each would cost a look at all. */
export const closedEarlyMax = openMax / 10
/** Periods that are written in one commit: five rows each, some hundred kilobytes. */
export const closedPerCommitMax = 1_000
/** Entries of a log that are read at once. */
export const readMax = 1_000
/** Entries after which the place is saved though no period closed: what a restart reads again. */
export const unsavedMax = 20_000
/** Entries of a log of summaries that the far side has, before they are trimmed. */
export const trimAfter = 10_000
/** A store that cannot be written to is tried again after this. */
export const retryMs = 500
/** The longest sleep: a wall clock that was set is noticed within it. */
export const sleepMsMax = 30_000

/** Readings are packed every ten minutes: so soon after that they are in the rollups. */
export const lookEveryMs = 5_000
/** Further behind than a packing ever leaves it, a rollup is new, or a longer list was declared: it does not wait for company. */
export const behindMax = 200_000
/** Between two steps of one that is far behind: a moment for the commits of others. */
export const catchUpPauseMs = 50

/** How long after its end a period waits for readings that are late by a little: a tenth of it, within these. */
export const graceMsMin = 2_000
export const graceMsMax = 60_000
