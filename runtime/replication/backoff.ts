/** How long to wait before trying again: doubling, capped, and spread so that gateways don't return as one herd. Pure. */

export const backoffFirstMs = 1_000
export const backoffMaxMs = 30_000

/** Full jitter: anything from nothing up to the bound of this attempt (0 is the first). `random` is from 0 to 1. */
export function backoffMs(attempt: number, random: number): number {
  return Math.floor(random * Math.min(backoffFirstMs * 2 ** Math.min(attempt, 30), backoffMaxMs))
}
