/**
 * The bounds of the control surface, each with its reason [I6]. Numbers only.
 */

/** A row that a person or a script writes is a threshold or a setting; this is 64 KiB of JSON. */
export const bodyBytesMax = 64 * 1024

/** Parked rows named in one request: what 64 KiB hold of keys as long as they usually are. `all` has no such bound. */
export const parkedKeysMax = 1_000

/** Request lines and headers: a key of 1,024 bytes, percent-encoded, and what tools add. */
export const headerBytesMax = 8 * 1024

/** A local caller has its headers ready; whoever is slower holds a connection open for nothing. */
export const headersMs = 5_000

/** The whole request, a body of 64 KiB included. */
export const requestMs = 10_000

/** People and scripts at one machine. Each connection costs a socket and its buffers. */
export const connectionsMax = 64

/** Streams open at once (`tail`, `query`): each holds one batch in memory. The rest of the connections stay for `status`. */
export const readersMax = 32

/** A blank line this often tells a reader of an idle table from one whose gateway is gone. */
export const keepaliveMs = 15_000

/** How long readers may take to read what is left when the gateway closes. */
export const closeGraceMs = 1_000

/** One batch is one piece of memory: 256 readings of at most 4 KiB, 32 rows of at most 120 KiB. */
export const readingsPerBatch = 256
export const rowsPerBatch = 32
export const entriesPerBatch = 64

/** The newest so many readings are held in memory to be told oldest first. */
export const limitMax = 100_000

/** Of the dense form of history: at 15 bytes each 60 kB a line, and a few milliseconds of the gateway's time. */
export const entriesPerHistoryBatch = 4_096

/** Patterns of series in one question about history: what a file of rules names. */
export const historyPatternsMax = 16

/** Keys of alerts and ids of silences in one request: what 64 KiB hold of them. `all` has no such bound. */
export const alertKeysMax = 500

/** Alerts that are told when nobody says how many: more than a person reads, far less than an answer may hold. */
export const alertsDefault = 1_000
export const alertsMax = 10_000

/** A silence of a second is for tests; one of more than a year is a rule that should be deleted. */
export const silenceMsMin = 1_000
export const silenceMsMax = 366 * 86_400_000

/** A backup that nobody takes more of for so long: its snapshot keeps old files on the disk. */
export const backupStuckMs = 120_000

/** Readings of a page when nobody says how many. */
export const pageDefault = 1_000

/** Rows of one series in an aggregate whose range is filled: a minute each for two years. */
export const filledRowsMax = 1_000_000

/** Parameters that hold more than a name: an expression, and a cursor with its whole question. Both fit into a header. */
export const whereBytesMax = 1_024
export const cursorBytesMax = 5_000
