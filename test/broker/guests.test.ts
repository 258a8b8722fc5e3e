/** Who is let in, and what the broker does with the answer of the access door. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Access, anybody } from '../../runtime/broker/access.ts'
import { type Log, silentLog } from '../../runtime/log.ts'
import { access, connectPacket, openClient, openRig, openSocket, publishPacket, until } from './rig.ts'

const timeout = 20_000
/** Every name is a user. */
const byName = access(({ user = '' }) => ({ user }))

test('a client id in use by one user is not given to another [A5]', { timeout }, async t => {
  const { broker, port } = await openRig(t, {}, byName)
  const honest = await openClient(t, port, { clientId: 'pump-1', username: 'pump' })
  const thief = await openSocket(t, port)
  thief.send(connectPacket({ clientId: 'pump-1', username: 'thief' }))
  await until(() => thief.closed)
  assert.deepEqual(
    thief.received.map(packet => (packet.cmd === 'connack' ? packet.returnCode : 0)),
    [5],
  )
  assert.equal(broker.counters()['refused_client_id_taken'], 1)
  await honest.ping()
  await openClient(t, port, { clientId: 'pump-1', username: 'pump' })
  await until(() => honest.closed)
  assert.deepEqual(broker.connected(), ['pump-1'], 'its own user takes it over')
})

test('a client id is free again once its connection has closed', { timeout }, async t => {
  const { broker, port } = await openRig(t, {}, byName)
  const first = await openClient(t, port, { clientId: 'c', username: 'one' })
  first.socket.destroy()
  await until(() => broker.connected().length === 0)
  await openClient(t, port, { clientId: 'c', username: 'two' })
  assert.deepEqual(broker.connected(), ['c'])
})

test('a login may take its time, and of two with one client id only one user gets it', { timeout }, async t => {
  const waiting: (() => void)[] = []
  const slow: Access = {
    authenticate: ({ user = '' }) =>
      new Promise(resolve => waiting.push(() => resolve(user === 'nobody' ? 'denied' : { ...anybody, user }))),
    standIn: () => undefined,
  }
  const { broker, intake, port } = await openRig(t, {}, slow)
  const clients = []
  for (const username of ['one', 'two', 'nobody']) {
    const client = await openSocket(t, port)
    client.send(connectPacket({ clientId: 'c', username }), publishPacket('sensors/a', username, 1, 1))
    await until(() => waiting.length === clients.length + 1)
    clients.push(client)
  }
  for (const answer of waiting) answer()
  const [one, two, nobody] = clients
  await one?.next('puback')
  await until(() => two?.closed === true && nobody?.closed === true)
  assert.deepEqual(intake.payloads, ['one'], 'nothing is heard of whom nobody has let in')
  assert.deepEqual([broker.counters()['refused_client_id_taken'], broker.counters()['refused_login']], [1, 1])
})

test('a client that goes while its login is judged leaves nothing behind', { timeout }, async t => {
  const waiting: { readonly isGone: () => boolean; readonly answer: () => void }[] = []
  const slow: Access = {
    authenticate: ({ user = '', isGone }) =>
      new Promise(resolve => waiting.push({ isGone, answer: () => resolve({ ...anybody, user }) })),
    standIn: () => undefined,
  }
  const { broker, port } = await openRig(t, {}, slow)
  const gone = await openSocket(t, port)
  gone.send(connectPacket({ clientId: 'c', username: 'one' }))
  await until(() => waiting.length === 1)
  gone.socket.resetAndDestroy()
  await until(() => waiting[0]?.isGone() === true)
  waiting[0]?.answer()
  const next = await openSocket(t, port)
  next.send(connectPacket({ clientId: 'c', username: 'two' }))
  await until(() => waiting.length === 2)
  waiting[1]?.answer()
  await next.next('connack')
  assert.deepEqual(broker.connected(), ['c'])
})

test('a login that cannot be judged, or for which there is no time, lets nobody in', { timeout }, async t => {
  const failing: Access = {
    authenticate: ({ user }) =>
      user === 'busy' ? 'busy' : user === 'later' ? Promise.reject(new Error('x')) : assert.fail('x'),
    standIn: () => undefined,
  }
  const { broker, port } = await openRig(t, {}, failing)
  const codes = []
  for (const username of ['busy', 'later', 'now']) {
    const client = await openSocket(t, port)
    client.send(connectPacket({ username }))
    const connack = await client.next('connack')
    codes.push(connack.cmd === 'connack' && connack.returnCode)
  }
  assert.deepEqual(codes, [3, 5, 5])
  assert.deepEqual([broker.counters()['broker_error'], broker.counters()['refused_login_busy']], [2, 1])
})

