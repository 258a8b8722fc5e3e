import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test, type TestContext } from 'node:test'
import { connectAsync } from 'mqtt'
import { openClient, openRig, publishPacket, type RawClient, until } from './rig.ts'

const timeout = 60_000

async function subscribe(client: RawClient, ...filters: string[]): Promise<void> {
  const before = client.count('suback')
  client.send({ cmd: 'subscribe', messageId: 900 + before, subscriptions: filters.map(topic => ({ topic, qos: 1 })) })
  await client.next('suback', before)
}

test('a subscriber hears readings of the fast path after they are durable, by name, by + and by #', {
  timeout,
}, async t => {
  const { broker, intake, port } = await openRig(t)
  const publisher = await openClient(t, port, { clientId: 'publisher' })
  publisher.send(publishPacket('sensors/a/t', 'before', 1, 1)) // nobody listens: this answer is remembered
  await publisher.next('puback')
  const inside: string[] = []
  await broker.subscribe('sensors/+/t', message => inside.push(message.payload.toString()))
  const subscribers: RawClient[] = []
  for (const filter of ['sensors/a/t', 'sensors/+/t', '#']) {
    const subscriber = await openClient(t, port, { clientId: filter })
    await subscribe(subscriber, filter)
    subscribers.push(subscriber)
  }
  intake.held = true
  publisher.send(publishPacket('sensors/a/t', 'one', 1, 2), publishPacket('sensors/a/t', 'two', 0))
  await until(() => intake.accepted.length === 3)
  for (const subscriber of subscribers) {
    await subscriber.ping()
    assert.deepEqual(subscriber.payloads(), [])
  }
  intake.release()
  for (const subscriber of subscribers) {
    await until(() => subscriber.count('publish') === 2)
    assert.deepEqual(subscriber.payloads(), ['one', 'two'])
  }
  assert.deepEqual(inside, ['one', 'two'])
})

test('an unsubscribed client hears no more', { timeout }, async t => {
  const { port } = await openRig(t)
  const client = await openClient(t, port)
  await subscribe(client, 'sensors/#')
  client.send(publishPacket('sensors/a/t', '1', 0))
  await client.next('publish')
  client.send({ cmd: 'unsubscribe', messageId: 5, unsubscriptions: ['sensors/#'] })
  await client.next('unsuback')
  client.send(publishPacket('sensors/a/t', '2', 1, 1))
  await client.next('puback')
  await client.ping()
  assert.deepEqual(client.payloads(), ['1'])
})

test('a QoS 1 or retained publish is not overtaken and lost when QoS 0 follows at once', { timeout }, async t => {
  const { port } = await openRig(t)
  const subscriber = await openClient(t, port, { clientId: 'subscriber' })
  await subscribe(subscriber, 'other/#', 'sensors/#')
  const publisher = await openClient(t, port, { clientId: 'publisher' })
  publisher.send(
    publishPacket('other/x', '1', 1, 1),
    publishPacket('other/x', '2', 0),
    publishPacket('sensors/x', '3', 1, 2),
    publishPacket('sensors/x', '4', 0),
    publishPacket('sensors/x', '5', 1, 3, true),
    publishPacket('sensors/x', '6', 0),
  )
  await until(() => subscriber.count('publish') === 6)
  assert.deepEqual(subscriber.payloads().toSorted(), ['1', '2', '3', '4', '5', '6'])
})

test('a persistent session gets what was published while it was away, in order', { timeout }, async t => {
  const { port } = await openRig(t)
  const options = { clientId: 'away', clean: false }
  const before = await openClient(t, port, options)
  await subscribe(before, 'sensors/#')
  before.send({ cmd: 'disconnect' })
  await until(() => before.closed)
  const publisher = await openClient(t, port, { clientId: 'publisher' })
  publisher.send(...[1, 2, 3, 4, 5].map(id => publishPacket('sensors/a/t', `${id}`, 1, id)))
  await publisher.next('puback', 4)
  const after = await openClient(t, port, options)
  assert.equal(after.received[0]?.cmd === 'connack' && after.received[0].sessionPresent, true)
  await until(() => after.count('publish') === 5)
  assert.deepEqual(after.payloads(), ['1', '2', '3', '4', '5'])
  for (const packet of after.received)
    if (packet.cmd === 'publish') after.send({ cmd: 'puback', messageId: packet.messageId ?? 0 })
  await after.ping()
  after.socket.destroy()
  const again = await openClient(t, port, options)
  await again.ping()
  assert.deepEqual(again.payloads(), [])
})

