import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectPacket, openClient, openRig, openSocket, publishPacket, until } from './rig.ts'

const timeout = 60_000

for (const { way, retain } of [
  { way: 'the fast path', retain: false },
  { way: 'the path through aedes', retain: true },
]) {
  test(`a QoS 1 reading on ${way} is acknowledged only after it is durable [I1, A1]`, { timeout }, async t => {
    const { intake, port } = await openRig(t)
    intake.held = true
    const client = await openClient(t, port)
    client.send(publishPacket('sensors/a/t', '1', 1, 7, retain))
    await until(() => intake.accepted.length === 1)
    await client.ping()
    assert.equal(client.count('puback'), 0)
    intake.release()
    assert.equal((await client.next('puback')).messageId, 7)
  })

  test(`a reading on ${way} that cannot be stored closes the connection unacknowledged [I1]`, { timeout }, async t => {
    const { broker, intake, port } = await openRig(t)
    intake.held = true
    const client = await openClient(t, port)
    client.send(publishPacket('sensors/a/t', '1', 1, 7, retain), publishPacket('sensors/a/t', '2', 1, 8, retain))
    await until(() => intake.accepted.length === 2)
    intake.release(new Error('disk full'))
    await until(() => client.closed)
    assert.equal(client.count('puback'), 0)
    assert.equal(broker.counters()['not_durable'], 1)
  })
}

test('a QoS 2 reading gets PUBREC only after it is durable, and is accepted once however often it is sent', {
  timeout,
}, async t => {
  const { intake, port } = await openRig(t)
  intake.held = true
  const client = await openClient(t, port)
  const publish = publishPacket('sensors/a/t', '1', 2, 9)
  client.send(publish, publish)
  await until(() => intake.accepted.length === 1)
  client.send(publish)
  await (await openClient(t, port, { clientId: 'other' })).ping() // aedes would not answer the first client now
  assert.equal(client.count('pubrec'), 0)
  intake.release()
  await client.next('pubrec')
  client.send(publish)
  await client.next('pubrec', 1)
  client.send({ cmd: 'pubrel', messageId: 9 })
  await client.next('pubcomp')
  assert.equal(intake.accepted.length, 1)
  client.send(publish)
  await until(() => intake.accepted.length === 2)
})

test('a QoS 2 reading sent again over a new connection of its session is accepted once', { timeout }, async t => {
  const { intake, port } = await openRig(t)
  intake.held = true
  const options = { clientId: 'device', clean: false }
  const first = await openClient(t, port, options)
  first.send(publishPacket('sensors/a/t', '1', 2, 9))
  await until(() => intake.accepted.length === 1)
  const second = await openClient(t, port, options)
  second.send(publishPacket('sensors/a/t', '1', 2, 9))
  await second.ping()
  assert.equal(second.count('pubrec'), 0)
  intake.release()
  assert.equal((await second.next('pubrec')).messageId, 9)
  assert.equal(intake.accepted.length, 1)
})

test('a QoS 2 reading that cannot be stored closes the connection without PUBREC', { timeout }, async t => {
  const { intake, port } = await openRig(t)
  intake.held = true
  const client = await openClient(t, port)
  client.send(publishPacket('sensors/a/t', '1', 2, 9))
  await until(() => intake.accepted.length === 1)
  intake.release(new Error('disk full'))
  await until(() => client.closed)
  assert.equal(client.count('pubrec'), 0)
})

test('acknowledgements keep the order of arrival on both paths together, however the intake finishes [MQTT-4.6.0-2]', {
  timeout,
}, async t => {
  const { intake, port } = await openRig(t)
  intake.held = true
  const client = await openClient(t, port)
  const ids = Array.from({ length: 40 }, (_, i) => i + 1)
  // Every third is retained, every fifth is no reading: both go through aedes.
  client.send(
    ...ids.map(id => publishPacket(id % 5 === 0 ? 'other/x' : 'sensors/a/t', String(id), 1, id, id % 3 === 0)),
  )
  await until(() => intake.accepted.length === 32)
  assert.deepEqual(intake.payloads, ids.filter(id => id % 5 !== 0).map(String))
  for (const { done } of intake.accepted.toReversed()) done()
  await client.next('puback', 39)
  assert.deepEqual(client.messageIds('puback'), ids)
})

