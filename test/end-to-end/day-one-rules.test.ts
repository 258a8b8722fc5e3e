/**
 * What somebody who installs a gateway tries on the first day with rules, on a whole gateway whose clock is in the hand
 * of the test.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Arrival } from '../../runtime/store/types.ts'
import { until } from '../replication/rig.ts'
import { openProxy } from '../rigs/proxy.ts'
import { randomOf } from '../rigs/random.ts'
import { type PretendClock, PretendGateway, hourMs, minuteMs, secondMs } from './pretend-gateway.ts'

const broker = "broker: { listen: '127.0.0.1:0' }"
const noon = Date.UTC(2026, 4, 1, 12)

async function boot(t: TestContext, rules: string, clock: PretendClock = { nowMs: noon }): Promise<PretendGateway> {
  const gateway = new PretendGateway({ id: 'gw', clock, config: broker, rules })
  t.after(() => gateway.end())
  await gateway.on()
  return gateway
}

const events = (gateway: PretendGateway, rule: string): string[] =>
  gateway.told.filter(told => told.rule === rule).map(told => told.event)

test('a value on the limit, give or take a tenth for an hour, is one alert and one clear', async t => {
  const clock = { nowMs: noon }
  const rules = `
      - { alert: Apart, match: { metric: temperature }, above: 8, clear: 7.5 }
      - { alert: Patient, match: { metric: temperature }, above: 8, keep_firing_for: 10m }
`
  const gateway = await boot(t, rules, clock)
  const random = randomOf(15)
  /** A reading every five seconds. */
  const publish = async (forMs: number, value: () => number): Promise<void> => {
    for (const endMs = clock.nowMs + forMs; clock.nowMs < endMs; clock.nowMs += 5 * secondMs) {
      await gateway.publish(value())
      if (clock.nowMs % minuteMs === 0) await gateway.settled()
    }
    await gateway.settled()
  }
  await publish(minuteMs, () => 7)
  await publish(hourMs, () => Math.round((7.9 + random.next() * 0.2) * 100) / 100)
  for (const rule of ['Apart', 'Patient']) assert.deepEqual(events(gateway, rule), ['firing'])
  await publish(11 * minuteMs, () => 7)
  for (const rule of ['Apart', 'Patient']) assert.deepEqual(events(gateway, rule), ['firing', 'resolved'])
  assert.equal((await gateway.alerts()).length, 2)
})

test('a sensor that is unplugged is told after the configured silence, over a reboot, and behind a neighbour that talks', async t => {
  const clock = { nowMs: noon }
  const rules = '      - { alert: Silent, match: { metric: temperature }, absent: 10m }\n'
  const gateway = await boot(t, rules, clock)
  const busy = { device: 'freezer-2' }
  /** The neighbour goes on, once a minute. */
  const minutes = async (count: number): Promise<void> => {
    for (let minute = 0; minute < count; minute++) {
      await gateway.publish(-19, busy)
      await gateway.pass(minuteMs)
    }
  }
  const firing = (): unknown[] => gateway.told.map(({ device, event, fired_ms }) => [device, event, fired_ms])
  await gateway.publish(-18)
  const lastMs = clock.nowMs
  await minutes(5)
  await gateway.off()
  clock.nowMs += minuteMs
  await gateway.on()
  await minutes(3)
  assert.deepEqual(firing(), [])
  await minutes(2)
  assert.deepEqual(firing(), [['freezer-1', 'firing', lastMs + 10 * minuteMs]])

  await gateway.publish(-18)
  await minutes(1)
  assert.deepEqual(firing().at(-1), ['freezer-1', 'resolved', lastMs + 10 * minuteMs])

  // And while nobody at all says anything, no reading wakes the rules.
  await gateway.pass(11 * minuteMs)
  assert.deepEqual(
    firing()
      .slice(2)
      .map(one => (one as unknown[]).slice(0, 2)),
    [
      ['freezer-1', 'firing'],
      ['freezer-2', 'firing'],
    ],
  )
})

