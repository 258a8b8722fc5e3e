/**
 * Debian's mosquitto as a source, and kill -9 of the gateway in the middle of a flow: what mosquitto has accepted for our
 * session is stored, in the order of each topic. `SEED=n` repeats a run as far as chance is ours, `ROUNDS=n` makes it
 * longer.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { connectAsync } from 'mqtt'
import { missing, openMosquitto } from '../rigs/mosquitto.ts'
import { type Random, randomOf } from '../rigs/random.ts'
import { eventually, freePort, pause, type Program, Site, storeConfig } from './programs.ts'

const skip = missing('mosquitto', 'mosquitto')
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9))
const rounds = Number(process.env.ROUNDS ?? 2)
const devices = ['a', 'b', 'c']
/** mosquitto throws out a client that has more than twenty messages of QoS 2 under way. */
const windowMax = 15

/** The third one is between the two: when there is time. */
const isLong = process.env.ROUNDS !== undefined

for (const [qos, version] of [[1, '3.1.1'], [2, '5'], ...(isLong ? ([[1, '5']] as const) : [])] as const) {
  const nothingTwice = qos === 2 ? ', nothing twice' : ''
  const promise = `all that it has accepted is stored in order${nothingTwice} [I1]`
  test(`mosquitto as a source with QoS ${qos} over MQTT ${version}, ${rounds} times kill -9: ${promise}`, {
    skip,
    timeout: 300_000,
  }, async t => {
    const broker = await openMosquitto(['allow_anonymous true', 'max_queued_messages 0'])
    t.after(() => broker.stop())
    const source = `{ kind: mqtt, url: 'mqtt://127.0.0.1:${broker.port}', topics: ['sensors/#'], qos: ${qos}, mqtt: '${version}' }`
    const config = `gateway: { id: gw }\n${storeConfig}\nbroker: { listen: '127.0.0.1:${await freePort()}' }\nsources: { plant: ${source} }\n`
    const gateway = new Site(t).program('gateway', { config })
    await gateway.start()
    await eventually(async () => assert.equal((await gateway.status()).sources?.[0]?.state, 'connected'))
    const flow = await startFlow(t, broker.port, qos)
    const random = randomOf(seed, qos)
    for (let round = 0; round < rounds; round++) await killOne(gateway, random)
    const accepted = await flow.stop()
    assert.ok(accepted > rounds * 100, 'too little was published to prove anything')
    const readings = await eventually(async () => {
      const all = await gateway.readings()
      assert.ok(new Set(all.map(({ device, value }) => `${device} ${Number(value)}`)).size >= accepted, 'not all yet')
      return all
    })
    let repeated = 0
    for (const device of devices) {
      const values = readings.filter(reading => reading.device === device).map(({ value }) => Number(value))
      const first = [...new Set(values)]
      repeated += values.length - first.length
      assert.deepEqual(
        first,
        first.map((_, index) => index),
        'in order, with none missing',
      )
    }
    t.diagnostic(JSON.stringify({ seed, qos, version, rounds, accepted, stored: readings.length, repeated }))
    if (qos === 2) assert.equal(repeated, 0)
  })
}

async function killOne(gateway: Program, random: Random): Promise<void> {
  await pause(100 + random.below(300))
  await gateway.kill()
  await pause(random.below(100))
  await gateway.start()
}

/** Devices that count, over one connection; resolves with how many mosquitto has acknowledged. */
async function startFlow(t: TestContext, port: number, qos: 1 | 2) {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: 'plant' })
  t.after(() => client.endAsync(true))
  const over = new AbortController()
  let accepted = 0
  const flow = (async () => {
    const waiting = new Set<Promise<unknown>>()
    for (let value = 0; !over.signal.aborted; value++) {
      for (const device of devices) {
        const sent = client.publishAsync(`sensors/${device}/count`, JSON.stringify({ value }), { qos })
        waiting.add(sent)
        void sent.then(() => (waiting.delete(sent), accepted++))
      }
      while (waiting.size >= windowMax) await Promise.race(waiting)
      await pause(3)
    }
    await Promise.all(waiting)
  })()
  return {
    stop: async () => {
      over.abort()
      await flow
      return accepted
    },
  }
}
