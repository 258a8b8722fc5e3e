/** What is kept under a client id belongs to its user, over restarts too [A3, A5, A12]. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Access, anybody, type Visitor } from '../../runtime/broker/access.ts'
import { acknowledge, openKept, publish, subscribe } from './kept-rig.ts'
import { type RawClient, until } from './rig.ts'

const timeout = 60_000

/** Users come in by name alone, and may have what the test says. */
class Door implements Access {
  readonly users = new Map<string, Partial<Visitor>>()

  readonly authenticate = ({ user = '' }: { readonly user: string | undefined }): Visitor | 'denied' =>
    this.standIn(user) ?? 'denied'

  readonly standIn = (user: string): Visitor | undefined => {
    const rights = this.users.get(user)
    return rights && { ...anybody, user, isCurrent: () => this.users.get(user) === rights, ...rights }
  }
}

const codeOf = async (client: RawClient): Promise<unknown> => {
  const connack = await client.next('connack')
  return connack.cmd === 'connack' && connack.returnCode
}

test('a session waits for its user, and nobody else gets it or ends it, a power cut between', { timeout }, async t => {
  const door = new Door()
  door.users.set('pump', {}).set('thief', {})
  const rig = await openKept(t, {}, door)
  const pump = await rig.client({ clientId: 'p', username: 'pump', clean: false })
  await subscribe(pump, 1, 'orders')
  await rig.cut()
  await rig.start()
  await publish(await rig.client({ clientId: 'w', username: 'thief' }), 'orders', 'waits')
  for (const clean of [true, false]) {
    const thief = await rig.client({ clientId: 'p', username: 'thief', clean })
    assert.equal(await codeOf(thief), 5)
    await until(() => thief.closed)
  }
  const back = await rig.client({ clientId: 'p', username: 'pump', clean: false })
  await until(() => back.payloads().length === 1)
  assert.deepEqual(back.payloads(), ['waits'])
})

test('the session of a user who has gone ends, and its id is free', { timeout }, async t => {
  const door = new Door()
  door.users.set('pump', {}).set('other', {})
  const rig = await openKept(t, {}, door)
  const pump = await rig.client({ clientId: 'p', username: 'pump', clean: false })
  await subscribe(pump, 1, 'orders')
  pump.send({ cmd: 'disconnect' })
  await until(() => rig.broker.connected().length === 0)
  door.users.delete('pump')
  rig.broker.review()
  assert.equal(rig.broker.counters()['sessions'], 0)
  await publish(await rig.client({ clientId: 'w', username: 'other' }), 'orders', 'x')
  const other = await rig.client({ clientId: 'p', username: 'other', clean: false })
  await other.ping()
  assert.deepEqual(other.payloads(), [])
})

test('the session of a user who goes ends also if its client is here', { timeout }, async t => {
  const door = new Door()
  door.users.set('pump', {}).set('other', {})
  const rig = await openKept(t, {}, door)
  for (const username of ['pump', 'other'])
    await subscribe(await rig.client({ clientId: username, username, clean: false }), 1, 'orders')
  door.users.delete('pump')
  rig.broker.review()
  assert.equal(rig.broker.counters()['sessions'], 1)
  await until(() => rig.broker.connected().length === 1)
  door.users.set('pump', {})
  await publish(await rig.client({ clientId: 'w', username: 'other' }), 'orders', 'x')
  const back = await rig.client({ clientId: 'pump', username: 'pump', clean: false })
  await back.ping()
  assert.deepEqual(back.payloads(), [], 'who has the name now gets nothing of who had it before')
})

test('the will of a client whose user has gone is judged as if it came now [A12]', { timeout }, async t => {
  const door = new Door()
  door.users.set('pump', {}).set('gone', {})
  const rig = await openKept(t, {}, door)
  const reader = await rig.client({ clientId: 'r', username: 'pump' })
  await subscribe(reader, 1, 'wills/#')
  const will = (topic: string) => ({ topic, payload: Buffer.from('x'), qos: 1 as const, retain: false })
  await rig.client({ clientId: 'b', username: 'gone', will: will('wills/gone') })
  const stays = await rig.client({ clientId: 'a', username: 'pump', will: will('wills/pump') })
  door.users.delete('gone')
  rig.broker.review()
  await until(() => rig.broker.counters()['refused_publish_denied'] === 1)
  stays.socket.destroy()
  await until(() => reader.count('publish') > 0)
  assert.deepEqual(
    reader.received.flatMap(packet => (packet.cmd === 'publish' ? [packet.topic] : [])),
    ['wills/pump'],
  )
})

test('what a user may not have any more is taken from its session, while it is away and when it comes', {
  timeout,
}, async t => {
  const door = new Door()
  const only = (topic: string): Partial<Visitor> => ({
    maySubscribe: asked => asked === topic,
    mayReceive: told => told === topic,
  })
  door.users.set('pump', {}).set('writer', {})
  const rig = await openKept(t, {}, door)
  const pump = await rig.client({ clientId: 'p', username: 'pump', clean: false })
  await subscribe(pump, 1, 'orders', 'secrets', 'more')
  pump.send({ cmd: 'disconnect' })
  await until(() => rig.broker.connected().length === 0)
  const writer = await rig.client({ clientId: 'w', username: 'writer' })
  await publish(writer, 'secrets', 'before')
  await publish(writer, 'orders', 'before')
  door.users.set('pump', only('orders'))
  rig.broker.review()
  await publish(writer, 'secrets', 'after')
  await publish(writer, 'orders', 'after')
  assert.equal(rig.broker.counters()['subscriptions_ended'], 2)
  const back = await rig.client({ clientId: 'p', username: 'pump', clean: false })
  await until(() => back.payloads().length === 2)
  assert.deepEqual(back.payloads(), ['before', 'after'])
  acknowledge(back, back.received)
  await back.ping()
  back.send({ cmd: 'disconnect' })
  await until(() => !rig.broker.connected().includes('p'))
  door.users.set('pump', only('nothing'))
  const last = await rig.client({ clientId: 'p', username: 'pump', clean: false })
  await publish(writer, 'orders', 'never')
  await last.ping()
  assert.deepEqual(last.payloads(), [])
})

test('a will that waited over a power cut is judged by what its user may do then [A12]', { timeout }, async t => {
  const door = new Door()
  door.users.set('pump', {}).set('gone', {}).set('reader', {})
  const rig = await openKept(t, { willGraceMs: 400 }, door)
  const will = (topic: string) => ({ topic, payload: Buffer.from('x'), qos: 1 as const, retain: true })
  await rig.client({ clientId: 'a', username: 'pump', will: will('wills/pump') })
  await rig.client({ clientId: 'b', username: 'gone', will: will('wills/gone') })
  // What may wait is written with what may not.
  const reader = await rig.client({ clientId: 'r', username: 'reader', clean: false })
  await subscribe(reader, 1, 'wills/#')
  await rig.cut()
  door.users.delete('gone')
  await rig.start()
  const back = await rig.client({ clientId: 'r', username: 'reader', clean: false })
  await until(
    () =>
      (rig.broker.counters()['refused_publish_denied'] ?? 0) + (rig.broker.counters()['broker_error'] ?? 0) > 0 ||
      back.count('publish') > 0,
  )
  await until(() => back.count('publish') > 0)
  await back.ping()
  assert.deepEqual(
    back.received.flatMap(packet => (packet.cmd === 'publish' ? [packet.topic] : [])),
    ['wills/pump'],
  )
})
