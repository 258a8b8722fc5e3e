/** A rule for tests: everything at its default, except what a test says. */
import type { Rule } from '../../rules/rule.ts'

export function ruleOf(change: Partial<Rule>): Rule {
  return {
    id: 'A',
    group: 'g',
    file: 'r.yaml',
    match: { table: 'readings', device: '*', metric: '*' },
    above: { kind: 'literal', value: 8 },
    below: undefined,
    clear: undefined,
    forMs: 0,
    keepFiringForMs: 0,
    snippet: {
      beforeMs: 60_000,
      tables: ['readings'],
      device: '{device}',
      metric: '*',
      bytesMax: 49_152,
      pointsMax: undefined,
    },
    labels: {},
    annotations: {},
    fingerprint: '',
    ...change,
  }
}
