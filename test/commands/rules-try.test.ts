/** `holdfast rules try`: the alerts that rules would have raised over what a gateway has stored. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Arrival } from '../../runtime/store/types.ts'
import { arrival, nowMs, openSurface, type Surface } from '../api/surface.ts'
import { holdfast } from './holdfast.ts'

const hourMs = 3_600_000
const startMs = nowMs - 48 * hourMs
const minutes = 48 * 60
let surface: Surface
let folder: string
let at: string[]

const rules = `groups:
  - name: cold-store
    rules:
      - alert: FreezerTooWarm
        match: { device: "freezer-*", metric: temperature }
        above: { key: "{device}/temperature", field: max, default: -15 }
        clear: -16
        for: 5m
        keep_firing_for: 2m
      - alert: FreezerSilent
        match: { device: "freezer-*" }
        absent: 30m
      - alert: Overheated
        match: { device: "freezer-*" }
        above: 50
`

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-try-'))
  const nobody = { zone: 'UTC', list: () => [], detail: () => undefined }
  const startedMs = nowMs - 1_000
  surface = await openSurface({
    rules: nobody,
    status: () => ({ gateway: { id: 'gw-1', version: '0', started_ms: startedMs, uptime_ms: 1_000 } }),
  })
  at = ['--socket', surface.socket]
  const readings: Arrival[] = []
  for (let minute = 0; minute < minutes; minute++) {
    const atMs = startMs + minute * 60_000
    const hour = minute / 60
    // Freezer 1 is warm for 20 minutes at hour 30, and freezer 2 for 4 minutes only; at hour 40 it is silent for two.
    readings.push(arrival('freezer-1', hour >= 30 && hour < 30 + 1 / 3 ? -10 : -18, atMs))
    if (hour < 40 || hour >= 42) readings.push(arrival('freezer-2', hour >= 31 && hour < 31 + 4 / 60 ? -10 : -18, atMs))
    // A backlog that was measured three hours ago, warm.
    if (hour >= 36 && hour < 36.2) readings.push(arrival('freezer-1', -5, atMs, atMs - 3 * hourMs))
  }
  for (let from = 0; from < readings.length; from += 1_000) {
    await surface.store.commit(
      [{ kind: 'append', table: 'readings', readings: readings.slice(from, from + 1_000) }],
      'now',
    )
  }
  writeFileSync(join(folder, 'rules.yaml'), rules)
})
after(async () => {
  await surface.remove()
  rmSync(folder, { recursive: true, force: true })
})

const run = (...args: string[]) => holdfast(['rules', 'try', join(folder, 'rules.yaml'), ...args, ...at])
type Form = Record<string, unknown>
async function forms(...args: string[]): Promise<{ alerts: Form[]; summary: Form }> {
  const { code, out, err } = await run('--json', ...args)
  assert.equal(code, 0, err)
  const lines = out
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Form)
  return { alerts: lines.slice(0, -1), summary: lines.at(-1)?.['summary'] as Form }
}
const hoursIn = (ms: unknown): number => (Number(ms) - startMs) / hourMs

test('an alert is told with when it would have fired and ended, and what it was about', async () => {
  const { alerts, summary } = await forms('--from', '2d', '--rule', 'FreezerTooWarm')
  const paging = alerts.filter(({ late }) => late === false)
  assert.deepEqual(
    paging.map(({ rule, device, value, side, threshold, fired_ms: fired, ended_ms: ended, since_ms: since }) => [
      rule,
      device,
      value,
      side,
      threshold,
      hoursIn(since),
      (Number(fired) - Number(since)) / 60_000,
      (Number(ended) - Number(since)) / 60_000,
    ]),
    [['FreezerTooWarm', 'freezer-1', -10, 'above', -15, 30, 5, 22]],
  )
  assert.deepEqual(summary['readings'], minutes * 2 - 120 + 12)
  assert.deepEqual(summary['rules'], [
    {
      rule: 'FreezerTooWarm',
      alerts: 1,
      late: 1,
      firing_ms: 17 * 60_000,
      longest_ms: 17 * 60_000,
      subjects: 1,
    },
  ])
})

test('readings that came late are late in the replay, too', async () => {
  const { alerts } = await forms('--from', '2d', '--rule', 'FreezerTooWarm')
  const late = alerts.filter(alert => alert['late'] === true)
  assert.equal(late.length, 1)
  assert.equal(Math.round(hoursIn(late[0]?.['since_ms'])), 33)
})

test('silence is found by time, without a reading', async () => {
  const { alerts } = await forms('--from', '2d', '--rule', 'FreezerSilent')
  assert.deepEqual(
    alerts.map(({ device, fired_ms: fired, ended_ms: ended }) => [device, hoursIn(fired), hoursIn(ended)]),
    [['freezer-2', 40 - 1 / 60 + 0.5, 42]],
  )
})

test('limits are those that are in the table now', async () => {
  await surface.store.commit(
    [{ kind: 'put', table: 'thresholds', key: 'freezer-1/temperature', value: { max: -9 } }],
    'now',
  )
  await surface.store.commit(
    [{ kind: 'put', table: 'thresholds', key: 'freezer-2/temperature', value: { max: -18.5 } }],
    'now',
  )
  const { alerts } = await forms('--from', '1h', '--rule', 'FreezerTooWarm')
  // It is already violated when the story begins, and still at its end.
  assert.deepEqual(
    alerts.map(({ device, threshold, ended_ms: ended }) => [device, threshold, ended]),
    [['freezer-2', -18.5, null]],
  )
  for (const key of ['freezer-1/temperature', 'freezer-2/temperature']) {
    await surface.store.commit([{ kind: 'delete', table: 'thresholds', key }], 'now')
  }
})

const windows = `groups:
  - name: windows
    rules:
      - alert: Jumps
        match: { device: "freezer-*", metric: temperature }
        expr: delta(10m) > 5
      - record: warmest
        match: { device: "freezer-*", metric: temperature }
        expr: max(1h)
        interval: 1h
      - alert: WarmHour
        match: { metric: warmest }
        above: -12
      - alert: BothWarm
        match: { device: "freezer-2", metric: temperature }
        expr: value > -15 && last("freezer-1", "temperature") > -15
`

test('windows are full from the start, other series are looked at, and what is recorded is judged in turn', async () => {
  const file = join(folder, 'windows.yaml')
  writeFileSync(file, windows)
  const tried = async (from: number): Promise<{ alerts: Form[]; summary: Form }> => {
    const { out, err } = await holdfast([
      'rules',
      'try',
      file,
      '--json',
      '--from',
      String(startMs + from * hourMs),
      ...at,
    ])
    assert.equal(err, '')
    const lines = out
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Form)
    return { alerts: lines.slice(0, -1), summary: lines.at(-1)?.['summary'] as Form }
  }
  const told = (alerts: Form[]): unknown[] =>
    alerts
      .filter(alert => alert['late'] === false)
      .map(({ rule, device, fired_ms: fired, ended_ms: ended }) => [rule, device, hoursIn(fired), hoursIn(ended)])
  const { alerts, summary } = await tried(20)
  assert.deepEqual(told(alerts), [
    ['Jumps', 'freezer-1', 30, 30 + 9 / 60],
    ['Jumps', 'freezer-2', 31, 31 + 4 / 60],
    ['WarmHour', 'freezer-1', 31, 32],
    ['WarmHour', 'freezer-2', 32, 33],
  ])
  assert.deepEqual(
    (summary['recordings'] as Form[]).map(({ rule }) => rule),
    ['warmest'],
  )
  // Where the story begins in the middle of it all, the end is the same.
  const from = await tried(30.06)
  assert.deepEqual(told(from.alerts), told(alerts))
})

test('people see a table of alerts, a line for each rule, and a picture of each series that one fired for', async () => {
  const { code, out, err } = await run('--from', '2d')
  assert.deepEqual([code, err], [0, ''])
  const lines = out.split('\n')
  assert.equal(
    lines[0],
    '5,652 readings from 2023-12-31T12:00Z to 2024-01-02T12:00Z (2d), judged with limits and labels as they are now.',
  )
  assert.match(out, /^FIRED +ENDED +LASTED +ALERT +DEVICE +METRIC +VALUE +LIMIT$/m)
  assert.match(
    out,
    /^2024-01-01T18:05:00Z +2024-01-01T18:22:00Z +17m0s +FreezerTooWarm +freezer-1 +temperature +-10 °C +above -15$/m,
  )
  assert.match(out, /^2024-01-02T04:29:00Z +2024-01-02T06:00:00Z +1h31m +FreezerSilent +freezer-2 +temperature +.* -$/m)
  assert.match(out, /^Overheated +0 +0 +- +- +0$/m)
  assert.match(out, /^freezer-2 temperature °C: FreezerSilent once$/m)
  assert.match(out, /-15 ┤[┄\u2800-\u28ff]+/)
  assert.ok(out.includes('━'))
  assert.ok(!out.includes('\u001b'), 'colours in a pipe')
  assert.ok(lines.every(line => line.length <= 130))
})

test('pictures and devices can be chosen', async () => {
  const { out } = await run('--from', '2d', '--charts', '0', '--device', 'freezer-2')
  assert.ok(!out.includes('┤'))
  assert.ok(!/freezer-1/.test(out))
  assert.match(out, /freezer-2/)
})

test('a rule file with faults, a table that is not there and a rule that nobody wrote are told before anything is read', async () => {
  const file = join(folder, 'bad.yaml')
  writeFileSync(file, rules.replace('absent: 30m', 'absnt: 30m'))
  const bad = await holdfast(['rules', 'try', file, ...at])
  assert.equal(bad.code, 1)
  assert.match(bad.err, /bad\.yaml:1\d:\d+: .*absnt.*did you mean "absent"/)
  writeFileSync(file, rules.replace('device: "freezer-*", metric', 'table: rdings, device: "freezer-*", metric'))
  const unknown = await holdfast(['rules', 'try', file, ...at])
  assert.match(unknown.err, /there is no table "rdings" in the configuration; did you mean "readings"\?/)
  const rule = await run('--rule', 'FreezerToWarm')
  assert.deepEqual([rule.code, /did you mean "FreezerTooWarm"\?/.test(rule.err)], [2, true])
  const time = await run('--from', 'yesterday')
  assert.deepEqual([time.code, /"from" is not a time: "yesterday"/.test(time.err)], [2, true])
  const order = await run('--from', '1h', '--to', '2h')
  assert.equal(order.code, 2)
})
