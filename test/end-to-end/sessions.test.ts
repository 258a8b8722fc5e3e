/**
 * Sessions and kill -9: what was acknowledged to a publisher reaches every subscriber with a session, whether it was there
 * or away, in order; with QoS 2 once. `SEED=n` repeats a run as far as chance is ours, `ROUNDS=n` makes it longer.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectAsync } from 'mqtt'
import { randomOf } from '../rigs/random.ts'
import { eventually, freePort, pause, Site, storeConfig } from './programs.ts'
import { SessionPublisher, SessionSubscriber } from './session-clients.ts'

/** `MQTT5=1` runs it on the engine that speaks MQTT 5. */
const mqtt5 = process.env.MQTT5 === '1'
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9))
const rounds = Number(process.env.ROUNDS ?? 5)
/** One of readings, and one that no route takes. */
const topicsOf = (qos: number) => [`sensors/a${qos}/t`, `plain/a${qos}`]

test(`${rounds} times kill -9: acknowledged messages reach sessions that are there and that are away, in order, and QoS 2 once`, {
  timeout: 300_000,
}, async t => {
  const port = await freePort()
  const limits = 'limits: { queued_messages: 100000, queued_bytes: 100MB }'
  const config = `gateway: { id: gw }\n${storeConfig}\nbroker: { listen: '127.0.0.1:${port}', mqtt5: ${mqtt5}, ${limits} }\n`
  const gateway = new Site(t).program('gateway', { config })
  await gateway.start()
  const publishers = ([1, 2] as const).map(qos => new SessionPublisher(port, `publisher${qos}`, qos, topicsOf(qos)))
  const subscribers = ([1, 2] as const).flatMap(qos =>
    ['awake', 'sleeper'].map(name => new SessionSubscriber(port, `${name}${qos}`, qos, [`+/a${qos}/#`, `+/a${qos}`])),
  )
  t.after(() => [...publishers, ...subscribers].forEach(client => client.leave()))
  for (const subscriber of subscribers) subscriber.come()
  await eventually(() => assert.ok(subscribers.every(({ isSubscribed }) => isSubscribed)))
  const sleepers = subscribers.filter((_, i) => i % 2 === 1)
  for (const sleeper of sleepers) sleeper.leave()
  for (const publisher of publishers) publisher.come()
  const random = randomOf(seed)
  for (let round = 0; round < rounds; round++) {
    const before = publishers.map(({ acknowledged }) => acknowledged)
    await eventually(() => assert.ok(publishers.every(({ acknowledged }, i) => acknowledged > (before[i] ?? 0) + 20)))
    await pause(Math.floor(random.next() * 60))
    await gateway.kill()
    await gateway.start()
    // Now and then one of those who sleep looks in, and may be cut off in the middle of its queue.
    if (round % 4 === 2) for (const sleeper of sleepers) sleeper.come()
    if (round % 4 === 3) for (const sleeper of sleepers) sleeper.leave()
  }
  await eventually(() => assert.ok(publishers.map(publisher => publisher.end()).every(Boolean)))
  for (const subscriber of sleepers) subscriber.come()
  await eventually(async () => {
    const counters = (await gateway.status()).broker?.counters ?? {}
    assert.equal(counters['queued_messages'], 0)
  })
  const { broker } = await gateway.status()
  assert.equal(broker?.counters['queue_dropped'] ?? 0, 0)
  let heard = 0
  for (const [i, subscriber] of subscribers.entries()) {
    const qos = i < 2 ? 1 : 2
    const total = publishers[qos - 1]?.published ?? 0
    for (const numbers of subscriber.heard.values()) {
      heard += numbers.length
      const once = [...new Set(numbers)]
      assert.deepEqual(
        once,
        once.toSorted((a, b) => a - b),
        `out of order, seed ${seed}`,
      )
      if (qos === 2) assert.equal(numbers.length, once.length, `more than once, seed ${seed}`)
    }
    const all = new Set([...subscriber.heard.values()].flat())
    assert.equal(all.size, total, `missing of ${total} for subscriber ${i}, seed ${seed}`)
  }
  t.diagnostic(
    JSON.stringify({ seed, rounds, published: publishers.map(({ published }) => published), heard, missing: 0 }),
  )
})

test('after kill -9 a retained message is there, and the will of a client that does not come back is published', {
  timeout: 120_000,
}, async t => {
  const port = await freePort()
  const config = `gateway: { id: gw }\n${storeConfig}\nbroker: { listen: '127.0.0.1:${port}', limits: { will_grace: 1s } }\n`
  const gateway = new Site(t).program('gateway', { config })
  await gateway.start()
  const url = `mqtt://127.0.0.1:${port}`
  const will = { topic: 'sensors/doomed/state', payload: Buffer.from('{"value":0}'), qos: 1 as const, retain: true }
  const doomed = await connectAsync(url, { clientId: 'doomed', reconnectPeriod: 0, will })
  t.after(() => doomed.endAsync(true))
  await doomed.publishAsync('plain/kept', 'still here', { qos: 1, retain: true })
  await doomed.subscribeAsync('nothing')
  // The will is written when there is time; a reading takes it along.
  await doomed.publishAsync('sensors/doomed/state', '{"value":1}', { qos: 1 })
  await gateway.kill()
  await gateway.start()
  await eventually(async () => {
    const values = (await gateway.readings()).map(({ value }) => value)
    assert.deepEqual(values, [1, 0])
  })
  const heard = new Map<string, string>()
  const later = await connectAsync(url, { clientId: 'later', reconnectPeriod: 0 })
  t.after(() => later.endAsync(true))
  later.on('message', (topic, payload) => heard.set(topic, payload.toString()))
  await later.subscribeAsync('#', { qos: 1 })
  await eventually(() => assert.equal(heard.size, 2))
  assert.deepEqual([heard.get('plain/kept'), heard.get('sensors/doomed/state')], ['still here', '{"value":0}'])
})
