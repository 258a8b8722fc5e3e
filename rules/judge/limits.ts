/** Bounds of judging, with their reasons [I6]. */

/** Each is a number in a state that is saved again and again. */
export const flappingChangesMax = 100

/** A lag that stays the same for so long is a clock that was set, not history. */
export const lagSettledMs = 600_000

/**
 * A series whose first reading is further behind than this begins with history. A clock that is set wrong by hours, for
 * want of its time zone, is none: what its device says is heard at once.
 */
export const lagOfNewcomerMsMax = 86_400_000

/** A device that says it is earlier than this has no clock yet: that says nothing about when it measured. */
export const clockSetMs = Date.UTC(2020, 0, 1)

/** History that came late has ended when no more of it has come for so long. */
export const lateQuietMs = 600_000

/**
 * Histories are asked for, filled, and asked for once more: the newest reading of a series tells what time it is for that
 * device, and only then is known which readings its windows hold.
 */
export const fillsMax = 2

/** Lags are known to the second: the jitter of a network must not be written to disk again and again. */
export const lagStepMs = 1_000

/** Rows that an alert says it was fired by, and how much of each: they are part of a state, and of the alert's row. */
export const lookedUpMax = 8
export const lookedUpCharactersMax = 512

/** Moments that are made up for after a long silence; the oldest are passed over. A week of minutes is 10,080. */
export const momentsMadeUpMax = 10_000
/** The same, times the subjects that are judged at each: a second or two of work. */
export const judgedMadeUpMax = 1_000_000

/** A clock that was set back by more than this: moments begin again there, instead of waiting until it has caught up. */
export const clockBackMs = 60_000
