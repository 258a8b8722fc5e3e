import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { anybody } from '../../runtime/broker/access.ts'
import { openBroker } from '../../runtime/broker/broker.ts'
import { defaultBrokerLimits } from '../../runtime/broker/limits.ts'
import { HoldfastError } from '../../runtime/errors.ts'
import { silentLog } from '../../runtime/log.ts'
import {
  access,
  type ConnectOptions,
  connectPacket,
  HeldIntake,
  openClient,
  openRig,
  openSocket,
  publishPacket,
  until,
} from './rig.ts'

const timeout = 60_000
const will = (topic: string, payload = 'gone', qos: 0 | 1 | 2 = 0) => ({
  topic,
  payload: Buffer.from(payload),
  qos,
  retain: false,
})

const refusals: readonly { what: string; options: ConnectOptions; returnCode?: number; cause: string }[] = [
  { what: 'MQTT 5 [A10]', options: { protocolVersion: 5 }, returnCode: 1, cause: 'protocol_version' },
  {
    what: 'a client id with a control character [A8]',
    options: { clientId: 'a\u0007b' },
    returnCode: 2,
    cause: 'client_id',
  },
  { what: 'a client id with U+FFFF [A8]', options: { clientId: 'a\uffff' }, returnCode: 2, cause: 'client_id' },
  { what: 'a client id of 257 bytes', options: { clientId: 'x'.repeat(257) }, returnCode: 2, cause: 'client_id' },
  { what: 'a user name with U+0000 [A8]', options: { username: 'a\u0000' }, returnCode: 4, cause: 'user_name' },
  { what: 'a will on $SYS [A3]', options: { will: will('$SYS/x') }, cause: 'will_topic_system' },
  { what: 'a will with a wildcard', options: { will: will('a/#') }, cause: 'will_topic_wildcard' },
  { what: 'a will with a control character', options: { will: will('a\nb') }, cause: 'will_topic_characters' },
  { what: 'a will of 3 kB [A12]', options: { will: will('a', 'x'.repeat(3_000)) }, cause: 'will_bytes' },
]
for (const { what, options, returnCode, cause } of refusals) {
  test(`${what} is refused at CONNECT`, { timeout }, async t => {
    const { broker, port } = await openRig(t, {}, undefined, { mqtt5: false })
    const client = await openSocket(t, port)
    client.send(connectPacket(options))
    await until(() => client.closed)
    const codes = client.received.map(packet => (packet.cmd === 'connack' ? packet.returnCode : packet.cmd))
    assert.deepEqual(codes, returnCode === undefined ? [] : [returnCode])
    assert.equal(broker.counters()[`refused_${cause}`], 1)
    assert.deepEqual(broker.connected(), [])
  })
}

test('a will QoS of 3 is refused at CONNECT [A8]', { timeout }, async t => {
  const { port } = await openRig(t)
  const client = await openSocket(t, port)
  client.send(Buffer.from('10120004 4d515454 04 1e 0000 0001 61 0001 62 0001 63'.replaceAll(' ', ''), 'hex'))
  await until(() => client.closed)
  assert.equal(client.received.length, 0)
})

test('an empty client id that wants a session gets CONNACK 2 [A9, MQTT-3.1.3-8]', { timeout }, async t => {
  const { broker, port } = await openRig(t)
  const client = await openSocket(t, port)
  client.send(Buffer.from('100c00044d5154540400003c0000', 'hex'))
  await until(() => client.closed)
  assert.equal(client.received[0]?.cmd === 'connack' && client.received[0].returnCode, 2)
  assert.equal(broker.counters()['refused_client_id_empty'], 1)
})

test('an empty client id with a clean session gets an id of its own', { timeout }, async t => {
  const { broker, port } = await openRig(t)
  await openClient(t, port, { clientId: '' })
  assert.equal(broker.connected().length, 1)
})

