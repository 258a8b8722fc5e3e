/**
 * The log of a table after damage: holes are found by the positions of the blocks around them, and a mark is put into each,
 * so that it is told once and its numbers are never given again.
 */
import { ByteReader } from '../bytes.ts'
import * as keys from '../keys.ts'
import { encodeMark } from '../log-blocks.ts'
import { decodeRow, encodeRow, readLogRecords } from '../records.ts'
import { unseal } from '../seal.ts'
import { asSeq } from '../types.ts'
import { rawPairs } from './raw.ts'
import { type KnownTable, type Recovery, reason } from './recovery.ts'

/**
 * So many numbers are passed over where the end of a log may be lost and nobody knows how far it went: more than what fits
 * into the log file that LevelDB writes at a time.
 */
export const skippedPositions = 1 << 20

/** Holes between `before` and the head. Returns the head. */
export async function recoverBlocks(recovery: Recovery, table: KnownTable, before: number): Promise<number> {
  let position = before
  const range = { gte: keys.logKey(table.id, before + 1), lt: keys.rangeOf('log', table.id).lt }
  for await (const pair of rawPairs(recovery.level, range)) {
    const last = keys.logKeyLast(pair.key)
    if (pair.value === undefined) {
      recovery.remove(pair)
      mark(recovery, table, position + 1, last, last - position)
    } else {
      const count = new ByteReader(pair.value).varint()
      const first = last - count + 1
      if (count > 0 && first > position + 1) mark(recovery, table, position + 1, first - 1, first - 1 - position)
      if (count > 0 && table.kind === 'records') recoverRows(recovery, table, pair.value, last)
    }
    position = last
  }
  return position
}

/** The end of the log, by what the card knows of it. */
export function recoverEnd(recovery: Recovery, table: KnownTable, head: number, isCardOurs: boolean): void {
  const { card } = recovery
  const known = isCardOurs ? (card?.tables[table.name]?.head ?? 0) : 0
  const isExact = isCardOurs && card?.isClean === true
  if (head >= known && (!recovery.isEndLost || isExact || (head === 0 && known === 0))) return
  const last = Math.max(head, known) + (isExact ? 0 : skippedPositions)
  mark(recovery, table, head + 1, last, Math.max(0, known - head))
  if (!isExact)
    recovery.note(`the newest entries of "${table.name}" may be lost: numbers up to ${last} are passed over`)
}

function mark(recovery: Recovery, table: KnownTable, first: number, last: number, count: number): void {
  recovery.put(keys.logKey(table.id, last), encodeMark(count, reason))
  recovery.lose({ table: table.name, first, last, count })
}

/** The log is the truth: a row that is older than its newest entry there, or gone, is written anew from it. */
function recoverRows(recovery: Recovery, table: KnownTable, block: Buffer, last: number): void {
  for (const entry of readLogRecords(block, asSeq(last))) {
    const key = keys.rowKey(table.id, entry.key)
    const planned = recovery.puts.get(key.toString('latin1'))?.value
    const sealed = recovery.level.getSync(key)
    const stored = planned ?? (sealed && unseal(key, sealed))
    if (stored !== undefined && decodeRow(stored).seq >= entry.seq) continue
    if (sealed !== undefined && planned === undefined && stored === undefined)
      recovery.aside.push({ key, sealed, value: undefined })
    recovery.put(key, encodeRow(entry))
  }
}
