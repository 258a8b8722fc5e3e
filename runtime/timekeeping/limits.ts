/** Bounds and periods of timekeeping, each with its reason. */

/** A step of the wall clock is noticed this soon; what arrives meanwhile goes by the clock as it is. */
export const tickMs = 1_000
/** More than a clock drifts in a tick, and more than a busy event loop delays one without delaying the other. */
export const stepMs = 2_000
/** While nobody knows the time, readings wait for their correction: a time service takes some seconds after the network is up. */
export const lookUntrustedMs = 5_000
/** A time service that is lost keeps its clock right for hours; each look may run a command. */
export const lookTrustedMs = 300_000
/** What a hub said of the time is worth something for a day: a bad crystal is then 10 seconds off. */
export const saidMs = 86_400_000
/** A store that cannot be written to is tried again after this. */
export const retryMs = 500
/** Rows written again at once: with the largest rows 120 MB would be too much, with ordinary ones it is 200 kB. */
export const rowsPerCommit = 500
