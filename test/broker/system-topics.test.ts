/** What the broker tells of itself below `$SYS`: as mosquitto does, to those who may hear it, and nowhere else. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { connectAsync } from 'mqtt'
import { generate, type Packet } from 'mqtt-packet'
import type { ShelfChange } from '../../runtime/broker/ledger.ts'
import { type SystemFacts, SystemTopics } from '../../runtime/broker/system-topics.ts'
import { SentPackets, Traffic } from '../../runtime/broker/traffic.ts'
import { RealBroker } from '../rigs/brokers.ts'
import { missing } from '../rigs/mosquitto.ts'
import { access, openClient, openRig, publishPacket, type Rig, type RigListeners, until } from './rig.ts'

const timeout = 30_000

/** Whose client id begins with `admin` may subscribe to anything. */
function open(t: TestContext, more: RigListeners = {}): Promise<Rig> {
  const rights = access(({ client }) => ({
    maySubscribe: filter => client.startsWith('admin') || !filter.startsWith('$'),
  }))
  return openRig(t, {}, rights, { systemIntervalMs: 20, ...more })
}

async function listen(t: TestContext, port: number, filter: string): Promise<Map<string, string>> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: `admin-${Math.random()}` }, false)
  t.after(() => client.end(true))
  const heard = new Map<string, string>()
  client.on('message', (topic, payload) => heard.set(topic, String(payload)))
  await client.subscribeAsync(filter)
  return heard
}

const formOf = (payload: string): string =>
  payload
    .replace(/^\w+ version \S+$/, 'NAME version NUMBER')
    .replace(/\d+\.\d\d$/, 'DECIMAL')
    .replace(/\d+/, 'NUMBER')

describe('the topics below $SYS', { timeout }, () => {
  test('have the names and forms of those of mosquitto', { skip: missing('mosquitto', 'mosquitto') }, async t => {
    const { port } = await open(t)
    const ours = await listen(t, port, '$SYS/#')
    await until(() => ours.size >= 48)
    const mosquitto = await RealBroker.open('mosquitto', { more: 'sys_interval 1' })
    t.after(() => mosquitto.close())
    const theirs = await listen(t, mosquitto.port, '$SYS/#')
    await until(() => [...ours.keys()].every(topic => theirs.has(topic)))
    for (const [topic, payload] of ours) assert.equal(formOf(payload), formOf(theirs.get(topic) ?? ''), topic)
    assert.match(ours.get('$SYS/broker/version') ?? '', /^holdfast version \d/)
  })

  test('count clients, packets and bytes as they come and go', async t => {
    const { broker, port } = await open(t)
    const heard = await listen(t, port, '$SYS/broker/#')
    const told = (name: string) => Number(heard.get(`$SYS/broker/${name}`))
    await until(() => heard.size >= 48 && told('clients/connected') === 1 && told('subscriptions/count') === 1)
    const before = Object.fromEntries(
      ['messages/received', 'bytes/received', 'publish/messages/received'].map(name => [name, told(name)]),
    )
    const client = await openClient(t, port, { clientId: 'pump' })
    const sent = [publishPacket('sensors/a/t', 'x', 1, 7), publishPacket('sensors/a/t', 'kept', 0, undefined, true)]
    client.send(...sent)
    await client.next('puback')
    await until(() => told('clients/total') === 2 && told('retained messages/count') === 1)
    await until(() => told('messages/received') === (before['messages/received'] ?? 0) + 3)
    assert.equal(told('publish/messages/received'), (before['publish/messages/received'] ?? 0) + 2)
    const connect = generate({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: true,
      clientId: 'pump',
      keepalive: 0,
    })
    const bytes = [connect, ...sent.map(packet => generate(packet))].reduce((sum, { length }) => sum + length, 0)
    assert.equal(told('bytes/received'), (before['bytes/received'] ?? 0) + bytes)
    client.socket.destroy()
    await until(() => told('clients/connected') === 1)
    assert.equal(told('clients/maximum'), 2)
    assert.equal(broker.connected().length, 1)
  })

  test('are told to those alone who may subscribe there, and what the engine tells itself to nobody', async t => {
    const { port } = await open(t)
    const admin = await listen(t, port, '$SYS/#')
    const everything = await listen(t, port, '#')
    const stranger = await openClient(t, port, { clientId: 'stranger' })
    stranger.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$SYS/#', qos: 0 }] })
    const answer = (await stranger.next('suback')) as Extract<Packet, { cmd: 'suback' }>
    assert.deepEqual(answer.granted, [0x80])
    stranger.send({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: '+/broker/uptime', qos: 0 }] })
    await stranger.next('suback', 1)
    const passing = await openClient(t, port, { clientId: 'passing' })
    await until(() => admin.get('$SYS/broker/clients/total') === '4')
    passing.socket.destroy()
    await until(() => admin.get('$SYS/broker/clients/total') === '3')
    assert.deepEqual(
      [...admin.keys()].filter(topic => !topic.startsWith('$SYS/broker/')),
      [],
    )
    assert.deepEqual([...everything.keys()], [])
    await stranger.ping()
    assert.equal(stranger.count('publish'), 0)
  })

  test('are never on disk, nor queued for a session', async t => {
    const written: ShelfChange[] = []
    const shelf = {
      kept: async function* () {},
      commit: (changes: readonly ShelfChange[]) => Promise.resolve(written.push(...changes)),
    }
    const { broker, port } = await open(t, { shelf })
    const session = await openClient(t, port, { clientId: 'admin', clean: false })
    session.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$SYS/#', qos: 2 }] })
    await until(() => session.count('publish') > 60)
    session.socket.destroy()
    await until(() => broker.connected().length === 0)
    const heard = await listen(t, port, '$SYS/broker/uptime')
    await until(() => heard.size === 1)
    assert.equal(broker.counters()['queued_messages'], 0)
    const session2 = await openClient(t, port, { clientId: 'admin', clean: false })
    await session2.ping()
    await broker.close()
    assert.ok(written.length > 0)
    assert.ok(!JSON.stringify(written).includes('$SYS/broker'))
  })

  test('are not there unless an interval is set', async t => {
    const { port } = await open(t, { systemIntervalMs: 0 })
    const admin = await openClient(t, port, { clientId: 'admin' })
    admin.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$SYS/#', qos: 0 }] })
    await admin.next('suback')
    await admin.ping()
    assert.equal(admin.count('publish'), 0)
  })
})