test('readings of yesterday that are filled in over the limit page nobody, and stand in the history as late', async t => {
  const clock = { nowMs: noon }
  const rules = '      - { alert: Hot, match: { metric: temperature }, above: 8 }\n'
  const gateway = await boot(t, rules, clock)
  const publish = (value: number, timeMs: number): Promise<void> => gateway.publish(value, { timeMs })
  await publish(5, clock.nowMs)
  await gateway.pass(minuteMs)
  const yesterday = clock.nowMs - 24 * hourMs
  for (let minute = 0; minute < 60; minute++)
    await publish(minute >= 10 && minute < 20 ? 9 : 5, yesterday + minute * minuteMs)
  await publish(5, clock.nowMs)
  await gateway.pass(minuteMs)
  await gateway.pass(hourMs)
  assert.deepEqual(gateway.told, [])
  const rows = await gateway.alerts()
  assert.deepEqual(
    rows.map(({ late, state, value, fired_ms, resolved_ms }) => [late, state, value, fired_ms, resolved_ms]),
    [[true, 'resolved', 9, yesterday + 10 * minuteMs, yesterday + 20 * minuteMs]],
  )

  await publish(9, clock.nowMs)
  await gateway.settled()
  assert.deepEqual(events(gateway, 'Hot'), ['firing'])
})

test('a hold of ten minutes that a reboot interrupts at minute seven fires at minute ten', async t => {
  const clock = { nowMs: noon }
  const rules = '      - { alert: Held, match: { metric: temperature }, above: 8, for: 10m }\n'
  const gateway = await boot(t, rules, clock)
  const sinceMs = clock.nowMs
  await gateway.publish(9)
  await gateway.pass(7 * minuteMs)
  await gateway.off()
  clock.nowMs += 30 * secondMs
  await gateway.on()
  await gateway.publish(9.5)
  await gateway.pass(2.4 * minuteMs)
  assert.deepEqual(await gateway.alerts(), [])
  await gateway.pass(0.2 * minuteMs)
  const [alert] = await gateway.alerts()
  assert.deepEqual([alert?.since_ms, alert?.fired_ms, alert?.value], [sinceMs, sinceMs + 10 * minuteMs, 9.5])
  assert.deepEqual(events(gateway, 'Held'), ['firing'])
})

test('an alert 20 seconds after a reboot carries the readings of the minute before it, those from before the reboot too', async t => {
  const clock = { nowMs: noon }
  const rules = '      - { alert: Hot, match: { metric: temperature }, above: 8, snippet: { before: 60s } }\n'
  const gateway = await boot(t, rules, clock)
  for (let second = 0; second < 90; second++) {
    await gateway.publish(5 + second / 1_000)
    await gateway.publish(second % 2, { metric: 'door' })
    clock.nowMs += secondMs
  }
  await gateway.off()
  const downMs = clock.nowMs
  clock.nowMs += 10 * secondMs
  await gateway.on()
  clock.nowMs += 20 * secondMs
  await gateway.publish(9)
  await gateway.settled()
  const [told] = gateway.told
  const firedMs = downMs + 30 * secondMs
  assert.deepEqual(
    [told?.fired_ms, told?.snippet?.from_ms, told?.snippet?.to_ms],
    [firedMs, firedMs - minuteMs, firedMs],
  )
  const of = (metric: string): readonly (readonly [number, unknown])[] =>
    told?.snippet?.series.find(series => series.metric === metric)?.points ?? []
  const before = Array.from({ length: 30 }, (_, index) => firedMs - minuteMs + index * secondMs)
  assert.deepEqual(
    of('temperature').map(([ms]) => ms),
    [...before, firedMs],
  )
  assert.deepEqual(
    of('door').map(([ms]) => ms),
    before,
  )
})

