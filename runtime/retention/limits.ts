/** The bounds of retention, with their reasons [I6]. */

/** Logs are looked at this often: a log at its limit is never longer by more than what a second brings, and the slack. */
export const sweepEveryMs = 1_000
/** Between two steps of one sweep: commits of readings come first. */
export const stepPauseMs = 10
/**
 * A log is cut back to its limit once it is beyond it by this part of it. Each cut packs what it takes, and without slack
 * there would be one every second, of a few readings each: an SD card would feel it.
 */
export const slack = 1 / 16
/** A quiet time after which dropping anew is a new episode, with a line of its own in the log. */
export const episodeMs = 600_000

/**
 * Logs of these tables are kept short without being told to: the gateway itself writes there, again and again while
 * something is wrong, and of records whoever comes late is told the rows that stand.
 */
export const ownLogBytesMax: ReadonlyMap<string, number> = new Map([
  ['gaps', 1 << 20],
  ['parked', 1 << 20],
  ['clock', 1 << 20],
  ['acks', 1 << 20],
  ['silences', 1 << 20],
  // With the readings around each: a few thousand.
  ['alerts', 16 << 20],
])

/** Rows forgotten in one commit: some milliseconds of a slow card, as a step of a trim is. */
export const forgottenAtOnce = 200
/** Rows whose ages one walk compares, 8 bytes each: a table that is further beyond its limit takes more walks. */
export const oldestMax = 131_072
/** Sweeps until a table is walked again where nothing could go, and where only rows that are held back are too old. */
export const idleRetrySweeps = 600
export const heldRetrySweeps = 21_600

/** Given back in one portion, and then looked whether it was enough: what is rewritten of it needs room meanwhile. */
export const portionBytesMax = 16e6
export const leastPortionBytes = 1e6
/** Room that thinning needs: a portion as it is written anew, and what LevelDB may write before it removes what it joins. */
export const thinningRoomBytes = 64e6
/** Looks until one asks again whether there is something to give: packing makes new ranges every ten minutes. */
export const refusedLooks = 60
/** So much was given, and the database became smaller by less than this part of it: something holds it. */
export const vainBytes = 64e6
export const leastEffect = 1 / 16

/** Dropped in one commit, as a step of a trim is. */
export const giveStepBytes = 1 << 20
/** Empty space that is worth compacting: as it is, or as a part of a database that is small, if it is not tiny. */
export const worthBytes = 64e6
export const worthShare = 0.3
export const worthBytesMin = 4e6
