/**
 * The words of the store, as every room that follows or writes tables uses them.
 */
import type { Json, Reading, Value } from '../reading.ts'
import type { Stamp } from '../stamp.ts'
import type { Put } from './put.ts'

declare const seqBrand: unique symbol
/** A place in one table's log: 1, 2, 3 … without holes. 0 is "before the first". */
export type Seq = number & { readonly [seqBrand]: true }
export const asSeq = (number: number): Seq => number as Seq
export const seqZero = asSeq(0)

export type TableKind = 'series' | 'records'
export type TableSpec = { readonly name: string; readonly kind: TableKind }

/** Who measured what: readings refer to it instead of repeating it. One object per series, so identity is equality. */
export type Series = {
  readonly id: number
  readonly table: string
  readonly origin: string
  readonly device: string
  readonly metric: string
  readonly unit: string | undefined
}

type Position = {
  readonly seq: Seq
  readonly stamp: Stamp
  /** The gateway or hub where the entry was first committed. */
  readonly origin: string
  /** The peer it was received from; empty for what was committed here first. */
  readonly via: string
  /** True if this entry was committed together with the one before it (one transaction). */
  readonly joined: boolean
}

export type ReadingEntry = Position & {
  readonly kind: 'reading'
  readonly series: Series
  readonly value: Value
  /** Milliseconds since 1970 when it arrived, by the wall clock of the gateway that took it. */
  readonly arrivalMs: number
  readonly deviceTimeMs: number | undefined
  readonly id: string | undefined
  /** The boot that it arrived in, while that boot's clock could not be trusted and nobody has corrected it yet. */
  readonly boot: string | undefined
}

export type RecordEntry = Position & {
  readonly kind: 'record'
  readonly key: string
  /** `undefined` is a tombstone: the row was deleted. */
  readonly value: Json | undefined
}

/**
 * Entries that a reader of this log will never see. `seq` is the last of them. With a `count` of 0 nothing is lost: rows
 * that stood there have been written again at later positions.
 */
export type GapEntry = Position & {
  readonly kind: 'gap'
  readonly firstSeq: Seq
  readonly count: number
  readonly reason: string
}

export type Entry = ReadingEntry | RecordEntry | GapEntry

/** The time that queries and rules use for a reading: the device's own if it sent one. */
export const timeOf = (entry: ReadingEntry): number => entry.deviceTimeMs ?? entry.arrivalMs

/** The latest row of a key. */
export type Row = {
  readonly key: string
  readonly value: Json
  readonly stamp: Stamp
  readonly origin: string
  readonly seq: Seq
}

export type Arrival = Reading & {
  readonly arrivalMs: number
  /** True if it came in the same message as the one before it in the list: those two stay one transaction. */
  readonly joined: boolean
  /** The boot that it arrived in, if that boot's clock could not be trusted: `arrivalMs` is off by one amount for all of it. */
  readonly boot?: string | undefined
}

/** An entry as a peer sent it: it keeps its stamp and origin. */
export type PeerReading = Arrival & { readonly origin: string; readonly stamp: Stamp }
export type PeerRecord = {
  readonly key: string
  readonly value: Json | undefined
  readonly origin: string
  readonly stamp: Stamp
  readonly joined: boolean
}

/**
 * What one commit may hold. All changes of one commit are written together or not at all [I3]. Records put together are one
 * transaction for every follower and peer; of readings, those that came in one message are (`joined`), because a commit
 * gathers the messages of many devices.
 */
export type Change =
  | { readonly kind: 'append'; readonly table: string; readonly readings: readonly Arrival[] }
  | { readonly kind: 'put'; readonly table: string; readonly key: string; readonly value: Json }
  | { readonly kind: 'delete'; readonly table: string; readonly key: string }
  | {
      readonly kind: 'apply-readings'
      readonly table: string
      readonly via: string
      readonly readings: readonly PeerReading[]
    }
  | {
      readonly kind: 'apply-records'
      readonly table: string
      readonly via: string
      readonly records: readonly PeerRecord[]
    }
  | TrimChange
  | ChunksChange
  /**
   * Writes the row or tombstone of a key at a new position as it is, stamp and all: its followers see it once more. With
   * `restamp` under another stamp, if it still has the old one and is our own: the old one was of a clock that was wrong.
   */
  | {
      readonly kind: 'repeat'
      readonly table: string
      readonly key: string
      readonly restamp?: { readonly from: Stamp; readonly to: Stamp }
    }
  /** Takes a row or tombstone out of this database alone, if it is still the one at this position: nothing travels. */
  | { readonly kind: 'forget'; readonly table: string; readonly key: string; readonly seq: Seq }
  /** `undefined` forgets the cursor. */
  | { readonly kind: 'cursor'; readonly name: string; readonly seq: Seq | undefined }
  | { readonly kind: 'state'; readonly owner: string; readonly key: string; readonly value: Json | undefined }
  | KeepChange