test('the will of a client that vanishes reaches the intake as a reading, and subscribers [A12]', {
  timeout,
}, async t => {
  const { broker, intake, port } = await openRig(t)
  const heard: string[] = []
  await broker.subscribe('sensors/#', ({ topic, payload }) => heard.push(`${topic} ${payload.toString()}`))
  const client = await openClient(t, port, { clientId: 'device', will: will('sensors/device/state', 'gone', 1) })
  client.socket.destroy()
  await until(() => heard.length === 1)
  assert.deepEqual(heard, ['sensors/device/state gone'])
  const { client: id, topic, qos } = intake.accepted[0]?.publish ?? {}
  assert.deepEqual({ id, topic, qos }, { id: 'device', topic: 'sensors/device/state', qos: 1 })
})

test('a will on a topic that the client may not publish to is refused at CONNECT [A12]', { timeout }, async t => {
  const { broker, intake, port } = await openRig(
    t,
    {},
    access(({ client }) => ({ mayPublish: topic => topic.startsWith(`sensors/${client}/`) })),
  )
  const thief = await openSocket(t, port)
  thief.send(connectPacket({ clientId: 'thief', will: will('sensors/device/state') }))
  const connack = await thief.next('connack')
  assert.equal(connack.cmd === 'connack' && connack.returnCode, 5)
  await until(() => thief.closed)
  assert.equal(broker.counters()['refused_will_denied'], 1)
  await (await openClient(t, port)).ping()
  assert.equal(intake.accepted.length, 0)
})

test('a will that the client may not publish any more is not published [A12]', { timeout }, async t => {
  let isAllowed = true
  const { broker, intake, port } = await openRig(
    t,
    {},
    access(() => ({ mayPublish: () => isAllowed })),
  )
  const client = await openClient(t, port, { clientId: 'c', will: will('sensors/c/state') })
  isAllowed = false
  client.socket.destroy()
  await until(() => broker.connected().length === 0)
  await (await openClient(t, port)).ping()
  assert.equal(intake.accepted.length, 0)
})

test('a publish that the client may not make closes the connection on both paths', { timeout }, async t => {
  const { broker, intake, port } = await openRig(
    t,
    {},
    access(({ client }) => ({ mayPublish: topic => topic.startsWith(`sensors/${client}/`) })),
  )
  for (const retain of [false, true]) {
    const client = await openClient(t, port, { clientId: 'me' })
    client.send(publishPacket('sensors/me/t', 'mine', 1, 1, retain))
    await client.next('puback')
    client.send(publishPacket('sensors/you/t', 'yours', 1, 2, retain))
    await until(() => client.closed)
  }
  assert.deepEqual(intake.payloads, ['mine', 'mine'])
  assert.equal(broker.counters()['refused_publish_denied'], 2)
})

test('wrong credentials get CONNACK 5', { timeout }, async t => {
  const { broker, port } = await openRig(
    t,
    {},
    {
      authenticate: ({ user, password }) => (user === 'a' && password?.toString() === 'b' ? anybody : 'denied'),
      standIn: () => undefined,
    },
  )
  const wrong = await openSocket(t, port)
  wrong.send(connectPacket({ username: 'a', password: Buffer.from('c') }))
  await until(() => wrong.closed)
  assert.deepEqual(
    wrong.received.map(packet => (packet.cmd === 'connack' ? packet.returnCode : 0)),
    [5],
  )
  await openClient(t, port, { clientId: 'right', username: 'a', password: Buffer.from('b') })
  assert.deepEqual([broker.connected(), broker.counters()['refused_login']], [['right'], 1])
})

test('subscriptions to $SYS, to bad filters and beyond the limit are refused with 0x80, others hold', {
  timeout,
}, async t => {
  const { port } = await openRig(
    t,
    { subscriptionsPerClientMax: 2 },
    access(() => ({ maySubscribe: filter => filter !== 'secret' && !filter.startsWith('$') })),
  )
  const client = await openClient(t, port)
  const filters = ['$SYS/#', '$share/g/a', 'secret', 'a/+', 'a/1/2/3/4/5/6/7/8', 'b', 'c']
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: filters.map(topic => ({ topic, qos: 1 })) })
  const suback = await client.next('suback')
  assert.deepEqual(suback.cmd === 'suback' && suback.granted, [128, 128, 128, 1, 128, 1, 128])
})

