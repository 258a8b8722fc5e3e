/** What an expression may ask at most, each bound with its reason [I6]. Numbers only. */

/** An expression is a line or two in a file: this is more than anybody reads. */
export const textCharactersMax = 4_096

/** A window is kept as slices of a 120th of its length: below a second these would be finer than clocks are. */
export const windowMsMin = 1_000
/** A longer look back is a report over a rollup, not a rule: after a restart a window is read from the disk again. */
export const windowMsMax = 24 * 3_600_000
/** Silence needs no window, only the moment of the last reading: as long as a week's retention can tell. */
export const silenceMsMax = 7 * 24 * 3_600_000

/** Lengths of windows over one series in one expression: each keeps slices of its own for every series. */
export const windowsMax = 8
/** Other series that one expression looks at. */
export const othersMax = 16

/** Below this many readings a standard deviation says little, and the first wobble would be ten of them. */
export const zscoreReadingsMin = 10
