/** The door to time for everything here that waits, so that a test or a simulator can hold the clock. */
import { monotonicMs, wallMs } from '../clock/wall.ts'

export type Time = {
  readonly wallMs: () => number
  readonly monotonicMs: () => number
  /** Runs something once, later. Returns a function that calls it off. */
  readonly after: (delayMs: number, run: () => void) => () => void
}

export const systemTime: Time = {
  wallMs,
  monotonicMs,
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
}
