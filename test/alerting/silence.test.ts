/** A sensor that says nothing: found without a reading, also when the gateway was off, or died, in between. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { type Step, crashedEverywhere } from './crashes.ts'
import { Rig, rules } from './rig.ts'

const minuteMs = 60_000
const dead = rules('      - { alert: Dead, match: { metric: temperature }, absent: 10m }\n')

describe('no data', () => {
  let rig: Rig
  beforeEach(async () => {
    rig = await new Rig().open()
  })
  afterEach(() => rig.end())
  const restart = async (): Promise<void> => {
    await rig.close()
    await rig.open()
    await rig.alerting.use(dead)
  }
  const at = async (ms: number): Promise<unknown> => {
    rig.nowMs = ms
    await rig.alerting.settled()
    return (await rig.alerts()).map(row => [row.device, row.state, row.fired_ms])
  }

  it('is an alert at the configured age, also of one silent sensor behind a busy one, and ends with its next reading', async () => {
    await rig.alerting.use(dead)
    await rig.send({ device: 'quiet', value: 1 })
    const heardMs = rig.nowMs
    for (let minute = 1; minute <= 12; minute++) {
      await rig.send({ device: 'busy', value: 1, arrivalMs: heardMs + minute * minuteMs })
    }
    await rig.alerting.settled()
    assert.deepEqual(await at(heardMs + 12 * minuteMs), [['quiet', 'firing', heardMs + 10 * minuteMs]])
    await rig.send({ device: 'quiet', value: 1 })
    assert.deepEqual(await at(rig.nowMs), [['quiet', 'resolved', heardMs + 10 * minuteMs]])
  })

  it('is counted from the last reading though the gateway restarted meanwhile, once or often', async () => {
    await rig.alerting.use(dead)
    await rig.send({ value: 1 })
    await rig.alerting.settled()
    // Too short after the first for its own note on the disk.
    await rig.send({ value: 1, arrivalMs: rig.nowMs + 2 * minuteMs })
    const heardMs = rig.nowMs
    await rig.alerting.settled()
    await restart()
    assert.deepEqual(await at(heardMs + 5 * minuteMs), [])
    await restart()
    assert.deepEqual(await at(heardMs + 9.9 * minuteMs), [], 'nobody is paged too early')
    await restart()
    assert.deepEqual(await at(heardMs + 11 * minuteMs), [['freezer-1', 'firing', heardMs + 10 * minuteMs]])
  })

  it('is found of many series after a start without a question to the store for each', async () => {
    await rig.alerting.use(dead)
    for (let device = 0; device < 60; device++) await rig.send({ device: `d-${device}`, value: 1 })
    await rig.alerting.settled()
    await rig.close()
    await rig.open()
    let questions = 0
    const query = rig.store.query.bind(rig.store)
    rig.store.query = (...given) => {
      questions++
      return query(...given)
    }
    await rig.alerting.use(dead)
    await rig.send({ device: 'd-0', value: 1 })
    await rig.alerting.settled()
    assert.equal(questions, 0)
    rig.nowMs += 20 * minuteMs
    await rig.alerting.settled()
    assert.equal((await rig.alerts()).length, 60)
  })

  it('comes out the same wherever the gateway is cut off', async () => {
    const reading = (minute: number, device: string): Step => ({
      afterMs: minute * minuteMs,
      reading: { device, value: 1 },
    })
    const steps = [
      reading(0, 'a'),
      reading(1, 'b'),
      reading(2, 'a'),
      reading(9, 'b'),
      { afterMs: 11 * minuteMs },
      reading(13, 'b'),
      reading(14, 'a'),
      { afterMs: 40 * minuteMs },
    ]
    const { alerts, cuts } = await crashedEverywhere(dead, steps)
    assert.ok(cuts >= 8)
    assert.equal(alerts.length, 3)
  })
})
