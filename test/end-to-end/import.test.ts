/** Readings that are imported are history: they are judged, and nobody is called at night for last year. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { takeLines } from '../../runtime/transfer/intake.ts'
import { PretendGateway, hourMs, minuteMs, secondMs } from './pretend-gateway.ts'

const noon = Date.UTC(2026, 4, 1, 12)
const lastYear = Date.UTC(2025, 4, 1, 12)
const rules = `
      - { alert: TooWarm, match: { metric: temperature }, above: 8 }
      - { alert: Stays, match: { metric: temperature }, above: 8, for: 5m }
      - { alert: Silent, match: { metric: temperature }, absent: 10m }
`

async function boot(t: TestContext, clock: { nowMs: number }): Promise<PretendGateway> {
  const gateway = new PretendGateway({ id: 'gw', clock, config: "broker: { listen: '127.0.0.1:0' }", rules })
  t.after(() => gateway.end())
  await gateway.on()
  return gateway
}

/** As `holdfast import` does: batch after batch, each with the time at which it came. */
async function imported(
  gateway: PretendGateway,
  clock: { nowMs: number },
  device: string,
  fromMs: number,
  stepMs: number,
): Promise<void> {
  for (let batch = 0; batch < 10; batch++) {
    const lines = Array.from({ length: 100 }, (_, n) => {
      const time = fromMs + (batch * 100 + n) * stepMs
      return `${JSON.stringify({ time, device, metric: 'temperature', value: 30 })}\n`
    })
    const doors = { store: gateway.gateway.store, now: () => clock.nowMs, boot: () => undefined }
    const body = (async function* () {
      yield Buffer.from(lines.join(''))
    })()
    const { stored } = await takeLines({ name: 'readings', kind: 'series' }, body, doors)
    assert.equal(stored, 100)
    await gateway.pass(secondMs)
  }
}

test("an import of last year's readings over a limit tells nobody, of a device that is known", async t => {
  const clock = { nowMs: noon }
  const gateway = await boot(t, clock)
  await gateway.publish(5)
  await gateway.pass(secondMs)
  await imported(gateway, clock, 'freezer-1', lastYear, 10 * secondMs)
  await gateway.publish(5)
  await gateway.pass(minuteMs)
  assert.deepEqual(gateway.told, [])
  assert.ok((await gateway.alerts()).every(({ late }) => late))
  // What is measured now pages as ever.
  await gateway.publish(30)
  await gateway.pass(secondMs)
  assert.deepEqual(
    gateway.told.map(({ rule, event }) => [rule, event]),
    [['TooWarm', 'firing']],
  )
})

test('nor of a device that nobody has heard of, and its first reading of now pages as ever', async t => {
  const clock = { nowMs: noon }
  const gateway = await boot(t, clock)
  await imported(gateway, clock, 'freezer-9', lastYear, 10 * secondMs)
  assert.deepEqual(gateway.told, [])
  await gateway.publish(30, { device: 'freezer-9' })
  await gateway.pass(secondMs)
  assert.deepEqual(
    gateway.told.map(({ rule, device, event }) => [rule, device, event]),
    [['TooWarm', 'freezer-9', 'firing']],
  )
})

test('nor of the hours before now, of a device that is known', async t => {
  const clock = { nowMs: noon }
  const gateway = await boot(t, clock)
  await gateway.publish(5, { device: 'freezer-8' })
  await gateway.pass(secondMs)
  await imported(gateway, clock, 'freezer-8', noon - 3 * hourMs, 10 * secondMs)
  assert.deepEqual(gateway.told, [])
})
