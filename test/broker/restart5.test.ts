/** What MQTT 5 adds to sessions, queues and retained messages outlives the process, and what it bounds in time does not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acknowledge, publish, subscribe } from './kept-rig.ts'
import {
  ends,
  everything,
  hello,
  isPresent,
  leave,
  message,
  openRig5,
  over,
  pass,
  subscribe5,
  tell,
  told,
} from './restart5-rig.ts'
import { until } from './rig.ts'

const timeout = 60_000
const anHour = 3_600

for (const [what, end] of Object.entries(ends)) {
  test(`MQTT 5 over ${what}: a session goes on with the options of its subscriptions`, { timeout }, async t => {
    const rig = await openRig5(t)
    const before = await hello(rig, 'a', anHour, { clean: true })
    assert.equal(await isPresent(before), false)
    await subscribe5(before, 7, { topic: 'own/#', qos: 1, nl: true }, { topic: 'both/+', qos: 0 })
    await subscribe5(before, 8, { topic: 'both/#', qos: 1, rap: true, rh: 2 })
    await over(rig, end)
    const publisher = await hello(rig, 'p')
    const after = await hello(rig, 'a', anHour)
    assert.equal(await isPresent(after), true)
    await tell(after, 'own/t', 'its own')
    await tell(publisher, 'own/t', 'of another', {}, true)
    await tell(publisher, 'both/t', 'of both', {}, true)
    await until(() => after.count('publish') === 2)
    await after.ping()
    assert.deepEqual(told(after), [
      message('own/t', 'of another', { subscriptionIdentifier: 7 }),
      message('both/t', 'of both', { subscriptionIdentifier: [7, 8] }, true),
    ])
  })

  test(`MQTT 5 over ${what}: what waits for a session keeps what it says, and is of use for less long`, {
    timeout,
  }, async t => {
    const rig = await openRig5(t)
    const before = await hello(rig, 'a', anHour)
    await subscribe5(before, 9, { topic: '#', qos: 1, rap: true })
    await leave(rig, before, 'a')
    const publisher = await hello(rig, 'p')
    await tell(publisher, 'sensors/a', '1', everything)
    await tell(publisher, 'plain/a', '2', { ...everything, messageExpiryInterval: 60 }, true)
    await tell(publisher, 'plain/a', '3', { messageExpiryInterval: 20 })
    await tell(publisher, 'sensors/a', '4')
    await over(rig, end, 20_000)
    await over(rig, end, 5_500)
    const after = await hello(rig, 'a', anHour)
    assert.equal(await isPresent(after), true)
    await until(() => after.count('publish') === 3)
    await after.ping()
    const subscriptionIdentifier = 9
    assert.deepEqual(told(after), [
      message('sensors/a', '1', { ...everything, subscriptionIdentifier }),
      message('plain/a', '2', { ...everything, subscriptionIdentifier, messageExpiryInterval: 35 }, true),
      message('sensors/a', '4', { subscriptionIdentifier }),
    ])
    acknowledge(after, after.received)
    await until(() => rig.broker.counters()['queued_messages'] === 0)
  })

  test(`MQTT 5 over ${what}: a session that ends with its connection is not there, and leaves nothing`, {
    timeout,
  }, async t => {
    const rig = await openRig5(t)
    // One that never was to be kept, and one that was until its client came again.
    const fresh = await hello(rig, 'fresh')
    await subscribe5(fresh, 0, { topic: '#', qos: 1 })
    const kept = await hello(rig, 'kept', anHour)
    await subscribe5(kept, 0, { topic: '#', qos: 1 })
    await leave(rig, kept, 'kept')
    const going = await hello(rig, 'kept')
    assert.equal(await isPresent(going), true)
    await tell(await hello(rig, 'p'), 'sensors/a', 'x')
    await until(() => fresh.count('publish') + going.count('publish') === 2)
    await over(rig, end)
    assert.equal(rig.broker.counters()['sessions'], 0)
    assert.equal(rig.broker.counters()['queued_messages'], 0)
    for (const id of ['fresh', 'kept']) {
      const after = await hello(rig, id, anHour)
      assert.equal(await isPresent(after), false, id)
      await after.ping()
      assert.equal(after.count('publish'), 0, id)
    }
    await over(rig, 'stop')
    assert.deepEqual(await rig.keys(), ['b'])
  })

  test(`MQTT 5 over ${what}: a packet id of a session that has ended is new again`, { timeout }, async t => {
    const rig = await openRig5(t)
    const reader = await hello(rig, 'reader', anHour)
    await subscribe5(reader, 0, { topic: 'sensors/#', qos: 1 })
    for (const [round, payload] of ['one', 'two'].entries()) {
      const client = await hello(rig, 'p')
      client.send({ cmd: 'publish', topic: 'sensors/a', payload, qos: 2, messageId: 1, dup: false, retain: false })
      await client.next('pubrec')
      if (round === 0) await over(rig, end)
    }
    const after = await hello(rig, 'reader', anHour)
    await until(() => after.count('publish') === 2)
    assert.deepEqual(after.payloads(), ['one', 'two'])
  })

  test(`MQTT 5 over ${what}: how long a session is kept is as its client said last`, { timeout }, async t => {
    const rig = await openRig5(t, { sessionGraceMs: 0 })
    for (const id of ['stays', 'ends', 'shorter']) {
      const client = await hello(rig, id, id === 'shorter' ? anHour : 60)
      await subscribe5(client, 0, { topic: '#', qos: 1 })
      if (id === 'shorter') await leave(rig, client, id, 30)
    }
    // Written with the next that may not wait.
    await tell(await hello(rig, 'p'), 'sensors/a', 'x')
    await over(rig, end)
    pass(rig, 31_000)
    assert.equal(await isPresent(await hello(rig, 'shorter', 60)), false)
    pass(rig, 29_000)
    assert.equal(await isPresent(await hello(rig, 'stays', 60)), true)
    pass(rig, 1)
    assert.equal(await isPresent(await hello(rig, 'ends', 60)), false)
  })

  test(`MQTT 5 over ${what}: retained messages keep what they say, and are gone when they are of no use`, {
    timeout,
  }, async t => {
    const rig = await openRig5(t)
    const publisher = await hello(rig, 'p')
    await tell(publisher, 'sensors/a', '1', { ...everything, messageExpiryInterval: 60 }, true)
    await tell(publisher, 'plain/a', '2', everything, true)
    await tell(publisher, 'plain/b', '3', { messageExpiryInterval: 20 }, true)
    await over(rig, end, 20_000)
    const reader = await hello(rig, 'reader')
    await subscribe5(reader, 5, { topic: '#', qos: 1 })
    await until(() => reader.count('publish') === 2)
    await reader.ping()
    const subscriptionIdentifier = 5
    const expected = [
      message('plain/a', '2', { ...everything, subscriptionIdentifier }, true),
      message('sensors/a', '1', { ...everything, subscriptionIdentifier, messageExpiryInterval: 40 }, true),
    ]
    const byTopic = (one: unknown): string => JSON.stringify(one)
    assert.deepEqual(
      told(reader).toSorted((a, b) => byTopic(a).localeCompare(byTopic(b))),
      expected.toSorted((a, b) => byTopic(a).localeCompare(byTopic(b))),
    )
  })
}

test('MQTT 5, QoS 2 in: taken once over power cuts, its id is free after PUBREL', { timeout }, async t => {
  const rig = await openRig5(t)
  const reader = await hello(rig, 'reader', anHour)
  await subscribe5(reader, 0, { topic: '#', qos: 1 })
  const send = { cmd: 'publish', topic: 'sensors/a', qos: 2, messageId: 9, retain: false } as const
  const first = await hello(rig, 'p', anHour)
  first.send({ ...send, payload: 'one', dup: false, properties: everything })
  await first.next('pubrec')
  await over(rig, 'cut')
  const second = await hello(rig, 'p', anHour)
  second.send({ ...send, payload: 'one', dup: true, properties: everything })
  await second.next('pubrec')
  second.send({ cmd: 'pubrel', messageId: 9 })
  await second.next('pubcomp')
  await over(rig, 'cut')
  const third = await hello(rig, 'p', anHour)
  third.send({ ...send, payload: 'two', dup: false })
  await third.next('pubrec')
  const after = await hello(rig, 'reader', anHour)
  await until(() => after.count('publish') === 2)
  await after.ping()
  assert.deepEqual(told(after), [message('sensors/a', 'one', everything), message('sensors/a', 'two')])
})

test('MQTT 5, QoS 2 out: again under its id as it was, though its time is over meanwhile, then PUBREL alone', {
  timeout,
}, async t => {
  const rig = await openRig5(t)
  const first = await hello(rig, 'a', anHour)
  await subscribe5(first, 4, { topic: '#', qos: 2 })
  const publisher = await hello(rig, 'p')
  // One id is used up, so that counting from the beginning gives another.
  await tell(publisher, 'sensors/a', 'zero')
  await first.next('publish')
  acknowledge(first, first.received)
  const properties = { ...everything, messageExpiryInterval: 10 }
  publisher.send({
    cmd: 'publish',
    topic: 'sensors/a',
    payload: 'one',
    qos: 2,
    messageId: 1,
    dup: false,
    retain: false,
    properties,
  })
  await until(() => first.count('publish') === 2)
  const ids = first.messageIds('publish').slice(1)
  await over(rig, 'cut', 11_000)
  const second = await hello(rig, 'a', anHour)
  await second.next('publish')
  assert.deepEqual(second.messageIds('publish'), ids)
  assert.deepEqual(told(second), [
    message('sensors/a', 'one', { ...properties, messageExpiryInterval: 0, subscriptionIdentifier: 4 }),
  ])
  second.send({ cmd: 'pubrec', messageId: ids[0] ?? 0 })
  await second.next('pubrel')
  await over(rig, 'cut')
  const third = await hello(rig, 'a', anHour)
  await third.next('pubrel')
  await third.ping()
  assert.deepEqual([third.messageIds('pubrel'), third.count('publish')], [ids, 0])
  third.send({ cmd: 'pubcomp', messageId: ids[0] ?? 0 })
  await until(() => rig.broker.counters()['queued_messages'] === 0)
})

test('what was written while MQTT 5 was on is there for 3.1.1 when it is off, and for 5 when it is on again', {
  timeout,
}, async t => {
  const rig = await openRig5(t)
  for (const id of ['three', 'five']) {
    const client = await hello(rig, id, anHour)
    await subscribe5(client, 6, { topic: '#', qos: 2, rap: true, nl: true, rh: 1 })
    await leave(rig, client, id)
  }
  await tell(await hello(rig, 'p'), 'sensors/a', '1', { ...everything, messageExpiryInterval: 60 }, true)
  await rig.cut()
  rig.mqtt5 = false
  await rig.start()
  const publisher = await rig.client({ clientId: 'old' })
  await publish(publisher, 'plain/a', '2')
  const three = await rig.client({ clientId: 'three', clean: false })
  assert.equal(await isPresent(three), true)
  await until(() => three.count('publish') === 2)
  await publish(publisher, 'plain/a', '3')
  await until(() => three.count('publish') === 3)
  assert.deepEqual(three.payloads(), ['1', '2', '3'])
  const reader = await rig.client({ clientId: 'reader' })
  await subscribe(reader, 1, 'sensors/#')
  await reader.next('publish')
  assert.deepEqual(reader.payloads(), ['1'])
  await rig.stop()
  rig.mqtt5 = true
  await rig.start()
  const five = await hello(rig, 'five', anHour)
  assert.equal(await isPresent(five), true)
  await until(() => five.count('publish') === 3)
  const subscriptionIdentifier = 6
  assert.deepEqual(told(five), [
    message('sensors/a', '1', { ...everything, messageExpiryInterval: 60, subscriptionIdentifier }, true),
    message('plain/a', '2', { subscriptionIdentifier }),
    message('plain/a', '3', { subscriptionIdentifier }),
  ])
  const again = await hello(rig, 'again')
  await subscribe5(again, 0, { topic: 'sensors/#', qos: 1 })
  await again.next('publish')
  assert.deepEqual(told(again), [message('sensors/a', '1', { ...everything, messageExpiryInterval: 60 }, true)])
})

test('what was written while MQTT 5 was off goes on for clients of either when it is on', { timeout }, async t => {
  const rig = await openRig5(t)
  await rig.stop()
  rig.mqtt5 = false
  await rig.start()
  await rig.away('three', '#')
  await rig.away('five', '#')
  const publisher = await rig.client({ clientId: 'p', clean: false })
  await publish(publisher, 'sensors/a', '1')
  publisher.send({ cmd: 'publish', topic: 'plain/a', payload: '2', qos: 2, messageId: 7, dup: false, retain: true })
  await publisher.next('pubrec')
  await rig.cut()
  rig.mqtt5 = true
  await rig.start()
  const back = await rig.client({ clientId: 'p', clean: false })
  back.send({ cmd: 'publish', topic: 'plain/a', payload: '2', qos: 2, messageId: 7, dup: true, retain: true })
  await back.next('pubrec')
  back.send({ cmd: 'pubrel', messageId: 7 })
  await back.next('pubcomp')
  const three = await rig.client({ clientId: 'three', clean: false })
  const five = await hello(rig, 'five', anHour)
  for (const client of [three, five]) {
    assert.equal(await isPresent(client), true)
    await until(() => client.count('publish') === 2)
    await client.ping()
    assert.deepEqual(told(client), [message('sensors/a', '1'), message('plain/a', '2')])
  }
})

test('MQTT 5: the will of a client that the power cut took says all that it said', { timeout }, async t => {
  const rig = await openRig5(t, { willGraceMs: 200 })
  const will = {
    topic: 'wills/a',
    payload: Buffer.from('gone'),
    qos: 1 as const,
    retain: false,
    properties: everything,
  }
  await hello(rig, 'a', undefined, { will })
  // Written with the next that may not wait.
  await subscribe5(await hello(rig, 'reader', anHour), 0, { topic: 'wills/#', qos: 1 })
  await over(rig, 'cut')
  const reader = await hello(rig, 'reader', anHour)
  await reader.next('publish')
  assert.deepEqual(told(reader), [message('wills/a', 'gone', everything)])
})

test('MQTT 5: a client without an id is given one, under which its session goes on after a restart', {
  timeout,
}, async t => {
  const rig = await openRig5(t)
  const given: string[] = []
  for (let i = 0; i < 2; i++) {
    const client = await hello(rig, '', anHour, { clean: true })
    const connack = await client.next('connack')
    const id = (connack.cmd === 'connack' && connack.properties?.assignedClientIdentifier) || assert.fail('no id')
    assert.ok(rig.broker.connected().includes(id))
    await subscribe5(client, 0, { topic: '#', qos: 1 })
    given.push(id)
  }
  assert.notEqual(given[0], given[1])
  await over(rig, 'cut')
  await tell(await hello(rig, 'p'), 'sensors/a', 'x')
  for (const id of given) {
    const client = await hello(rig, id, anHour)
    assert.equal(await isPresent(client), true)
    await client.next('publish')
    const connack = await client.next('connack')
    assert.equal(connack.cmd === 'connack' && connack.properties?.assignedClientIdentifier, undefined)
  }
})
