/** For each key of `broker.limits`: how it is met over real sockets, and what whoever meets it sees. */
import assert from 'node:assert/strict'
import type { BrokerLimitKey } from '../../runtime/broker-limits.ts'
import type { BrokerLimits } from '../../runtime/broker/limits.ts'
import type { LimitRig } from './limit-rig.ts'
import { type RawClient, connectPacket, publishPacket, until } from './rig.ts'

export type LimitCase =
  | {
      readonly limits: Partial<BrokerLimits>
      /** The clock stands still, so the honest client, too, may say only so much. */
      readonly isQuiet?: true
      readonly meet: (rig: LimitRig) => Promise<void>
    }
  /** It takes a restart or days: the test of this name has a clock or a store of its own. */
  | { readonly file: string; readonly test: string }

const kiB = 1024
const far = 1e12

export const limitCases: Readonly<Record<BrokerLimitKey, LimitCase>> = {
  packet_bytes: {
    limits: { packetBytesMax: 2 * kiB },
    meet: rig => disconnects(rig, publishPacket('sensors/g', 'x'.repeat(4 * kiB))),
  },
  connect_bytes: {
    limits: { connectBytesMax: 512 },
    meet: async ({ socket }) => {
      const greedy = await socket()
      greedy.send(connectPacket({ username: 'u', password: Buffer.alloc(kiB, 'x') }))
      await until(() => greedy.closed)
      assert.equal(greedy.count('connack'), 0)
    },
  },
  will_bytes: {
    limits: { willBytesMax: 10 },
    meet: async ({ socket }) => {
      const greedy = await socket()
      const will = { topic: 'sensors/g', payload: Buffer.alloc(20, 'x'), qos: 0 as const, retain: false }
      greedy.send(connectPacket({ will }))
      await until(() => greedy.closed)
      assert.equal(greedy.count('connack'), 0)
    },
  },
  topic_bytes: {
    limits: { topicBytesMax: 20 },
    meet: rig => disconnects(rig, publishPacket(`sensors/${'x'.repeat(20)}`, '1')),
  },
  topic_levels: { limits: { topicLevelsMax: 2 }, meet: rig => disconnects(rig, publishPacket('sensors/g/x', '1')) },
  connections: {
    limits: { connectionsMax: 2 },
    meet: async ({ client, socket }) => {
      const first = await client({ clientId: 'first' })
      const second = await socket('127.0.0.2')
      await until(() => second.closed)
      assert.equal(first.closed, false)
    },
  },
  connections_per_address: {
    limits: { connectionsPerAddressMax: 1 },
    meet: async ({ client, socket }) => {
      const first = await client({ clientId: 'first' })
      const second = await socket()
      await until(() => second.closed)
      assert.equal(first.closed, false)
      await client({ clientId: 'elsewhere' }, '127.0.0.2')
    },
  },
  connect_rate: {
    limits: { connectsPerSecondMax: 2, connectionsMax: 5 },
    meet: async rig => {
      // Ten seconds' worth; the honest client was the first.
      for (let i = 0; i < 19; i++) await comesAndGoes(rig, `127.0.1.${i}`)
      const late = await rig.socket('127.0.1.200')
      await until(() => late.closed)
      rig.pass(1_000)
      await rig.client({ clientId: 'later' }, '127.0.1.200')
    },
  },
  connect_rate_per_address: {
    limits: { connectsPerSecondPerAddressMax: 2, connectionsPerAddressMax: 5 },
    meet: async rig => {
      for (let i = 0; i < 20; i++) await comesAndGoes(rig)
      const late = await rig.socket()
      await until(() => late.closed)
      await rig.client({ clientId: 'elsewhere' }, '127.0.0.2')
      rig.pass(1_000)
      await rig.client({ clientId: 'later' })
    },
  },
  connect_timeout: {
    limits: { connectTimeoutMs: 100 },
    meet: async ({ socket }) => {
      const silent = await socket()
      await until(() => silent.closed)
    },
  },
  failed_logins: {
    limits: { failedLoginsPerMinuteMax: 5 },
    meet: async ({ login, pass }) => {
      for (let i = 0; i < 6; i++) assert.equal(await login(`user${i}`, 'wrong'), 5)
      assert.equal(await login('user', 'right'), 3, 'not even looked at')
      assert.equal(await login('user', 'right', '127.0.0.2'), 0, 'nobody elsewhere waits')
      pass(60_000)
      assert.equal(await login('user', 'right'), 0)
    },
  },
  login_backoff: {
    limits: { loginBackoffMsMax: 3_000 },
    meet: async ({ login, pass }) => {
      for (let i = 0; i < 4; i++) assert.equal(await login('user', 'wrong'), 5)
      for (const waitMs of [1_000, 2_000, 3_000, 3_000]) {
        pass(waitMs - 1)
        assert.equal(await login('user', 'right'), 3, `waits ${waitMs} ms`)
        assert.equal(await login('neighbour', 'right'), 0, 'not so another user there')
        pass(1)
        assert.equal(await login('user', 'wrong'), 5, `waited ${waitMs} ms`)
      }
      assert.equal(await login('user', 'right', '127.0.0.2'), 0, 'nor the same elsewhere')
      pass(3_000)
      assert.equal(await login('user', 'right'), 0)
    },
  },
  login_memory: {
    limits: { loginMemoryMs: 60_000 },
    meet: async ({ login, pass }) => {
      for (let i = 0; i < 4; i++) assert.equal(await login('user', 'wrong'), 5)
      assert.equal(await login('user', 'wrong'), 3)
      pass(62_000)
      for (let i = 0; i < 4; i++) assert.equal(await login('user', 'wrong'), 5, 'as if for the first time')
      assert.equal(await login('user', 'wrong'), 3)
    },
  },
  subscriptions: {
    limits: { subscriptionsPerClientMax: 2 },
    meet: async ({ client }) => {
      const greedy = await client({ clientId: 'greedy' })
      const subscriptions = ['a', 'b', 'c'].map(topic => ({ topic, qos: 0 as const }))
      greedy.send({ cmd: 'subscribe', messageId: 1, subscriptions })
      const suback = await greedy.next('suback')
      assert.deepEqual(suback.cmd === 'suback' && suback.granted, [0, 0, 128])
    },
  },
  inflight_in: {
    limits: { inflightInMax: 10 },
    meet: async ({ client, intake, taken, served, count }) => {
      intake.held.add('greedy')
      const greedy = await client({ clientId: 'greedy' })
      greedy.send(...readings(100))
      await until(() => count('held_inflight_in') > 0)
      await served()
      assert.equal(taken('greedy'), 10)
      intake.held.clear()
      intake.release()
      await greedy.next('puback', 99)
    },
  },
  inflight_qos2: {
    limits: { inflightQos2Max: 3 },
    meet: async rig => {
      const greedy = await rig.client({ clientId: 'greedy' })
      for (let id = 1; id <= 3; id++) greedy.send(publishPacket('sensors/g', `${id}`, 2, id))
      await greedy.next('pubrec', 2)
      greedy.send(publishPacket('sensors/g', '4', 2, 4))
      await until(() => greedy.closed)
    },
  },
  inflight_out: {
    limits: { inflightOutMax: 5 },
    meet: async ({ client, served }) => {
      const session = await client({ clientId: 'session', clean: false })
      session.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'x', qos: 1 }] })
      await session.next('suback')
      const publisher = await client({ clientId: 'publisher' })
      for (let id = 1; id <= 20; id++) publisher.send(publishPacket('x', `${id}`, 1, id))
      await publisher.next('puback', 19)
      await served()
      await session.ping()
      assert.equal(session.count('publish'), 5)
      for (let heard = 0; heard < 20; heard++) {
        const packet = await session.next('publish', heard)
        session.send({ cmd: 'puback', messageId: packet.messageId ?? 0 })
      }
      assert.deepEqual(
        session.payloads(),
        Array.from({ length: 20 }, (_, i) => `${i + 1}`),
      )
    },
  },
  publish_rate: {
    isQuiet: true,
    limits: { publishesPerSecondMax: 1_000, publishBurstMax: 5 },
    meet: async ({ client, taken, pass, lines, served, count }) => {
      const greedy = await client({ clientId: 'greedy' })
      greedy.send(...readings(60))
      await until(() => taken('greedy') === 5)
      for (let n = 10; n <= 50; n += 5) {
        const before = count('held_publish_rate')
        await until(() => count('held_publish_rate') > before + 1)
        assert.equal(taken('greedy'), n - 5)
        pass(5_000)
        await until(() => taken('greedy') === n)
      }
      await served()
      assert.ok(lines.includes('publish_rate_exceeded'), 'told of one that does not stop')
      pass(5_000)
      await until(() => taken('greedy') === 55)
      pass(5_000)
      await greedy.next('puback', 59)
      assert.equal(greedy.closed, false)
    },
  },
  publish_burst: {
    isQuiet: true,
    limits: { publishesPerSecondMax: 1_000, publishBurstMax: 7 },
    meet: async ({ client, taken, pass, served, count }) => {
      const greedy = await client({ clientId: 'greedy' })
      greedy.send(...readings(9))
      await until(() => count('held_publish_rate') > 0)
      await served()
      assert.equal(taken('greedy'), 7)
      // Whoever comes again goes on where it was.
      greedy.socket.destroy()
      const again = await client({ clientId: 'greedy' })
      again.send(...readings(2))
      await served()
      assert.equal(taken('greedy'), 7)
      pass(2)
      await until(() => taken('greedy') === 9)
    },
  },
  publish_rate_bytes: {
    isQuiet: true,
    limits: { publishBytesPerSecondMax: 10_000, publishBurstBytesMax: 1_000 },
    meet: async ({ client, taken, pass, served, count }) => {
      const greedy = await client({ clientId: 'greedy' })
      greedy.send(...readings(8, 484)) // 500 bytes each, with all that belongs to them
      await until(() => count('held_publish_rate_bytes') > 0)
      await served()
      assert.equal(taken('greedy'), 2)
      for (const n of [3, 4, 5, 6, 7, 8]) {
        pass(50)
        await until(() => taken('greedy') === n)
      }
      await greedy.next('puback', 7)
    },
  },
  publish_burst_bytes: {
    isQuiet: true,
    limits: { publishBytesPerSecondMax: 10_000, publishBurstBytesMax: 2_000 },
    meet: async ({ client, taken, served, count }) => {
      const greedy = await client({ clientId: 'greedy' })
      greedy.send(...readings(8, 484))
      await until(() => count('held_publish_rate_bytes') > 0)
      await served()
      assert.equal(taken('greedy'), 4)
    },
  },
  keepalive: {
    limits: { keepaliveMsMax: 1_000 },
    meet: async ({ client, count }) => {
      const never = await client({ clientId: 'never', keepalive: 0 })
      const long = await client({ clientId: 'long', keepalive: 600 })
      await until(() => never.closed && long.closed)
      assert.equal(count('refused_keepalive'), 2)
    },
  },
  drain_timeout: {
    limits: { drainTimeoutMs: 200, waitingBytesMax: far, waitingBytesTotalMax: far },
    meet: rig => dropsSlowReader(rig, 'refused_slow_reader'),
  },
  waiting_bytes: {
    limits: { drainTimeoutMs: 60_000, waitingBytesMax: 256 * kiB },
    meet: rig => dropsSlowReader(rig, 'refused_waiting_bytes'),
  },
  waiting_bytes_total: {
    limits: { drainTimeoutMs: 60_000, waitingBytesMax: far, waitingBytesTotalMax: 256 * kiB },
    meet: rig => dropsSlowReader(rig, 'refused_waiting_bytes_total'),
  },
  retained_messages: {
    limits: { retainedMessagesMax: 1 },
    meet: rig => retains(rig, ['x', 'y'], ['x']),
  },
  retained_bytes: {
    limits: { retainedBytesMax: 500 },
    meet: rig => retains(rig, ['x', 'y'.repeat(400)], ['x']),
  },
  retained_expiry: { file: 'expiry.test.ts', test: 'retained messages expire where a limit says so' },
  queued_messages: { limits: { queuedMessagesPerSessionMax: 2 }, meet: rig => queues(rig, 1, 2) },
  queued_bytes: { limits: { queuedBytesMax: 5_000 }, meet: rig => queues(rig, 1_000, 2) },
  queued_expiry: { file: 'expiry.test.ts', test: 'messages that were queued too long are dropped and counted' },
  sessions: {
    limits: { sessionsMax: 1 },
    meet: async ({ client }) => {
      await client({ clientId: 'one', clean: false })
      const two = await client({ clientId: 'two', clean: false })
      const [connack] = two.received
      assert.equal(connack?.cmd === 'connack' && connack.returnCode, 3)
    },
  },
  session_expiry: { file: 'expiry.test.ts', test: 'a session ends when its client was away too long' },
  will_grace: { file: 'kept.test.ts', test: 'a will of a client that the power cut took is published once' },
}

