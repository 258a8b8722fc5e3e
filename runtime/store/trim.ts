/**
 * Trimming a table: what a limit says must go, oldest first, in small steps that ride in ordinary commits.
 *
 * Promises: whole packed ranges and whole blocks from the beginning, never the last one (its position is how the head is
 * known again), and nothing that the limit lets stay. The durable gap, the sizes, the chunks that go and whatever the
 * caller commits with the trim are one batch; the blocks of the log are removed afterwards. A crash in between leaves
 * blocks that nobody can reach, and the next opening removes them. Reads, and writes nothing itself [I2].
 */
import { stampMs } from '../stamp.ts'
import { chunksOf, rangesAfter } from './chunks.ts'
import { type Database, gapEntry } from './database.ts'
import { logKey, logKeyLast } from './keys.ts'
import { decodeBlock } from './log-blocks.ts'
import type { PackedRange } from './ranges.ts'
import type { Table } from './table.ts'
import { idKeysOf } from './trim-keys.ts'
import { planPart } from './trim-part.ts'
import { type GapEntry, type Seq, type TrimChange, asSeq } from './types.ts'

/** What may stay in a table. */
export type TableLimits = {
  readonly bytesMax: number
  /** Entries with an earlier stamp go. Undefined while no age can be told. */
  readonly keepFromMs: number | undefined
  /** Readings; of a records table entries of its log. Left out, as many as there are. */
  readonly rowsMax?: number | undefined
}

/** One step: so many bytes are read to be dropped, some milliseconds of a slow card; the next commit waits no longer. */
export const trimStepBytes = 1 << 20

/** Ranges of one log that are told apart; beyond it the oldest two become one. */
const gapsMax = 16

/** A packed range or a block of the log, as one that may go. */
type Piece = {
  readonly through: Seq
  readonly rows: number
  /** When its newest entry was written. */
  readonly newestMs: () => number
  readonly cost: () => Promise<Pick<TrimChange, 'bytes' | 'packedBytes' | 'packedRows' | 'keys'>>
}

/** The next step of a trim to these limits, or undefined if the table is within them. */
export async function planTrim(database: Database, table: Table, limits: TableLimits): Promise<TrimChange | undefined> {
  const { bytesMax, keepFromMs, rowsMax = Number.POSITIVE_INFINITY } = limits
  const isYoung = keepFromMs === undefined || (table.oldestMs(table.first) ?? 0) >= keepFromMs
  if (table.bytes <= bytesMax && table.rows <= rowsMax && isYoung) return undefined
  const plan = await planPieces(database, table, (piece, dropped) => {
    if (table.bytes - dropped.bytes > bytesMax) return 'max_bytes'
    if (table.rows - dropped.rows - piece.rows >= rowsMax) return 'max_rows'
    if (keepFromMs === undefined) return undefined
    const newestMs = piece.newestMs()
    if (dropped.rows === 0) table.rememberOldest(newestMs)
    return newestMs < keepFromMs ? 'max_age' : undefined
  })
  if (plan !== undefined || table.rows <= rowsMax) return plan
  return planPart(database, table, table.rows - rowsMax, 'max_rows')
}

/** Everything up to a position, in one step. */
export const planTrimThrough = (
  database: Database,
  table: Table,
  through: Seq,
  reason: string,
): Promise<TrimChange | undefined> =>
  planPieces(database, table, piece => (piece.through <= through ? reason : undefined), Number.POSITIVE_INFINITY)

