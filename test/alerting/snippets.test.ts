/** What stands in the snippet of an alert: before it and after it, over restarts. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { AlertRow } from '../../rules/alert/alert.ts'
import type { AlertRule, Rule } from '../../rules/rule.ts'
import { shiftRuleStates } from '../../runtime/alerting/shift.ts'
import { arrival } from '../store/suite.ts'
import { type Step, crashedEverywhere } from './crashes.ts'
import { Rig, rules } from './rig.ts'

const warm = rules('      - { alert: Warm, match: { metric: temperature }, above: 8 }')
const withAfter = (all: readonly Rule[], afterMs: number): Rule[] =>
  all.map(rule =>
    rule.kind === 'alert' ? ({ ...rule, snippet: { ...rule.snippet, afterMs } } satisfies AlertRule) : rule,
  )

const valuesOf = (row: AlertRow | undefined): unknown => row?.snippet?.series[0]?.points.map(point => point[1])

describe('a snippet with readings after the alert', () => {
  let rig: Rig
  beforeEach(async () => {
    rig = await new Rig().open()
  })
  afterEach(() => rig.end())
  const use = (): Promise<void> => rig.alerting.use(withAfter(warm, 10_000))

  it('is written once more when the time has come, with what came since', async () => {
    await use()
    await rig.send({ value: 1 }, { value: 9 })
    await rig.alerting.settled()
    assert.deepEqual(valuesOf((await rig.alerts())[0]), [1, 9])
    await rig.send({ value: 2 }, { value: 3 })
    await rig.alerting.settled()
    assert.deepEqual(valuesOf((await rig.alerts())[0]), [1, 9])
    rig.nowMs += 60_000
    await rig.alerting.settled()
    const [row] = await rig.alerts()
    assert.deepEqual([valuesOf(row), row?.state, row?.resolved_value], [[1, 9, 2, 3], 'resolved', 2])
    assert.equal((row?.snippet?.to_ms ?? 0) - (row?.fired_ms ?? 0), 10_000)
    assert.deepEqual([...rig.store.states('snippet-after')], [])
  })

  it('comes though the gateway was off when it was due, and other rules are in force', async () => {
    await use()
    await rig.send({ value: 9 }, { value: 10 })
    await rig.alerting.settled()
    await rig.close()
    rig.nowMs += 3_600_000
    await rig.open()
    await rig.alerting.use(rules('      - { alert: Other, above: 100 }'))
    await rig.alerting.settled()
    assert.deepEqual(valuesOf((await rig.alerts())[0]), [9, 10])
  })

  it('is forgotten with its table', async () => {
    await use()
    await rig.send({ value: 9 })
    await rig.alerting.settled()
    await rig.alerting.use([])
    assert.deepEqual([...rig.store.states('snippet-after')], [])
  })

  it('moves with a clock that is corrected', async () => {
    await use()
    await rig.send({ value: 9 })
    await rig.alerting.settled()
    const [[, before] = []] = [...rig.store.states('snippet-after')] as unknown as [string, { dueMs: number }][]
    const changes = shiftRuleStates(rig.store, 3_600_000)
    await rig.alerting.pausedWhile(async () => void (await rig.store.commit(changes, 'now')))
    const [[, after] = []] = [...rig.store.states('snippet-after')] as unknown as [string, Record<string, number>][]
    assert.equal(after?.['dueMs'], (before?.dueMs ?? 0) + 3_600_000)
    assert.equal((after?.['toMs'] ?? 0) - (after?.['fromMs'] ?? 0), 70_000)
  })

  it('comes out the same wherever the gateway is cut off', async () => {
    const values = [1, 9, 10, 3, 2, 12, 4, 5]
    const steps: Step[] = values.map((value, index) => ({ afterMs: index * 3_000, reading: { value } }))
    const { alerts, cuts } = await crashedEverywhere(withAfter(warm, 10_000), [...steps, { afterMs: 60_000 }])
    assert.ok(cuts > 8)
    assert.deepEqual(
      alerts.map(row => valuesOf((row as { value: AlertRow }).value)),
      [
        [1, 9, 10, 3, 2],
        [1, 9, 10, 3, 2, 12, 4, 5],
      ],
    )
  })
})

describe('a snippet', () => {
  let rig: Rig
  beforeEach(async () => {
    rig = await new Rig().open()
  })
  afterEach(() => rig.end())

  it('holds readings of several tables, from before the gateway was off, the series of the alert first', async () => {
    const wide = rules(
      '      - { alert: Warm, match: { metric: temperature }, above: 8, snippet: { before: 1h, tables: [derived, readings], match: { device: "*" } } }',
    )
    await rig.alerting.use(wide)
    await rig.send({ value: 1 })
    await rig.sendTo('derived', { metric: 'flow', value: 5 })
    await rig.send({ device: 'other', metric: 'door', value: true })
    await rig.close()
    await rig.open()
    await rig.alerting.use(wide)
    await rig.send({ value: 9 })
    await rig.alerting.settled()
    const [row] = await rig.alerts()
    assert.deepEqual(
      row?.snippet?.series.map(({ table, device, metric, points }) => [table, device, metric, points.length]),
      [
        ['readings', 'freezer-1', 'temperature', 2],
        ['derived', 'freezer-1', 'flow', 1],
        ['readings', 'other', 'door', 1],
      ],
    )
  })

  it('has the corrected times of readings that were taken before the clock was known', async () => {
    const hourMs = 3_600_000
    await rig.alerting.use(rules('      - { alert: Warm, match: { metric: temperature }, above: 8, snippet: 10m }'))
    const trueMs = rig.nowMs
    // A board without a clock believed it was an hour earlier than it was.
    await rig.send(
      { value: 1, arrivalMs: trueMs - hourMs, boot: 'boot-1' },
      { value: 2, arrivalMs: trueMs - hourMs + 1_000, boot: 'boot-1' },
    )
    await rig.alerting.settled()
    const row = { offset_ms: hourMs, base_ms: trueMs - hourMs, at_ms: trueMs + 2_000, source: 'hub' }
    await rig.alerting.pausedWhile(async () => {
      const change = { kind: 'put', table: 'clock', key: `${rig.store.origin}/boot-1`, value: row } as const
      await rig.store.commit([change, ...shiftRuleStates(rig.store, hourMs)], 'now')
    })
    await rig.send({ value: 9, arrivalMs: trueMs + 60_000 })
    await rig.alerting.settled()
    const [alert] = await rig.alerts()
    assert.deepEqual(alert?.snippet?.series[0]?.points, [
      [trueMs, 1],
      [trueMs + 1_000, 2],
      [trueMs + 60_000, 9],
    ])
  })

  it('of hours at a high rate stays within its bytes, says so, and keeps the largest', async () => {
    await rig.alerting.use(rules('      - { alert: Warm, match: { metric: temperature }, above: 8, snippet: 1d }'))
    const readings = Array.from({ length: 30_000 }, (_, index) => index)
    for (let from = 0; from < readings.length; from += 5_000) {
      await rig.store.commit(
        [
          {
            kind: 'append',
            table: 'readings',
            readings: readings.slice(from, from + 5_000).map(index =>
              arrival({
                value: index === 7_777 ? 7.5 : Math.sin(index),
                arrivalMs: rig.nowMs + index * 100,
                unit: undefined,
              }),
            ),
          },
        ],
        'now',
      )
    }
    await rig.send({ value: 9, arrivalMs: rig.nowMs + 3_000_100 })
    await rig.alerting.settled()
    const [row] = await rig.alerts()
    const points = row?.snippet?.series[0]?.points ?? []
    assert.ok(Buffer.byteLength(JSON.stringify(row?.snippet)) <= 48 * 1024)
    assert.equal(row?.snippet?.thinned?.of, 30_001)
    assert.ok(points.some(([, value]) => value === 7.5) && points.at(-1)?.[1] === 9)
  })
})

describe('readings of yesterday', () => {
  it('page nobody: the alert is in the history, marked late, with the readings around it; one of today is another', async () => {
    const rig = await new Rig().open()
    const dayMs = 86_400_000
    await rig.alerting.use(warm)
    await rig.send({ value: 5, deviceTimeMs: rig.nowMs })
    const yesterdayMs = rig.nowMs - dayMs
    await rig.send(
      { value: 3, deviceTimeMs: yesterdayMs },
      { value: 99, deviceTimeMs: yesterdayMs + 1_000 },
      { value: 4, deviceTimeMs: yesterdayMs + 2_000 },
      { value: 9, deviceTimeMs: rig.nowMs + 4_000 },
    )
    await rig.alerting.settled()
    const rows = await rig.alerts()
    assert.deepEqual(
      rows.map(row => [row.late, row.state, row.value, row.fired_ms, valuesOf(row)]),
      [
        [true, 'resolved', 99, yesterdayMs + 1_000, [3, 99]],
        [false, 'firing', 9, rig.nowMs, [5, 9]],
      ],
    )
    await rig.end()
  })
})
