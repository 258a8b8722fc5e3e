/**
 * What the retention of a gateway asks of a store, and nobody else does: what there is to be dropped, thinned or
 * forgotten, and where space is to be given back. It finds; what it finds is for `commit` [I2].
 */
import { type Stretch, compact, emptyStretches, stretchesOf } from './compaction.ts'
import type { Database } from './database.ts'
import { type StandingRow, walkRows } from './forget.ts'
import { type ThinPlace, type ThinStep, planThin } from './thin.ts'
import { planDrop } from './trim.ts'
import type { TrimChange } from './types.ts'

export class Upkeep {
  readonly #database: () => Database

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
  ): Promise<{ readonly step: ThinStep | undefined; readonly place: ThinPlace }> {
    const database = this.#database()
    return planThin(database, database.table(table), from)
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
