import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseScenarios } from '../../../rules/scenario/file.ts'
import type { Scenario } from '../../../rules/scenario/scenario.ts'

const startMs = Date.UTC(2026, 0, 5)
const minuteMs = 60_000

function scenario(body: string): Scenario {
  const parsed = parseScenarios('t.yaml', `rule_files: [r.yaml]\ntests:\n  - name: t\n${body}`)
  assert.ok(parsed.ok, parsed.ok ? '' : JSON.stringify(parsed.problems))
  return parsed.scenarios[0] as Scenario
}

function problems(text: string): readonly string[] {
  const parsed = parseScenarios('t.yaml', text)
  assert.ok(!parsed.ok)
  return parsed.problems.map(({ line, column, message }) => `${line}:${column} ${message}`)
}

const times = ({ readings }: Scenario): readonly (readonly [number, unknown])[] =>
  readings.map(({ arrivalMs, value }) => [(arrivalMs - startMs) / minuteMs, value] as const)

describe('a scenario file', () => {
  it('reads a test of promtool as it stands', () => {
    const parsed = parseScenarios(
      't.yaml',
      `
rule_files: [alerts.yml]
evaluation_interval: 30s
tests:
  - interval: 1m
    input_series:
      - series: 'up{device="10.0.0.1:9100"}'
        values: '0x3 _ 1'
    alert_rule_test:
      - eval_time: 10m
        alertname: InstanceDown
        exp_alerts:
          - exp_labels: { severity: page }
            exp_annotations: { summary: down }
`,
    )
    assert.ok(parsed.ok)
    assert.deepEqual(parsed.ruleFiles, ['alerts.yml'])
    const [test] = parsed.scenarios as [Scenario]
    assert.equal(test.name, 'test 1')
    assert.deepEqual(times(test), [
      [0, 0],
      [1, 0],
      [2, 0],
      [3, 0],
      [5, 1],
    ])
    const [expectation] = test.expectations
    assert.equal(expectation?.at.ms, startMs + 10 * minuteMs)
    assert.ok(expectation?.kind === 'alerts')
    assert.equal(expectation.alerts[0]?.state, 'firing')
  })

  it('tells everything that is wrong at once, with line, column and the nearest key', () => {
    assert.deepEqual(
      problems(`rule_files: []
evaluaton_interval: 1m
tests:
  - name: A
    input_series:
      - { series: freezer-1/temperature, values: -18 2o -14x10 }
      - { series: temperature, values: 20, interval: 0s }
    rows: [{ at: 10 minutes, key: a }]
    clock: [{ at: 1m, jump: 1h }]
    zone: Mars/Base
    restart: [{ at: 1m, meanwhile: lots }]
    alert_rule_test:
      - { eval_time: 2026-01-05, exp_alert: [] }
      - { exp_alerts: [{ state: fired, exp_snippet: { count: many } }] }
`),
      [
        '1:13 "rule_files": at least one rule file',
        '2:1 unknown key "evaluaton_interval"; did you mean "evaluation_interval"?',
        '6:54 "values": "2o" is not a reading; write 20, 20x5, 20+0.5x5, _, "open" or true',
        '7:19 "series": "temperature" is no series; write it as freezer-1/temperature (device/metric)',
        '7:54 "interval": must be longer than 0s',
        '8:12 item 1: needs row, or delete: true',
        '8:18 "at": "10 minutes" is not a time; write 10m or 1h30m since the start, or 2026-01-05T06:10:00Z',
        '9:29 "jump": begins with + or -, as in +1h or -30m',
        '10:11 "zone": "Mars/Base" is not a time zone; write it as Europe/Paris',
        '11:36 "meanwhile": lost or kept',
        '13:34 unknown key "exp_alert"; did you mean "exp_alerts"?',
        '14:9 the key "eval_time" is missing',
        '14:33 "state": pending, firing, latched or resolved',
        '14:62 "count": expected a number, not a text',
      ],
    )
  })

  it('finds what only several values together show', () => {
    assert.deepEqual(
      problems(`rule_files: [r.yaml]
tests:
  - name: A
    restart: [{ at: 5m, for: 5m }]
    alert_rule_test: [{ eval_time: 6m }]
  - name: A
    alert_rule_test: [{ eval_time: 2025-01-01T00:00:00Z }]
  - name: B
    input_series: [{ series: a/b, values: 1x900000 }, { series: a/c, values: 1x900000 }]
  - name: C
    alert_rule_test: [{ eval_time: 99w }]
`),
      [
        '4:15 the gateway is off at 6m, when this test needs it',
        '6:5 something of this test stands before its start',
        '6:11 there is a test named "A" already',
        '9:19 more than 1000000 readings in one test',
        '10:5 this test is longer than 366d',
      ],
    )
  })

  it('takes 0x3 as no hexadecimal number: it is zero, and three times more', () => {
    const parsed = parseScenarios(
      'a.test.yaml',
      'rule_files: [r.yaml]\ntests: [{ input_series: [{ series: a/b, values: 0x3 }] }]',
    )
    assert.ok(parsed.ok)
    assert.deepEqual(
      parsed.scenarios[0]?.readings.map(({ value }) => value),
      [0, 0, 0, 0],
    )
  })

  it('is refused with a sentence where it is no scenario at all', () => {
    for (const text of ['', '[]', 'just text', 'groups: []', 'a: &x [1]\nb: *x', `tests: ${'['.repeat(200)}`, '\u0000'])
      assert.ok(problems(text).length > 0, text)
  })

  it('lets readings arrive later than they were measured, and tells the device time where asked', () => {
    const { readings } = scenario(
      '    input_series: [{ series: a/b, values: 1 2, from: 10m, delay: 1d, device_time: true, unit: C, table: raw }]',
    )
    assert.deepEqual(readings[1], {
      table: 'raw',
      device: 'a',
      metric: 'b',
      unit: 'C',
      value: 2,
      measuredMs: startMs + 11 * minuteMs,
      arrivalMs: startMs + 11 * minuteMs + 86_400_000,
      tellsTime: true,
    })
  })

  it('takes a list of values as they are, and null for no reading', () => {
    const { readings } = scenario('    input_series: [{ series: a/b, values: [1, open, null, true, { lat: 1 }] }]')
    assert.deepEqual(
      readings.map(({ value }) => value),
      [1, 'open', true, { lat: 1 }],
    )
  })

  it('loses what is sent while the gateway is off, or keeps it for when it is back', () => {
    const series = '    input_series: [{ series: a/b, values: 0+1x5 }]'
    assert.deepEqual(times(scenario(`${series}\n    restart: [{ at: 1m, for: 3m }]`)), [
      [0, 0],
      [1, 1],
      [4, 4],
      [5, 5],
    ])
    const kept = scenario(`${series}\n    restart: [{ at: 1m, for: 3m, meanwhile: kept }]`)
    assert.deepEqual(times(kept), [
      [0, 0],
      [1, 1],
      [4, 2],
      [4, 3],
      [4, 4],
      [5, 5],
    ])
    assert.deepEqual(
      kept.readings.map(({ tellsTime }) => tellsTime),
      [false, false, true, true, false, false],
    )
  })
})
