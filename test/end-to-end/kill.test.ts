/**
 * Kill -9 under load: what was acknowledged is in the table, once and in order, and the alerts are those that follow from
 * the table. `SEED=n` repeats a run as far as chance is ours, `ROUNDS=n` makes it longer.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { ReadingForm } from '../../runtime/api/forms.ts'
import type { AlertRow } from '../../rules/alert/alert.ts'
import type { Json } from '../../runtime/reading.ts'
import { type Random, randomOf } from '../rigs/random.ts'
import { Device, type Identity, keyOf } from './devices.ts'
import { eventually, freePort, pause, type Program, Site, slowStoreConfig, storeConfig } from './programs.ts'
import { type Alert, alertsOf, inOrder } from './verdicts.ts'

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9))
const rounds = Number(process.env.ROUNDS ?? 10)
const minuteMs = 60_000
const limit = 8
const clear = 7

const rules = `
groups:
  - name: cold-store
    rules:
      - alert: TooWarm
        match: { metric: temperature }
        above: { table: thresholds, key: limit }
        clear: ${clear}
        snippet: { before: 60s, max_bytes: 96KiB }
        late_after: 1h # what waited for a gateway that was killed again and again is not the history meant here
`

test(`${rounds} times kill -9 under load: no acknowledged reading is lost or doubled [I1], and every alert is right [I3]`, {
  timeout: 600_000,
}, async t => {
  const port = await freePort()
  const config = `gateway: { id: gw }\n${storeConfig}\nbroker: { listen: '127.0.0.1:${port}' }\n`
  const gateway = new Site(t).program('gateway', { config, rules })
  await gateway.start()
  await gateway.put('thresholds', 'limit', limit)
  const devices = startDevices(t, port)
  const random = randomOf(seed)
  for (let round = 0; round < rounds; round++) await killOne(gateway, devices, random)
  await finish(devices)

  const readings = await gateway.readings()
  const missing = checkReadings(readings, devices)
  const alerts = await checkAlerts(gateway, readings)
  const { store } = await gateway.status()
  const acknowledged = devices.reduce((sum, device) => sum + device.acknowledged.length, 0)
  const counts = { seed, rounds, acknowledged, stored: readings.length, missing, alerts, repairs: store.repairs }
  t.diagnostic(JSON.stringify(counts))
  assert.ok(acknowledged > rounds * 10, 'too little was published to prove anything')
  assert.ok(alerts > rounds / 3, 'too few alerts to prove anything')
})

test('gateway and hub killed in turn under load: the hub ends with the same tables', {
  timeout: 600_000,
}, async t => {
  const [port, hubPort] = [await freePort(), await freePort()]
  const site = new Site(t)
  const hub = site.program('hub', {
    config: `gateway: { id: hub }\n${slowStoreConfig}\nhub: { listen: '127.0.0.1:${hubPort}' }\n`,
  })
  const bridge = `{ name: up, url: 'mqtt://127.0.0.1:${hubPort}', publish: [readings, alerts], subscribe: [thresholds] }`
  const gateway = site.program('gateway', {
    config: `gateway: { id: gw }\n${storeConfig}\nbroker: { listen: '127.0.0.1:${port}' }\nbridges: [${bridge}]\n`,
    rules,
  })
  await Promise.all([hub.start(), gateway.start()])
  await hub.put('thresholds', 'limit', limit)
  await eventually(async () => assert.equal((await gateway.rows('thresholds')).length, 1))
  const devices = startDevices(t, port)
  const random = randomOf(seed, 1)
  for (let round = 0; round < Math.ceil(rounds / 4); round++) {
    // The gateway, the hub, both at once: a gateway that was killed dials at once, one that was not waits longer each time.
    if (round % 3 !== 1) await killOne(gateway, devices, random)
    if (round % 3 !== 0) {
      const { length } = await hub.readings()
      await eventually(async () => assert.ok((await hub.readings()).length > length, 'nothing comes to the hub'))
      await pause(random.next() * 200)
      await hub.kill()
      if (round % 3 === 2) await gateway.kill().then(() => gateway.start())
      await hub.start()
    }
  }
  await finish(devices)

  const readings = await gateway.readings()
  checkReadings(readings, devices)
  const alerts = await checkAlerts(gateway, readings)
  const ours = await gateway.rows('alerts')
  await eventually(async () => {
    assert.deepEqual((await hub.readings()).map(journey), readings.map(journey))
    assert.deepEqual((await hub.rows('alerts')).map(content), ours.map(content))
  })
  t.diagnostic(JSON.stringify({ seed, stored: readings.length, at_hub: (await hub.readings()).length, alerts }))
})

/** Everything of a reading that travels. */
const journey = ({ device, metric, value, id, device_time_ms, arrival_ms, origin, stamp }: ReadingForm): unknown[] => [
  origin,
  stamp,
  device,
  metric,
  value,
  id,
  device_time_ms,
  arrival_ms,
]
const content = ({ key, value, origin, stamp }: { key: string; value: unknown; origin: string; stamp: number }) => ({
  key,
  value,
  origin,
  stamp,
})