test('a retained reading is delivered to later subscribers, and removed by an empty one', { timeout }, async t => {
  const { broker, port } = await openRig(t)
  const publisher = await openClient(t, port, { clientId: 'publisher' })
  publisher.send(publishPacket('sensors/a/t', 'kept', 1, 1, true))
  await publisher.next('puback')
  await broker.publish('holdfast/alerts/x', 'firing', { qos: 1, retain: true })
  const later = await openClient(t, port, { clientId: 'later' })
  await subscribe(later, '#')
  await until(() => later.count('publish') === 2)
  assert.deepEqual(later.payloads().toSorted(), ['firing', 'kept'])
  publisher.send(publishPacket('sensors/a/t', '', 1, 2, true))
  await publisher.next('puback', 1)
  const last = await openClient(t, port, { clientId: 'last' })
  await subscribe(last, 'sensors/#')
  await last.ping()
  assert.deepEqual(last.payloads(), [])
})

test('a subscriber inside the process that throws harms nobody', { timeout }, async t => {
  const { broker, port } = await openRig(t)
  await broker.subscribe('sensors/#', () => {
    throw new Error('broken')
  })
  const client = await openClient(t, port)
  client.send(publishPacket('sensors/a/t', '1', 1, 1))
  await client.next('puback')
  await until(() => broker.counters()['subscriber_failed'] === 1)
  await client.ping()
})

function run(
  t: TestContext,
  command: string,
  args: readonly string[],
): { output: () => string; ended: Promise<number | null> } {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', chunk => (output += String(chunk)))
  child.stderr.on('data', chunk => (output += String(chunk)))
  const ended = new Promise<number | null>(resolve => child.on('close', resolve))
  t.after(async () => {
    child.kill()
    await ended
  })
  return { output: () => output, ended }
}

test('mosquitto_pub stores readings with QoS 0, 1 and 2, each once, and mosquitto_sub hears them', {
  timeout,
}, async t => {
  const { broker, intake, port } = await openRig(t)
  const at = ['-h', '127.0.0.1', '-p', String(port)]
  const heard = run(t, '/usr/bin/mosquitto_sub', [...at, '-t', 'sensors/#', '-q', '2', '-v', '-C', '3'])
  await until(() => broker.connected().length === 1)
  // Its subscription is in force once a message of ours comes through.
  await (await openClient(t, port, { clientId: 'waiter' })).ping()
  for (const qos of ['0', '1', '2']) {
    const { ended, output } = run(t, '/usr/bin/mosquitto_pub', [
      ...at,
      '-t',
      'sensors/freezer-1/temperature',
      '-m',
      `9.${qos}`,
      '-q',
      qos,
    ])
    assert.equal(await ended, 0, output())
  }
  await until(() => intake.accepted.length >= 3)
  assert.deepEqual(intake.payloads, ['9.0', '9.1', '9.2'])
  assert.deepEqual(
    intake.accepted.map(({ publish }) => publish.qos),
    [0, 1, 2],
  )
  await heard.ended
  assert.deepEqual(
    heard.output().trim().split('\n'),
    ['9.0', '9.1', '9.2'].map(value => `sensors/freezer-1/temperature ${value}`),
  )
})

test('mqtt.js publishes with every QoS, retained and not, and subscribes', { timeout }, async t => {
  const { intake, port } = await openRig(t)
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: 'js', reconnectPeriod: 0 })
  t.after(() => client.endAsync(true))
  const heard: string[] = []
  client.on('message', (_topic, payload) => heard.push(payload.toString()))
  await client.subscribeAsync('sensors/#', { qos: 1 })
  for (const qos of [0, 1, 2] as const) {
    for (const retain of [false, true]) await client.publishAsync('sensors/js/t', `${qos}${retain}`, { qos, retain })
  }
  await until(() => heard.length === 6 && intake.accepted.length === 6)
  assert.deepEqual(intake.payloads, ['0false', '0true', '1false', '1true', '2false', '2true'])
})
