/** The bounds that a scenario file is held to, each with its reason. A test is read and run whole, in memory. */

/** Readings of one test: a day at ten a second. More is a load test, not a story that people read. */
export const readingsMax = 1_000_000

/** Of one series: what `x` may repeat, so that a slip of the finger (20x100000000) is refused and not run. */
export const valuesMax = 1_000_000

/** Tests of one file, and what one of them may list: far more than anybody reads. */
export const testsMax = 1_000
export const itemsMax = 1_000

/** How long the story of one test may be: the year that a stamp can be sure to hold beside the default start. */
export const spanMsMax = 366 * 86_400_000

/** Texts in the notation, and names: what a reading itself may hold at most is larger, but nobody compares it by eye. */
export const textCharactersMax = 4_096
