/**
 * A thousand clients at once on one gateway: each publishes readings, one in ten listens to its neighbour. Nobody measures
 * how long it takes; nothing that was acknowledged is missing, and nothing that was heard is doubled or out of order.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectAsync, type MqttClient } from 'mqtt'
import { eventually, freePort, Site, storeConfig } from './programs.ts'

const clients = 1_000
const each = 3
/** So many connect at a time: a thousand SYNs at once are a test of the kernel's queue. */
const atOnce = 50

test('a thousand clients are connected, all that was acknowledged is stored, and who listens hears it once', {
  timeout: 300_000,
}, async t => {
  const site = new Site()
  t.after(() => site.remove())
  const port = await freePort()
  const limits =
    '{ connections: 1100, connections_per_address: 1100, connect_rate: 10000, connect_rate_per_address: 10000 }'
  const config = `gateway: { id: gw }\n${storeConfig}\nbroker: { listen: '127.0.0.1:${port}', limits: ${limits} }\n`
  const gateway = site.program('gateway', { config })
  await gateway.start()

  const all: MqttClient[] = []
  t.after(() => all.forEach(client => client.end(true)))
  for (let first = 0; first < clients; first += atOnce) {
    const some = Array.from({ length: atOnce }, (_, index) =>
      connectAsync(`mqtt://127.0.0.1:${port}`, {
        clientId: `device-${first + index}`,
        reconnectPeriod: 0,
        connectTimeout: 120_000,
      }),
    )
    all.push(...(await Promise.all(some)))
  }
  assert.equal((await gateway.status()).broker?.clients, clients)

  const heard = new Map<number, number[]>()
  for (const [index, client] of all.entries()) {
    if (index % 10 !== 0) continue
    const values: number[] = []
    heard.set(index, values)
    client.on('message', (_topic, payload) => values.push(Number(payload.toString())))
    await client.subscribeAsync(`sensors/device-${index + 1}/t`, { qos: 1 })
  }
  await Promise.all(
    all.map(async (client, index) => {
      for (let n = 0; n < each; n++)
        await client.publishAsync(`sensors/device-${index}/t`, String(index * each + n), { qos: 1 })
    }),
  )
  const stored = (await gateway.readings()).map(({ device, value }) => `${device} ${JSON.stringify(value)}`)
  const published = all.flatMap((_, index) =>
    Array.from({ length: each }, (_each, n) => `device-${index} ${index * each + n}`),
  )
  assert.deepEqual(stored.toSorted(), published.toSorted())
  for (const [index, values] of heard) {
    const neighbour = Array.from({ length: each }, (_, n) => (index + 1) * each + n)
    await eventually(() => assert.deepEqual(values, neighbour))
  }
  assert.equal((await gateway.status()).broker?.clients, clients)
})
