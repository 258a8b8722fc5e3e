/**
 * The summaries of one table for one stream: follows the table's log, and writes what is kept of each closed period into a
 * log of its own, which the stream sends under the table's name. Each series becomes one for each value that is kept:
 * `temperature` becomes `temperature:avg`, `temperature:max`, each with the start of its period as time.
 *
 * Promises: summaries, the open periods and the place in the log are one commit [I3]. So each reading counts once, whatever
 * stops and restarts, and a restart in the middle of a period gives the same numbers. What the far side has is trimmed.
 */
import { HoldfastError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import {
  type Change,
  type Entry,
  type PeerReading,
  type ReadingEntry,
  type Seq,
  seqZero,
  timeOf,
} from '../store/types.ts'
import { type Keep, valueOf } from './bucket.ts'
import { closedPerCommitMax, openMax, readMax, retryMs, sleepMsMax, trimAfter, unsavedMax } from './limits.ts'
import { type Closed, Periods } from './periods.ts'

export type RollupOptions = {
  readonly table: string
  /** The log of the summaries: a series table that nobody else writes. */
  readonly log: string
  readonly periodMs: number
  readonly keep: readonly Keep[]
  /** Where it begins when it is new; a number is a time in milliseconds, before which readings do not count. */
  readonly start: 'beginning' | 'now' | number
  /** Left out, every reading counts; one for which it has no answer does not. */
  readonly where: ((entry: ReadingEntry) => boolean | undefined) | undefined
  /** The cursor of the stream that sends the summaries. */
  readonly sentCursor: string
  /** How long a reading may be on its way into the store. */
  readonly commitMs: number
}

export type RollupDoors = {
  readonly store: RollupStore
  readonly time: {
    readonly wallMs: () => number
    readonly after: (delayMs: number, run: () => void) => () => void
  }
  readonly log: Log
}
export type RollupStore = Pick<
  Store,
  'commit' | 'head' | 'cursor' | 'states' | 'read' | 'waitPast' | 'trim' | 'ready' | 'hasRoomFor'
>

export type RollupStatus = {
  readonly table: string
  readonly log: string
  /** Readings of the table that it has not looked at yet [I9]. */
  readonly behind: number
  /** Periods, of all series, that are not closed yet. */
  readonly open: number
  readonly undecided: number
  readonly left: number
}

export class Rollup {
  readonly #options: RollupOptions
  readonly #doors: RollupDoors
  readonly #owner: string
  readonly #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #periods: Periods
  #position: Seq = seqZero
  #savedAt: Seq = seqZero
  #closed: Closed[] = []
  #trimmedThrough: Seq = seqZero
  #decidedThrough: Seq = seqZero
  #told: string | undefined
  /** Readings that `where` had no answer for. */
  undecided = 0
  /** Periods whose summaries found no room: the log has as many series as one may have. */
  left = 0

  /** Makes its beginning durable, once, and starts to follow. */
  static async open(options: RollupOptions, doors: RollupDoors): Promise<Rollup> {
    const rollup = new Rollup(options, doors)
    await rollup.#prepare()
    rollup.#running = rollup.#run()
    return rollup
  }

  private constructor(options: RollupOptions, doors: RollupDoors) {
    this.#options = options
    this.#doors = doors
    this.#owner = `every/${options.log}`
    this.#periods = new Periods({ periodMs: options.periodMs, openMax })
  }

  /** Saves where it stands, and stops. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  status(): RollupStatus {
    const { table, log } = this.#options
    const { undecided, left } = this
    const behind = this.#doors.store.head(table) - this.#position
    return { table, log, behind, open: this.#periods.openCount, undecided, left }
  }

  async #prepare(): Promise<void> {
    const { store } = this.#doors
    const { table, start } = this.#options
    if (store.cursor(this.#owner) !== undefined) return
    const seq = start === 'now' ? store.head(table) : seqZero
    await store.commit([{ kind: 'cursor', name: this.#owner, seq }], 'now')
  }

  /** Until it is told to stop. A store that fails is waited for; then it begins again from what is on disk. */
  async #run(): Promise<void> {
    const { store, log } = this.#doors
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await store.ready()
        this.#restore()
        await this.#follow(signal)
      } catch (error) {
        const reason = messageOf(error)
        if (reason !== this.#told) log.warn({ table: this.#options.table, reason }, 'summaries begin again')
        this.#told = reason
        await this.#sleep(retryMs, signal)
      }
    }
  }

  #restore(): void {
    const { store } = this.#doors
    this.#periods = new Periods({ periodMs: this.#options.periodMs, openMax }, store.states(this.#owner))
    this.#position = store.cursor(this.#owner) ?? seqZero
    this.#savedAt = this.#position
    this.#closed = []
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { store } = this.#doors
    const { table } = this.#options
    while (!signal.aborted) {
      const entries = await store.read(table, this.#position, readMax)
      if (entries.length > 0) await this.#takeIn(entries)
      else if (!(await this.#closeByClock())) await this.#rest(signal)
      if (this.#closed.length >= closedPerCommitMax || this.#position - this.#savedAt >= unsavedMax) await this.#save()
    }
    await this.#save('now')
  }

  async #takeIn(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) {
      if (entry.kind === 'reading') {
        // Others' readings arrived by other clocks than ours.
        if (entry.via === '') await this.#advance(entry.arrivalMs)
        if (this.#counts(entry)) this.#closed.push(...this.#periods.take(entry))
      } else if (entry.kind === 'gap') {
        const { table } = this.#options
        this.#doors.log.warn({ table, count: entry.count, reason: entry.reason }, 'readings are missing in summaries')
      }
      this.#position = entry.seq
    }
  }

  /** True if time has closed something. What was taken before that moment is read first, however slow the disk is now. */
  async #closeByClock(): Promise<boolean> {
    const { store, time } = this.#doors
    const { table, commitMs } = this.#options
    const nowMs = time.wallMs() - commitMs
    if (nowMs >= (this.#periods.nextDueMs ?? Number.POSITIVE_INFINITY)) {
      await store.commit([], 'now')
      if (store.head(table) > this.#position) return true
    }
    const before = this.#closed.length
    await this.#advance(nowMs)
    const hasClosed = this.#closed.length > before
    // All that there is has been read: nobody waits for more to come along.
    if (this.#closed.length > 0) await this.#save()
    return hasClosed
  }

  async #advance(nowMs: number): Promise<void> {
    for (;;) {
      const closed = this.#periods.advance(nowMs, closedPerCommitMax)
      this.#closed.push(...closed)
      if (closed.length < closedPerCommitMax) return
      await this.#save()
    }
  }

  #counts(entry: ReadingEntry): boolean {
    const { start, where } = this.#options
    if (typeof start === 'number' && timeOf(entry) < start) return false
    const answer = where === undefined || where(entry)
    if (answer === undefined && entry.seq > this.#decidedThrough) {
      this.#decidedThrough = entry.seq
      this.undecided++
    }
    return answer === true
  }

  /** What has closed, what is open, and the place in the log, together [I3]. */
  async #save(urgency: 'interval' | 'now' = 'interval'): Promise<void> {
    const { store } = this.#doors
    const readings = this.#closed.flatMap(closed => this.#rowsOf(closed))
    this.#closed = []
    this.#savedAt = this.#position
    const changes: Change[] = this.#periods
      .takeUnsaved()
      .map(({ key, form }) => ({ kind: 'state', owner: this.#owner, key, value: form }))
    if (readings.length > 0) changes.push({ kind: 'apply-readings', table: this.#options.log, via: '', readings })
    if (changes.length === 0 && store.cursor(this.#owner) === this.#position) return
    await store.commit([...changes, { kind: 'cursor', name: this.#owner, seq: this.#position }], urgency)
    this.#told = undefined
    await this.#trim()
  }

  #rowsOf({ names, bucket }: Closed): PeerReading[] {
    const { log, keep } = this.#options
    const { origin, device } = names
    const { startMs, boot, stamp } = bucket
    const rows: PeerReading[] = []
    for (const what of keep) {
      const value = valueOf(bucket, what)
      if (value === undefined) continue
      const metric = `${names.metric}:${what}`
      const unit = what === 'count' ? undefined : names.unit
      if (!this.#doors.store.hasRoomFor(log, device, metric, unit)) {
        this.#leave(device, metric)
        continue
      }
      // Of a boot without a clock the start is by that clock too, and is corrected with it.
      const times =
        boot === undefined
          ? { deviceTimeMs: startMs, arrivalMs: bucket.arrivalMs }
          : { deviceTimeMs: undefined, arrivalMs: startMs }
      rows.push({ device, metric, unit, value, id: undefined, boot, ...times, origin, stamp, joined: rows.length > 0 })
    }
    return rows
  }

  #leave(device: string, metric: string): void {
    if (this.left++ > 0) return
    const { table, log } = this.#options
    this.#doors.log.error({ table, log, device, metric }, 'no room for more series: their summaries are left out')
  }

  /** The far side has them; here they are in the table itself. */
  async #trim(): Promise<void> {
    const { store } = this.#doors
    const { log, sentCursor } = this.#options
    const sent = store.cursor(sentCursor) ?? seqZero
    if (sent - this.#trimmedThrough < trimAfter) return
    this.#trimmedThrough = sent
    try {
      await store.trim(log, sent, 'sent')
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error
      this.#doors.log.debug({ log, reason: error.message }, 'summaries were not trimmed')
    }
  }

  /** Until the log grows, or something is due. */
  async #rest(signal: AbortSignal): Promise<void> {
    const { store, time } = this.#doors
    const { table, commitMs } = this.#options
    const dueMs = this.#periods.nextDueMs
    const waitMs = dueMs === undefined ? sleepMsMax : dueMs + commitMs - time.wallMs()
    const wake = new AbortController()
    const end = (): void => wake.abort()
    const cancel = time.after(Math.min(Math.max(waitMs, 10), sleepMsMax), end)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
    await store.waitPast(table, this.#position, wake.signal)
    signal.removeEventListener('abort', end)
    cancel()
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>(resolve => {
      const done = (): void => {
        cancel()
        signal.removeEventListener('abort', done)
        resolve()
      }
      const cancel = this.#doors.time.after(ms, done)
      signal.addEventListener('abort', done)
      if (signal.aborted) done()
    })
  }
}