test('what a visitor may not receive it is not sent, live or retained', { timeout }, async t => {
  const rights = access(({ client }) => ({ mayReceive: topic => client !== 'reader' || topic !== 'secret' }))
  const { port } = await openRig(t, {}, rights)
  const writer = await openClient(t, port, { clientId: 'writer' })
  writer.send(publishPacket('secret', 'before', 1, 1, true), publishPacket('open', 'before', 1, 2, true))
  await writer.next('puback', 1)
  const reader = await openClient(t, port, { clientId: 'reader' })
  reader.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 1 }] })
  await reader.next('suback')
  writer.send(publishPacket('secret', 'live', 1, 3), publishPacket('open', 'live', 1, 4))
  await writer.next('puback', 3)
  await until(() => reader.payloads().length >= 2)
  await reader.ping()
  assert.deepEqual(reader.payloads(), ['before', 'live'])
})

test('a visitor who would not be let in again as it was is disconnected when asked again', { timeout }, async t => {
  const former = new Set<string>()
  const { broker, port } = await openRig(
    t,
    {},
    access(({ client }) => ({ isCurrent: () => !former.has(client) })),
  )
  const stays = await openClient(t, port, { clientId: 'stays' })
  const goes = await openClient(t, port, { clientId: 'goes' })
  former.add('goes')
  broker.review()
  await until(() => goes.closed)
  await stays.ping()
  assert.deepEqual(broker.connected(), ['stays'])
})

test('a broker closes while a login is still judged', { timeout }, async t => {
  let asked = false
  const silent: Access = {
    authenticate: () => {
      asked = true
      return new Promise(() => undefined)
    },
    standIn: () => undefined,
  }
  const { broker, port } = await openRig(t, {}, silent)
  const client = await openSocket(t, port)
  client.send(connectPacket())
  await until(() => asked)
  await broker.close()
  await until(() => client.closed)
})

for (const mqtt5 of [false, true]) {
  test(`whoever may do something else by the time it is let in is sent away, mqtt5 ${mqtt5}`, { timeout }, async t => {
    let isCurrent = true
    const changing: Access = {
      authenticate: () => {
        // After the answer, and before the client is known to the engine.
        process.nextTick(() => {
          isCurrent = false
          broker.review()
        })
        return { ...anybody, isCurrent: () => isCurrent }
      },
      standIn: () => undefined,
    }
    const { broker, intake, port } = await openRig(t, {}, changing, { mqtt5 })
    const client = await openSocket(t, port)
    client.send(connectPacket(), publishPacket('sensors/a', 'x', 1, 1))
    await until(() => client.closed)
    assert.deepEqual([broker.connected(), intake.payloads], [[], []])
  })
}

/** The stranger is nobody, and nobody else may touch a valve. */
const noStranger: Access = {
  authenticate: ({ user = '' }) =>
    user === 'stranger' ? 'denied' : { ...anybody, user, mayPublish: topic => !topic.startsWith('valves/') },
  standIn: () => undefined,
}

test('the log says of whom is refused which user it is, and where that one wanted to publish', { timeout }, async t => {
  const lines: Record<string, unknown>[] = []
  const write = (fields: Record<string, unknown>): number => lines.push(fields)
  const log = { ...silentLog, warn: write, child: () => log } as unknown as Log
  const { port } = await openRig(t, {}, noStranger, { log })
  const guesser = await openSocket(t, port)
  guesser.send(connectPacket({ clientId: 'g', username: 'stranger' }))
  await until(() => guesser.closed)
  const meter = await openClient(t, port, { clientId: 'm', username: 'meter' })
  meter.send(publishPacket('valves/1', 'open', 1, 1))
  await until(() => meter.closed)
  const told = lines.map(({ cause, client, user, topic }) => ({ cause, client, user, topic }))
  assert.deepEqual(told, [
    { cause: 'refused_login', client: 'g', user: 'stranger', topic: undefined },
    { cause: 'refused_publish_denied', client: 'm', user: 'meter', topic: 'valves/1' },
  ])
})
