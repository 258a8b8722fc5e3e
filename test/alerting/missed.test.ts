/** What could be missed between two commits, two watchers or two clocks. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { AlertRow } from '../../rules/alert/alert.ts'
import { stampAt } from '../../runtime/stamp.ts'
import { seqZero } from '../../runtime/store/types.ts'
import { arrival } from '../store/suite.ts'
import { Rig, rules } from './rig.ts'

const minuteMs = 60_000

describe('nothing is missed', () => {
  let rig: Rig
  beforeEach(async () => {
    rig = await new Rig().open()
  })
  afterEach(() => rig.end())

  it('of an alert that fires and ends in one commit: the log of alerts has both, for there are actions to do', async () => {
    await rig.alerting.use(
      rules(
        '      - { alert: Warm, match: { metric: temperature }, above: 8 }\n' +
          '      - { alert: Warmer, match: { metric: temperature }, above: 8, for: 1m }\n',
      ),
    )
    const readings = [
      { value: 9, afterMs: 0 },
      { value: 9, afterMs: 30_000 },
      { value: 1, afterMs: 61_000 },
    ].map(({ value, afterMs }) => arrival({ value, arrivalMs: rig.nowMs + afterMs }))
    rig.nowMs += 61_000
    await rig.store.commit([{ kind: 'append', table: 'readings', readings }], 'now')
    await rig.alerting.settled()
    const entries = await rig.store.read('alerts', seqZero, 100)
    const rows = entries.map(entry => (entry.kind === 'record' ? entry.value : undefined) as unknown as AlertRow)
    for (const rule of ['Warm', 'Warmer']) {
      const states = rows.filter(row => row.rule === rule).map(row => row.state)
      assert.deepEqual(states, ['firing', 'resolved'], rule)
    }
  })

  it('of labels that changed while nobody judged: the alert under the old ones ends', async () => {
    const label = async (site: string): Promise<void> =>
      void (await rig.store.commit([
        { kind: 'put', table: 'device_labels', key: 'freezer-1', value: { labels: { site } } },
      ]))
    await label('lyon')
    await rig.alerting.use(
      rules('      - { alert: Warm, match: { metric: temperature, labels: { site: lyon } }, above: 8 }'),
    )
    await rig.send({ value: 9 })
    await rig.alerting.settled()
    await rig.alerting.pausedWhile(() => label('paris'))
    await rig.send({ value: 1 })
    await rig.alerting.settled()
    const rows = await rig.alerts()
    assert.deepEqual(
      rows.map(row => [row.state, row.resolved_reason]),
      [['resolved', 'the labels of the device have changed']],
    )
  })

  it('and nothing comes early: what is recorded of a peer whose clock is ahead does not make our time pass', async () => {
    await rig.alerting.use(
      rules(
        '      - { record: twice, match: { metric: temperature }, expr: "value * 2.0" }\n' +
          '      - { alert: Silent, match: { metric: humidity }, absent: 10m }\n' +
          '      - { alert: Wet, match: { metric: humidity }, above: 8, for: 10m }\n',
      ),
    )
    await rig.send({ metric: 'humidity', value: 9 })
    const aheadMs = rig.nowMs + 60 * minuteMs
    const far = { ...arrival({ arrivalMs: aheadMs, device: 'far' }), origin: 'gw-2', stamp: stampAt(rig.nowMs) }
    await rig.store.commit([{ kind: 'apply-readings', table: 'readings', via: 'gw-2', readings: [far] }], 'now')
    await rig.alerting.settled()
    assert.deepEqual(await rig.alerts(), [])
    const [made] = (await rig.store.read('readings', seqZero, 100)).slice(-1)
    assert.ok(made?.kind === 'reading' && made.series.metric === 'twice')
    assert.deepEqual([made.arrivalMs, made.deviceTimeMs], [rig.nowMs, aheadMs])
  })
})
