/**
 * Which numbers change nothing for the rules of a series: for each track at rest the range within its limits, side by side
 * in memory. Most readings are judged here, by two comparisons for each rule; the thousands of tracks, states and rules
 * behind them, which no cache holds, are not even touched.
 *
 * Promises: calls a number quiet only where judging it in full would change nothing. What it knows is laid out again when a
 * track of the series has changed, and when rows that limits are read from may have.
 */
import type { Rule } from '../rule.ts'
import type { RuleState } from './evaluate.ts'
import { limitNumber, type LimitKeys, type Lookup } from './threshold.ts'

/** What of a track says when it is quiet. */
type Watched = {
  readonly state: RuleState
  readonly limitKeys: LimitKeys | undefined
  /** A rule that needs more than the reading is judged in full. */
  readonly inForce: { readonly rule: Rule; readonly needs: unknown }
}

export class Quiet {
  /** A track has changed, or there are others. */
  isStale = true
  /** From and to, inclusive, of each track in its place; NaN where readings are judged in full. */
  #ranges: readonly number[] = []
  #rowsVersion = Number.NaN
  #hasRows = false

  /** Makes it true of now. `rowsVersion` is another number whenever rows may have changed. */
  refresh(tracks: readonly Watched[], lookup: Lookup, rowsVersion: number): void {
    if (!this.isStale && (!this.#hasRows || rowsVersion === this.#rowsVersion)) return
    this.isStale = false
    this.#rowsVersion = rowsVersion
    this.#hasRows = tracks.some(({ limitKeys }) => limitKeys !== undefined)
    this.#ranges = tracks.flatMap(track => rangeOf(track, lookup))
  }

  /** Whether a number changes nothing for the track in that place. */
  covers(place: number, value: number): boolean {
    const ranges = this.#ranges
    return value >= (ranges[2 * place] as number) && value <= (ranges[2 * place + 1] as number)
  }
}

/** The tables out of which ranges come: as long as nothing is written there, they hold. */
export function tablesOfLimits(rules: readonly Rule[]): readonly string[] {
  const tables = rules.flatMap(rule => {
    if (rule.kind !== 'alert' || rule.condition.kind !== 'limits') return []
    const { above, below } = rule.condition
    return [above, below].flatMap(limit => (limit?.kind === 'row' ? [limit.table] : []))
  })
  return [...new Set(tables)]
}

const noRange = [Number.NaN, Number.NaN] as const

/** A limit that is not known breaks nothing. */
function rangeOf({ state, inForce, limitKeys }: Watched, lookup: Lookup): readonly [number, number] {
  const { rule, needs } = inForce
  if (state.kind !== 'ok' || needs !== undefined || rule.kind !== 'alert' || rule.per !== 'series') return noRange
  if (rule.condition.kind !== 'limits') return noRange
  const { below, above } = rule.condition
  const from = below === undefined ? Number.NaN : limitNumber(below, limitKeys?.below, lookup)
  const to = above === undefined ? Number.NaN : limitNumber(above, limitKeys?.above, lookup)
  return [Number.isNaN(from) ? Number.NEGATIVE_INFINITY : from, Number.isNaN(to) ? Number.POSITIVE_INFINITY : to]
}
