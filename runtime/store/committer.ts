/**
 * Group commit: what waits is written together, and how long it waits depends on the most urgent of it. One group is
 * written at a time, so positions follow the order in which commits came.
 */
import type { Timers } from './timers.ts'
import type { Change, Receipt, Urgency } from './types.ts'

export type Pending = {
  readonly changes: readonly Change[]
  readonly urgency: Urgency
  readonly resolve: (receipt: Receipt) => void
  readonly reject: (error: unknown) => void
}

/** A cursor that waits for company gets its own commit after this long. */
const lazyMs = 5_000

/** What a group was written for. */
export function mostUrgent(group: readonly Pending[]): Urgency {
  const urgencies = new Set(group.map(({ urgency }) => urgency))
  return urgencies.has('now') ? 'now' : urgencies.has('interval') ? 'interval' : 'lazy'
}

export class Committer {
  readonly #intervalMs: number
  readonly #monotonicMs: () => number
  readonly #timers: Timers
  readonly #write: (taken: readonly Pending[]) => Promise<void>
  #queue: Pending[] = []
  #running: Promise<void> | undefined
  #cancelTimer: () => void = () => {}
  #dueMs = Number.POSITIVE_INFINITY
  #lastMs = Number.NEGATIVE_INFINITY

  /** `write` settles every pending commit it is given, and never rejects. */
  constructor(
    intervalMs: number,
    monotonicMs: () => number,
    timers: Timers,
    write: (taken: readonly Pending[]) => Promise<void>,
  ) {
    this.#intervalMs = intervalMs
    this.#monotonicMs = monotonicMs
    this.#timers = timers
    this.#write = write
  }

  submit(changes: readonly Change[], urgency: Urgency): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ changes, urgency, resolve, reject })
      this.#schedule(urgency)
    })
  }

  /** Empties the queue: nobody in it will be written. */
  takeWaiting(): readonly Pending[] {
    this.#cancel()
    const waiting = this.#queue
    this.#queue = []
    return waiting
  }

  /** Writes what waits, and returns when nothing is left. */
  async drain(): Promise<void> {
    while (this.#queue.length > 0 || this.#running) await (this.#running ?? this.#run())
    this.#cancel()
  }

  /** Sees to it that a group is written when the most urgent of what waits is due. */
  #schedule(urgency: Urgency): void {
    const nowMs = this.#monotonicMs()
    const dueMs =
      urgency === 'now' ? nowMs : urgency === 'lazy' ? nowMs + lazyMs : Math.max(nowMs, this.#lastMs + this.#intervalMs)
    if (dueMs >= this.#dueMs) return
    this.#cancel()
    this.#dueMs = dueMs
    if (this.#running) return
    const run = (): void => void this.#run()
    // Soon, not at once: everything that this turn of the event loop reads from its sockets shares the group.
    this.#cancelTimer = dueMs <= nowMs ? this.#timers.soon(run) : this.#timers.after(Math.ceil(dueMs - nowMs), run)
  }

  #run(): Promise<void> {
    if (this.#running) return this.#running
    this.#cancel()
    const taken = this.#queue
    this.#queue = []
    const run = this.#write(taken).then(() => {
      this.#lastMs = this.#monotonicMs()
      this.#ended()
    })
    this.#running = run
    return run
  }

  #ended(): void {
    this.#running = undefined
    this.#dueMs = Number.POSITIVE_INFINITY
    for (const urgency of ['now', 'interval', 'lazy'] as const) {
      if (this.#queue.some(pending => pending.urgency === urgency)) this.#schedule(urgency)
    }
  }

  #cancel(): void {
    this.#cancelTimer()
    this.#cancelTimer = () => {}
    this.#dueMs = Number.POSITIVE_INFINITY
  }
}
