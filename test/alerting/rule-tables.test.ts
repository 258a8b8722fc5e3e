/** Tables that rules speak of: each must be there, of the right kind, and where it is written not one of the gateway's own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRules } from '../../rules/language/file.ts'
import { tableProblems } from '../../runtime/alerting/rule-tables.ts'
import { formatProblem } from '../../runtime/document.ts'

const tables = new Map(
  Object.entries({
    readings: 'series',
    fast: 'series',
    alerts: 'records',
    thresholds: 'records',
    orders: 'records',
    rejects: 'series',
  } as const).map(([name, kind]) => [name, { kind }]),
)

function problems(...lines: string[]): string[] {
  const text = ['groups:', '  - name: g', '    rules:', '      - alert: A', ...lines.map(line => `        ${line}`)]
  const parsed = parseRules([{ file: 'r.yaml', text: text.join('\n') }])
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.problems.map(formatProblem).join('\n'))
  return tableProblems(parsed.rules, tables, parsed.placeOf).map(formatProblem)
}

test('a rule whose tables are all there is good', () => {
  const lines = [
    'match: { table: fast }',
    'above: { key: a }',
    'snippet: { tables: [readings, rejects] }',
    'actions: [{ write: { table: orders, key: k, row: 1 } }]',
  ]
  assert.deepEqual(problems(...lines), [])
})

test('every table is told where it stands, with the nearest of the kind that is needed', () => {
  const lines = [
    'match: { table: quick }',
    'above: { table: threshold, key: a }',
    'snippet: { tables: [readings, thresholds] }',
    'actions:',
    '  - write: { table: order, key: k, row: 1 }',
    '  - write: { table: alerts, key: k, row: 1 }',
  ]
  assert.deepEqual(problems(...lines), [
    'r.yaml:5:25: alert "A": there is no table "quick" in the configuration',
    'r.yaml:6:25: alert "A": there is no table "threshold" in the configuration; did you mean "thresholds"?',
    'r.yaml:7:39: alert "A": "thresholds" is a records table; a series table is needed here',
    'r.yaml:9:29: alert "A": there is no table "order" in the configuration; did you mean "orders"?',
    'r.yaml:10:29: alert "A": "alerts" is written by the gateway alone',
  ])
})

test('a table that nobody named, because it is the default, is told where the rule stands', () => {
  const parsed = parseRules([{ file: 'r.yaml', text: 'groups: [{ name: g, rules: [{ alert: A, absent: 1m }] }]' }])
  assert.ok(parsed.ok)
  assert.deepEqual(tableProblems(parsed.rules, new Map(), parsed.placeOf).map(formatProblem), [
    'r.yaml:1:29: alert "A": there is no table "readings" in the configuration',
  ])
})