test('$SYS may be subscribed to where it is allowed, and # never matches it', { timeout }, async t => {
  const { broker, port } = await openRig(
    t,
    {},
    access(({ client }) => ({ maySubscribe: filter => client === 'admin' || !filter.startsWith('$') })),
  )
  const admin = await openClient(t, port, { clientId: 'admin' })
  admin.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$SYS/broker/#', qos: 0 }] })
  const anyone = await openClient(t, port, { clientId: 'anyone' })
  anyone.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 0 }] })
  await anyone.next('suback')
  await admin.next('suback')
  await broker.publish('$SYS/broker/uptime', '7 seconds')
  await until(() => admin.payloads().includes('7 seconds'))
  await anyone.ping()
  assert.deepEqual(anyone.payloads(), [])
})

test('connections beyond the limit are closed, and their place is free again afterwards', { timeout }, async t => {
  const { broker, port } = await openRig(t, { connectionsPerAddressMax: 2 })
  const first = await openClient(t, port, { clientId: 'a' })
  await openClient(t, port, { clientId: 'b' })
  const third = await openSocket(t, port)
  await until(() => third.closed)
  assert.equal(broker.counters()['refused_connections_per_address'], 1)
  first.socket.destroy()
  await until(() => broker.counters()['connections'] === 1)
  await openClient(t, port, { clientId: 'd' })
})

test('a connection that says nothing is closed, and one that drips its CONNECT too [A14]', { timeout }, async t => {
  const { broker, port } = await openRig(t, { connectTimeoutMs: 100 })
  const silent = await openSocket(t, port)
  const dripping = await openSocket(t, port)
  dripping.send(Buffer.from('10', 'hex'))
  await until(() => silent.closed && dripping.closed)
  assert.equal(broker.counters()['refused_connect_timeout'], 2)
})

test('a client that publishes often but never pings stays; a silent one is dropped [MQTT-3.1.2-24]', {
  timeout,
}, async t => {
  const { broker, port } = await openRig(t)
  const busy = await openClient(t, port, { clientId: 'busy', keepalive: 1 })
  const silent = await openClient(t, port, { clientId: 'silent', keepalive: 1 })
  for (let id = 1; !silent.closed; id++) {
    busy.send(publishPacket('sensors/a/t', 'x', 1, id))
    await busy.next('puback', id - 1)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  assert.equal(busy.closed, false)
  assert.deepEqual([broker.connected(), broker.counters()['refused_keepalive']], [['busy'], 1])
})

test('a client id that comes again takes over from the connection before it [MQTT-3.1.4-2]', { timeout }, async t => {
  const { broker, intake, port } = await openRig(t)
  intake.held = true
  const first = await openClient(t, port, { clientId: 'same' })
  first.send(publishPacket('sensors/a/t', 'first', 1, 1))
  await until(() => intake.accepted.length === 1)
  const second = await openClient(t, port, { clientId: 'same' })
  await until(() => first.closed)
  second.send(publishPacket('sensors/a/t', 'second', 1, 1))
  await until(() => intake.accepted.length === 2)
  intake.release()
  await second.next('puback')
  await second.ping()
  assert.deepEqual([first.count('puback'), second.count('puback')], [0, 1])
  assert.deepEqual(broker.connected(), ['same'])
})

test('an address in use is told in one sentence with its port and what to do', { timeout }, async t => {
  const other = createServer()
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
  t.after(() => other.close())
  const { port } = other.address() as { port: number }
  const open = (host: string) =>
    openBroker({
      listen: [
        { host: '127.0.0.1', port: 0 },
        { host, port },
      ],
      limits: defaultBrokerLimits,
      intake: new HeldIntake(),
      now: () => 0,
      log: silentLog,
    })
  await assert.rejects(open('127.0.0.1'), (error: unknown) => {
    assert.ok(error instanceof HoldfastError)
    assert.equal(error.code, 'ADDRESS_IN_USE')
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}`))
    assert.match(error.hint, /configuration/)
    return true
  })
  await assert.rejects(open('203.0.113.9'), { code: 'ADDRESS_UNAVAILABLE' })
})