const readings = (length: number, bytes = 1) =>
  Array.from({ length }, (_, i) => publishPacket('sensors/g', 'x'.repeat(bytes), 1, i + 1))

async function disconnects({ client }: LimitRig, packet: ReturnType<typeof publishPacket>): Promise<void> {
  const greedy = await client({ clientId: 'greedy' })
  greedy.send(packet)
  await until(() => greedy.closed)
}

async function comesAndGoes({ socket, count }: LimitRig, from?: string): Promise<void> {
  const before = count('connections')
  const one = await socket(from)
  await until(() => count('connections') > before)
  one.socket.destroy()
  await until(() => count('connections') === before)
}

/** Somebody asks for everything and reads nothing, while somebody else is loud. */
async function dropsSlowReader({ client, count, served, broker }: LimitRig, counter: string): Promise<void> {
  const slow = await client({ clientId: 'slow' })
  slow.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'loud', qos: 0 }] })
  await slow.next('suback')
  slow.socket.pause()
  const loud = await client({ clientId: 'loud' }, '127.0.0.2')
  const packet = publishPacket('loud', 'x'.repeat(100_000))
  while (count(counter) === 0) {
    if (loud.socket.writableLength < 1e6) loud.send(packet)
    await new Promise(resolve => setImmediate(resolve))
  }
  await served()
  await loud.ping()
  assert.ok(!broker.connected().includes('slow') && broker.connected().includes('loud'))
}