test('the acknowledgements of one commit go out in one write', { timeout }, async t => {
  const { intake, port } = await openRig(t)
  intake.held = true
  const client = await openClient(t, port)
  client.send(...Array.from({ length: 100 }, (_, i) => publishPacket('sensors/a/t', String(i), 1, i + 1)))
  await until(() => intake.accepted.length === 100)
  const before = client.reads
  intake.release()
  await client.next('puback', 99)
  assert.equal(client.reads - before, 1)
})

test('a DISCONNECT right after fast publishes waits for their acknowledgements', { timeout }, async t => {
  const { intake, port } = await openRig(t)
  intake.held = true
  const client = await openClient(t, port)
  client.send(publishPacket('sensors/a/t', '1', 1, 1), publishPacket('sensors/a/t', '2', 1, 2), { cmd: 'disconnect' })
  await until(() => intake.accepted.length === 2)
  await (await openClient(t, port, { clientId: 'other' })).ping()
  assert.equal(client.closed, false)
  intake.release()
  await until(() => client.closed)
  assert.deepEqual(client.messageIds('puback'), [1, 2])
})

test('a DISCONNECT right after publishes on both paths loses no acknowledgement, and the will is not published', {
  timeout,
}, async t => {
  const { intake, port } = await openRig(t)
  intake.held = true
  const client = await openClient(t, port, {
    will: { topic: 'sensors/a/gone', payload: Buffer.from('x'), qos: 0, retain: false },
  })
  client.send(
    publishPacket('sensors/a/t', '1', 1, 1),
    publishPacket('sensors/a/t', '2', 1, 2, true),
    publishPacket('sensors/a/t', '3', 2, 3),
    { cmd: 'disconnect' },
  )
  await until(() => intake.accepted.length === 3)
  assert.equal(client.closed, false)
  intake.release()
  await until(() => client.closed)
  assert.deepEqual([client.messageIds('puback'), client.messageIds('pubrec')], [[1, 2], [3]])
  assert.deepEqual(intake.payloads, ['1', '2', '3'])
})

test('a client that ends its side after publishing is still heard and acknowledged', { timeout }, async t => {
  const { intake, port } = await openRig(t)
  const client = await openClient(t, port)
  client.send(publishPacket('sensors/a/t', '1', 1, 1), publishPacket('sensors/a/t', '2', 0))
  client.socket.end()
  await client.next('puback')
  assert.deepEqual(intake.payloads, ['1', '2'])
  await until(() => client.closed)
})

test('publishes that follow CONNECT without waiting for CONNACK are all taken', { timeout }, async t => {
  const { intake, port } = await openRig(t)
  const client = await openSocket(t, port)
  const ids = Array.from({ length: 200 }, (_, i) => i + 1)
  client.send(connectPacket(), ...ids.map(id => publishPacket('sensors/a/t', String(id), 1, id, id % 7 === 0)))
  await client.next('puback', 199)
  assert.deepEqual(client.messageIds('puback'), ids)
  assert.deepEqual(intake.payloads, ids.map(String))
})

test('the intake is told once after each chunk, so that a chunk can be one commit', { timeout }, async t => {
  const { intake, port } = await openRig(t)
  const client = await openClient(t, port)
  client.send(...Array.from({ length: 50 }, (_, i) => publishPacket('sensors/a/t', String(i), 1, i + 1)))
  await client.next('puback', 49)
  assert.equal(intake.flushes, 1)
})

test('a broker that closes waits for what it accepted', { timeout }, async t => {
  const { broker, intake, port } = await openRig(t)
  intake.held = true
  const client = await openClient(t, port)
  client.send(publishPacket('sensors/a/t', '1', 1, 1))
  await until(() => intake.accepted.length === 1)
  let closed = false
  const closing = broker.close().then(() => {
    closed = true
  })
  await new Promise(resolve => setImmediate(resolve))
  assert.equal(closed, false)
  intake.release()
  await closing
  await until(() => client.closed)
  assert.deepEqual(client.messageIds('puback'), [1])
})
