/**
 * Where a receiver stands with a stream that may be ahead of itself: everything up to `seq`, and runs of later entries
 * that came before their turn. Pure.
 *
 *   ──────────────┬···········[═══════]········[════>
 *      has all   seq         from     to      a live part, growing
 *
 * A range is (from, to]: `from` is the position that its first frame followed. When `seq` reaches a range, it goes on at
 * its end. Whatever frames come, in whatever order and however often, an entry is new at most once.
 */
import { type Seq, asSeq, seqZero } from '../../store/types.ts'

export type Range = readonly [from: Seq, to: Seq]

export type Place = { readonly seq: Seq; readonly ahead: readonly Range[] }

export const nowhere: Place = { seq: seqZero, ahead: [] }

/** Ranges that are kept: one for each time that a link was lost while a backlog was drained. */
export const rangesMax = 8

export type Piece = {
  readonly after: Seq
  readonly last: Seq
  /** Where the live part that it belongs to begins; undefined for what follows in its turn. */
  readonly base?: Seq | undefined
}

/** What a frame is to a receiver: new, known, or too early, because something before it is missing. */
export type Step =
  | { readonly kind: 'next'; readonly place: Place }
  | { readonly kind: 'known' }
  /** `base` is told if the live part lacks something, and not the rest. */
  | { readonly kind: 'early'; readonly wanted: Seq; readonly base: Seq | undefined }

export const holds = ({ seq, ahead }: Place, one: Seq): boolean =>
  one <= seq || ahead.some(([from, to]) => one > from && one <= to)

export type Stretch = { readonly first: Seq; readonly last: Seq }

/** What of a range is not there yet, in order. */
export function lacking({ seq, ahead }: Place, { first, last }: Stretch): Stretch[] {
  const ranges: Stretch[] = []
  let next = Math.max(first, seq + 1)
  for (const [from, to] of ahead) {
    if (next <= Math.min(from, last)) ranges.push({ first: asSeq(next), last: asSeq(Math.min(from, last)) })
    next = Math.max(next, to + 1)
  }
  if (next <= last) ranges.push({ first: asSeq(next), last })
  return ranges
}

export function step(place: Place, { after, last, base }: Piece): Step {
  if (base === undefined || base <= place.seq) {
    if (last <= place.seq) return { kind: 'known' }
    if (after > place.seq) return { kind: 'early', wanted: place.seq, base: undefined }
    return { kind: 'next', place: normal(last, place.ahead) }
  }
  const range = place.ahead.find(([from, to]) => from <= after && after <= to)
  if (range !== undefined && last <= range[1]) return { kind: 'known' }
  const isBeginning = after === base && place.ahead.length < rangesMax
  if (range === undefined && !isBeginning) return { kind: 'early', wanted: endOf(place, base), base }
  return { kind: 'next', place: normal(place.seq, [...place.ahead, [after, last]]) }
}

/** Both of them: after a commit of which it is not known whether it happened, each may know what the other does not. */
export const union = (a: Place, b: Place): Place => normal(asSeq(Math.max(a.seq, b.seq)), [...a.ahead, ...b.ahead])

/** What of it is not beyond a position. */
export function upTo({ seq, ahead }: Place, last: Seq): Place {
  const within = ahead.filter(([from]) => from < last).map(([from, to]): Range => [from, earlier(to, last)])
  return { seq: earlier(seq, last), ahead: within }
}

/** How far the live part that begins at `base` has come. */
export function endOf({ seq, ahead }: Place, base: Seq): Seq {
  if (base <= seq) return seq
  return ahead.find(([from, to]) => from <= base && base < to)?.[1] ?? base
}

/** Entries that came before their turn. */
export const aheadCount = ({ ahead }: Place): number => ahead.reduce((sum, [from, to]) => sum + to - from, 0)

function normal(seq: Seq, ranges: readonly Range[]): Place {
  let reached = seq
  const ahead: Range[] = []
  for (const [from, to] of ranges.toSorted(([a], [b]) => a - b)) {
    const last = ahead.at(-1)
    if (from <= reached) reached = later(reached, to)
    else if (last !== undefined && from <= last[1]) ahead[ahead.length - 1] = [last[0], later(last[1], to)]
    else ahead.push([from, to])
  }
  return { seq: reached, ahead }
}

const earlier = (a: Seq, b: Seq): Seq => (a < b ? a : b)
const later = (a: Seq, b: Seq): Seq => (a > b ? a : b)
