/** What people and the cloud say of alerts, and what becomes of it: acknowledgements, silences, labels, room. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { AlertRow } from '../../rules/alert/alert.ts'
import { Alerting } from '../../runtime/alerting/alerting.ts'
import { SelfAlerts } from '../../runtime/alerting/self-alerts.ts'
import { silentLog } from '../../runtime/log.ts'
import type { Json } from '../../runtime/reading.ts'
import { type Change, seqZero } from '../../runtime/store/types.ts'
import { collect, startMs } from '../store/suite.ts'
import { type Step, crashedEverywhere } from './crashes.ts'
import { Rig, rules } from './rig.ts'

const latching = rules('      - { alert: Warm, match: { metric: temperature }, above: 8, latch: true }')
const warm = rules('      - { alert: Warm, match: { metric: temperature }, above: 8 }')

describe('what is said of alerts', () => {
  let rig: Rig
  beforeEach(async () => {
    rig = await new Rig().open()
  })
  afterEach(() => rig.end())
  const put = async (table: string, key: string, value: Json): Promise<void> =>
    void (await rig.store.commit([{ kind: 'put', table, key, value }], 'now'))
  const keys = async (): Promise<string[]> => (await collect(rig.store.rows('alerts'))).map(row => row.key)
  const restart = async (): Promise<void> => {
    await rig.close()
    await rig.open()
  }

  it('an acknowledgement is noted in the row at once, and ends an alert that was latched', async () => {
    await rig.alerting.use(latching)
    await rig.send({ value: 9 }, { device: 'other', value: 9 }, { value: 5 })
    await rig.alerting.settled()
    assert.deepEqual(
      (await rig.alerts()).map(({ state }) => state),
      ['latched', 'firing'],
    )
    for (const key of await keys()) await put('acks', key, { by: 'ann', acked_ms: rig.nowMs, comment: 'seen' })
    await rig.alerting.settled()
    assert.deepEqual(
      (await rig.alerts()).map(row => [row.state, row.acked_by, row.acked_ms === rig.nowMs]),
      [
        ['resolved', 'ann', true],
        ['firing', 'ann', true],
      ],
    )
    await rig.send({ device: 'other', value: 5 })
    await rig.alerting.settled()
    assert.equal((await rig.alerts())[1]?.state, 'resolved')
  })

  it('an acknowledgement that was given while the gateway was off counts when it starts', async () => {
    await rig.alerting.use(latching)
    await rig.send({ value: 9 }, { value: 5 })
    await rig.alerting.settled()
    await rig.alerting.close()
    const [key = ''] = await keys()
    await put('acks', key, { by: 'cloud', acked_ms: rig.nowMs + 5 })
    await restart()
    rig.nowMs += 60_000
    await rig.alerting.use(latching)
    await rig.alerting.settled()
    const [row] = await rig.alerts()
    assert.deepEqual([row?.state, row?.acked_by], ['resolved', 'cloud'])
  })

  it('acknowledgements of what is not there, and rows that say nothing, are passed over', async () => {
    await rig.alerting.use(latching)
    await put('acks', 'nothing', { by: 'ann' })
    await rig.send({ value: 9 })
    await rig.alerting.settled()
    const [key = ''] = await keys()
    await put('acks', key, 'yes')
    await rig.alerting.settled()
    assert.equal((await rig.alerts())[0]?.acked_ms, null)
  })

  it('the silence that was in force when an alert fired stands in its row, and readings are judged all the same', async () => {
    await put('silences', 's1', { match: { device: 'freezer-*' }, from_ms: 0, until_ms: rig.nowMs + 10_000, by: 'ann' })
    await rig.alerting.use(warm)
    await rig.send({ value: 9 }, { value: 5 })
    rig.nowMs += 60_000
    await rig.send({ value: 9 })
    await rig.alerting.settled()
    assert.deepEqual(
      (await rig.alerts()).map(({ silenced }) => silenced),
      ['s1', null],
    )
  })

  it('labels of the device choose the rule and stand in the row; others count with the next reading', async () => {
    const labelled = rules('      - { alert: Warm, match: { labels: { site: "ly*" } }, above: 8 }')
    await put('device_labels', 'freezer-1', { labels: { site: 'lyon', floor: 2 } })
    await rig.alerting.use(labelled)
    await rig.send({ value: 9 }, { device: 'freezer-2', value: 9 })
    await rig.alerting.settled()
    assert.deepEqual(
      (await rig.alerts()).map(row => [row.device, row.device_labels]),
      [['freezer-1', { site: 'lyon', floor: '2' }]],
    )
    await put('device_labels', 'freezer-2', { labels: { site: 'lyon' } })
    await put('device_labels', 'freezer-1', { labels: { site: 'paris' } })
    await rig.send({ value: 9 }, { device: 'freezer-2', value: 9 })
    await rig.alerting.settled()
    assert.deepEqual(
      (await rig.alerts()).map(row => [row.device, row.state, row.resolved_reason]),
      [
        ['freezer-1', 'resolved', 'the labels of the device have changed'],
        ['freezer-2', 'firing', null],
      ],
    )
  })

  it('labels that changed while the gateway was off end the alert when it starts', async () => {
    const labelled = rules('      - { alert: Warm, match: { labels: { site: lyon } }, above: 8 }')
    await put('device_labels', 'freezer-1', { labels: { site: 'lyon' } })
    await rig.alerting.use(labelled)
    await rig.send({ value: 9 })
    await rig.alerting.settled()
    await rig.alerting.close()
    await put('device_labels', 'freezer-1', { labels: { site: 'paris' } })
    await restart()
    await rig.alerting.use(labelled)
    assert.deepEqual(
      (await rig.alerts()).map(row => [row.state, row.resolved_reason]),
      [['resolved', 'the labels of the device have changed']],
    )
    assert.deepEqual(
      [...rig.store.states('alerting').keys()].filter(key => key.startsWith('Warm')),
      [],
    )
  })

  it('no more fire at once than may, over all tables; the gateway says so until there is room', async () => {
    const alerts = new SelfAlerts({ store: rig.store, now: () => rig.nowMs, log: silentLog })
    await rig.alerting.close()
    const { store } = rig
    rig.alerting = new Alerting({ store, now: () => rig.nowMs, log: silentLog, graceMs: 0, activeMax: 2, alerts })
    await rig.alerting.use(
      rules('      - { alert: A, above: 8 }\n      - { alert: B, match: { table: derived }, above: 8 }\n'),
    )
    const derived = (value: number): Promise<unknown> => rig.sendTo('derived', { value, device: 'd' })
    await rig.send({ device: 'a', value: 9 }, { device: 'b', value: 9 })
    await rig.alerting.settled()
    await derived(9)
    await rig.alerting.settled()
    await alerts.settled()
    const states = async (): Promise<unknown> => (await rig.alerts()).map(row => [row.rule, row.device, row.state])
    assert.deepEqual(await states(), [
      ['A', 'a', 'firing'],
      ['A', 'b', 'firing'],
      ['holdfast.TooManyAlerts', rig.store.origin, 'firing'],
    ])
    assert.deepEqual([rig.alerting.status().refused, rig.alerting.status().activeMax], [1, 2])
    await rig.send({ device: 'a', value: 5 })
    await rig.alerting.settled()
    await alerts.settled()
    assert.deepEqual(await states(), [
      ['A', 'a', 'resolved'],
      ['A', 'b', 'firing'],
      ['B', 'd', 'firing'],
      ['holdfast.TooManyAlerts', rig.store.origin, 'resolved'],
    ])
    await alerts.close()
  })

  it('an alert among late readings is ended too when its rule is taken away', async () => {
    const { nowMs } = rig
    await rig.alerting.use(warm)
    const hourMs = 3_600_000
    await rig.send({ value: 5, deviceTimeMs: nowMs }, { value: 9, deviceTimeMs: nowMs - hourMs })
    await rig.alerting.settled()
    assert.deepEqual(
      (await rig.alerts()).map(row => [row.late, row.state, row.fired_ms]),
      [[true, 'firing', nowMs - hourMs]],
    )
    await rig.alerting.use([])
    assert.deepEqual(
      (await rig.alerts()).map(row => [row.state, row.resolved_reason]),
      [['resolved', 'rule removed']],
    )
  })

  it('comes out the same wherever the gateway is cut off: latched, acknowledged, come again', async () => {
    const key = `${rig.store.origin}/Warm/freezer-1/temperature/${startMs + 1_000}`
    const ack: Change = { kind: 'put', table: 'acks', key, value: { by: 'ann', acked_ms: startMs + 5_000 } }
    const values = [1, 9, 5, 9, 5, 9, 5, 9]
    const steps: Step[] = values.map((value, index) => ({ afterMs: index * 1_000, reading: { value } }))
    const all = rules(
      '      - { alert: Warm, match: { metric: temperature }, above: 8, latch: true }\n' +
        '      - { alert: Often, match: { metric: temperature }, above: 8, flapping: { changes: 2, within: 1m }, keep_firing_for: 1s }\n',
    )
    const { alerts } = await crashedEverywhere(all, [
      ...steps.slice(0, 5),
      { afterMs: 5_000, change: ack },
      ...steps.slice(5),
      { afterMs: 600_000 },
    ])
    const rows = alerts.map(alert => (alert as { value: AlertRow }).value)
    assert.ok(rows.some(({ flapping }) => flapping))
    assert.ok(rows.some(row => row.rule === 'Warm' && row.acked_by === 'ann' && row.state === 'resolved'))
  })

  it('a recording rule that is gone, or means something else, leaves no state behind; alerts of others stand', async () => {
    const both = (expr: string) =>
      rules(
        `      - { record: twice, match: { metric: temperature }, expr: "${expr}", into: derived }\n` +
          '      - { alert: Warm, match: { metric: temperature }, above: 8 }\n',
      )
    await rig.alerting.use(both('value * 2.0'))
    await rig.send({ value: 9 })
    await rig.alerting.settled()
    await rig.alerting.use(both('value * 3.0'))
    await rig.send({ value: 10 })
    await rig.alerting.settled()
    await rig.alerting.use(warm)
    await rig.send({ value: 11 })
    await rig.alerting.settled()
    const derived = await rig.store.read('derived', seqZero, 100)
    assert.equal(rig.alerting.status().evaluations, 5, 'counted over all sets of rules')
    assert.deepEqual(
      derived.map(entry => entry.kind === 'reading' && entry.value),
      [18, 30],
    )
    assert.deepEqual(
      (await rig.alerts()).map(row => [row.rule, row.state, row.value]),
      [['Warm', 'firing', 9]],
    )
  })
})
