import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acknowledge, openKept, publish, subscribe } from './kept-rig.ts'
import { publishPacket, until } from './rig.ts'

const timeout = 60_000

test('a retained message is on disk before its PUBACK, its removal too, and no reading needs to go with it', {
  timeout,
}, async t => {
  const rig = await openKept(t)
  const client = await rig.client({ clientId: 'publisher' })
  client.send(publishPacket('plain/kept', 'old', 1, 1, true), publishPacket('sensors/kept', 'reading', 1, 2, true))
  client.send(publishPacket('plain/gone', 'x', 1, 3, true), publishPacket('plain/gone', '', 1, 4, true))
  client.send(publishPacket('plain/kept', 'new', 1, 5, true))
  await client.next('puback', 4)
  await rig.cut()
  await rig.start()
  assert.equal(rig.broker.counters()['retained_messages'], 2)
  const later = await rig.client({ clientId: 'later' })
  await subscribe(later, 1, '#')
  await until(() => later.count('publish') === 2)
  assert.deepEqual(later.payloads().toSorted(), ['new', 'reading'])
})

test('a subscription is on disk before its SUBACK, and its end before the UNSUBACK', { timeout }, async t => {
  const rig = await openKept(t)
  const before = await rig.client({ clientId: 'one', clean: false })
  await subscribe(before, 1, 'a', 'b')
  before.send({ cmd: 'unsubscribe', messageId: 7, unsubscriptions: ['a'] })
  await before.next('unsuback')
  await rig.cut()
  await rig.start()
  const publisher = await rig.client({ clientId: 'publisher' })
  await publish(publisher, 'a', 'not this')
  await publish(publisher, 'b', 'this')
  const after = await rig.client({ clientId: 'one', clean: false })
  await after.next('publish')
  assert.deepEqual(after.payloads(), ['this'])
})

test('clean sessions leave nothing on disk, and one that begins ends the session of before, over a power cut too', {
  timeout,
}, async t => {
  const rig = await openKept(t)
  const clean = await rig.client({
    clientId: 'clean',
    will: { topic: 'w', payload: Buffer.from('x'), qos: 1, retain: false },
  })
  await subscribe(clean, 2, '#')
  clean.send(publishPacket('sensors/a', '1', 2, 1), publishPacket('plain', '2', 1, 2))
  await clean.next('pubrec')
  clean.send({ cmd: 'pubrel', messageId: 1 })
  await clean.next('pubcomp')
  clean.send({ cmd: 'disconnect' })
  await rig.away('sleeper', '#')
  const publisher = await rig.client({ clientId: 'publisher' })
  await publish(publisher, 'sensors/a', '3')
  await rig.client({ clientId: 'sleeper', clean: true })
  await rig.cut()
  await rig.start()
  const back = await rig.client({ clientId: 'sleeper', clean: false })
  assert.equal(back.received[0]?.cmd === 'connack' && back.received[0].sessionPresent, false)
  await rig.stop()
  await rig.start()
  assert.deepEqual(await rig.keys(), ['b'])
})

test('a QoS 2 publish is taken once, though the power goes before its PUBREL, and its id is free after it [A13]', {
  timeout,
}, async t => {
  const rig = await openKept(t)
  await rig.away('sleeper', '#')
  const options = { clientId: 'publisher', clean: false }
  const first = await rig.client(options)
  first.send(publishPacket('sensors/a', 'one', 2, 9), publishPacket('plain', 'two', 2, 10))
  await first.next('pubrec', 1)
  await rig.cut()
  await rig.start()
  const second = await rig.client(options)
  for (const [topic, payload, messageId] of [
    ['sensors/a', 'one', 9],
    ['plain', 'two', 10],
  ] as const) {
    second.send({ cmd: 'publish', topic, payload, qos: 2, messageId, dup: true, retain: false })
  }
  await second.next('pubrec', 1)
  second.send({ cmd: 'pubrel', messageId: 9 }, { cmd: 'pubrel', messageId: 10 })
  await second.next('pubcomp', 1)
  await rig.cut()
  await rig.start()
  const third = await rig.client(options)
  third.send(publishPacket('sensors/a', 'three', 2, 9))
  await third.next('pubrec')
  const sleeper = await rig.client({ clientId: 'sleeper', clean: false })
  await until(() => sleeper.count('publish') === 3)
  await sleeper.ping()
  assert.deepEqual(sleeper.payloads(), ['one', 'two', 'three'])
})

