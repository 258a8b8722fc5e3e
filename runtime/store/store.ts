/**
 * The store: one database that only `commit` writes [I2], and that every follower reads by position.
 *
 * It promises: what `commit` has resolved is on disk, whole, and stays there [I1, I3]. At the first write error it
 * acknowledges nothing more, closes the database, opens it again and goes on from what is really there [L1, L6]: one more
 * write on the old handle would be accepted and lost. It must never tell of an entry that is not durable.
 *
 *   open ──write error──> failed ──close, open, check──> open
 *   open ──disk nearly full──> full (readings refused, alerts and positions still written) ──space──> open
 */
import { HoldfastError, messageOf } from '../errors.ts'
import type { Json } from '../reading.ts'
import { Accounts } from './accounts.ts'
import type { Database } from './database.ts'
import { Committer, type Pending } from './committer.ts'
import { Group } from './group.ts'
import { Health } from './health.ts'
import type { Home } from './home.ts'
import { clearBlocks } from './log-blocks.ts'
import { LostEnds } from './lost-ends.ts'
import { type OpenedDatabase, openDatabase, openStoreHome } from './opening.ts'
import { queryReadings } from './query.ts'
import { Questions } from './questions.ts'
import type { StoreOptions, StoreStatus } from './options.ts'
import { type StoreState, refusalOf, writeFailed } from './refusal.ts'
import { type RowsWanted, rowOf, rowsOf, stampsOf } from './rows.ts'
import { type Timers, systemTimers } from './timers.ts'
import { type Pairs, snapshotOf } from './snapshot.ts'
import { type TableLimits, planTrim, planTrimThrough } from './trim.ts'
import { bytesOf } from './put.ts'
import { hasRoom, tableStatus } from './table.ts'
import {
  type Change,
  type Entry,
  type ReadingEntry,
  type ReadingQuery,
  type Receipt,
  type Row,
  type Seq,
  type Series,
  type TableSpec,
  type TrimChange,
  type Urgency,
} from './types.ts'
import { Upkeep } from './upkeep.ts'
import { Waiters } from './waiters.ts'
import { Works } from './works.ts'

/** Space and damage are looked at this often; ingest resumes within twice this once space returns. */
const watchMs = 500
const reopenMs = { first: 100, most: 2_000 }

export class Store {
  readonly origin: string
  readonly lostEnds = new LostEnds()
  readonly health: Health
  readonly upkeep = new Upkeep(() => this.#database)
  readonly readings = new Questions(() => this.#database, this)
  readonly #options: StoreOptions
  readonly #home: Home
  #works: Works
  #merging: Promise<void> = Promise.resolve()
  #state: StoreState = 'open'
  #reason: string | undefined
  #reopening: Promise<void> | undefined
  readonly #committer: Committer
  readonly #timers: Timers
  readonly #stopWatch: () => void
  readonly #waiters = new Waiters()
  readonly #accounts: Accounts

  /** Opens the folder, creating or repairing the database. Throws STORE_LOCKED, FOLDER_UNWRITABLE, STORE_NEWER, TABLE_KIND. */
  static async open(options: StoreOptions): Promise<Store> {
    const home = options.home ?? (await openStoreHome(options))
    try {
      return new Store(options, home, await openDatabase(home, options))
    } catch (error) {
      await home.close()
      throw error
    }
  }

  private constructor(options: StoreOptions, home: Home, { database, repaired, report }: OpenedDatabase) {
    this.origin = options.origin
    this.#options = options
    this.#home = home
    this.#works = new Works(database, options.monotonicMs)
    this.#accounts = new Accounts(database, options)
    this.#accounts.repairs = repaired ? 1 : 0
    this.health = new Health(home, options, database, report)
    const { commitIntervalMs, monotonicMs, timers = systemTimers } = options
    this.#timers = timers
    this.#committer = new Committer(commitIntervalMs, monotonicMs, timers, taken => this.#writeGroup(taken))
    options.stamps.observe(database.floor)
    this.#watchSpace()
    this.#stopWatch = timers.every(watchMs, () => {
      this.#watchSpace()
      if (this.health.tick() && this.#state !== 'failed') void this.commit([], 'now').catch(() => undefined)
    })
  }

  get #database(): Database {
    return this.#works.database
  }

