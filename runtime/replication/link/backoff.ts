/** How long to wait before trying again: doubling, capped, and spread so that gateways don't return as one herd. Pure. */
import type { MishapKind } from './mishap.ts'

export const backoffFirstMs = 1_000
export const backoffMaxMs = 30_000
/** What a person has to put right is not asked for more often than this; a corrected file is tried at once. */
export const slowFirstMs = 30_000
/** Two clients with one id throw each other out for ever: each gives the other more and more time. */
export const takenOverMaxMs = 600_000

/** Full jitter: anything from nothing up to the bound of this attempt (0 is the first). `random` is from 0 to 1. */
export function backoffMs(attempt: number, random: number): number {
  return Math.floor(random * Math.min(backoffFirstMs * 2 ** Math.min(attempt, 30), backoffMaxMs))
}

/** `takeovers`: how often another client has taken over our id. */
export function pauseMs(kind: MishapKind, attempt: number, takeovers: number, random: number): number {
  if (kind === 'login') return slowFirstMs + Math.floor(random * slowFirstMs)
  if (kind !== 'taken-over') return backoffMs(attempt, random)
  const boundMs = Math.min(slowFirstMs * 2 ** Math.min(takeovers, 30), takenOverMaxMs)
  return Math.floor((boundMs * (1 + random)) / 2)
}