test('a PUBREL whose packet id cannot be forgotten is not answered, ends nothing but its connection, and may come again', {
  timeout,
}, async t => {
  const rig = await openKept(t)
  const thrown: unknown[] = []
  const hear = (error: unknown): void => void thrown.push(error)
  process.on('unhandledRejection', hear)
  t.after(() => process.off('unhandledRejection', hear))
  const options = { clientId: 'publisher', clean: false }
  const first = await rig.client(options)
  first.send(publishPacket('sensors/a', 'one', 2, 9))
  await first.next('pubrec')
  rig.isFailing = true
  const release = { cmd: 'pubrel', messageId: 9 } as const
  first.send(release, release)
  await until(() => first.closed)
  assert.equal(first.count('pubcomp'), 0)
  rig.isFailing = false
  const second = await rig.client(options)
  second.send(release)
  await second.next('pubcomp')
  assert.ok(!(await rig.keys()).some(key => key.startsWith('i')))
  await new Promise(resolve => setTimeout(resolve, 20))
  assert.deepEqual(thrown, [])
})

test('a QoS 2 subscriber gets a message again under its old id, and after its PUBREC only the PUBREL', {
  timeout,
}, async t => {
  const rig = await openKept(t)
  const options = { clientId: 'sub', clean: false }
  const first = await rig.client(options)
  await subscribe(first, 2, '#')
  const publisher = await rig.client({ clientId: 'publisher' })
  // An id is used up before, so that counting from the beginning would not give the same ones.
  await publish(publisher, 'sensors/a', 'zero')
  await first.next('publish')
  acknowledge(first, first.received)
  publisher.send(publishPacket('sensors/a', 'one', 2, 1), publishPacket('sensors/a', 'two', 2, 2))
  await until(() => first.count('publish') === 3)
  const ids = first.messageIds('publish').slice(1) as number[]
  await rig.cut()
  await rig.start()
  const second = await rig.client(options)
  await until(() => second.count('publish') === 2)
  assert.deepEqual(second.messageIds('publish'), ids)
  assert.ok(second.received.every(packet => packet.cmd !== 'publish' || packet.dup))
  second.send({ cmd: 'pubrec', messageId: ids[0] as number })
  await second.next('pubrel')
  await rig.cut()
  await rig.start()
  const third = await rig.client(options)
  await third.next('pubrel')
  await third.next('publish')
  await third.ping()
  assert.deepEqual([third.messageIds('pubrel'), third.messageIds('publish')], [[ids[0]], [ids[1]]])
  third.send({ cmd: 'pubcomp', messageId: ids[0] as number }, { cmd: 'pubrec', messageId: ids[1] as number })
  await third.next('pubrel', 1)
  third.send({ cmd: 'pubcomp', messageId: ids[1] as number })
  await until(() => rig.broker.counters()['queued_messages'] === 0)
})

test('a message for many sessions is written once, and who is done with it does not get it again', {
  timeout,
}, async t => {
  const rig = await openKept(t)
  const names = ['a', 'b', 'c', 'd']
  for (const name of names) await rig.away(name, 'sensors/#')
  const publisher = await rig.client({ clientId: 'publisher' })
  await publish(publisher, 'sensors/x', 'one')
  assert.equal((await rig.keys()).filter(key => key.startsWith('m')).length, 1)
  for (const name of ['a', 'b']) {
    const client = await rig.client({ clientId: name, clean: false })
    await client.next('publish')
    acknowledge(client, client.received)
    await client.ping()
  }
  await until(() => rig.broker.counters()['queued_messages'] === 2)
  await rig.stop()
  await rig.start()
  for (const name of names) {
    const client = await rig.client({ clientId: name, clean: false })
    await client.ping()
    assert.deepEqual(client.payloads(), name === 'a' || name === 'b' ? [] : ['one'], name)
    acknowledge(client, client.received)
    await client.ping()
  }
  await until(() => rig.broker.counters()['queued_messages'] === 0)
  await rig.stop()
  await rig.start()
  assert.deepEqual(
    (await rig.keys()).filter(key => key.startsWith('m') || key.startsWith('d')),
    [],
  )
})

