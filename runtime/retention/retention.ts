/**
 * Holds the logs of tables to the limits that were declared for them, `max_bytes` and `max_age`.
 *
 * Promises: within its limits nothing of a log is dropped. Beyond them the oldest goes, in small steps between the
 * commits of others, series before records. What every durable cursor has passed goes without a word. Readings that some
 * cursor has not passed are lost to it: each loss is one commit of the trim and of the row in `gaps` that tells it
 * [I4], is counted, and is logged once per episode. Rows of records tables are never lost: their readers are told what
 * stands. It must never make a commit of readings wait for more than one step.
 */
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Json } from '../reading.ts'
import { aheadOf } from '../store/ahead.ts'
import { tellGaps } from '../store/gap-rows.ts'
import type { Store } from '../store/store.ts'
import { trimStepBytes } from '../store/trim.ts'
import type { Seq, TableKind, TrimChange } from '../store/types.ts'
import { episodeMs, ownLogBytesMax, ownTables, slack, stepPauseMs, sweepEveryMs } from './limits.ts'
import { type Stretch, lostTo } from './lost.ts'
import { type RowDoors, RowKeeper, passedBy } from './rows.ts'

export type LogLimit = {
  readonly table: string
  readonly bytesMax: number | undefined
  readonly ageMsMax: number | undefined
  readonly rowsMax: number | undefined
}

export type RetentionDoors = {
  readonly store: RetainedStore
  /** The wall clock; undefined while it is not to be trusted: a wrong one would make everything too old. */
  readonly trustedMs: () => number | undefined
  readonly wallMs: () => number
  /** Runs something once, later. Returns a function that calls it off. */
  readonly after: (delayMs: number, run: () => void) => () => void
  /** Which table somebody reads by this cursor; undefined for a bridge that was taken out of the configuration. */
  readonly tableOf: (cursor: string) => string | undefined
  /** False for a row that must stay whatever its age: an alert that fires. */
  readonly mayForget: (table: string, value: Json) => boolean
  readonly log: Log
}

export type RetainedStore = Pick<
  Store,
  | 'origin'
  | 'epoch'
  | 'tables'
  | 'cursors'
  | 'head'
  | 'state'
  | 'bytes'
  | 'firstSeq'
  | 'planTrim'
  | 'commit'
  | 'rows'
  | 'upkeep'
>

export type RetentionStatus = {
  readonly table: string
  readonly logBytes: number
  readonly bytesMax: number | undefined
  readonly ageMsMax: number | undefined
  /** Entries lost to somebody since the start. */
  readonly lost: number
  readonly lastReason: string | undefined
  readonly rowsMax: number | undefined
  /** Of a records table: rows forgotten since the start, and those that are too old and are held back. */
  readonly forgotten: number
  readonly held: number
}

function withOwn(limit: LogLimit): LogLimit {
  const isUnlimited = limit.bytesMax === undefined && limit.ageMsMax === undefined
  return isUnlimited && ownTables.has(limit.table) ? { ...limit, bytesMax: ownLogBytesMax } : limit
}

class LimitedLog {
  readonly limit: LogLimit
  lost = 0
  lastReason: string | undefined
  /** The running episode: how much was lost when it began, and when something was lost last. */
  episode: { readonly lostBefore: number; lastMs: number } | undefined

  constructor(limit: LogLimit) {
    this.limit = limit
  }
}

export class Retention {
  readonly #doors: RetentionDoors
  readonly #logs: readonly LimitedLog[]
  readonly #rows: readonly RowKeeper[]
  #cancel: () => void = () => {}
  #sweeping: Promise<void> | undefined
  #isClosed = false
  #isFailing = false

  /** Starts to sweep. Tables without a limit are left alone. */
  static open(limits: readonly LogLimit[], doors: RetentionDoors): Retention {
    const retention = new Retention(limits, doors)
    retention.#wait()
    return retention
  }

  private constructor(limits: readonly LogLimit[], doors: RetentionDoors) {
    this.#doors = doors
    const kindOf = (table: string): TableKind | undefined => doors.store.tables.get(table)?.kind
    const held = limits
      .map(withOwn)
      .filter(({ bytesMax, ageMsMax }) => bytesMax !== undefined || ageMsMax !== undefined)
    this.#logs = [
      ...held.filter(({ table }) => kindOf(table) === 'series'),
      ...held.filter(({ table }) => kindOf(table) === 'records'),
    ].map(limit => new LimitedLog(limit))
    this.#rows = limits
      .filter(({ table, rowsMax, ageMsMax }) => kindOf(table) === 'records' && (rowsMax ?? ageMsMax) !== undefined)
      .map(limit => new RowKeeper(limit, this.#rowDoors()))
  }

  #rowDoors(): RowDoors {
    const { store, trustedMs, mayForget } = this.#doors
    return {
      store,
      trustedMs,
      mayForget,
      passed: table => passedBy(this.#cursorsOf(table), store.head(table)),
      pause: () => this.#pause(),
      isClosed: () => this.#isClosed,
    }
  }

  #cursorsOf(table: string): Seq[] {
    const { store, tableOf } = this.#doors
    return [...store.cursors].filter(([name]) => tableOf(name) === table).map(([, seq]) => seq)
  }