  get epoch(): string {
    return this.#database.epoch
  }

  get tables(): ReadonlyMap<string, TableSpec> {
    return this.#database.tables
  }

  /**
   * Writes all changes as one transaction. Resolves once they are on disk; rejects with STORE_FAILED, STORE_FULL or
   * STORE_CLOSED if they are not, and with TABLE_UNKNOWN, TABLE_KIND, RECORD_TOO_LARGE, TOO_MANY_SERIES or BAD_ARGUMENT
   * if they cannot be.
   */
  commit(changes: readonly Change[], urgency: Urgency = 'interval'): Promise<Receipt> {
    const refused = refusalOf(this.#state, this.#reason, changes)
    if (refused) return Promise.reject(refused)
    return this.#committer.submit(changes, urgency)
  }

  /** The last position of a table's log that is on disk. */
  head(table: string): Seq {
    return this.#database.table(table).head
  }

  /** The first position that is still in the log. */
  firstSeq(table: string): Seq {
    return this.#database.table(table).first
  }

  cursor(name: string): Seq | undefined {
    return this.#database.cursors.get(name)
  }

  /** Every durable cursor, by its name. */
  get cursors(): ReadonlyMap<string, Seq> {
    return this.#database.cursors
  }

  state(owner: string, key: string): Json | undefined {
    return this.#database.states.get(owner)?.get(key)
  }

  states(owner: string): ReadonlyMap<string, Json> {
    return this.#database.states.get(owner) ?? new Map()
  }

  /** What is kept under an owner, in the order of its keys: read from the disk, for whoever holds it in mind himself. */
  kept(owner: string): AsyncGenerator<[key: string, bytes: Buffer]> {
    return this.#database.scanKept(owner)
  }

  series(table: string): Iterable<Series> {
    return this.#database.table(table).series.all()
  }

  /** True if a reading of this series can be stored: it is known, or there is room for one more. */
  hasRoomFor(table: string, device: string, metric: string, unit: string | undefined): boolean {
    const { series } = this.#database.table(table)
    return hasRoom(series) || series.find(this.origin, device, metric, unit) !== undefined
  }

  /**
   * The entries after `after`, oldest first: about `limit`, more where a transaction would be cut. Empty at the head. What
   * is gone or damaged comes as gaps; of a trimmed records log the rows that stand are told, of readings the true time.
   */
  async read(table: string, after: Seq, limit: number): Promise<readonly Entry[]> {
    await this.#reopening
    const logs = this.#works.logs
    return logs.read(this.#database.table(table), after, limit).catch(async (error: unknown) => {
      if (await this.health.relieve(error)) await this.commit([], 'now')
      else if (this.#reopening === undefined && logs === this.#works.logs) throw error
      return this.read(table, after, limit)
    })
  }

  /** Resolves when the table's log is longer than `seq`, or the signal aborts: only then, once the store is closed. */
  async waitPast(table: string, seq: Seq, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#database.table(table).head <= seq) await this.#waiters.sleep(table, signal)
  }

  /** All entries after `after`, as they come, until the signal aborts. */
  async *follow(table: string, after: Seq, signal: AbortSignal, limit = 1024): AsyncGenerator<readonly Entry[]> {
    let position = after
    while (!signal.aborted) {
      const entries = await this.read(table, position, limit)
      const last = entries.at(-1)
      if (last) {
        position = last.seq
        yield entries
      } else await this.waitPast(table, position, signal)
    }
  }

  /** Resolves when the store takes commits again: at once unless a write has failed. */
  async ready(): Promise<void> {
    await this.#reopening
  }

  /** The row that a key holds now, or undefined. Synchronous: small rows come from memory. */
  latest(table: string, key: string): Row | undefined {
    if (this.#state === 'failed') throw new HoldfastError('STORE_FAILED', `the store cannot be read: ${this.#reason}`)
    const row = this.#database.row(this.#database.table(table), key)
    return row && rowOf(key, row)
  }

  /** The rows of a records table in the order of their keys. */
  async *rows(table: string, wanted: RowsWanted = {}): AsyncGenerator<Row> {
    await this.#reopening
    yield* rowsOf(this.#database, table, wanted)
  }

  /** The stamp of every row of a records table, deleted ones too. */
  async *rowStamps(table: string): AsyncGenerator<Pick<Row, 'key' | 'stamp' | 'origin'>> {
    await this.#reopening
    yield* stampsOf(this.#database, table)
  }

  /** Readings by device, metric and time, oldest first. */
  async *query(table: string, query: ReadingQuery): AsyncGenerator<ReadingEntry> {
    await this.#reopening
    yield* queryReadings(this.#database, this.#database.table(table), query)
  }

  /** Everything as it lies on the disk, of one moment, for a backup. */
  snapshot(): AsyncGenerator<Pairs> {
    return snapshotOf(this.ready().then(() => this.#database.level))
  }

  /** How large a table is on disk: its log, and what is packed. */
  bytes(table: string): number {
    return this.#database.table(table).bytes
  }

  /** Entries of a table; of a series table the readings stored. */
  rowCount(table: string): number {
    return this.#database.table(table).rows
  }

  /**
   * The next change that brings a table within its limits, or undefined if it is; committed, readers who had not come so
   * far find a gap with the reason.
   */
  async planTrim(table: string, limits: TableLimits): Promise<TrimChange | undefined> {
    await this.#reopening
    return planTrim(this.#database, this.#database.table(table), limits)
  }

  /** Drops the entries up to a position; latest rows stay. */
  async trim(table: string, through: Seq, reason: string): Promise<void> {
    await this.#reopening
    const trim = await planTrimThrough(this.#database, this.#database.table(table), through, reason)
    if (trim !== undefined) await this.commit([trim], 'now')
  }

  status(): StoreStatus {
    const tables = [...this.#database.tables.values()].map(tableStatus)
    const state = this.#state === 'closing' ? 'open' : this.#state
    const counts = this.#accounts.status()
    const damagedValues = counts.damagedValues + this.#database.damaged
    const freeBytes = this.#options.disk?.freeBytes() ?? null
    return { ...counts, freeBytes, damagedValues, state, reason: this.#reason, epoch: this.epoch, tables }
  }

  /** Commits what waits, then closes. */
  async close(): Promise<void> {
    if (this.#state === 'closing') return
    const { failures } = this.#accounts
    this.#state = 'closing'
    this.#stopWatch()
    await this.#reopening
    await this.#committer.drain()
    await this.#merging
    try {
      await this.#accounts.save(this.#database)
      await this.#database.level.close()
      this.health.closed(this.#accounts.failures === failures)
    } finally {
      await this.#home.close()
    }
  }

  /** Settles every commit of a group; never rejects. */
  async #writeGroup(taken: readonly Pending[]): Promise<void> {
    const accepted: { readonly pending: Pending; readonly receipt: Receipt }[] = []
    try {
      const group = await this.#resolveGroup(taken, accepted)
      // A trim moves what a packing would count: one at a time.
      const packing = group.cleared.size === 0 ? this.#works.packer.next(group.readings) : undefined
      if (packing) group.add([packing])
      const puts = this.#accounts.withOwn(group.seal())
      const beganMs = this.#options.monotonicMs()
      if (puts.length > 0) {
        await this.#database.write(puts)
        this.#home.settle(bytesOf(puts))
      }
      const grown = group.publish()
      if (packing?.packed !== undefined) this.#mergeSoon(packing.table)
      this.#accounts.wrote(puts, accepted, this.#options.monotonicMs() - beganMs)
      for (const { pending, receipt } of accepted) pending.resolve(receipt)
      for (const table of grown) this.#waiters.wake(table)
      for (const [table, through] of group.cleared) await clearBlocks(this.#database, table, through)
      await this.#mend()
    } catch (error) {
      this.#fail(error, [
        ...accepted.map(({ pending }) => pending),
        ...taken.filter(pending => !accepted.some(done => done.pending === pending)),
      ])
    }
  }

  /** Joins small chunks, in commits that come anyway. What stops it is left for after the next packing. */
  #mergeSoon(table: string): void {
    const merger = this.#works.merger
    const isWanted = (): boolean => this.#state === 'open' && this.#works.merger === merger
    this.#merging = this.#merging
      .then(() => merger.run(table, isWanted, change => this.commit([change], 'lazy')))
      .catch((error: unknown) => this.#options.log.debug({ reason: messageOf(error) }, 'chunks were not joined'))
  }

  /** Resolves what waits, in order. A commit that cannot be (unknown table, too large) is rejected alone. */
  async #resolveGroup(taken: readonly Pending[], accepted: { pending: Pending; receipt: Receipt }[]): Promise<Group> {
    await this.#works.repeats.prepare(
      this.origin,
      taken.flatMap(({ changes }) => changes),
    )
    const group = new Group(this.#database, this.#works.repeats, this.#options.stamps, this.origin)
    for (const pending of taken) {
      try {
        accepted.push({ pending, receipt: group.add(pending.changes) })
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error
        pending.reject(error)
      }
    }
    this.#works.repeats.endGroup()
    return group
  }

  /** [L1, L6] Nobody who waits is acknowledged, and not one more write goes to the old handle. */
  #fail(error: unknown, waiting: readonly Pending[]): void {
    this.#reason = messageOf((error as { cause?: unknown }).cause ?? error)
    this.#accounts.failures++
    this.#options.log.error({ reason: this.#reason }, 'a write failed: opening the database again')
    const wasClosing = this.#state === 'closing'
    if (!wasClosing) this.#state = 'failed'
    const refused = writeFailed(this.#reason, error)
    for (const pending of [...waiting, ...this.#committer.takeWaiting()]) pending.reject(refused)
    if (!wasClosing) this.#reopening ??= this.#reopen()
  }

  /** Between two groups nothing is being written, and what waits goes on with the mended database. */
  async #mend(): Promise<void> {
    if (this.health.complaint === undefined || this.#state === 'closing') return
    this.#reason = this.health.complaint
    this.#state = 'failed'
    await (this.#reopening ??= this.#reopen())
  }

  async #reopen(): Promise<void> {
    await this.#database.level.close().catch((error: unknown) => {
      this.#options.log.warn({ reason: messageOf(error) }, 'the failed database did not close cleanly')
    })
    for (let waitMs = reopenMs.first; this.#state === 'failed'; waitMs = Math.min(waitMs * 2, reopenMs.most)) {
      try {
        const opened = await openDatabase(this.#home, this.#options, [...this.#database.suspects.values()])
        const { database, repaired, report } = opened
        if (repaired) this.#accounts.repairs++
        this.#accounts.damagedValues += this.#database.damaged
        this.lostEnds.note(this.#database.tables, database.tables)
        this.#works = new Works(database, this.#options.monotonicMs)
        this.#options.stamps.observe(this.#database.floor)
        this.health.opened(database, report)
        // Closing meanwhile, it stays so: `close` waits for this, and closes what was opened.
        if (this.#state === 'failed') this.#state = 'open'
        this.#reason = undefined
        this.#options.log.info('the database is open again')
      } catch (error) {
        this.#reason = messageOf((error as { cause?: unknown }).cause ?? error)
        await new Promise<void>(resolve => this.#timers.after(waitMs, resolve))
      }
    }
    this.#reopening = undefined
    this.#watchSpace()
    this.#waiters.wakeAll()
  }

  #watchSpace(): void {
    if (this.#state !== 'open' && this.#state !== 'full') return
    const isFull = this.#home.isFull()
    if (isFull === (this.#state === 'full')) return
    this.#state = isFull ? 'full' : 'open'
    this.#reason = isFull ? 'the disk is nearly full' : undefined
    this.#options.log.warn(isFull ? 'the disk is nearly full: new readings are refused' : 'there is space again')
  }
}
