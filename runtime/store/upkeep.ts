/**
 * What the retention of a gateway asks of a store, and nobody else does: what there is to be dropped, thinned or
 * forgotten, and where space is to be given back. It finds; what it finds is for `commit` [I2].
 */
import type { BucketKeeper } from './aggregate.ts'
import { type Stretch, compact, emptyStretches, stretchesOf } from './compaction.ts'
import type { Database } from './database.ts'
import { type StandingRow, walkRows } from './forget.ts'
import { type ThinPlace, type ThinStep, planThin } from './thin.ts'
import { planDrop } from './trim.ts'
import { RollupPlanner, type RollupSpec } from './rollup-plan.ts'
import { progressOf } from './rollup-progress.ts'
import { rollupKeeper } from './rollup-read.ts'
import type { ChunksChange, TrimChange } from './types.ts'

export class Upkeep {
  readonly #database: () => Database
  readonly #rollups = new RollupPlanner()

  /** `database` is the one that is open now: work on one that has failed since throws. */
  constructor(database: () => Database) {
    this.#database = database
  }

  /** All rows and tombstones of a records table. */
  rows(table: string): AsyncGenerator<StandingRow> {
    const database = this.#database()
    return walkRows(database, database.table(table))
  }

  /** About so many bytes of the oldest packed readings of a table; undefined if nothing of it is packed. */
  planDrop(table: string, bytes: number, reason: string): Promise<TrimChange | undefined> {
    const database = this.#database()
    return planDrop(database, database.table(table), bytes, reason)
  }

  /** The next readings of a table to be taken so that it is half as dense, from a place on. */
  planThin(
    table: string,
    from: ThinPlace,
    bytesMax?: number,
  ): Promise<{ readonly step: ThinStep | undefined; readonly place: ThinPlace }> {
    const database = this.#database()
    return planThin(database, database.table(table), from, bytesMax)
  }

  /** The next step of a table's rollups, or undefined if they hold all that is packed. */
  planRollups(table: string, spec: RollupSpec): Promise<ChunksChange | undefined> {
    const database = this.#database()
    return this.#rollups.next(database, database.table(table), spec)
  }

  /** How many packed readings a rollup does not hold yet. */
  rollupBehind(table: string, periodMs: number): number {
    const database = this.#database()
    const of = database.table(table)
    return Math.max(0, of.packed - (progressOf(database, of, periodMs)?.through ?? of.first - 1))
  }

  /** Answers from rollups. */
  rollupKeeper(periodsOf: (table: string) => readonly number[]): BucketKeeper {
    return rollupKeeper(this.#database, periodsOf)
  }

  /** Where nothing stands any more although files hold it. */
  emptyStretches(): Promise<readonly Stretch[]> {
    return emptyStretches(this.#database())
  }

  /** Where chunks were that have gone or were written anew. */
  stretchesOf(table: string, keys: Iterable<Buffer>): Promise<readonly Stretch[]> {
    const database = this.#database()
    return stretchesOf(database, database.table(table), keys)
  }

  /** Gives the space of stretches back. Commits go on meanwhile; `isOver` ends it between two slices. */
  compact(stretches: readonly Stretch[], isOver: () => boolean): Promise<void> {
    return compact(this.#database(), stretches, isOver)
  }
}