  /** A moment for the commits of others. */
  #pause(): Promise<void> {
    return new Promise<void>(resolve => this.#doors.after(stepPauseMs, resolve))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel()
    await this.#sweeping
  }

  status(): RetentionStatus[] {
    const tables = new Set([...this.#logs, ...this.#rows].map(({ limit }) => limit.table))
    return [...tables].map(table => {
      const log = this.#logs.find(({ limit }) => limit.table === table)
      const rows = this.#rows.find(({ limit }) => limit.table === table)
      return {
        table,
        bytesMax: log?.limit.bytesMax,
        ageMsMax: (log ?? rows)?.limit.ageMsMax,
        rowsMax: (rows ?? log)?.limit.rowsMax,
        logBytes: this.#doors.store.bytes(table),
        lost: log?.lost ?? 0,
        lastReason: log?.lastReason,
        forgotten: rows?.forgotten ?? 0,
        held: rows?.held ?? 0,
      }
    })
  }

  #wait(): void {
    if (this.#isClosed || this.#logs.length + this.#rows.length === 0) return
    this.#cancel = this.#doors.after(sweepEveryMs, () => {
      this.#sweeping = this.sweep().finally(() => this.#wait())
    })
  }

  /** Brings every log within its limits. Never rejects: a store that cannot write is asked again at the next sweep. */
  async sweep(): Promise<void> {
    try {
      for (const one of this.#logs) {
        if (this.#isBeyond(one.limit) || (await this.#isTooOld(one.limit))) await this.#cutBack(one)
        this.#endEpisode(one)
      }
      for (const one of this.#rows) if (!this.#isClosed) await one.sweep()
      this.#isFailing = false
    } catch (error) {
      if (!this.#isFailing)
        this.#doors.log.warn({ reason: messageOf(error) }, 'logs could not be trimmed: trying again')
      this.#isFailing = true
    }
  }

  #isBeyond({ table, bytesMax }: LogLimit): boolean {
    return bytesMax !== undefined && this.#doors.store.bytes(table) > bytesMax * (1 + slack)
  }

  async #isTooOld({ table, ageMsMax }: LogLimit): Promise<boolean> {
    const keepFromMs = this.#keepFromMs(ageMsMax, 1 + slack)
    if (keepFromMs === undefined) return false
    return (await this.#doors.store.planTrim(table, { bytesMax: Number.POSITIVE_INFINITY, keepFromMs })) !== undefined
  }

  #keepFromMs(ageMsMax: number | undefined, share: number): number | undefined {
    const nowMs = ageMsMax === undefined ? undefined : this.#doors.trustedMs()
    return nowMs === undefined || ageMsMax === undefined ? undefined : nowMs - ageMsMax * share
  }

  async #cutBack(one: LimitedLog): Promise<void> {
    const { store, wallMs } = this.#doors
    const { table, bytesMax = Number.POSITIVE_INFINITY, ageMsMax } = one.limit
    // Cursors wait for company on their way to the disk: what is confirmed must not be counted as lost. Twice, because a
    // stream saves one cursor at a time: the newest sets out when the one before it has come.
    await store.commit([], 'now')
    await store.commit([], 'now')
    while (!this.#isClosed) {
      const trim = await store.planTrim(table, { bytesMax, keepFromMs: this.#keepFromMs(ageMsMax, 1) })
      if (trim === undefined) return
      const { reason } = trim
      const lost = this.#lost(trim).map(range => ({ ...range, reason }))
      const log = { who: store.origin, table, epoch: store.epoch }
      await store.commit([trim, ...(await tellGaps(store, log, lost, wallMs()))])
      const count = lost.reduce((sum, { first, last }) => sum + last - first + 1, 0)
      if (count > 0) this.#note(one, count, reason)
      // A smaller step was the last one; what comes meanwhile is for a later sweep.
      if (trim.bytes < trimStepBytes) return
      await this.#pause()
    }
  }

  /** What somebody has neither passed nor got before its turn. */
  #lost({ table, first, through: last }: TrimChange): Stretch[] {
    const { store, tableOf } = this.#doors
    if (store.tables.get(table)?.kind === 'records') return []
    const readers = [...store.cursors]
      .filter(([name]) => tableOf(name) === table)
      .map(([name, seq]) => ({ seq, ahead: aheadOf(store, name) }))
    return lostTo(readers, { first, last })
  }

  #note(one: LimitedLog, count: number, reason: string): void {
    const { log, wallMs } = this.#doors
    if (one.episode === undefined) {
      const { table } = one.limit
      log.warn({ table, reason }, 'a log is at its limit: readings that a far side has not taken are being dropped')
    }
    one.episode = { lostBefore: one.episode?.lostBefore ?? one.lost, lastMs: wallMs() }
    one.lost += count
    one.lastReason = reason
  }

  #endEpisode(one: LimitedLog): void {
    const { episode } = one
    // Either way: a clock that was set back must not keep it open for as long.
    if (episode === undefined || Math.abs(this.#doors.wallMs() - episode.lastMs) < episodeMs) return
    one.episode = undefined
    const { table } = one.limit
    this.#doors.log.info({ table, lost: one.lost - episode.lostBefore }, 'a log is within its limits again')
  }
}
