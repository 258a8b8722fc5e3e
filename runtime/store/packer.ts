/**
 * When which table is packed: what has gathered in memory goes into chunks, one step with each commit that comes anyway.
 */
import type { Database } from './database.ts'
import { PackRun } from './pack.ts'
import type { Repeats } from './repeats.ts'
import type { Table } from './table.ts'
import type { ChunksChange } from './types.ts'

/** Unpacked readings are held in memory: of all tables together not more than this, or the largest is packed [I6]. */
const unpackedBytesMax = 16 << 20
/** A quiet table is packed this often, so that a restart has little to read again. */
export const packEveryMs = 600_000
/** Packed with one commit: some milliseconds of a small board. More only where more comes in. */
const stepReadings = 4_096

export class Packer {
  readonly #database: Database
  readonly #repeats: Repeats
  readonly #monotonicMs: () => number
  #packedAtMs: number
  #queue: Table[] = []
  #run: PackRun | undefined

  constructor(database: Database, repeats: Repeats, monotonicMs: () => number) {
    this.#database = database
    this.#repeats = repeats
    this.#monotonicMs = monotonicMs
    this.#packedAtMs = monotonicMs()
  }

  /** What goes with a commit of so many readings. */
  next(readings: number): ChunksChange | undefined {
    if (this.#run?.isValid === false) {
      const change = this.#run.abandon()
      this.#run = undefined
      return change
    }
    const run = this.#running()
    if (run === undefined) return undefined
    const { change, isLast } = run.step(stepReadings + 2 * readings)
    if (isLast) this.#run = undefined
    return change
  }

  #running(): PackRun | undefined {
    if (this.#run !== undefined) return this.#run
    if (this.#queue.length === 0) this.#queue = this.#due()
    const table = this.#queue.shift()
    this.#run = table && new PackRun(table, this.#repeats)
    return this.#run
  }

  /** The tables that have gathered enough, or all that have anything once it is time. */
  #due(): Table[] {
    const nowMs = this.#monotonicMs()
    const isTime = nowMs - this.#packedAtMs >= packEveryMs
    const tables = [...this.#database.tables.values()].filter(table => table.kind === 'series' && isWaiting(table))
    let bytes = tables.reduce((sum, table) => sum + table.unpackedBytes, 0)
    if (!isTime && bytes < unpackedBytesMax) return []
    if (isTime) this.#packedAtMs = nowMs
    const due: Table[] = []
    for (const table of tables.toSorted((a, b) => b.unpackedBytes - a.unpackedBytes)) {
      if (!isTime && bytes < unpackedBytesMax) break
      bytes -= table.unpackedBytes
      due.push(table)
    }
    return due
  }
}

const isWaiting = (table: Table): boolean => table.head > Math.max(table.packed, table.first - 1)
