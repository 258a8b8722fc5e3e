/**
 * Trimming a log: what a limit says must go, in small steps that ride in ordinary commits.
 *
 * Promises: whole blocks from the log's beginning, never the last one (its position is how the head is known again), and
 * nothing that the limit lets stay. The durable gap, the number of bytes left and whatever the caller commits with the
 * trim are one batch; the blocks under it are removed afterwards. A crash in between leaves blocks that nobody can
 * reach, and the next opening removes them. Reads, and writes nothing itself [I2].
 */
import { stampMs } from '../stamp.ts'
import { type Database, gapEntry } from './database.ts'
import { logKey, logKeyLast } from './keys.ts'
import type { Table } from './table.ts'
import type { GapEntry, Seq, TrimChange } from './types.ts'

/** What may stay in a log. */
export type LogLimits = {
  readonly bytesMax: number
  /** Entries with an earlier stamp go. Undefined while no age can be told. */
  readonly keepFromMs: number | undefined
}

/** One step: so many bytes are read to be dropped, some milliseconds of a slow card; the next commit waits no longer. */
export const trimStepBytes = 1 << 20

/** Ranges of one log that are told apart; beyond it the oldest two become one. */
const gapsMax = 16

/** The next step of a trim to these limits, or undefined if the log is within them. */
export async function planTrim(database: Database, table: Table, limits: LogLimits): Promise<TrimChange | undefined> {
  const { bytesMax, keepFromMs } = limits
  if (table.logBytes <= bytesMax && (keepFromMs === undefined || (table.oldestMs(table.first) ?? 0) >= keepFromMs)) {
    return undefined
  }
  return planBlocks(database, table, (key, sealed, dropped) => {
    if (table.logBytes - dropped > bytesMax) return 'max_bytes'
    if (keepFromMs === undefined) return undefined
    const newestMs = newestOf(database, table, key, sealed)
    if (dropped === 0) table.rememberOldest(newestMs)
    return newestMs < keepFromMs ? 'max_age' : undefined
  })
}

/** Everything up to a position, in one step. */
export const planTrimThrough = (
  database: Database,
  table: Table,
  through: Seq,
  reason: string,
): Promise<TrimChange | undefined> =>
  planBlocks(database, table, key => (logKeyLast(key) <= through ? reason : undefined), Number.POSITIVE_INFINITY)

/** Takes blocks from the beginning while `reasonOf` gives the same reason. */
async function planBlocks(
  database: Database,
  table: Table,
  reasonOf: (key: Buffer, sealed: Buffer, dropped: number) => string | undefined,
  bytesMax = trimStepBytes,
): Promise<TrimChange | undefined> {
  const { first, head } = table
  let plan: TrimChange | undefined
  for await (const [key, sealed] of database.blocks({ gte: logKey(table.id, first), lt: logKey(table.id, head) })) {
    const bytes = plan?.bytes ?? 0
    const reason = reasonOf(key, sealed, bytes)
    if (reason === undefined || (plan !== undefined && plan.reason !== reason)) break
    const through = logKeyLast(key)
    plan = { kind: 'trim', table: table.name, first, through, bytes: bytes + key.length + sealed.length, reason }
    if (plan.bytes >= bytesMax) break
  }
  return plan
}

/** When the newest entry of a block was written, by its stamp; a block that cannot be read is as old as can be. */
function newestOf(database: Database, table: Table, key: Buffer, sealed: Buffer): number {
  const last = logKeyLast(key)
  return stampMs(database.decodeBlock(table, key, sealed, table.first, last).at(-1)?.stamp ?? (0 as never))
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