describe('load averages', () => {
  const facts = (traffic: Traffic): SystemFacts => ({
    traffic,
    clientsConnected: 0,
    clientsAway: 0,
    clientsExpired: 0,
    subscriptions: 0,
    retainedMessages: 0,
    storedMessages: 0,
    storedBytes: 0,
    publishesDropped: 0,
  })

  test('come near the rate of a minute, the shorter the sooner, and fade; what has not changed is not told', () => {
    const traffic = new Traffic()
    const told = new Map<string, string[]>()
    let nowMs = 5_000
    const system = new SystemTopics({
      version: '1',
      monotonicMs: () => nowMs,
      facts: () => facts(traffic),
      publish: (topic, payload) => told.set(topic, [...(told.get(topic) ?? []), payload]),
    })
    const last = (minutes: number) => Number(told.get(`$SYS/broker/load/messages/received/${minutes}min`)?.at(-1))
    const run = (ms: number, perTen: number): void => {
      for (const endMs = nowMs + ms; nowMs < endMs; ) {
        nowMs += 10_000
        traffic.messagesReceived += perTen
        system.tell()
      }
    }
    system.tell()
    run(60_000, 10)
    // 60 a minute for one minute: 1 - 1/e of it after one time constant.
    assert.ok(Math.abs(last(1) - 60 * (1 - Math.exp(-1))) < 0.01, String(last(1)))
    assert.ok(Math.abs(last(15) - 60 * (1 - Math.exp(-1 / 15))) < 0.01, String(last(15)))
    run(3_600_000, 10)
    assert.deepEqual([last(1), last(5)], [60, 60])
    run(3_600_000, 0)
    assert.deepEqual([last(1), last(5)], [0, 0])
    assert.deepEqual(told.get('$SYS/broker/load/bytes/sent/1min'), ['0.00'])
    assert.deepEqual(told.get('$SYS/broker/version'), ['holdfast version 1'])
    assert.equal(told.get('$SYS/broker/uptime')?.at(-1), `${60 + 3_600 + 3_600} seconds`)
  })
})

test('packets that go out are counted in whatever pieces they are written', () => {
  const packet = fc.oneof(
    fc.nat(40_000).map(bytes => generate(publishPacket('a/b', 'x'.repeat(bytes)))),
    fc.integer({ min: 1, max: 65_535 }).map(messageId => generate({ cmd: 'puback', messageId })),
    fc.constant(generate({ cmd: 'pingresp' })),
  )
  fc.assert(
    fc.property(
      fc.array(packet, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1 }),
      (packets, cuts) => {
        const traffic = new Traffic()
        const sent = new SentPackets(traffic)
        const bytes = Buffer.concat(packets)
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = cuts[turn % cuts.length] ?? 1
          sent.add(bytes.subarray(at, at + size))
          at += size
        }
        assert.equal(traffic.messagesSent, packets.length)
        assert.equal(traffic.publishesSent, packets.filter(([first = 0]) => first >> 4 === 3).length)
        assert.equal(traffic.bytesSent, bytes.length)
      },
    ),
  )
})