/** Takes pieces from the beginning while `reasonOf` gives the same reason. */
async function planPieces(
  database: Database,
  table: Table,
  reasonOf: (piece: Piece, dropped: { readonly bytes: number; readonly rows: number }) => string | undefined,
  bytesMax = trimStepBytes,
): Promise<TrimChange | undefined> {
  const { first, revision, name } = table
  let plan: TrimChange | undefined
  for await (const piece of piecesOf(database, table)) {
    const reason = reasonOf(piece, { bytes: plan ? plan.bytes + plan.packedBytes : 0, rows: plan?.rows ?? 0 })
    if (reason === undefined || (plan !== undefined && plan.reason !== reason)) break
    const cost = await piece.cost()
    plan = {
      kind: 'trim',
      table: name,
      first,
      through: piece.through,
      bytes: (plan?.bytes ?? 0) + cost.bytes,
      packedBytes: (plan?.packedBytes ?? 0) + cost.packedBytes,
      packedRows: (plan?.packedRows ?? 0) + cost.packedRows,
      rows: (plan?.rows ?? 0) + piece.rows,
      keys: [...(plan?.keys ?? []), ...cost.keys],
      puts: [],
      revision,
      reason,
    }
    if (plan.bytes + plan.packedBytes >= bytesMax) break
  }
  return plan
}

/** The oldest packed ranges, about so many bytes of them. What is not packed yet stays. */
export function planDrop(
  database: Database,
  table: Table,
  bytesMax: number,
  reason: string,
): Promise<TrimChange | undefined> {
  const { packed } = table
  return planPieces(database, table, piece => (piece.through <= packed ? reason : undefined), bytesMax)
}

async function* piecesOf(database: Database, table: Table): AsyncGenerator<Piece> {
  let before = asSeq(table.first - 1)
  if (before < table.packed) {
    for await (const { range, key, bytes } of rangesAfter(database, table, before)) {
      if (range.last >= table.head) return
      yield {
        through: range.last,
        rows: range.count,
        newestMs: () => stampMs(range.newest),
        cost: () => costOf(database, table, range, key, bytes),
      }
      before = range.last
    }
  }
  const blocks = { gte: logKey(table.id, before + 1), lt: logKey(table.id, table.head) }
  for await (const [key, sealed] of database.blocks(blocks)) {
    const through = logKeyLast(key)
    const position = before
    yield {
      through,
      rows: through - before,
      newestMs: () => newestOf(database, table, key, sealed, position),
      cost: () => Promise.resolve({ bytes: key.length + sealed.length, packedBytes: 0, packedRows: 0, keys: [] }),
    }
    before = through
  }
}

/**
 * A chunk that goes on beyond the range stays until the range goes in which it ends: nobody sees what it holds of
 * positions that have gone.
 */
async function costOf(database: Database, table: Table, range: PackedRange, key: Buffer, bytes: number) {
  const keys = [key]
  let packedBytes = bytes
  for (const [hour, ids] of range.hours)
    for await (const stored of chunksOf(database, table, hour, ids)) {
      const { chunk } = stored
      // Those that end in an earlier range go with that one.
      if (chunk.lastSeq < range.first || chunk.lastSeq > range.last) continue
      keys.push(stored.key)
      packedBytes += stored.bytes
      keys.push(...idKeysOf(table, chunk))
    }
  return { bytes: 0, packedBytes, packedRows: range.count, keys }
}

/** When the newest entry of a block was written, by its stamp; a block that cannot be read is as old as can be. */
function newestOf(database: Database, table: Table, key: Buffer, sealed: Buffer, before: Seq): number {
  return stampMs(decodeBlock(database, table, key, sealed, before, logKeyLast(key)).at(-1)?.stamp ?? (0 as never))
}

/** The gaps of a log once a range at its beginning has gone: neighbours with one reason are one. */
export function gapsWith(gaps: readonly GapEntry[], { first, through, reason }: TrimChange): GapEntry[] {
  const before = gaps.at(-1)
  const joined =
    before === undefined
      ? [gapEntry(first, through, reason)]
      : before.reason === reason
        ? [...gaps.slice(0, -1), gapEntry(before.firstSeq, through, reason)]
        : [...gaps, gapEntry(first, through, reason)]
  const [oldest, next, ...rest] = joined
  if (oldest === undefined || next === undefined || joined.length <= gapsMax) return joined
  return [gapEntry(oldest.firstSeq, next.seq, next.reason), ...rest]
}
