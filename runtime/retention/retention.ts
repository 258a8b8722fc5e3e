/**
 * Keeps a store bounded: its tables within their declared limits, and some of the disk free.
 *
 * Promises: one thing at a time, in small steps between the commits of others, so that a commit of readings waits for one
 * step at most. First what limits say (series before records), then the disk floor, then what a schedule says. It never
 * rejects: a store that cannot write is asked again at the next sweep. What it takes from somebody is told (losses.ts).
 */
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Json } from '../reading.ts'
import type { Instants } from '../schedule.ts'
import type { DiskSpace } from '../store/disk-space.ts'
import type { Store } from '../store/store.ts'
import type { Seq, TableKind } from '../store/types.ts'
import { type Compaction, Compactor } from './compactor.ts'
import type { Floor } from './floor.ts'
import { Giving, type Rank } from './giving.ts'
import { ownLogBytesMax, stepPauseMs, sweepEveryMs } from './limits.ts'
import { Losses } from './losses.ts'
import { Relief, type ReliefStatus } from './relief.ts'
import { RowKeeper, passedBy } from './rows.ts'
import { type TableLimit, TableKeeper } from './tables.ts'

export type RetentionDoors = {
  readonly store: RetainedStore
  /** The wall clock; undefined while it is not to be trusted: a wrong one would make everything too old. */
  readonly trustedMs: () => number | undefined
  readonly wallMs: () => number
  readonly monotonicMs: () => number
  /** Runs something once, later. Returns a function that calls it off. */
  readonly after: (delayMs: number, run: () => void) => () => void
  /** Which table somebody reads by this cursor; undefined for a bridge that was taken out of the configuration. */
  readonly tableOf: (cursor: string) => string | undefined
  /** False for a row that must stay whatever its age: an alert that fires. */
  readonly mayForget: (table: string, value: Json) => boolean
  /** Where the database is on a disk. */
  readonly disk: DiskDoors | undefined
  readonly log: Log
}

