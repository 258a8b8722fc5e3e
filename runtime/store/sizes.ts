/**
 * How large tables are: bytes of the log, bytes and readings of what is packed. Exact in memory, and written down often
 * enough that an opening has little to count again.
 *
 *   fact size/<table>   {through, log, packed, rows}: the log's size is that of its blocks up to `through`
 */
import { rangesAfter } from './chunks.ts'
import type { Database } from './database.ts'
import * as keys from './keys.ts'
import type { Put } from './put.ts'
import { decodeJson, encodeJson } from './records.ts'
import { sealBytes } from './seal.ts'
import type { Table } from './table.ts'
import { type Seq, asSeq, seqZero } from './types.ts'

/** The sizes are written down again after so much growth: an opening reads no more of the log than this to know them. */
const uncountedBytesMax = 1 << 20
/** Of a block: its key of 9 bytes, and the seal. */
const logOverheadBytes = 9 + sealBytes

const sizeFact = (table: Table): string => `size/${table.id}`

type Change = { readonly log: number; readonly packed: number; readonly rows: number }
type Grown = {
  log: number
  packed: number
  rows: number
  appended: number
  through: Seq | undefined
  isShifted: boolean
}

/** By how much one group makes tables larger or smaller. */
export class Growth {
  readonly #tables = new Map<Table, Grown>()

  /** A log block of so many bytes. */
  block(table: Table, last: Seq, valueBytes: number): void {
    const grown = this.#of(table)
    const bytes = valueBytes + logOverheadBytes
    grown.log += bytes
    grown.appended += bytes
    grown.through = last
  }

  add(table: Table, { log, packed, rows }: Change): void {
    const grown = this.#of(table)
    grown.log += log
    grown.packed += packed
    grown.rows += rows
    grown.isShifted = true
  }

  /** Where it matters, the new sizes. */
  puts(): Put[] {
    const puts: Put[] = []
    for (const [table, grown] of this.#tables) {
      if (!isDue(table, grown)) continue
      const { log, packed, rows } = sum(table, grown)
      const through = grown.through ?? table.head
      puts.push({ key: keys.factKey(sizeFact(table)), value: encodeJson({ through, log, packed, rows }) })
    }
    return puts
  }

  /** Called once they are on disk. */
  publish(): void {
    for (const [table, grown] of this.#tables) {
      table.uncountedBytes = isDue(table, grown) ? 0 : table.uncountedBytes + grown.appended
      const { log, packed, rows } = sum(table, grown)
      table.logBytes = log
      table.packedBytes = packed
      table.packedRows = rows
    }
  }

  #of(table: Table): Grown {
    let grown = this.#tables.get(table)
    if (grown === undefined) {
      grown = { log: 0, packed: 0, rows: 0, appended: 0, through: undefined, isShifted: false }
      this.#tables.set(table, grown)
    }
    return grown
  }
}

const isDue = (table: Table, { isShifted, appended }: Grown): boolean =>
  isShifted || table.uncountedBytes + appended >= uncountedBytesMax

const sum = (table: Table, grown: Grown): Change => ({
  log: table.logBytes + grown.log,
  packed: table.packedBytes + grown.packed,
  rows: table.packedRows + grown.rows,
})

/** From the numbers that were written last, and what came since; all of it is counted where there are none to trust. */
export async function countTable(database: Database, table: Table, isRepaired: boolean): Promise<void> {
  const bytes = database.get(keys.factKey(sizeFact(table)))
  const known = bytes === undefined ? undefined : (decodeJson(bytes) as Change & { through: number })
  const isTrusted = known !== undefined && !isRepaired && known.through <= table.head
  if (isTrusted) {
    table.packedBytes = known.packed
    table.packedRows = known.rows
  } else await countPacked(database, table)
  const from = asSeq(Math.max(isTrusted ? known.through : 0, table.packed, table.first - 1))
  table.logBytes = isTrusted ? known.log : 0
  const range = { gte: keys.logKey(table.id, from + 1), lt: keys.logKey(table.id, table.head + 1) }
  for await (const [key, sealed] of database.blocks(range)) table.uncountedBytes += key.length + sealed.length
  table.logBytes += table.uncountedBytes
}

async function countPacked(database: Database, table: Table): Promise<void> {
  table.packedBytes = 0
  table.packedRows = 0
  if (table.kind !== 'series') return
  for await (const [key, sealed] of database.blocks(keys.rangeOf('chunk', table.id)))
    table.packedBytes += key.length + sealed.length
  for await (const { range, bytes } of rangesAfter(database, table, seqZero)) {
    table.packedBytes += bytes
    table.packedRows += range.count
  }
}
