/**
 * The endpoint of the rules in force: what each watches, in words that people understand, and how it stands now.
 *
 *   GET rules          all of them, in the order of their files
 *   GET rules/NAME     one, with the limits that hold now for each of its series
 */
import type { Hono } from 'hono'
import { nearestName } from '../document.ts'
import { HoldfastError } from '../errors.ts'
import { jsonResponse } from './faults.ts'
import { shown } from './parameters.ts'

export type RuleForm = {
  readonly name: string
  readonly group: string
  readonly kind: 'alert' | 'record'
  readonly file: string
  /** Null for a recording. */
  readonly severity: string | null
  readonly watches: string
  /** Half sentences: `when the value has been above 8 for 30s`. */
  readonly fires: string
  readonly ends: string | null
  readonly also: readonly string[]
  /** Series that it watches now. */
  readonly series: number
  /** How many of its alerts are in each state now. */
  readonly pending: number
  readonly firing: number
  readonly latched: number
}

/** A limit as it is now for one series. */
export type LimitForm = {
  readonly device: string
  readonly metric: string
  readonly side: 'above' | 'below' | 'clear'
  /** Null: there is no number in its row and no default, so it is not judged. */
  readonly value: number | null
  /** `literal`, `default`, or the row. */
  readonly source: string
  /** Why it is the default: there is no row, or no number in it. */
  readonly missing: 'row' | 'number' | null
}

export type RuleDetailForm = RuleForm & {
  readonly summary: string | null
  /** Of the first series only, where there are many. */
  readonly limits: readonly LimitForm[]
}

/** Who knows the rules. */
export type RulesDoor = {
  /** The time zone of hours and weekdays in rules. */
  readonly zone: string
  list(): readonly RuleForm[]
  /** Undefined if there is no such rule. */
  detail(name: string): RuleDetailForm | undefined
}

export function rulesRoutes(app: Hono, base: string, rules: RulesDoor): void {
  app.get(`${base}/rules`, () => jsonResponse({ zone: rules.zone, rules: rules.list() }))
  app.get(`${base}/rules/:name`, c => {
    const name = c.req.param('name')
    const detail = rules.detail(name)
    if (detail !== undefined) return jsonResponse(detail)
    const known = rules.list().map(rule => rule.name)
    const nearest = nearestName(name.slice(0, 100), known)
    const hint = nearest === undefined ? 'see them with "holdfast rules list"' : `did you mean "${nearest}"?`
    throw new HoldfastError('NOT_FOUND', `no rule "${shown(name)}" is in force`, hint)
  })
}
