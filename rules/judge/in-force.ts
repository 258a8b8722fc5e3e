/**
 * A rule as the judge needs it: what it must remember for it, and by what it is judged. Made once when rules come into
 * force; nothing of it is made again for a series. Pure.
 */
import type { HistoryNeeds, RuleExpression } from '../expression/scope.ts'
import type { Rule } from '../rule.ts'
import type { RuleInForce, Track } from './track.ts'

export function inForce(rule: Rule, order: number): RuleInForce {
  const expressions = expressionsOf(rule)
  const absentMs = rule.kind === 'alert' && rule.condition.kind === 'absent' ? rule.condition.afterMs : Number.NaN
  const speaksUnasked = rule.moments !== undefined || !Number.isNaN(absentMs)
  const asks = expressions.length > 0 || speaksUnasked
  return {
    rule,
    match: rule.match,
    order,
    needs: asks ? joinNeeds(expressions.map(({ needs }) => needs.own)) : undefined,
    others: expressions.flatMap(({ needs }) => needs.others),
    byReadings: rule.moments === undefined || (rule.kind === 'alert' && rule.moments.kind === 'interval'),
    absentMs,
    speaksUnasked,
    tracks: new Set(),
    ordered: undefined,
  }
}

/** What several ask together. */
export function joinNeeds(needs: readonly HistoryNeeds[]): HistoryNeeds {
  const windows = new Set(needs.flatMap(({ windowsMs }) => windowsMs))
  return {
    windowsMs: [...windows].toSorted((a, b) => a - b),
    previous: needs.some(({ previous }) => previous),
    devices: needs.some(({ devices }) => devices),
  }
}

export function orderedTracks(rule: RuleInForce): readonly Track[] {
  rule.ordered ??= [...rule.tracks].toSorted((a, b) => (a.key < b.key ? -1 : 1))
  return rule.ordered
}

function expressionsOf(rule: Rule): RuleExpression[] {
  if (rule.kind === 'record') return [rule.expression]
  const { condition } = rule
  switch (condition.kind) {
    case 'limits':
      return condition.of ? [condition.of] : []
    case 'expression':
      return condition.clear ? [condition.violated, condition.clear] : [condition.violated]
    case 'absent':
      return []
  }
}
