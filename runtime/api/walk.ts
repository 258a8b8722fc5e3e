/**
 * Walking a table page by page. Each page ends with a line {"kind": "page", "cursor", "more"}; the cursor asks for the next.
 *
 * Promises: a walk tells what was stored when it began, in one order, each reading once, whatever is stored, packed,
 * comes late or is corrected between two pages; except what retention takes meanwhile. Once it is through (`more` is false)
 * its cursor begins another walk, over what has been stored since: so whoever goes on asking misses nothing and sees
 * nothing twice, late readings included. A cursor holds its whole question; it may be kept for years, and copied.
 *
 * A restart between two pages forgets one thing only: what the offset of a boot was before it was corrected twice.
 */
import { HoldfastError } from '../errors.ts'
import type { Store } from '../store/store.ts'
import { clockTable } from '../store/corrections.ts'
import { type Place, type ReadingQuery, type Seq, asSeq, seqZero } from '../store/types.ts'
import { pageDefault } from './limits.ts'
import { parseLimit, shown } from './parameters.ts'
import type { commonNames } from './questions.ts'

export type PageForm = { readonly kind: 'page'; readonly cursor: string; readonly more: boolean }

/** What belongs to the question, as it was written. */
export type WalkTexts = Partial<Record<(typeof commonNames)[number] | 'order', string>>
const textNames = ['device', 'metric', 'origin', 'unit', 'from', 'to', 'where', 'order'] as const

/** Where a walk is. */
export type Walk = {
  readonly table: string
  readonly texts: WalkTexts
  /** Times are counted from when the walk began: `1h` ago does not move on between pages. */
  readonly nowMs: number
  readonly afterSeq: Seq
  /** Undefined before its first page. */
  readonly pinned: { readonly throughSeq: Seq; readonly correctedThrough: Seq } | undefined
  readonly beyond: Place | undefined
}

export const beginWalk = (table: string, texts: WalkTexts, nowMs: number): Walk => ({
  table,
  texts,
  nowMs,
  afterSeq: seqZero,
  pinned: undefined,
  beyond: undefined,
})

/** The walk with its place in the log: that of now, if it has none yet. */
export function pin(walk: Walk, store: Store): Walk & { readonly pinned: NonNullable<Walk['pinned']> } {
  const correctedThrough = store.tables.has(clockTable) ? store.head(clockTable) : seqZero
  const pinned = walk.pinned ?? { throughSeq: store.head(walk.table), correctedThrough }
  return { ...walk, pinned }
}

export const limitsOf = ({ afterSeq, pinned, beyond }: Walk): Partial<ReadingQuery> => ({ ...pinned, afterSeq, beyond })

/** After a page whose last reading stands there; undefined: all of it has been told. */
export function walkOn(walk: Walk, last: Place | undefined): Walk {
  if (last !== undefined) return { ...walk, beyond: last }
  return { ...walk, afterSeq: walk.pinned?.throughSeq ?? walk.afterSeq, pinned: undefined, beyond: undefined }
}

export const pageSize = (page: string | undefined): number =>
  page === undefined ? pageDefault : parseLimit(page, 'page')

/** Letters, digits, - and _: it needs no quotes anywhere. */
export function cursorOf({ table, texts, nowMs, afterSeq, pinned, beyond }: Walk, epoch: string): string {
  const form = [
    1,
    epoch,
    table,
    textNames.map(name => texts[name] ?? null),
    nowMs,
    afterSeq,
    pinned ? [pinned.throughSeq, pinned.correctedThrough] : null,
    beyond ? [beyond.timeMs, beyond.seq] : null,
  ]
  return Buffer.from(JSON.stringify(form)).toString('base64url')
}

/** The walk that a cursor goes on with. What is asked for beside it may repeat its question, but not change it. */
export function walkFrom(cursor: string, table: string, texts: WalkTexts, store: Store): Walk {
  const found = decode(cursor)
  if (found === undefined) throw refused('is not one that a page ended with')
  const { epoch, walk } = found
  if (walk.table !== table) throw refused(`belongs to the table "${shown(walk.table)}"`)
  const last = walk.pinned?.throughSeq ?? walk.afterSeq
  if (epoch !== store.epoch || last > store.head(table)) throw refused('is of another database')
  const other = textNames.find(name => texts[name] !== undefined && texts[name] !== walk.texts[name])
  if (other === undefined) return walk
  const hint = `leave "${other}" out: a cursor holds its whole question`
  throw new HoldfastError('BAD_ARGUMENT', `"${other}" is not what it was when the walk of this cursor began`, hint)
}

const refused = (what: string): HoldfastError =>
  new HoldfastError('BAD_ARGUMENT', `"cursor" ${what}`, 'leave it out to begin again')

/** Anybody may have written it: everything in it is looked at. */
function decode(cursor: string): { readonly epoch: string; readonly walk: Walk } | undefined {
  let form: unknown
  try {
    form = JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    return undefined
  }
  if (!Array.isArray(form) || form.length !== 8) return undefined
  const [version, epoch, table, given, nowMs, afterSeq, pinned, beyond] = form as unknown[]
  if (version !== 1 || typeof epoch !== 'string' || typeof table !== 'string' || !isFinite(nowMs)) return undefined
  const texts = textsOf(given)
  if (texts === undefined || !isSeq(afterSeq)) return undefined
  if (pinned !== null && !(isPair(pinned) && isSeq(pinned[0]) && isSeq(pinned[1]))) return undefined
  if (beyond !== null && !(isPair(beyond) && isFinite(beyond[0]) && isSeq(beyond[1]))) return undefined
  const walk = {
    table,
    texts,
    nowMs,
    afterSeq: asSeq(afterSeq),
    pinned: pinned === null ? undefined : pinnedAt(pinned as number[]),
    beyond: beyond === null ? undefined : placeAt(beyond as number[]),
  }
  return { epoch, walk }
}

const pinnedAt = ([through = 0, corrected = 0]: readonly number[]) => ({
  throughSeq: asSeq(through),
  correctedThrough: asSeq(corrected),
})
const placeAt = ([timeMs = 0, seq = 0]: readonly number[]): Place => ({ timeMs, seq: asSeq(seq) })
const isFinite = (value: unknown): value is number => Number.isFinite(value)
const isSeq = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isPair = (value: unknown): value is readonly unknown[] => Array.isArray(value) && value.length === 2

function textsOf(given: unknown): WalkTexts | undefined {
  if (!Array.isArray(given) || given.length !== textNames.length) return undefined
  if (!given.every(text => text === null || typeof text === 'string')) return undefined
  const named = textNames.flatMap((name, index) => (given[index] === null ? [] : [[name, given[index] as string]]))
  return Object.fromEntries(named) as WalkTexts
}
