/**
 * The table `gaps`: what somebody will never get, one row for each range, for people and for the far sides to see [I4].
 *
 *   key    <who>/<table>/<epoch>/<first>
 *   value  {who, table, epoch, first, last, count, reason, told_ms}
 *
 * `who` is whose entries they are: the origin that dropped them from its log, the peer that said it will not send them,
 * or `to:<far side>` where they can't travel. Positions are those of that side's log in that epoch.
 *
 * Promises: told twice is counted once; neighbours with one reason are one row; the rows of one log are bounded, and
 * beyond the bound they are joined, never left out: `count` stays what was lost.
 */
import type { Json } from '../reading.ts'
import type { Change, Row } from './types.ts'

export const gapsTable = 'gaps'

/** Rows for one log in one epoch: more ranges than a person reads, and a gateway with a bad card has few logs [I6]. */
export const gapRowsMax = 64

/** Entries that are lost: positions from `first` to `last`. */
export type LostRange = {
  readonly first: number
  readonly last: number
  /** Where only some of the positions are lost: how many, and none of them was told before. */
  readonly count?: number | undefined
  readonly reason: string
}

export type LogName = { readonly who: string; readonly table: string; readonly epoch: string }

type GapRow = LostRange & { readonly count: number }

type GapRows = {
  readonly tables: ReadonlyMap<string, unknown>
  rows(table: string, options: { readonly prefix: string; readonly limit: number }): AsyncIterable<Row>
}

/** The changes that tell of these ranges, to be committed with whatever makes them true. One writer per log at a time. */
export async function tellGaps(
  store: GapRows,
  log: LogName,
  lost: readonly LostRange[],
  nowMs: number,
): Promise<Change[]> {
  if (lost.length === 0 || !store.tables.has(gapsTable)) return []
  const prefix = `${log.who}/${log.table}/${log.epoch}/`
  const before = new Map<string, GapRow>()
  for await (const { key, value } of store.rows(gapsTable, { prefix, limit: 2 * gapRowsMax })) {
    const row = asGapRow(value)
    if (row !== undefined) before.set(key, row)
  }
  const after = lost.reduce(withGap, [...before.values()])
  const keys = new Map(bounded(after).map(row => [`${prefix}${row.first}`, row]))
  const changes: Change[] = []
  for (const key of before.keys()) if (!keys.has(key)) changes.push({ kind: 'delete', table: gapsTable, key })
  for (const [key, row] of keys) {
    const known = before.get(key)
    if (known !== undefined && known.last === row.last && known.count === row.count) continue
    changes.push({ kind: 'put', table: gapsTable, key, value: { ...log, ...row, told_ms: nowMs } })
  }
  return changes
}

/** Adds a range: what is told already is not told again, what touches a range of the same reason extends it. */
function withGap(rows: readonly GapRow[], { first, last, count, reason }: LostRange): GapRow[] {
  const positions = count ?? last - first + 1
  const known = count === undefined ? rows.reduce((sum, row) => sum + overlap(row, first, last), 0) : 0
  if (known >= positions) return [...rows]
  const isNear = (row: GapRow): boolean => row.reason === reason && row.first <= last + 1 && row.last >= first - 1
  const near = rows.filter(isNear)
  const joined = {
    first: Math.min(first, ...near.map(row => row.first)),
    last: Math.max(last, ...near.map(row => row.last)),
    count: near.reduce((sum, row) => sum + row.count, positions - known),
    reason,
  }
  return [...rows.filter(row => !isNear(row)), joined]
}

const overlap = (row: GapRow, first: number, last: number): number =>
  Math.max(0, Math.min(row.last, last) - Math.max(row.first, first) + 1)

/** Too many: the two of one reason that are nearest to each other become one, or else the oldest two. */
function bounded(rows: readonly GapRow[]): readonly GapRow[] {
  let kept = apart(rows.toSorted((a, b) => a.first - b.first))
  while (kept.length > gapRowsMax) {
    let at = 0
    let nearest = Number.POSITIVE_INFINITY
    for (let index = 0; index + 1 < kept.length; index++) {
      const [one, next] = [kept[index] as GapRow, kept[index + 1] as GapRow]
      if (one.reason !== next.reason || next.first - one.last >= nearest) continue
      nearest = next.first - one.last
      at = index
    }
    const [one, next] = [kept[at] as GapRow, kept[at + 1] as GapRow]
    kept = [...kept.slice(0, at), together(one, next), ...kept.slice(at + 2)]
  }
  return kept
}

/** Two that begin at one position have one key: what was thinned and has gone now is one row. */
function apart(rows: readonly GapRow[]): GapRow[] {
  const kept: GapRow[] = []
  for (const row of rows) {
    const before = kept.at(-1)
    if (before?.first === row.first) kept[kept.length - 1] = together(before, row)
    else kept.push(row)
  }
  return kept
}

const together = (one: GapRow, next: GapRow): GapRow => ({
  first: one.first,
  last: Math.max(one.last, next.last),
  count: one.count + next.count,
  reason: one.reason === next.reason ? one.reason : 'several',
})

/** A peer or a person may have put anything there. */
function asGapRow(value: Json): GapRow | undefined {
  const { first, last, count, reason } = (value ?? {}) as Record<string, unknown>
  const isWhole = [first, last, count].every(number => Number.isSafeInteger(number))
  if (!isWhole || typeof reason !== 'string') return undefined
  return { first: first as number, last: last as number, count: count as number, reason }
}