/** All are acknowledged; who subscribes later gets those that were kept. */
async function retains({ client }: LimitRig, payloads: readonly string[], kept: readonly string[]): Promise<void> {
  const greedy = await client({ clientId: 'greedy' })
  for (const [i, payload] of payloads.entries()) greedy.send(publishPacket(`state/${i}`, payload, 1, i + 1, true))
  await greedy.next('puback', payloads.length - 1)
  const late: RawClient = await client({ clientId: 'late' })
  late.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'state/#', qos: 0 }] })
  await late.next('suback')
  await late.ping()
  assert.deepEqual(late.payloads(), kept)
}

/** Four messages for a session that is away, of which it gets `kept` when it comes back. */
async function queues({ client, broker }: LimitRig, bytes: number, kept: number): Promise<void> {
  const away = await client({ clientId: 'away', clean: false })
  away.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'x', qos: 1 }] })
  await away.next('suback')
  away.socket.destroy()
  await until(() => !broker.connected().includes('away'))
  const greedy = await client({ clientId: 'greedy' })
  for (let id = 1; id <= 4; id++) greedy.send(publishPacket('x', `${id}`.padEnd(bytes), 1, id))
  await greedy.next('puback', 3)
  const back = await client({ clientId: 'away', clean: false })
  await until(() => back.count('publish') === kept)
  await back.ping()
  assert.deepEqual(
    back.payloads().map(payload => payload.trim()),
    Array.from({ length: kept }, (_, i) => `${i + 1}`),
  )
}
