/**
 * Holds one table to its limits, `max_bytes`, `max_age` and, of a series table, `max_rows`: beyond them the oldest goes, in
 * small steps between the commits of others. Of a records table that is its log; its rows are rows.ts's.
 *
 * Promises: within its limits nothing goes. What every durable cursor has passed goes without a word; each loss is one
 * commit of the trim and of the rows in `gaps` that tell it [I4], is counted, and is logged once per episode.
 */
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import { trimStepBytes } from '../store/trim.ts'
import { episodeMs, slack } from './limits.ts'
import type { Losses } from './losses.ts'

export type TableLimit = {
  readonly table: string
  readonly bytesMax: number | undefined
  readonly ageMsMax: number | undefined
  readonly rowsMax: number | undefined
}

export type TableDoors = {
  readonly store: Pick<Store, 'bytes' | 'rowCount' | 'firstSeq' | 'planTrim' | 'commit'>
  readonly losses: Losses
  readonly trustedMs: () => number | undefined
  readonly wallMs: () => number
  readonly pause: () => Promise<void>
  readonly isClosed: () => boolean
  readonly log: Log
}

/** What went since the start: at which limit last, how much, and how much of it somebody had not had. */
export type Trimmed = { readonly dropped: number; readonly lost: number; readonly lastReason: string | undefined }

export class TableKeeper {
  readonly limit: TableLimit
  readonly #doors: TableDoors
  #dropped = 0
  #lost = 0
  #lastReason: string | undefined
  /** The running episode: how much was lost when it began, and when something was lost last. */
  #episode: { readonly lostBefore: number; lastMs: number } | undefined

  constructor(limit: TableLimit, doors: TableDoors) {
    this.limit = limit
    this.#doors = doors
  }

  get trimmed(): Trimmed {
    return { dropped: this.#dropped, lost: this.#lost, lastReason: this.#lastReason }
  }

  async sweep(): Promise<void> {
    if (this.#isBeyond() || (await this.#isTooOld())) await this.#cutBack()
    this.#endEpisode()
  }

  #isBeyond(): boolean {
    const { store } = this.#doors
    const { table, bytesMax = Number.POSITIVE_INFINITY, rowsMax = Number.POSITIVE_INFINITY } = this.limit
    return store.bytes(table) > bytesMax * (1 + slack) || store.rowCount(table) > rowsMax * (1 + slack)
  }

  async #isTooOld(): Promise<boolean> {
    const keepFromMs = this.#keepFromMs(1 + slack)
    if (keepFromMs === undefined) return false
    const limits = { bytesMax: Number.POSITIVE_INFINITY, keepFromMs }
    return (await this.#doors.store.planTrim(this.limit.table, limits)) !== undefined
  }

  #keepFromMs(share: number): number | undefined {
    const { ageMsMax } = this.limit
    const nowMs = ageMsMax === undefined ? undefined : this.#doors.trustedMs()
    return nowMs === undefined || ageMsMax === undefined ? undefined : nowMs - ageMsMax * share
  }

  async #cutBack(): Promise<void> {
    const { store, losses, pause, isClosed } = this.#doors
    const { table, bytesMax = Number.POSITIVE_INFINITY, rowsMax } = this.limit
    await losses.settle()
    while (!isClosed()) {
      const trim = await store.planTrim(table, { bytesMax, rowsMax, keepFromMs: this.#keepFromMs(1) })
      if (trim === undefined) return
      const { first, through, rows, reason } = trim
      const lost = losses.of({ table, first, last: through, rows }, reason)
      await store.commit([trim, ...(await losses.told(table, lost))])
      // Packed or joined meanwhile, it was passed over: the next sweep plans it anew.
      if (store.firstSeq(table) <= through) return
      this.#note(rows, lost.count, reason)
      // A smaller step was the last one; what comes meanwhile is for a later sweep.
      if (trim.bytes + trim.packedBytes < trimStepBytes && reason !== 'max_rows') return
      await pause()
    }
  }

  #note(rows: number, lost: number, reason: string): void {
    const { log, wallMs } = this.#doors
    this.#dropped += rows
    this.#lastReason = reason
    if (lost === 0) return
    if (this.#episode === undefined) {
      const { table } = this.limit
      log.warn({ table, reason }, 'a table is at its limit: readings that a far side has not taken are being dropped')
    }
    this.#episode = { lostBefore: this.#episode?.lostBefore ?? this.#lost, lastMs: wallMs() }
    this.#lost += lost
  }

  #endEpisode(): void {
    const episode = this.#episode
    // Either way: a clock that was set back must not keep it open for as long.
    if (episode === undefined || Math.abs(this.#doors.wallMs() - episode.lastMs) < episodeMs) return
    this.#episode = undefined
    const { table } = this.limit
    this.#doors.log.info({ table, lost: this.#lost - episode.lostBefore }, 'a table is within its limits again')
  }
}
