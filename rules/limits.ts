/**
 * The bounds that rule files are held to, each with its reason [I6]. Numbers only: this file does nothing, and anybody in
 * this room may read it.
 */
const minuteMs = 60_000
const dayMs = 86_400_000

// How much of it there may be.

/** A folder of rules is read as one. */
export const filesMax = 256
/** More rules than anybody keeps apart; every reading of a new series is held against each of them once. */
export const rulesMax = 10_000
/** Each may write a reading for every reading, and what they feed each other is searched for circles. */
export const recordingsMax = 1_000
/** Each is an effect on the plant that somebody has to know of. */
export const actionsMax = 16
export const snippetTablesMax = 16
/** Each is asked of every device once. */
export const matchLabelsMax = 16

// Texts.

/** Patterns, keys, names of groups. */
export const nameCharactersMax = 256
/** Labels travel with every alert and become columns and metric labels elsewhere. */
export const labelsMax = 32
export const labelCharactersMax = 256
export const annotationCharactersMax = 2048
/** A command to a relay, or a row that a person reads: not a document. Of its JSON. */
export const actionCharactersMax = 8192
export const topicCharactersMax = 512

// Times.

/** A hold longer than this is a report, not an alert; the bound keeps sums of times far from the end of a double. */
export const holdMsMax = 30 * dayMs
/** Silence is found by a timer, and devices are not more punctual than this. */
export const absentMsMin = 1_000
/** Judging costs every series of the rule; more often than this is what readings are for. */
export const intervalMsMin = 1_000
export const intervalMsMax = dayMs
/** A window of a week covers what alternates with the shifts. */
export const flappingMsMax = 7 * dayMs
export const flappingMsMin = 1_000
export const flappingChangesMin = 2
/** So many firings are kept with the state of each series. */
export const flappingChangesMax = 100
/** Nobody can act on more than one message a minute. */
export const renotifyMsMin = minuteMs
export const repeatMsMin = 1_000
export const repeatMsMax = 7 * dayMs

// Snippets.

/** A week of readings: what the default retention is sure to hold. */
export const snippetBeforeMsMax = 7 * dayMs
/** The row is written once more after so long; later than this nobody waits for it. */
export const snippetAfterMsMax = dayMs
/** An alert with its snippet is one row: small enough to pass every link in one frame. */
export const snippetBytesMin = 1024
export const snippetBytesMax = 96 * 1024
export const snippetPointsMax = 100_000
