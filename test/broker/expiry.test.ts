import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import fc from 'fast-check'
import { Age } from '../../runtime/broker/age.ts'
import type { Shelf, ShelfChange } from '../../runtime/broker/ledger.ts'
import { type BrokerLimits, defaultBrokerLimits } from '../../runtime/broker/limits.ts'
import type { Publish, Qos } from '../../runtime/broker/publish.ts'
import { Persistence } from '../../runtime/broker/persistence.ts'
import { Sessions } from '../../runtime/broker/sessions.ts'
import { Tally } from '../../runtime/broker/tally.ts'
import { silentLog } from '../../runtime/log.ts'
import type { Store } from '../../runtime/store/store.ts'
import { diskPlace } from '../store/homes.ts'

const timeout = 60_000
const dayMs = 86_400_000
const startMs = 1_700_000_000_000

const publish = (topic: string, payload: string, qos: Qos = 1, retain = false): Publish => ({
  client: 'publisher',
  topic,
  payload: Buffer.from(payload),
  qos,
  retain,
  arrivalMs: startMs,
})

/** Sessions over a real store and a clock that the test turns, and what the broker does with them for one publish. */
async function openSessions(t: TestContext, limits: Partial<BrokerLimits> = {}) {
  const place = diskPlace()
  const clock = { nowMs: startMs, monotonicMs: 0, isTrusted: true }
  const lines: string[] = []
  const opened: { sessions?: Sessions; store?: Store; tally?: Tally } = {}
  const rig = {
    clock,
    lines,
    get sessions(): Sessions {
      return opened.sessions ?? assert.fail('not started')
    },
    get store(): Store {
      return opened.store ?? assert.fail('not started')
    },
    count: (name: string): number => opened.tally?.counts()[name] ?? 0,
    pass(ms: number): void {
      clock.nowMs += ms
      clock.monotonicMs += ms
    },
    async start(): Promise<void> {
      opened.store = await place.open({ commitIntervalMs: 0 })
      const log = { ...silentLog, warn: (fields: { cause: string }) => lines.push(fields.cause) }
      opened.tally = new Tally(log as never, () => clock.nowMs)
      opened.sessions = await Sessions.open({ ...defaultBrokerLimits, ...limits }, opened.tally, {
        shelf: opened.store,
        clock: {
          monotonicMs: () => clock.monotonicMs,
          trustedMs: () => (clock.isTrusted ? clock.nowMs : undefined),
        },
      })
    },
    async stop(): Promise<void> {
      await opened.sessions?.close()
      await opened.store?.close()
    },
    async away(id: string): Promise<void> {
      rig.sessions.arrive(id)
      await rig.sessions.subscribe(id, [{ topic: '#', qos: 1 }])
      rig.sessions.depart(id)
    },
    send(message: Publish): Promise<void> {
      const { keeping } = rig.sessions
      const prepared = keeping.prepare(message, 'refuse')
      if (!prepared) return Promise.resolve()
      return new Promise((resolve, reject) => {
        keeping.write(prepared, error => {
          if (error) keeping.abandon(prepared)
          else keeping.settle(prepared)
          if (error) reject(error)
          else resolve()
        })
      })
    },
    async keys(): Promise<string[]> {
      const found: string[] = []
      for await (const [key] of rig.store.kept('broker')) found.push(key)
      return found
    },
    async bytes(): Promise<number> {
      let bytes = 0
      for await (const [key, value] of rig.store.kept('broker')) bytes += key.length + value.length
      return bytes
    },
  }
  t.after(async () => {
    await rig.stop()
    place.remove()
  })
  await rig.start()
  return rig
}

test('a session ends when its client was away too long, restarts counted, and nothing of it stays on disk', {
  timeout,
}, async t => {
  const rig = await openSessions(t, { sessionExpiryMs: 7 * dayMs })
  await rig.away('gone')
  await rig.send(publish('sensors/a', 'x'))
  rig.pass(3 * dayMs)
  rig.sessions.sweep()
  assert.equal(rig.sessions.counts()['sessions'], 1)
  await rig.stop()
  rig.clock.nowMs += 3 * dayMs // the gateway was off meanwhile
  await rig.start()
  rig.pass(2 * dayMs - 1)
  rig.sessions.sweep()
  assert.deepEqual([rig.sessions.counts()['sessions'], rig.count('sessions_expired')], [0, 1])
  await rig.stop()
  await rig.start()
  assert.deepEqual(await rig.keys(), ['b'])
})

