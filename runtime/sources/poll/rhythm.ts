/**
 * When a poller asks: so often, or at the times that a cron expression names. Pure; the clocks come in.
 *
 * Promises: never twice for one time, and what was missed (the poll before took longer, the machine slept, the wall
 * clock was set ahead) is asked for once. A wall clock that is set back repeats nothing that it does not show again.
 */
import type { Instants } from '../../schedule.ts'
import { lookAtClockMs } from '../limits.ts'

export type Clock = { readonly wallMs: number; readonly monotonicMs: number }

/** Asked again and again: 0 is now, which counts as done. */
export type Rhythm = (now: Clock) => number

/** Begins at once. */
export function everyMs(periodMs: number): Rhythm {
  let dueMs: number | undefined
  return ({ monotonicMs }) => {
    if (dueMs !== undefined && monotonicMs < dueMs) return dueMs - monotonicMs
    const periods = dueMs === undefined ? 1 : Math.floor((monotonicMs - dueMs) / periodMs) + 1
    dueMs = (dueMs ?? monotonicMs) + periods * periodMs
    return 0
  }
}

export function atInstants(instants: Instants): Rhythm {
  let doneMs: number | undefined
  return ({ wallMs }) => {
    if (doneMs === undefined || wallMs < doneMs) doneMs = wallMs
    if (instants.latest(wallMs, doneMs) !== undefined) {
      doneMs = wallMs
      return 0
    }
    const nextMs = instants.next(wallMs)
    return nextMs === undefined ? lookAtClockMs : Math.min(nextMs - wallMs, lookAtClockMs)
  }
}