export type DiskDoors = {
  readonly space: () => Promise<DiskSpace>
  readonly floorOf: (diskBytes: number) => Floor | undefined
  /** What the files of the database take. */
  readonly folderBytes: () => Promise<number>
  /** Removes something that nobody needs, such as an old copy: how large it was, 0 if there is nothing. */
  readonly clear: () => Promise<number>
  readonly rankOf: (table: string) => Rank
  /** When space that nothing stands in is given back; undefined is never. */
  readonly compactAt: Instants | undefined
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
  | 'rowCount'
  | 'firstSeq'
  | 'planTrim'
  | 'commit'
  | 'rows'
  | 'upkeep'
>

export type TableStatus = {
  readonly bytesMax: number | undefined
  readonly ageMsMax: number | undefined
  readonly rowsMax: number | undefined
  /** Since the start: entries dropped and readings thinned, and those of them that somebody had not had. */
  readonly dropped: number
  readonly thinned: number
  readonly lost: number
  readonly lastReason: string | undefined
  /** Of a records table: rows forgotten since the start, and those that are too old and are held back. */
  readonly forgotten: number
  readonly held: number
}

export type RetentionStatus = {
  readonly tables: ReadonlyMap<string, TableStatus>
  readonly disk: ReliefStatus | undefined
  readonly compaction: Compaction | undefined
}

function withOwn(limit: TableLimit): TableLimit {
  const isUnlimited = limit.bytesMax === undefined && limit.ageMsMax === undefined
  return isUnlimited ? { ...limit, bytesMax: ownLogBytesMax.get(limit.table) } : limit
}

export class Retention {
  readonly #doors: RetentionDoors
  readonly #tables: readonly TableKeeper[]
  readonly #rows: readonly RowKeeper[]
  readonly #giving: Giving
  readonly #compactor: Compactor
  readonly #relief: Relief | undefined
  #cancel: () => void = () => {}
  #sweeping: Promise<void> | undefined
  #isClosed = false
  #isFailing = false

  /** Starts to sweep. Tables without a limit are left alone while the disk has room. */
  static open(limits: readonly TableLimit[], doors: RetentionDoors): Retention {
    const retention = new Retention(limits, doors)
    retention.#wait()
    return retention
  }

  private constructor(limits: readonly TableLimit[], doors: RetentionDoors) {
    this.#doors = doors
    const { store, disk } = doors
    const common = { ...doors, pause: () => this.#pause(), isClosed: () => this.#isClosed }
    const losses = new Losses(doors)
    const kindOf = (table: string): TableKind | undefined => store.tables.get(table)?.kind
    const ofKind = (kind: TableKind) => limits.filter(({ table }) => kindOf(table) === kind)
    const series = ofKind('series').filter(({ bytesMax, ageMsMax, rowsMax }) => bytesMax ?? ageMsMax ?? rowsMax)
    const logs = ofKind('records')
      .map(limit => withOwn({ ...limit, rowsMax: undefined }))
      .filter(({ bytesMax, ageMsMax }) => bytesMax ?? ageMsMax)
    this.#tables = [...series, ...logs].map(limit => new TableKeeper(limit, { ...common, losses }))
    this.#rows = ofKind('records')
      .filter(({ rowsMax, ageMsMax }) => rowsMax ?? ageMsMax)
      .map(limit => new RowKeeper(limit, { ...common, passed: table => this.#passed(table) }))
    const folderBytes = (): Promise<number | undefined> => disk?.folderBytes() ?? Promise.resolve(undefined)
    this.#compactor = new Compactor({ ...common, folderBytes, instants: disk?.compactAt })
    const rankOf = disk?.rankOf ?? ((): Rank => 'usual')
    this.#giving = new Giving({ ...common, losses, compactor: this.#compactor, rankOf })
    this.#relief = disk && this.#reliefOf(disk)
  }

  #reliefOf(disk: DiskDoors): Relief {
    return new Relief({
      space: disk.space,
      floorOf: disk.floorOf,
      tidy: async () => (await disk.clear()) || this.#compactor.tidy(),
      thin: bytes => this.#giving.thin(bytes),
      drop: bytes => this.#giving.drop(bytes),
      storeBytes: disk.folderBytes,
      log: this.#doors.log,
    })
  }

  #passed(table: string): Seq {
    const { store, tableOf } = this.#doors
    const cursors = [...store.cursors].filter(([name]) => tableOf(name) === table).map(([, seq]) => seq)
    return passedBy(cursors, store.head(table))
  }

  /** A moment for the commits of others. */
  #pause(): Promise<void> {
    return new Promise<void>(resolve => this.#doors.after(stepPauseMs, resolve))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#relief?.close()
    this.#cancel()
    await this.#sweeping
  }

  status(): RetentionStatus {
    const tables = new Map<string, TableStatus>()
    for (const table of this.#doors.store.tables.keys()) tables.set(table, this.#statusOf(table))
    return { tables, disk: this.#relief?.status(), compaction: this.#compactor.last }
  }

  #statusOf(table: string): TableStatus {
    const keeper = this.#tables.find(({ limit }) => limit.table === table)
    const rows = this.#rows.find(({ limit }) => limit.table === table)
    const { dropped = 0, lost = 0, lastReason } = keeper?.trimmed ?? {}
    const given = this.#giving.of(table)
    return {
      bytesMax: keeper?.limit.bytesMax,
      ageMsMax: (keeper ?? rows)?.limit.ageMsMax,
      rowsMax: (rows ?? keeper)?.limit.rowsMax,
      dropped: dropped + given.dropped,
      thinned: given.thinned,
      lost: lost + given.lost,
      lastReason: given.lost > 0 ? 'disk' : lastReason,
      forgotten: rows?.forgotten ?? 0,
      held: rows?.held ?? 0,
    }
  }

  #wait(): void {
    if (this.#isClosed || (this.#tables.length + this.#rows.length === 0 && this.#relief === undefined)) return
    this.#cancel = this.#doors.after(sweepEveryMs, () => {
      this.#sweeping = this.sweep().finally(() => this.#wait())
    })
  }

  /** Brings everything within its limits. */
  async sweep(): Promise<void> {
    try {
      for (const one of [...this.#tables, ...this.#rows]) if (!this.#isClosed) await one.sweep()
      this.#isFailing = false
    } catch (error) {
      if (!this.#isFailing)
        this.#doors.log.warn({ reason: messageOf(error) }, 'tables could not be trimmed: trying again')
      this.#isFailing = true
    }
    await this.#relief?.look()
    try {
      if (!this.#isClosed) await this.#compactor.look()
    } catch (error) {
      this.#doors.log.warn({ reason: messageOf(error) }, 'the database could not be compacted')
    }
  }
}