/**
 * Bytes that a room holds in its own memory and wants back after a restart (`Store.kept`): unlike a state they are only
 * written here. `undefined` forgets them. While the disk is nearly full, what is to be refused then is, like readings.
 */
export type KeepChange = {
  readonly kind: 'keep'
  readonly owner: string
  readonly key: string
  readonly bytes: Buffer | undefined
  readonly whenFull: 'refuse' | 'take'
}

/**
 * Drops a table's oldest entries, as the store has planned it; one that was planned before another such change is passed
 * over. Of a series table the readings go for good; rows of records tables stay.
 */
export type TrimChange = {
  readonly kind: 'trim'
  readonly table: string
  readonly first: Seq
  readonly through: Seq
  /** Of the log. */
  readonly bytes: number
  /** Of what is packed: chunks and ranges, the readings in them, and the keys that go. */
  readonly packedBytes: number
  readonly packedRows: number
  /** Entries that go, of the log and packed. */
  readonly rows: number
  readonly keys: readonly Buffer[]
  /** What is left of a range that is cut. */
  readonly puts: readonly Put[]
  readonly revision: number
  readonly reason: string
}

/**
 * Writes packed readings in another way, as the store has planned it: packs what is new, joins small chunks, thins old
 * ones. With a `revision`, one that was planned before another such change is passed over.
 */
export type ChunksChange = {
  readonly kind: 'chunks'
  readonly table: string
  readonly puts: readonly Put[]
  readonly revision?: number
  /** By how much the table becomes larger or smaller. */
  readonly grown?: { readonly log: number; readonly packed: number; readonly rows: number }
  /** Up to here everything is packed now. */
  readonly packed?: Seq
  /** What is true only with it: the rows that tell of what it takes. */
  readonly along?: readonly Change[]
  /** Called once it is on disk. */
  readonly done?: () => void
}

/**
 * When a commit becomes durable:
 *   interval  with the next group, at most `commit_interval` after the last (readings)
 *   now       at once, taking with it whatever waits (alerts, positions)
 *   lazy      rides with the next group, or after some seconds: for cursors that may safely be older after a crash
 */
export type Urgency = 'interval' | 'now' | 'lazy'

/** What a commit did, told once it is on disk. */
export type Receipt = {
  /** Readings stored, and those dropped because they were stored before: sent again after a lost acknowledgement. */
  readonly stored: number
  readonly duplicates: number
  /** Records applied, and those that lost against a newer row. */
  readonly applied: number
  readonly superseded: number
}

export type ReadingQuery = {
  /** Names with `*` (any run of characters). Default: all. */
  readonly device?: string | undefined
  readonly metric?: string | undefined
  readonly origin?: string | undefined
  /** Exactly this unit; empty for readings without one. */
  readonly unit?: string | undefined
  readonly fromMs?: number | undefined
  readonly toMs?: number | undefined
  readonly where?: ReadingTest | undefined
  /** By time, and of one time by position. Default: `asc`, but then `limit` means the newest. */
  readonly order?: Order | undefined
  /** At most so many readings: the first in the order asked for; where none is, the newest, told oldest first. */
  readonly limit?: number | undefined
  /** Only readings that were stored after this position, and up to that one. */
  readonly afterSeq?: Seq | undefined
  readonly throughSeq?: Seq | undefined
  /** Only what comes after this place in the order asked for. */
  readonly beyond?: Place | undefined
  /** Corrections of boots count that were known at this position of the table `clock`. Default: all. */
  readonly correctedThrough?: Seq | undefined
  /** Once it aborts nothing more is read. */
  readonly signal?: AbortSignal | undefined
}

export type Order = 'asc' | 'desc'

/** Where a reading stands in the order of a query. */
export type Place = { readonly timeMs: number; readonly seq: Seq }

/** What a test may look at. */
export type TestedReading = Pick<Series, 'device' | 'metric' | 'unit' | 'origin'> & {
  readonly value: Value
  readonly timeMs: number
}
/** Chooses readings; undefined (no answer) chooses none. */
export type ReadingTest = {
  readonly chooses: (reading: TestedReading) => boolean | undefined
  /** It looks at nothing but who measured what: asked once for each series. */
  readonly isOfSeries: boolean
}

/** The door to time and stamps: `runtime/clock` has the real one, tests pass their own. */
export type Stamps = {
  /** Reserves `count` neighbouring stamps, all later than any given or seen before; returns the first. */
  take(count: number): Stamp
  /** Notes a peer's stamp, so that what is written here next is later. */
  observe(stamp: Stamp): void
  /** The latest stamp given or seen: persisted with every commit, and the floor after a restart. */
  readonly last: Stamp
  /** No honest stamp is later: a row that has one loses to any that has not. Undefined while nobody knows the time. */
  readonly honestMax?: Stamp | undefined
}