test('a session that comes back while others publish gets all of it in order', { timeout }, async t => {
  // It acknowledges nothing.
  const rig = await openKept(t, { inflightOutMax: 1_000 })
  await rig.away('sleeper', 'sensors/#', '+/a')
  const publisher = await rig.client({ clientId: 'publisher' })
  const total = 900
  const payloads = Array.from({ length: total }, (_, i) => `${i}`)
  await publish(publisher, 'sensors/a', ...payloads.slice(0, 300))
  const rest = publish(publisher, 'sensors/a', ...payloads.slice(300, 600))
  const sleeper = await rig.client({ clientId: 'sleeper', clean: false })
  // It may have only so many at once that it has not acknowledged.
  let acknowledged = 0
  const acknowledging = setInterval(() => {
    const got = sleeper.received.filter(({ cmd }) => cmd === 'publish')
    acknowledge(sleeper, got.slice(acknowledged))
    acknowledged = got.length
  }, 2)
  t.after(() => clearInterval(acknowledging))
  await rest
  await publish(publisher, 'sensors/a', ...payloads.slice(600))
  await until(() => sleeper.count('publish') >= total)
  await sleeper.ping()
  assert.deepEqual(sleeper.payloads(), payloads)
})

test('a filter that was refused is in no session, though it came with one that was not', { timeout }, async t => {
  const rig = await openKept(t, { subscriptionsPerClientMax: 3 })
  const client = await rig.client({ clientId: 'one', clean: false })
  await subscribe(client, 1, 'a', '$SYS/#', 'c', 'd', 'e')
  await rig.stop()
  await rig.start()
  const publisher = await rig.client({ clientId: 'publisher' })
  for (const topic of ['a', 'c', 'd', 'e']) await publish(publisher, topic, topic)
  const back = await rig.client({ clientId: 'one', clean: false })
  await until(() => back.count('publish') === 3)
  await back.ping()
  assert.deepEqual(back.payloads(), ['a', 'c', 'd'])
})

test('a will of a client that the power cut took is published once, unless the client is back in time', {
  timeout,
}, async t => {
  const rig = await openKept(t, { willGraceMs: 400 })
  const will = (text: string) => ({ topic: 'sensors/wills', payload: Buffer.from(text), qos: 1 as const, retain: true })
  await rig.client({ clientId: 'lost', will: will('lost') })
  await rig.client({ clientId: 'back', will: will('of back') })
  const polite = await rig.client({ clientId: 'polite', will: will('of polite') })
  polite.send({ cmd: 'disconnect' })
  await until(() => polite.closed)
  await rig.away('sleeper', '#')
  await until(() => rig.broker.connected().length === 2)
  await rig.cut()
  await rig.start()
  const watcher = await rig.client({ clientId: 'watcher' })
  await subscribe(watcher, 1, 'sensors/#')
  await rig.client({ clientId: 'back', will: will('of back') })
  await watcher.next('publish')
  // Long enough for the broker to look for wills once more.
  await new Promise(resolve => setTimeout(resolve, 800))
  assert.deepEqual(watcher.payloads(), ['lost'])
  const sleeper = await rig.client({ clientId: 'sleeper', clean: false })
  await sleeper.next('publish')
  assert.deepEqual(sleeper.payloads(), ['lost'])
  assert.equal(rig.broker.counters()['broker_error'], undefined)
})
