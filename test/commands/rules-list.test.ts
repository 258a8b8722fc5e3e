/** The rules in force, as people and scripts read them. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { RulesTold, savedCounts } from '../../runtime/alerting/told.ts'
import type { RuleForm } from '../../runtime/api/rules.ts'
import type { Json } from '../../runtime/reading.ts'
import { nowMs, openSurface, reading, type Surface } from '../api/surface.ts'
import type { Rule } from '../../rules/rule.ts'
import { ruleOf } from '../rules/rules.ts'
import { holdfast } from './holdfast.ts'

const rules: readonly Rule[] = [
  ruleOf({
    id: 'FreezerTooWarm',
    group: 'cold-store',
    severity: 'critical',
    match: { table: 'readings', device: 'freezer-*', metric: 'temperature', labels: {} },
    above: { kind: 'row', table: 'thresholds', key: '{device}/{metric}', field: 'max', default: -15 },
    forMs: 30_000,
    annotations: { summary: 'it is warm' },
  }),
  ruleOf({ id: 'PumpDry', match: { table: 'readings', device: 'pump-*', metric: 'flow', labels: {} } }),
]

let surface: Surface
let told: RulesTold
let at: string[]
before(async () => {
  surface = await openSurface({ rules: { zone: 'UTC', list: () => told.list(), detail: name => told.detail(name) } })
  const { store } = surface
  told = new RulesTold(
    store,
    () => rules,
    () => savedCounts(store.states('alerting')),
    'UTC',
  )
  at = ['--socket', surface.socket]
  const state = (rule: string, device: string, kind: string) =>
    ({
      kind: 'state',
      owner: 'alerting',
      key: [rule, 'readings', 'gw-1', device, 'temperature'].join('\0'),
      value: { fingerprint: '', state: { kind } } as Json,
    }) as const
  await store.commit([
    {
      kind: 'append',
      table: 'readings',
      // The same sensor, once without its unit: one series for people.
      readings: [
        reading('freezer-1', -12, nowMs),
        { ...reading('freezer-1', -12, nowMs), unit: 'K' },
        reading('freezer-2', -18, nowMs),
      ],
    },
    { kind: 'put', table: 'thresholds', key: 'freezer-2/temperature', value: { max: -20 } },
    state('FreezerTooWarm', 'freezer-1', 'clearing'),
    state('FreezerTooWarm', 'freezer-2', 'pending'),
  ])
})
after(() => surface.remove())

test('rules list says of each rule what it watches and how it stands', async () => {
  const { out } = await holdfast(['rules', 'list', ...at])
  assert.deepEqual(
    out.split('\n').map(line => line.split(/ {2,}/)),
    [
      ['NAME', 'GROUP', 'KIND', 'NOW', 'SERIES', 'WATCHES'],
      ['FreezerTooWarm', 'cold-store', 'critical', '1 firing, 1 pending', '2', 'temperature of freezer-*'],
      ['PumpDry', 'g', 'warning', 'no series', '0', 'flow of pump-*'],
      [''],
    ],
  )
  const { out: json } = await holdfast(['rules', 'list', '--json', ...at])
  const forms = json
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as RuleForm)
  assert.deepEqual(
    forms.map(({ name, series, firing, pending, latched }) => [name, series, firing, pending, latched]),
    [
      ['FreezerTooWarm', 2, 1, 1, 0],
      ['PumpDry', 0, 0, 0, 0],
    ],
  )
})

test('rules explain says in plain words what a rule does, and the limits that hold now', async () => {
  const { out } = await holdfast(['rules', 'explain', 'FreezerTooWarm', ...at])
  assert.equal(
    out,
    [
      'FreezerTooWarm (cold-store, r.yaml)',
      'watches   temperature of freezer-*: 2 series now',
      'fires     when the value has been above max in its row {device}/{metric} of thresholds (-15 without one) for 30s',
      'ends      when it is at the limit or below',
      'says      it is warm',
      'now       1 firing, 1 pending',
      '',
      'DEVICE     METRIC       LIMIT  NOW  OUT OF',
      'freezer-1  temperature  above  -15  default: there is no row',
      'freezer-2  temperature  above  -20  thresholds/freezer-2/temperature',
      '',
    ].join('\n'),
  )
})

test('a row that holds no number is not said to be missing', async () => {
  const put = (value: Json) =>
    surface.store.commit([{ kind: 'put', table: 'thresholds', key: 'freezer-1/temperature', value }], 'now')
  await put('cold')
  const { out } = await holdfast(['rules', 'explain', 'FreezerTooWarm', ...at])
  assert.match(out, /^freezer-1 +temperature +above +-15 +default: its row holds no number$/m)
})

test('a rule that is not in force is named with the nearest that is', async () => {
  const { code, err } = await holdfast(['rules', 'explain', 'FreezerToWarm', ...at])
  assert.equal(code, 1)
  assert.equal(err, 'holdfast: no rule "FreezerToWarm" is in force. Did you mean "FreezerTooWarm"?\n')
})