test('no session ends right after a start, however long the gateway was off: nobody could come', {
  timeout,
}, async t => {
  const rig = await openSessions(t, { sessionExpiryMs: dayMs })
  await rig.away('waiting')
  await rig.stop()
  rig.clock.nowMs += 30 * dayMs
  await rig.start()
  rig.sessions.sweep()
  assert.equal(rig.sessions.counts()['sessions'], 1)
  rig.pass(defaultBrokerLimits.sessionGraceMs)
  rig.sessions.sweep()
  assert.equal(rig.sessions.counts()['sessions'], 0)
})

test('while the clock is not trusted a session ages with the uptime alone, over restarts too', { timeout }, async t => {
  const rig = await openSessions(t, { sessionExpiryMs: 2 * dayMs })
  rig.clock.isTrusted = false
  rig.clock.nowMs = 0
  await rig.away('board')
  for (let boot = 0; boot < 3; boot++) {
    rig.pass(0.6 * dayMs)
    rig.sessions.sweep()
    rig.clock.nowMs = boot * 40 * 365 * dayMs // it says anything
    rig.sessions.sweep()
    assert.equal(rig.sessions.counts()['sessions'], 1, `boot ${boot}`)
    await rig.stop()
    await rig.start()
  }
  rig.pass(0.3 * dayMs)
  rig.sessions.sweep()
  assert.equal(rig.sessions.counts()['sessions'], 0)
})

test('messages that were queued too long are dropped and counted, the newer ones stay', { timeout }, async t => {
  const rig = await openSessions(t, { queuedExpiryMs: dayMs, sessionExpiryMs: 100 * dayMs })
  await rig.away('sleeper')
  await rig.send(publish('sensors/a', 'old'))
  await rig.send(publish('sensors/a', 'old too'))
  rig.pass(0.9 * dayMs)
  await rig.send(publish('sensors/a', 'new'))
  await rig.stop()
  await rig.start()
  rig.pass(0.2 * dayMs)
  rig.sessions.sweep()
  assert.deepEqual([rig.sessions.counts()['queued_messages'], rig.count('queue_expired')], [1, 2])
  await rig.stop()
  await rig.start()
  assert.equal((await rig.keys()).filter(key => key.startsWith('m')).length, 1)
})

test('retained messages expire where a limit says so', { timeout }, async t => {
  const rig = await openSessions(t, { retainedExpiryMs: dayMs })
  await rig.send(publish('state/old', 'x', 1, true))
  rig.pass(0.9 * dayMs)
  await rig.send(publish('state/new', 'x', 1, true))
  await rig.stop()
  await rig.start()
  rig.pass(0.2 * dayMs)
  rig.sessions.sweep()
  assert.deepEqual([rig.sessions.counts()['retained_messages'], rig.count('retained_expired')], [1, 1])
  await rig.stop()
  await rig.start()
  assert.deepEqual(await rig.keys(), ['b', 'rstate/new'])
})

test('whatever clients do, what is kept of them stays within its bounds, on disk too, and drops are counted', {
  timeout,
}, async t => {
  const rig = await openSessions(t, {
    sessionsMax: 5,
    subscriptionsPerClientMax: 4,
    queuedMessagesPerSessionMax: 20,
    queuedBytesMax: 60_000,
    retainedMessagesMax: 10,
    retainedBytesMax: 20_000,
  })
  let refused = 0
  for (let i = 0; i < 50; i++) {
    const id = `hostile${i}`
    if (!rig.sessions.arrive(id)) {
      refused++
      continue
    }
    await rig.sessions.subscribe(
      id,
      Array.from({ length: 50 }, (_, n) => ({ topic: n === 0 ? '#' : `x/${n}`, qos: 2 })),
    )
    rig.sessions.depart(id)
  }
  assert.equal(refused, 45)
  const large = 'x'.repeat(1_000)
  for (let i = 0; i < 300; i++) await rig.send(publish(`flood/${i}`, large, 1, true))
  const counts = rig.sessions.counts()
  assert.equal(counts['sessions'], 5)
  assert.ok((counts['queued_bytes'] ?? 0) <= 60_000 && (counts['queued_messages'] ?? 0) <= 100)
  assert.equal(counts['retained_messages'], 10)
  const dropped = rig.count('queue_dropped') + rig.count('queue_dropped_bytes')
  assert.equal((counts['queued_messages'] ?? 0) + dropped, 5 * 300)
  assert.equal(rig.count('retained_refused'), 290)
  await rig.stop()
  await rig.start()
  assert.ok((await rig.bytes()) < 60_000 + 20_000 + 5 * 4 * 100, `${await rig.bytes()} bytes`)
  const { length } = (await rig.keys()).filter(key => key.startsWith('s'))
  assert.equal(length, 5)
  assert.deepEqual(rig.sessions.counts(), counts)
  assert.equal(rig.lines.filter(cause => cause.startsWith('queue_dropped')).length, 1, 'said once')
})

