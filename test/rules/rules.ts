/** A rule for tests: everything at its default, except what a test says. */
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
