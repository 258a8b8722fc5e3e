/** The row that people, sinks and dashboards read. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alertKey, alertRow } from '../../rules/alert/alert.ts'
import type { Verdict } from '../../rules/judge/verdict.ts'
import { formatNumber, renderJson, renderTemplate, templateFaults } from '../../rules/alert/template.ts'
import type { Json } from '../../runtime/reading.ts'
import { ruleOf } from './rules.ts'

const rule = ruleOf({
  id: 'FreezerTooWarm',
  group: 'cold-store',
  labels: { site: 'lyon', severity: 'critical' },
  severity: 'critical',
  annotations: {
    summary: '{{ $labels.device }} in {{$labels.site}} is at {{ $value }} {{ $unit }} (limit {{ $threshold }})',
  },
})
const series = { device: 'freezer-1', metric: 'temperature', unit: '°C' }
const fired: Verdict = {
  kind: 'fired',
  rule: 'FreezerTooWarm',
  atMs: 40_000,
  value: 9.300000190734863,
  timeMs: undefined,
  sinceMs: 10_000,
  firedMs: 40_000,
  firedValue: 9.300000190734863,
  side: 'above',
  threshold: 8,
  source: { table: 'thresholds', key: 'freezer-1/temperature', stamp: 77 },
  lookedUp: [],
  late: false,
  flapping: false,
  acked: undefined,
  reason: undefined,
}
const resolved: Verdict = { ...fired, kind: 'resolved', atMs: 90_000, value: 7, timeMs: 5 }
const snippet = { from_ms: 0, to_ms: 40_000, count: 0, series: [] }

test('the row of a fired alert has every documented field', () => {
  // Assigned to Json: a row must be storable as it is.
  const row: Json = alertRow(rule, series, fired, snippet)
  assert.deepEqual(row, {
    rule: 'FreezerTooWarm',
    group: 'cold-store',
    table: 'readings',
    device: 'freezer-1',
    metric: 'temperature',
    device_labels: {},
    unit: '°C',
    origin: null,
    severity: 'critical',
    state: 'firing',
    late: false,
    flapping: false,
    silenced: null,
    acked_ms: null,
    acked_by: null,
    side: 'above',
    value: 9.300000190734863,
    threshold: 8,
    threshold_source: { table: 'thresholds', key: 'freezer-1/temperature' },
    threshold_stamp: 77,
    looked_up: [],
    since_ms: 10_000,
    fired_ms: 40_000,
    resolved_ms: null,
    resolved_value: null,
    resolved_reason: null,
    labels: { site: 'lyon', severity: 'critical' },
    annotations: { summary: 'freezer-1 in lyon is at 9.3 °C (limit 8)' },
    snippet,
  })
  assert.deepEqual(JSON.parse(JSON.stringify(row)), row)
})

test('a resolved alert keeps what its row said when it fired', () => {
  const before = { ...alertRow(rule, series, fired, snippet), annotations: { summary: 'as it was' } }
  const after = alertRow(rule, series, resolved, before)
  assert.deepEqual(after, { ...before, state: 'resolved', resolved_ms: 90_000, resolved_value: 7 })
})

test('a resolved alert whose row is gone is written whole, without its snippet', () => {
  const expected = {
    ...alertRow(rule, series, fired, undefined),
    state: 'resolved',
    resolved_ms: 90_000,
    resolved_value: 7,
  }
  assert.deepEqual(alertRow(rule, series, resolved, undefined), expected)
})

test('without a label the severity is warning, without a unit there is none, and the origin is kept', () => {
  const row = alertRow(
    ruleOf({}),
    { ...series, unit: undefined, origin: 'gw-2' },
    { ...fired, source: 'literal' },
    undefined,
  )
  assert.deepEqual(
    [row.severity, row.unit, row.origin, row.threshold_source, row.threshold_stamp, row.snippet],
    ['warning', null, 'gw-2', 'literal', null, null],
  )
})

test('keys sort by time and no two alerts share one', () => {
  assert.equal(
    alertKey(rule, 'freezer-1', 'temperature', 1_700_000_000_000),
    'FreezerTooWarm/freezer-1/temperature/1700000000000',
  )
  assert.ok(alertKey(rule, 'd', 'm', 999) < alertKey(rule, 'd', 'm', 1000))
  assert.notEqual(alertKey(rule, 'a/b', 'c', 1), alertKey(rule, 'a', 'b/c', 1))
  assert.notEqual(alertKey(rule, 'a/b', 'c', 1), alertKey(rule, 'a%2Fb', 'c', 1))
})

test('numbers are written as people write them', () => {
  const cases: [number, string][] = [
    [8, '8'],
    [8.000000000001, '8'],
    [21.299999237060547, '21.3'],
    [0.1 + 0.2, '0.3'],
    [-17.25, '-17.25'],
    [1013.2512, '1013.251'],
    [1_700_000_000_123, '1700000000123'],
    [0.000123, '0.000123'],
    [0, '0'],
  ]
  for (const [value, text] of cases) assert.equal(formatNumber(value), text)
})

test('a template without faults renders; a value that looks like a template is not rendered again', () => {
  const text = '{{$value}}{{ $labels.x }} }} { $ {{ $metric }}'
  assert.deepEqual(templateFaults(text, ['x']), [])
  const variables = {
    value: 1.5,
    threshold: 2,
    device: 'd',
    metric: '{{ $value }}',
    unit: '',
    side: 'above',
    alert: 'A',
    group: 'g',
    table: 't',
    severity: 'warning',
    state: 'firing',
  }
  const values = { variables, labels: { x: 'y' }, deviceLabels: { site: 'lyon' } }
  assert.equal(renderTemplate(text, values), '1.5y }} { $ {{ $value }}')
  assert.deepEqual(templateFaults('{{ $device_labels.site }}, {{ $device_labels.nobody_has_it }}', []), [])
  assert.equal(renderTemplate('{{ $device_labels.site }}{{ $device_labels.constructor }}', values), 'lyon')
  const payload = { relay: 1, on: true, level: '{{ $value }}', text: ['at {{ $value }}', '{{ $state }}'] }
  assert.deepEqual(renderJson(payload, values), { relay: 1, on: true, level: 1.5, text: ['at 1.5', 'firing'] })
})
