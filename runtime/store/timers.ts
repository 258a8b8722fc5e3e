/** The door to time for everything in the store that waits, so that a simulator can hold the clock. */
export type Timers = {
  /** Runs something once, later. Returns a function that calls it off. */
  readonly after: (delayMs: number, run: () => void) => () => void
  /** Runs something once this turn of the event loop has brought what it brings: all of it shares a commit. */
  readonly soon: (run: () => void) => () => void
  /** Runs something again and again; it keeps no process alive. */
  readonly every: (periodMs: number, run: () => void) => () => void
}

export const systemTimers: Timers = {
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
  soon: run => {
    const immediate = setImmediate(run)
    return () => clearImmediate(immediate)
  },
  every: (periodMs, run) => {
    const timer = setInterval(run, periodMs).unref()
    return () => clearInterval(timer)
  },
}
