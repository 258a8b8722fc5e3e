/** A gateway that asks devices by itself: registers of a real Modbus server, and a page of a device on the LAN. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { modbusMissing, openModbus } from '../rigs/modbus.ts'
import { eventually, freePort, Site, storeConfig } from './programs.ts'

test('registers of a Modbus device and a page of another are readings, and an outage is told once', {
  skip: modbusMissing(),
  timeout: 120_000,
}, async t => {
  const meter = await openModbus({ unit: 3, holding: { '0': [0x4366, 0x8000, 65_535] }, coil: { '16': [1] } })
  t.after(() => meter.stop())
  const page = createServer((_, response) => response.end('{"temp": 21.5, "pump": true}'))
  await new Promise<void>(resolve => page.listen(0, '127.0.0.1', resolve))
  t.after(() => page.close())
  const config = `
gateway: { id: gw }
${storeConfig}
broker: { listen: '127.0.0.1:${await freePort()}' }
routes:
  - { topic: 'pages/{device}', values: { temperature: temp, pump: pump } }
sources:
  meter:
    kind: modbus-tcp
    host: 127.0.0.1
    port: ${meter.port}
    unit_id: 3
    every: 100ms
    timeout: 1s
    device: meter-1
    points:
      - { address: 0, type: float32, metric: voltage, unit: V }
      - { address: 2, type: int16, metric: current, unit: A, scale: 0.1 }
      - { register: coil, address: 16, metric: relay }
  boiler:
    kind: http-poll
    url: http://127.0.0.1:${(page.address() as AddressInfo).port}/status
    every: 100ms
    topic: pages/boiler-1
    device: boiler-1
`
  const gateway = new Site(t).program('gateway', { config })
  await gateway.start()
  const readings = await eventually(async () => {
    const all = await gateway.readings()
    assert.ok(['meter-1', 'boiler-1'].every(device => all.filter(one => one.device === device).length >= 9))
    return all
  })
  const values = new Set(
    readings.map(one => `${one.device} ${one.metric} ${JSON.stringify(one.value)} ${one.unit ?? ''}`),
  )
  assert.deepEqual([...values].toSorted(), [
    'boiler-1 pump true ',
    'boiler-1 temperature 21.5 ',
    'meter-1 current -0.1 A',
    'meter-1 relay true ',
    'meter-1 voltage 230.5 V',
  ])
  assert.deepEqual(
    (await gateway.status()).sources?.map(({ name, state }) => `${name} ${state}`),
    ['meter connected', 'boiler connected'],
  )

  await meter.stop()
  const source = await eventually(async () => {
    const [first] = (await gateway.status()).sources ?? []
    assert.equal(first?.state, 'offline')
    assert.ok((first?.counters['failures'] ?? 0) >= 2)
    return first
  })
  assert.match(source?.reason ?? '', /ECONNREFUSED|closed/)
  assert.equal(gateway.heard.filter(line => line['source'] === 'meter' && line.msg === 'lost').length, 1)
  assert.equal((await gateway.status()).sources?.[1]?.state, 'connected', 'the other goes on')
})
