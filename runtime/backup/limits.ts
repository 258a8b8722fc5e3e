/** The bounds of backups, each with its reason [I6]. Numbers only. */

/** One piece of a backup on its way: what is in memory for a reader, however slow it is, beside one value. */
export const pieceBytesMax = 256 * 1024

/** The longest keys hold a row's name of 1,024 bytes; a file that says more was not written by us. */
export const keyBytesMax = 64 * 1024

/** A value is a block of the log or of packed readings: a few megabytes in the worst case. */
export const valueBytesMax = 64 * 1024 * 1024

/** The head of a backup is a few hundred bytes. */
export const headBytesMax = 64 * 1024
