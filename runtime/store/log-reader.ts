/**
 * Reading a table's log from a position on, wherever the entries are by now: trimmed (then a gap tells), packed, in the
 * blocks of the log, or in memory. Readings come with their time corrected, if that is known by now.
 */
import type { Database } from './database.ts'
import { readBlocks } from './log-blocks.ts'
import { PackedLog } from './packed-log.ts'
import { StandingRows } from './standing.ts'
import type { Table } from './table.ts'
import { type Entry, type Seq, asSeq } from './types.ts'

export class LogReader {
  readonly #database: Database
  readonly #packed: PackedLog
  readonly #standing: StandingRows

  constructor(database: Database) {
    this.#database = database
    this.#packed = new PackedLog(database)
    this.#standing = new StandingRows(database)
  }

  /** About `limit` entries after `after`, more where a transaction would be cut in two. Empty at the head alone. */
  async read(table: Table, after: Seq, limit: number): Promise<readonly Entry[]> {
    if (after >= table.head) return []
    if (table.kind === 'records' && after < table.first - 1) return this.#standing.read(table, after, limit)
    const entries = table.tail.read(after, limit) ?? (await this.#fromDisk(table, after, limit))
    return table.kind === 'series' ? this.#database.corrections.correctAll(entries) : entries
  }

  async #fromDisk(table: Table, after: Seq, limit: number): Promise<Entry[]> {
    const found: Entry[] = table.gaps.filter(gap => gap.seq > after)
    let position = asSeq(Math.max(after, table.first - 1))
    while (position < table.head && found.length < limit) {
      const left = limit - found.length
      const entries =
        position < table.packed
          ? await this.#packed.read(table, position, left)
          : await readBlocks(this.#database, table, position, left)
      if (entries.length === 0) break
      for (const entry of entries) found.push(entry)
      position = (entries.at(-1) as Entry).seq
    }
    return found
  }
}
