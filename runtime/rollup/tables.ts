/**
 * Keeps the rollups of tables up to date: whenever readings have been packed, they are merged into the buckets of the
 * periods that were declared, one small step with each commit that comes anyway (store/rollup-plan.ts has the promises).
 *
 * It must never make a commit of readings wait for more than one step, nor write to a disk that is nearly full.
 */
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import { behindMax, catchUpPauseMs, lookEveryMs } from './limits.ts'

export type TableRollup = {
  readonly table: string
  readonly periodsMs: readonly number[]
  /** How long buckets stay; undefined is for ever. */
  readonly ageMsMax: number | undefined
}

export type TableRollupDoors = {
  readonly store: Pick<Store, 'commit' | 'ready' | 'status' | 'upkeep'>
  /** The wall clock; undefined while it is not to be trusted. */
  readonly trustedMs: () => number | undefined
  /** Runs something once, later. Returns a function that calls it off. */
  readonly after: (delayMs: number, run: () => void) => () => void
  readonly log: Log
}

export type TableRollupStatus = {
  readonly table: string
  readonly periods: readonly {
    readonly periodMs: number
    /** Packed readings that it does not hold yet. */
    readonly behind: number
  }[]
}

export class TableRollups {
  readonly #tables: readonly TableRollup[]
  /** Those in which there is something to do: of a table without rollups only until what it had is removed. */
  readonly #open: Set<TableRollup>
  readonly #doors: TableRollupDoors
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  #told: string | undefined

  /** Begins at once. `tables` are all series tables: one that has no rollups any more is cleaned up. */
  constructor(tables: readonly TableRollup[], doors: TableRollupDoors) {
    this.#tables = tables
    this.#open = new Set(tables)
    this.#doors = doors
    this.#running = this.#run()
  }

  async close(): Promise<void> {
    this.#stop.abort()
    // A step may be waiting for company.
    await this.#doors.store.commit([], 'now').catch((error: unknown) => this.#note(error))
    await this.#running
  }

  status(): readonly TableRollupStatus[] {
    const { upkeep } = this.#doors.store
    return this.#tables
      .filter(({ periodsMs }) => periodsMs.length > 0)
      .map(({ table, periodsMs }) => ({
        table,
        periods: periodsMs.map(periodMs => ({ periodMs, behind: upkeep.rollupBehind(table, periodMs) })),
      }))
  }

  /** Until it is told to stop. A step that fails is planned again from what is on disk. */
  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await this.#doors.store.ready()
        for (const one of this.#open) await this.#catchUp(one)
        this.#told = undefined
      } catch (error) {
        this.#note(error)
      }
      await this.#sleep(lookEveryMs)
    }
  }

  async #catchUp(one: TableRollup): Promise<void> {
    const { store, trustedMs } = this.#doors
    const { table, periodsMs, ageMsMax } = one
    while (!this.#stop.signal.aborted && store.status().state === 'open') {
      const nowMs = ageMsMax === undefined ? undefined : trustedMs()
      const keepFromMs = nowMs === undefined || ageMsMax === undefined ? undefined : nowMs - ageMsMax
      const change = await store.upkeep.planRollups(table, { periodsMs, keepFromMs })
      if (change === undefined) {
        if (periodsMs.length === 0) this.#open.delete(one)
        return
      }
      const isFarBehind = periodsMs.some(periodMs => store.upkeep.rollupBehind(table, periodMs) > behindMax)
      await store.commit([change], isFarBehind ? 'interval' : 'lazy')
      if (isFarBehind) await this.#sleep(catchUpPauseMs)
    }
  }

  #note(error: unknown): void {
    const reason = messageOf(error)
    if (reason !== this.#told) this.#doors.log.warn({ reason }, 'rollups wait: trying again')
    this.#told = reason
  }

  async #sleep(ms: number): Promise<void> {
    const { signal } = this.#stop
    await new Promise<void>(resolve => {
      const done = (): void => {
        cancel()
        signal.removeEventListener('abort', done)
        resolve()
      }
      const cancel = this.#doors.after(ms, done)
      signal.addEventListener('abort', done)
      if (signal.aborted) done()
    })
  }
}
