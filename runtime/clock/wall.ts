/**
 * The only place that asks the machine what time it is. Every other room gets `now: () => number`, so that a test or a
 * simulator can hold the clock in its hand.
 */

/** Milliseconds since 1970. May jump both ways: never order or measure by it. */
export const wallMs = (): number => Date.now()

/** Milliseconds since some moment in the past. Never runs backwards: durations are measured by it. */
export const monotonicMs = (): number => performance.now()
