import assert from 'node:assert/strict'
import { test } from 'node:test'
import { generate } from 'mqtt-packet'
import { defaultBrokerLimits } from '../../runtime/broker/limits.ts'
import type { Publish } from '../../runtime/broker/publish.ts'
import { Persistence } from '../../runtime/broker/persistence.ts'
import { Sessions } from '../../runtime/broker/sessions.ts'
import { Tally } from '../../runtime/broker/tally.ts'
import { type Log, silentLog } from '../../runtime/log.ts'
import { openClient, openRig, openSocket, connectPacket, publishPacket, until } from './rig.ts'

const timeout = 60_000

test('a QoS 0 flood is paused: what is accepted and not done stays bounded, and nothing is lost', {
  timeout,
}, async t => {
  const limits = { pendingBytesPerConnectionMax: 256 * 1024, pendingBytesMax: 1024 * 1024 }
  const { broker, intake, port } = await openRig(t, limits)
  intake.held = true
  const clients = await Promise.all(Array.from({ length: 8 }, (_, i) => openClient(t, port, { clientId: `flood${i}` })))
  const count = 3_000
  for (const client of clients)
    client.send(...Array.from({ length: count }, (_, i) => publishPacket('sensors/a/t', `${i} ${'x'.repeat(500)}`)))
  await until(() => (broker.counters()['pauses'] ?? 0) >= 4)
  for (let i = 0; i < 20; i++) await new Promise(resolve => setTimeout(resolve, 5))
  const held = broker.counters()['pending_bytes'] ?? 0
  assert.ok(held > 0 && held < 1024 * 1024 + 8 * 256 * 1024, `${held}`)
  assert.ok(intake.accepted.length < count * 8)
  intake.held = false
  intake.release()
  await until(() => intake.accepted.length === count * 8)
  await until(() => broker.counters()['pending_bytes'] === 0)
  assert.ok((broker.counters()['pending_bytes_peak'] ?? 0) < 2e6 + 8 * 256 * 1024)
  for (let i = 0; i < 8; i++) {
    const own = intake.accepted.filter(({ publish }) => publish.client === `flood${i}`)
    assert.deepEqual(
      own.map(({ publish }) => Number.parseInt(publish.payload.toString(), 10)),
      Array.from({ length: count }, (_, at) => at),
    )
  }
})

test('a client that does not read what it is sent is paused, then dropped [A7]', { timeout }, async t => {
  const { broker, intake, port } = await openRig(t, { drainTimeoutMs: 200 })
  const client = await openClient(t, port)
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'sensors/#', qos: 0 }] })
  await client.next('suback')
  client.socket.pause()
  const packet = generate(publishPacket('sensors/a', 'x'.repeat(100_000), 1, 1))
  const pump = () => {
    while (!client.socket.destroyed && client.socket.write(packet));
  }
  client.socket.on('drain', pump)
  pump()
  await until(() => broker.counters()['refused_slow_reader'] === 1)
  client.socket.destroy()
  await until(() => broker.counters()['connections'] === 0 && broker.counters()['pending_bytes'] === 0)
  assert.ok(intake.accepted.length > 0)
  assert.ok((broker.counters()['pending_bytes_peak'] ?? 0) < defaultBrokerLimits.pendingBytesPerConnectionMax * 2)
})

test('a publish is charged with the whole chunk that it keeps in memory', { timeout }, async t => {
  const { broker, intake, port } = await openRig(t)
  intake.held = true
  const client = await openClient(t, port)
  const pings = Buffer.concat(Array.from({ length: 8_000 }, () => Buffer.from([0xc0, 0])))
  client.send(generate(publishPacket('sensors/a', '1', 1, 1)), pings)
  await until(() => intake.accepted.length === 1)
  assert.ok((broker.counters()['pending_bytes'] ?? 0) > 8_000)
  intake.release()
  await client.next('puback')
  assert.equal(broker.counters()['pending_bytes'], 0)
})

