import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RuleExpression } from '../../rules/expression/scope.ts'
import { explainRule } from '../../rules/language/explain.ts'
import type { Limit } from '../../rules/rule.ts'
import { ruleOf } from './rules.ts'

const row: Limit = { kind: 'row', table: 'thresholds', key: '{device}/temperature', field: 'max', default: -15 }
const said = (text: string): RuleExpression => ({
  text,
  gives: 'any',
  needs: {
    own: { windowsMs: [], previous: false, devices: false },
    others: [],
    tables: [],
    changesWithTime: false,
    labels: false,
  },
  evaluate: () => undefined,
})

test('a limit out of a table is told with what counts without its row', () => {
  const rule = ruleOf({
    match: { table: 'readings', device: 'freezer-*', metric: 'temperature', labels: { site: 'lyon' } },
    above: row,
    clear: { kind: 'literal', value: -16.5 },
    forMs: 30_000,
    keepFiringForMs: 120_000,
    latch: true,
  })
  assert.deepEqual(explainRule(rule), {
    watches: 'temperature of freezer-*, where the label site is lyon',
    fires: 'when the value has been above max in its row {device}/temperature of thresholds (-15 without one) for 30s',
    ends: 'when it has been at -16.5 or below for 2m, and then somebody has acknowledged it',
    also: [],
  })
})

test('a band, an expression and a silence each have their words', () => {
  const band = explainRule(ruleOf({ above: { kind: 'literal', value: 8 }, below: { kind: 'literal', value: 2 } }))
  assert.equal(band.fires, 'when the value is above 8 or below 2')
  assert.equal(band.ends, 'when it is between the two')
  const expression = explainRule(
    ruleOf({ condition: { kind: 'expression', violated: said('value == "open"\n  && age() > 3'), clear: undefined } }),
  )
  assert.equal(expression.fires, 'when `value == "open" && age() > 3` is true')
  const silent = explainRule(ruleOf({ condition: { kind: 'absent', afterMs: 600_000 }, per: 'all' }))
  assert.equal(silent.fires, 'when none of them said anything for 10m')
  assert.equal(silent.ends, 'when a reading has come')
  assert.deepEqual(silent.also, ['one alert stands for all of them'])
})

test('what it does beside is told, too', () => {
  const rule = ruleOf({
    moments: { kind: 'cron', cron: '0 6 * * *', zone: 'Europe/Paris' },
    flapping: { changes: 3, withinMs: 600_000 },
    actions: [
      {
        on: ['firing'],
        repeatMs: 60_000,
        does: { kind: 'publish', topic: 'pump/set', payload: { on: true }, qos: 1, retain: false },
      },
      {
        on: ['firing', 'resolved'],
        repeatMs: undefined,
        does: { kind: 'write', table: 'orders', key: 'pump', row: 1 },
      },
    ],
  })
  assert.deepEqual(explainRule(rule).also, [
    'judged only when 0 6 * * * says so (cron, Europe/Paris)',
    'more than 3 alerts within 10m are one that flaps, until it was quiet for as long',
    'publishes {"on":true} to pump/set when it fires, and every 1m while it lasts',
    'writes the row pump of orders when it fires and when it ends',
  ])
})

test('a recording says what it writes', () => {
  const { kind: _, ...base } = ruleOf({})
  const rule = {
    ...base,
    kind: 'record' as const,
    expression: said('avg(5m)'),
    metric: 'temperature_5m',
    table: 'readings',
  }
  assert.equal(explainRule(rule).fires, 'never: it writes `avg(5m)` as the metric temperature_5m into readings')
})
