/** `settled`: all that is stored and all that is due is judged, whatever the real time is. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Rig, rules } from './rig.ts'

const hourMs = 3_600_000
const held = rules('      - { alert: Held, match: { metric: temperature }, above: 8, for: 10m }')

describe('settled', () => {
  let rig: Rig
  beforeEach(async () => {
    rig = await new Rig().open()
  })
  afterEach(() => rig.end())

  it('waits until all that is stored is judged and its alerts are on the disk', async () => {
    await rig.alerting.use(rules('      - { alert: Warm, above: 8 }'))
    for (let device = 0; device < 20; device++) await rig.send({ device: `d-${device}`, value: 9 })
    await rig.alerting.settled()
    assert.equal((await rig.alerts()).length, 20)
    assert.equal(rig.alerting.status().firing, 20)
  })

  it('finds a deadline to which a pretend clock has jumped while nobody looked', async () => {
    await rig.alerting.use(held)
    await rig.send({ value: 9 })
    await rig.alerting.settled()
    assert.deepEqual([rig.alerting.status().pending, (await rig.alerts()).length], [1, 0])
    const sinceMs = rig.nowMs
    rig.nowMs += hourMs
    await rig.alerting.settled()
    assert.deepEqual(
      (await rig.alerts()).map(row => row.fired_ms - sinceMs),
      [600_000],
    )
  })

  it('answers everybody who asks, also twice in a row and with nothing to judge', async () => {
    await rig.alerting.settled()
    await rig.alerting.use(held)
    await Promise.all([rig.alerting.settled(), rig.alerting.settled()])
    await rig.alerting.settled()
    await rig.send({ value: 9 })
    const asked = rig.alerting.settled()
    rig.nowMs += hourMs
    await Promise.all([asked, rig.alerting.settled()])
    assert.equal((await rig.alerts()).length, 1)
  })

  it('waits for rules that are being put in force, and for whoever lets nobody judge', async () => {
    await rig.alerting.use([])
    void rig.alerting.use(held)
    await rig.send({ value: 9 })
    await rig.alerting.settled()
    assert.equal(rig.alerting.status().pending, 1)
    void rig.alerting.pausedWhile(async () => {
      await rig.send({ value: 9 })
      rig.nowMs += hourMs
    })
    await rig.alerting.settled()
    assert.equal((await rig.alerts()).length, 1)
  })

  it('ends when alerting does', async () => {
    await rig.alerting.use(held)
    await rig.send({ value: 9 })
    await Promise.all([rig.alerting.close(), rig.alerting.settled(), rig.alerting.settled()])
    await rig.alerting.settled()
  })
})
