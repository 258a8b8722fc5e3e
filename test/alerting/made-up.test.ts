/** Moments that nobody was there for are made up for once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { collect } from '../store/suite.ts'
import { Rig, rules } from './rig.ts'

test('what is recorded for moments long past is recorded once, and sets no clock back', async () => {
  const rig = await new Rig().open()
  try {
    // Something was heard before the first moment: at that one there is nothing to tell.
    await rig.send({ value: 0 })
    await rig.alerting.use(
      rules(`
      - { record: warmest, match: { metric: temperature }, expr: max(1h), interval: 5m }
      - { alert: Few, match: { metric: temperature }, per: all, expr: devices(5m) < 1 }
`),
    )
    for (let minute = 0; minute < 10; minute++) await rig.send({ value: minute, arrivalMs: rig.nowMs + 60_000 })
    await rig.alerting.settled()
    rig.nowMs += 2 * 3_600_000
    await rig.alerting.settled()
    const recorded = await collect(rig.store.query('readings', { metric: 'warmest' }))
    const times = recorded.map(({ arrivalMs }) => arrivalMs)
    assert.ok(times.length >= 12)
    assert.deepEqual(times, [...new Set(times)])
    const alerts = await rig.alerts()
    assert.deepEqual(
      alerts.map(({ rule, resolved_ms: resolved }) => [rule, resolved]),
      [['Few', null]],
    )
  } finally {
    await rig.end()
  }
})
