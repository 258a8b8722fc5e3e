/** What opening a store takes, and what it tells about itself. Types only. */
import type { Log } from '../log.ts'
import type { Home } from './home.ts'
import type { MachineDisk } from './machine-disk.ts'
import type { Timers } from './timers.ts'
import type { Seq, Stamps, TableSpec } from './types.ts'
import type { WearStatus } from './wear.ts'

export type StoreOptions = {
  /** The folder; made if missing. */
  readonly path: string
  readonly tables: readonly TableSpec[]
  readonly stamps: Stamps
  /** This gateway's id. */
  readonly origin: string
  readonly commitIntervalMs: number
  readonly ballastBytes: number
  readonly monotonicMs: () => number
  readonly now: () => number
  readonly log: Log
  /** What the machine says of its disk; left out, the account of wear knows the store's own count alone. */
  readonly disk?: MachineDisk
  /** Written ahead of LevelDB's log at a time; left out, what suits a card. Rigs that look at every write pass less. */
  readonly logRoomBytes?: number
  /** Tests pass a home in memory. */
  readonly home?: Home
  /** A simulator passes its own; left out, the system's. */
  readonly timers?: Timers
  /** Names what is made anew, such as a database's epoch. A simulator passes its own. */
  readonly randomId?: () => string
}

export type StoreStatus = {
  readonly state: 'open' | 'full' | 'failed'
  /** Why it is not open, in a sentence. */
  readonly reason: string | undefined
  readonly epoch: string
  readonly commits: number
  readonly readings: number
  readonly duplicates: number
  readonly failures: number
  readonly repairs: number
  readonly damagedValues: number
  /** Bytes given to the database since the start (before compaction). */
  readonly bytesWritten: number
  readonly wear: WearStatus
  /** Of the disk; null where the machine does not say. */
  readonly freeBytes: number | null
  readonly tables: readonly {
    readonly name: string
    readonly kind: TableSpec['kind']
    readonly first: Seq
    readonly head: Seq
    readonly series: number
    /** Of a series table, the readings stored; of records, the entries of its log. */
    readonly rows: number
    /** On disk, in all; and those of its log alone, which are not packed. */
    readonly bytes: number
    readonly logBytes: number
  }[]
}