test('a day at ten readings a second fits into one message, with the greatest and the smallest of them', async t => {
  const clock = { nowMs: noon }
  const rules = '      - { alert: Hot, match: { metric: temperature }, above: 30, snippet: { before: 1d } }\n'
  const gateway = await boot(t, rules, clock)
  const dayMs = 24 * hourMs
  const fromMs = clock.nowMs
  const spikes = new Map([
    [100_003, 29.5],
    [700_001, -12],
  ])
  const readings = (dayMs / secondMs) * 10
  for (let first = 0; first < readings; first += 20_000) {
    const group = Array.from({ length: Math.min(20_000, readings - first) }, (_, offset): Arrival => {
      const n = first + offset
      const value = spikes.get(n) ?? 20 + (n % 100) / 100
      const name = { device: 'freezer-1', metric: 'temperature', unit: undefined, id: undefined }
      return { ...name, value, deviceTimeMs: undefined, arrivalMs: fromMs + n * 100, joined: false }
    })
    await gateway.gateway.store.commit([{ kind: 'append', table: 'readings', readings: group }])
  }
  clock.nowMs = fromMs + dayMs - 1
  await gateway.publish(31)
  await gateway.settled()
  const [told] = gateway.told
  const { count, thinned, series } = told?.snippet ?? assert.fail('no snippet')
  assert.equal(count, readings + 1)
  assert.equal(thinned?.method, 'min-max')
  assert.equal(thinned?.of, count)
  assert.ok((told?.bytes ?? 0) < 60_000, `${told?.bytes} bytes`)
  const values = series[0]?.points.map(([, value]) => value)
  for (const kept of [29.5, -12, 31]) assert.ok(values?.includes(kept), `${kept} was thinned away`)
})

test('a threshold that the cloud changed while the gateway was away is used as soon as it is back, and the alert names it', async t => {
  const clock = { nowMs: noon }
  const hub = new PretendGateway({ id: 'hub', clock, config: "hub: { listen: '127.0.0.1:0' }" })
  t.after(() => hub.end())
  await hub.on()
  const link = await openProxy({ target: { host: '127.0.0.1', port: hub.gateway.addresses.hub[0]?.port ?? 0 } })
  t.after(() => link.close())
  const bridge = `{ name: cloud, url: 'mqtt://127.0.0.1:${link.port}', publish: [readings, alerts], subscribe: [thresholds] }`
  const edge = new PretendGateway({
    id: 'edge',
    clock,
    config: `${broker}\nbridges: [${bridge}]`,
    rules:
      '      - { alert: Warm, match: { metric: temperature }, above: { key: "{device}/{metric}", default: 20 } }\n',
  })
  t.after(() => edge.end())
  await edge.on()
  const key = 'freezer-1/temperature'
  const put = (value: number) => hub.gateway.store.commit([{ kind: 'put', table: 'thresholds', key, value }], 'now')
  const known = (): unknown => edge.gateway.store.latest('thresholds', key)?.value
  await put(8)
  await until('the edge knows the limit', () => known() === 8)
  await edge.publish(7)
  await edge.pass(minuteMs)

  link.cut()
  await put(6)
  await edge.publish(7)
  await edge.pass(hourMs)
  assert.deepEqual([known(), await edge.alerts()], [8, []])

  link.restore()
  await until('the edge knows the new limit', () => known() === 6)
  await edge.publish(7)
  await edge.settled()
  const [alert] = await edge.alerts()
  const { stamp } = hub.gateway.store.latest('thresholds', key) ?? assert.fail('no row')
  assert.deepEqual(
    [alert?.value, alert?.threshold, alert?.threshold_source, alert?.threshold_stamp],
    [7, 6, { table: 'thresholds', key }, stamp],
  )
  assert.deepEqual(events(edge, 'Warm'), ['firing'])
  await until('the alert is at the hub', async () => (await hub.alerts()).length === 1)
  assert.deepEqual(await hub.alerts(), await edge.alerts())
})