function startDevices(t: TestContext, port: number): Device[] {
  const identities: readonly Identity[] = ['both', 'id', 'time', 'both', 'id', 'both']
  const devices = identities.map(
    (identity, index) =>
      new Device({
        name: `freezer-${index + 1}`,
        port,
        seed: seed + index,
        qos: index === 5 ? 2 : 1,
        identity,
        limit,
      }),
  )
  t.after(() => {
    for (const device of devices) device.close()
  })
  return devices
}

/** Kills it at a moment that nobody can foresee: while it takes readings, or (each fifth time) while it starts. */
async function killOne(gateway: Program, devices: readonly Device[], random: Random): Promise<void> {
  const count = (): number => devices.reduce((sum, device) => sum + device.acknowledged.length, 0)
  const before = count()
  const enough = 1 + random.below(150)
  await eventually(() => assert.ok(count() >= before + enough, 'nothing is acknowledged any more'))
  // Half of the time while an alert is being made.
  if (random.below(2) === 0) await Promise.race(devices.map(device => device.crossing()))
  await pause(random.next() * 15)
  await gateway.kill()
  if (random.below(5) === 0) {
    const { ready } = gateway.spawn()
    await Promise.race([ready, pause(random.next() * 1_500)])
    await gateway.kill()
  }
  await gateway.start()
}

/** Nothing new; all that was measured is acknowledged. */
async function finish(devices: readonly Device[]): Promise<void> {
  for (const device of devices) device.stopMeasuring()
  await eventually(() => assert.ok(devices.every(device => device.isIdle)))
}

/** Every acknowledged reading is there exactly once, with its value; of each device in the order of measuring. */
function checkReadings(readings: readonly ReadingForm[], devices: readonly Device[]): number {
  assert.deepEqual(
    readings.map(({ seq }) => seq),
    readings.map((_, index) => index + 1),
    'the log has holes',
  )
  let missing = 0
  for (const device of devices) {
    const stored = readings.filter(reading => reading.device === device.name)
    const keys = new Set(stored.map(keyOf))
    missing += device.acknowledged.filter(key => !keys.has(key)).length
    assert.equal(missing, 0, `${missing} acknowledged readings of ${device.name} are missing`)
    assert.equal(keys.size, stored.length, `${device.name} has readings twice`)
    // All were acknowledged at last, so the table must be what was measured: nothing more, and in that order.
    assert.deepEqual(
      stored.map(reading => [keyOf(reading), reading.value]),
      [...device.measured],
    )
  }
  return missing
}

async function checkAlerts(gateway: Program, readings: readonly ReadingForm[]): Promise<number> {
  const expected = alertsOf(readings, limit, clear)
  const [threshold] = await gateway.rows('thresholds')
  const rows = await eventually(async () => {
    const found = inOrder(await gateway.alerts(), row => row)
    assert.deepEqual(
      found.map(judged),
      expected.map(({ alert }) => alert),
    )
    return found
  })
  for (const [index, row] of rows.entries()) {
    assert.equal(row.threshold_stamp, threshold?.stamp)
    checkSnippet(row, expected[index]?.seq ?? 0, readings)
  }
  return rows.length
}

const judged = (row: AlertRow): Record<keyof Alert, Json> => {
  const { device, value, threshold, fired_ms, resolved_ms, resolved_value, state } = row
  return { device, value, threshold, fired_ms, resolved_ms, resolved_value, state }
}

/** The minute before the alert, by the time of the device where it has one, up to the reading that fired it. */
function checkSnippet({ device, snippet }: AlertRow, seq: number, readings: readonly ReadingForm[]): void {
  const { device_time_ms: deviceMs, arrival_ms: arrivalMs } = readings[seq - 1] ?? assert.fail()
  const toMs = deviceMs ?? arrivalMs
  const points = readings
    .slice(0, seq)
    .filter(reading => reading.device === device && reading.time_ms >= toMs - minuteMs)
    .map(reading => [reading.time_ms, reading.value])
  assert.deepEqual([snippet?.from_ms, snippet?.to_ms, snippet?.count], [toMs - minuteMs, toMs, points.length])
  assert.equal(snippet?.thinned, undefined)
  assert.deepEqual(snippet?.series[0]?.points, points)
}
