/**
 * A number held against the limits of a rule: out of the file, or out of a row that people change while we run. Pure.
 *
 * Promises: a clear limit out of a row that is missing, or on the wrong side, counts as the limit itself. Readings that stay
 * within their limits do not come here one by one: quiet.ts has the ranges.
 */
import type { Json, Value } from '../../runtime/reading.ts'
import { fillPlaceholders } from '../match.ts'
import type { Condition, Limit } from '../rule.ts'
import type { Event } from './evaluate.ts'
import type { LimitSource, Side } from './verdict.ts'

/** A row of a records table as it is now; the caller decides where it comes from. */
export type Lookup = (table: string, key: string) => { readonly value: Json; readonly stamp: number } | undefined

export type LimitsCondition = Extract<Condition, { kind: 'limits' }>

/** The keys of the rows that hold limits, with the names of the series filled in. */
export type LimitKeys = { readonly above: string; readonly below: string; readonly clear: string }

/** Undefined where no limit is in a row: then nothing need be kept for each series. */
export function limitKeys(
  { above, below, clear }: LimitsCondition,
  about: { readonly device: string; readonly metric: string },
): LimitKeys | undefined {
  if (above?.kind !== 'row' && below?.kind !== 'row' && clear?.kind !== 'row') return undefined
  const key = (limit: Limit | undefined): string => (limit?.kind === 'row' ? fillPlaceholders(limit.key, about) : '')
  return { above: key(above), below: key(below), clear: key(clear) }
}

/** What a value means to a rule, as the head of evaluate.ts has it. */
export function limitsEvent(limits: LimitsCondition, keys: LimitKeys | undefined, of: Value, lookup: Lookup): Event {
  const value = comparable(of)
  if (Number.isNaN(value)) return unfit
  const above = limits.above && limitNumber(limits.above, keys?.above, lookup)
  if (limits.above && above !== undefined && value > above)
    return violates('above', value, above, sourceOf(limits.above, keys?.above, lookup))
  const below = limits.below && limitNumber(limits.below, keys?.below, lookup)
  if (limits.below && below !== undefined && value < below)
    return violates('below', value, below, sourceOf(limits.below, keys?.below, lookup))
  if (Number.isNaN(above) || Number.isNaN(below)) return unknown
  const clear = limits.clear ? limitNumber(limits.clear, keys?.clear, lookup) : Number.NaN
  const isStillHigh = above !== undefined && value > clear
  const isStillLow = below !== undefined && value < clear
  return { kind: isStillHigh || isStillLow ? 'good' : 'clears', value }
}

export const unfit: Event = { kind: 'unfit' }
export const unknown: Event = { kind: 'unknown' }

/** Numbers, and switches as 1 and 0; NaN for all else. `+ 0` turns -0 into 0: JSON knows only one zero. */
export function comparable(value: unknown): number {
  if (typeof value === 'number') return Number.isFinite(value) ? value + 0 : Number.NaN
  return typeof value === 'boolean' ? Number(value) : Number.NaN
}

function violates(side: Side, value: number, threshold: number, source: LimitSource): Event {
  return { kind: 'violates', violation: { side, value, threshold, source } }
}

/** NaN if there is none, neither in the row nor as a default. */
export function limitNumber(limit: Limit, key: string | undefined, lookup: Lookup): number {
  if (limit.kind === 'literal') return limit.value + 0
  const row = lookup(limit.table, key ?? limit.key)
  const number = row === undefined ? undefined : fieldOf(row.value, limit.field)
  if (typeof number === 'number' && Number.isFinite(number)) return number + 0
  return limit.default === undefined ? Number.NaN : limit.default + 0
}

/** Where a limit that is a number comes from. */
function sourceOf(limit: Limit, key: string | undefined, lookup: Lookup): LimitSource {
  if (limit.kind === 'literal') return 'literal'
  const row = lookup(limit.table, key ?? limit.key)
  const isNumber = row !== undefined && Number.isFinite(fieldOf(row.value, limit.field))
  return isNumber ? { table: limit.table, key: key ?? limit.key, stamp: row.stamp } : 'default'
}

function fieldOf(row: Json, field: string | undefined): Json | undefined {
  if (field === undefined) return row
  if (typeof row !== 'object' || row === null || !Object.hasOwn(row, field)) return undefined
  return (row as { readonly [key: string]: Json })[field]
}
