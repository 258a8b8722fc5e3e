/**
 * Logs that were shorter when the database was opened again after a failed write: what had been told of is gone, and its
 * numbers are given again. Whoever has told others of them must learn it, however soon the log has grown back.
 */
import type { Table } from './table.ts'
import { type Seq, seqZero } from './types.ts'

/** How often the end of a log was lost since the start, and where it ended then the last time. */
export type LostEnd = { readonly times: number; readonly head: Seq }

const never: LostEnd = { times: 0, head: seqZero }

export class LostEnds {
  readonly #ends = new Map<string, LostEnd>()

  of(table: string): LostEnd {
    return this.#ends.get(table) ?? never
  }

  /** The tables as they were, and as they were found. */
  note(before: ReadonlyMap<string, Table>, found: ReadonlyMap<string, Table>): void {
    for (const [name, { head }] of before) {
      const now = found.get(name)?.head ?? seqZero
      if (now < head) this.#ends.set(name, { times: this.of(name).times + 1, head: now })
    }
  }
}
