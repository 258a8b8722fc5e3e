/** Bounds of what is taken in, with their reasons [I6]. Numbers only. */

/** One line, or one record of CSV: a row of 120 KiB, were each of its characters an escape of JSON. */
export const lineBytesMax = 768 * 1024

/** Taken in with one commit: about ten milliseconds of the gateway's time, so that devices do not wait noticeably longer. */
export const itemsPerCommit = 4_096
/** The same, of lines that are long. Twice as much is in memory at most: what is being written, and what comes next. */
export const bytesPerCommit = 1024 * 1024

/** Taken in at once: each holds two commits' worth in memory. */
export const intakesMax = 4