test('an intake that throws closes the connection and harms nobody else', { timeout }, async t => {
  const { intake, port } = await openRig(t)
  const { accept } = intake
  Object.assign(intake, {
    accept: (publish: Publish, done: (error?: Error) => void) => {
      if (publish.client === 'bad') throw new Error('a bug')
      accept(publish, done)
    },
  })
  for (const retain of [false, true]) {
    const bad = await openClient(t, port, { clientId: 'bad' })
    bad.send(publishPacket('sensors/a', '1', 1, 1, retain))
    await until(() => bad.closed)
    assert.equal(bad.count('puback'), 0)
  }
  const good = await openClient(t, port, { clientId: 'good' })
  good.send(publishPacket('sensors/a', '1', 1, 1))
  await good.next('puback')
})

test('retained messages are bounded by count; beyond, they are delivered but not kept, and counted [A4]', {
  timeout,
}, async t => {
  const { broker, port } = await openRig(t, { retainedMessagesMax: 3 })
  const client = await openClient(t, port)
  client.send(...[1, 2, 3, 4, 5].map(id => publishPacket(`sensors/${id}`, 'x', 1, id, true)))
  await client.next('puback', 4)
  const counters = broker.counters()
  assert.deepEqual([counters['retained_messages'], counters['retained_refused']], [3, 2])
})

test('persistent sessions are bounded: one too many gets CONNACK 3, and a free place can be taken', {
  timeout,
}, async t => {
  const { broker, port } = await openRig(t, { sessionsMax: 2 })
  const one = await openClient(t, port, { clientId: 'one', clean: false })
  const two = await openClient(t, port, { clientId: 'two', clean: false })
  two.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'x', qos: 1 }] })
  await two.next('suback')
  two.socket.destroy()
  const three = await openSocket(t, port)
  three.send(connectPacket({ clientId: 'three', clean: false }))
  await until(() => three.closed)
  assert.equal(three.received[0]?.cmd === 'connack' && three.received[0].returnCode, 3)
  one.socket.destroy() // it subscribed to nothing, so nothing is kept for it
  await until(() => broker.counters()['sessions'] === 1)
  await openClient(t, port, { clientId: 'three', clean: false })
})

test('the queue of an absent session is bounded, and said so once', { timeout }, async t => {
  const { broker, port } = await openRig(t, { queuedMessagesPerSessionMax: 3 })
  const away = await openClient(t, port, { clientId: 'away', clean: false })
  away.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'sensors/#', qos: 1 }] })
  await away.next('suback')
  away.socket.destroy()
  await until(() => broker.connected().length === 0)
  const client = await openClient(t, port)
  client.send(...[1, 2, 3, 4, 5].map(id => publishPacket('sensors/a', `${id}`, 1, id)))
  await client.next('puback', 4)
  await until(() => broker.counters()['queue_dropped'] === 2)
  const back = await openClient(t, port, { clientId: 'away', clean: false })
  await until(() => back.count('publish') === 3)
  assert.deepEqual(back.payloads(), ['1', '2', '3'])
})

test('packets that name no session leave nothing behind', { timeout }, async () => {
  const clock = { monotonicMs: () => 0, trustedMs: () => 0 }
  const sessions = await Sessions.open(defaultBrokerLimits, new Tally(silentLog, () => 0), { clock })
  const persistence = new Persistence(sessions)
  for (let i = 0; i < 100; i++) {
    const client = { id: `stranger${i}` }
    await persistence.outgoingClearMessageId(client, { messageId: 1 })
    await persistence.cleanSubscriptions(client)
    await persistence.incomingStorePacket(client, {
      cmd: 'publish',
      topic: 'a',
      payload: Buffer.from('x'),
      qos: 2,
      retain: false,
      messageId: 1,
    })
    await persistence.cleanIncoming(client)
  }
  assert.ok(Object.values(sessions.counts()).every(count => count === 0))
})

test('a cause is logged at most once a second, with how often it happened, and long names are cut', () => {
  const lines: unknown[] = []
  let now = 10_000
  const log = { ...silentLog, warn: (fields: unknown) => lines.push(fields) } as unknown as Log
  const tally = new Tally(log, () => now)
  for (let i = 0; i < 1_000; i++) tally.warn('refused_qos', 'Refused', { client: 'x'.repeat(1_000) })
  now += 1_000
  tally.warn('refused_qos', 'Refused', { client: 'y' })
  const client = `${'x'.repeat(256)}…`
  assert.deepEqual(lines, [
    { cause: 'refused_qos', count: 1, client },
    { cause: 'refused_qos', count: 1_000, client: 'y' },
  ])
  assert.deepEqual(tally.counts(), { refused_qos: 1_001 })
})
