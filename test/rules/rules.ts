/** A rule for tests: everything at its default, except what a test says. And judging one reading of one series by it. */
import { type Moment, type Outcome, type RuleState, advance as pass, step as meet } from '../../rules/judge/evaluate.ts'
import { type Lookup, limitKeys, limitsEvent } from '../../rules/judge/threshold.ts'
import type { Value } from '../../runtime/reading.ts'
import type { AlertRule, Limit } from '../../rules/rule.ts'

type Limits = {
  readonly above: Limit | undefined
  readonly below: Limit | undefined
  readonly clear: Limit | undefined
}

export type RuleChange = Partial<AlertRule & Limits>

/** The limits of a rule may be said by themselves, without the condition around them. */
export function ruleOf(said: RuleChange): AlertRule {
  const { above, below, clear, ...change } = { above: eight, below: undefined, clear: undefined, ...said }
  return {
    kind: 'alert',
    id: 'A',
    group: 'g',
    file: 'r.yaml',
    match: { table: 'readings', device: '*', metric: '*', labels: {} },
    per: 'series',
    moments: undefined,
    lateAfterMs: 60_000,
    condition: { kind: 'limits', of: undefined, above, below, clear },
    forMs: 0,
    keepFiringForMs: 0,
    latch: false,
    flapping: undefined,
    renotifyMs: undefined,
    severity: 'warning',
    snippet: {
      beforeMs: 60_000,
      afterMs: 0,
      tables: ['readings'],
      device: '{device}',
      metric: '*',
      bytesMax: 49_152,
      pointsMax: undefined,
    },
    labels: {},
    annotations: {},
    actions: [],
    fingerprint: '',
    ...change,
  }
}

const eight: Limit = { kind: 'literal', value: 8 }

export type Observation = {
  readonly device: string
  readonly metric: string
  readonly value: Value
  readonly atMs: number
  readonly timeMs: number | undefined
}

export function step(rule: AlertRule, state: RuleState, observation: Observation, lookup: Lookup): Outcome {
  const { condition } = rule
  if (condition.kind !== 'limits') throw new Error('a rule with limits is needed here')
  const event = limitsEvent(condition, limitKeys(condition, observation), observation.value, lookup)
  return meet(state, event, momentOf(rule, observation.atMs, observation.timeMs))
}

export function advance(rule: AlertRule, state: RuleState, nowMs: number): Outcome {
  return pass(state, momentOf(rule, nowMs))
}

export function momentOf(rule: AlertRule, atMs: number, timeMs?: number): Moment {
  return { rule, atMs, timeMs, late: false, mayFire: () => true }
}
