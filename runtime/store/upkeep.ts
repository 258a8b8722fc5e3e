/**
 * What the retention of a gateway asks of a store, and nobody else does: what there is to be dropped, thinned or
 * forgotten. Reads; what it finds is for `commit` [I2].
 */
import type { Database } from './database.ts'
import { type StandingRow, walkRows } from './forget.ts'

export class Upkeep {
  readonly #database: () => Database

  /** `database` is the one that is open now: a walk over one that has failed since throws. */
  constructor(database: () => Database) {
    this.#database = database
  }

  /** All rows and tombstones of a records table. */
  rows(table: string): AsyncGenerator<StandingRow> {
    const database = this.#database()
    return walkRows(database, database.table(table))
  }
}
