/** What stands in the snippet of an alert: before it and after it, over restarts. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { AlertRow } from '../../rules/alert/alert.ts'
import type { AlertRule, Rule } from '../../rules/rule.ts'
import { shiftRuleStates } from '../../runtime/alerting/shift.ts'
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
