/**
 * What a far side has beyond the cursor of its stream, because new entries go before a backlog: kept beside the cursor,
 * and as lazily, so that what is dropped from a log is told as lost only where it is.
 */
import type { Json } from '../reading.ts'
import { type Change, type Seq, asSeq } from './types.ts'

/** From and to: what follows `from`, up to `to`. */
export type AheadRange = readonly [from: Seq, to: Seq]

const owner = 'ahead'

export function aheadOf(
  store: { state(owner: string, key: string): Json | undefined },
  cursor: string,
): readonly AheadRange[] {
  const kept = store.state(owner, cursor)
  return Array.isArray(kept) ? (kept as readonly [number, number][]).map(([from, to]) => [asSeq(from), asSeq(to)]) : []
}

export const aheadChange = (cursor: string, ranges: readonly AheadRange[]): Change => ({
  kind: 'state',
  owner,
  key: cursor,
  value: ranges.length === 0 ? undefined : ranges.map(([from, to]) => [from, to]),
})