test('what could not be written is tried again, the newest of each key, and what was refused holds nothing else up', {
  timeout,
}, async () => {
  const disk = new Map<string, Buffer>()
  let state: 'open' | 'full' | 'failed' = 'open'
  const shelf: Shelf = {
    async *kept() {
      yield* [...disk].toSorted(([a], [b]) => (a < b ? -1 : 1))
    },
    commit: async (changes: readonly ShelfChange[]) => {
      if (state === 'failed') throw new Error('I/O error')
      if (state === 'full' && changes.some(({ bytes, whenFull }) => bytes && whenFull === 'refuse'))
        throw new Error('full')
      for (const { key, bytes } of changes) {
        if (bytes) disk.set(key, bytes)
        else disk.delete(key)
      }
    },
  }
  const clock = { monotonicMs: () => 0, trustedMs: () => undefined }
  const sessions = await Sessions.open(defaultBrokerLimits, new Tally(silentLog, () => 0), { shelf, clock })
  const send = (message: Publish): Promise<Error | undefined> =>
    new Promise(resolve => {
      const prepared = sessions.keeping.prepare(message, 'refuse') ?? assert.fail('nothing is kept')
      sessions.keeping.write(prepared, error => {
        if (error) sessions.keeping.abandon(prepared)
        else sessions.keeping.settle(prepared)
        resolve(error)
      })
    })
  sessions.arrive('s')
  await sessions.subscribe('s', [{ topic: '#', qos: 1 }])
  sessions.depart('s')
  assert.equal(await send(publish('a', '1')), undefined)
  state = 'full'
  assert.match(String(await send(publish('a', '2'))), /full/)
  assert.equal(sessions.counts()['queued_messages'], 1, 'what is not on disk is in no queue')
  sessions.arrive('s')
  const session = sessions.find('s') ?? assert.fail('no session')
  const entry = session.firstUnsent ?? assert.fail('empty')
  sessions.messages.sent(session, entry, 1, () => undefined)
  state = 'failed'
  sessions.messages.done(session, entry)
  sessions.depart('s')
  await new Promise(resolve => setImmediate(resolve))
  assert.ok(
    [...disk.keys()].some(key => key.startsWith('m')),
    'it could not be forgotten yet',
  )
  state = 'full'
  await sessions.close()
  assert.deepEqual([...disk.keys()].map(key => key.slice(0, 1)).toSorted(), ['b', 'p', 's'])
})

test('a clock that jumps does not make wills of clients that are connected look like those of a dead broker', {
  timeout,
}, async t => {
  const rig = await openSessions(t)
  const persistence = new Persistence(rig.sessions)
  await persistence.setup({ id: rig.sessions.brokerId })
  await persistence.putWill(
    { id: 'living' },
    { cmd: 'publish', topic: 'w', payload: Buffer.from('x'), qos: 1, retain: false },
  )
  assert.deepEqual(await persistence.streamWill({}).toArray(), [])
  await rig.stop()
  await rig.start()
  const after = new Persistence(rig.sessions)
  await after.setup({ id: rig.sessions.brokerId })
  assert.equal((await after.streamWill({}).toArray()).length, 1)
})

test('an age is never more than what has truly passed while a clock could be trusted or the process ran', () => {
  const step = fc.record({
    passMs: fc.integer({ min: 0, max: 1_000 }),
    isTrusted: fc.boolean(),
    restart: fc.boolean(),
    lieMs: fc.integer({ min: -1e6, max: 1e6 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), steps => {
      let trueMs = startMs
      let monotonicMs = 0
      let trusted: number | undefined = trueMs
      const clock = { monotonicMs: () => monotonicMs, trustedMs: () => trusted }
      let age = new Age(clock)
      for (const { passMs, isTrusted, restart } of steps) {
        trueMs += passMs
        if (restart) {
          const note = age.note()
          trueMs += passMs // it was off
          monotonicMs = 0
          trusted = isTrusted ? trueMs : undefined
          age = new Age(clock, note)
        } else {
          monotonicMs += passMs
          trusted = isTrusted ? trueMs : undefined
        }
        assert.ok(age.ms <= trueMs - startMs)
        if (isTrusted) assert.equal(age.ms, trueMs - startMs)
      }
    }),
  )
})
