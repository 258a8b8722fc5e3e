/** Brokers that refuse, hang up, are full or say nothing, on demand: what a bridge to a plain broker makes of it. */
import assert from 'node:assert/strict'
import { type TestContext, describe, it } from 'node:test'
import { BrokerBridge } from '../../runtime/replication/plain/broker-bridge.ts'
import type { StreamStatus } from '../../runtime/replication/stream.ts'
import type { Store } from '../../runtime/store/store.ts'
import { asSeq } from '../../runtime/store/types.ts'
import { type ScriptedBroker, type Verdict, openScriptedBroker } from '../rigs/scripted-broker.ts'
import { memoryPlace } from '../store/homes.ts'
import { append, doors, fasterBy, openTestStore, put, sleep, until } from './rig.ts'

type Setting = {
  readonly broker: ScriptedBroker
  readonly store: Store
  readonly stream: (table?: string) => StreamStatus
}

async function setUp(
  t: TestContext,
  version: 4 | 5,
  judge: (topic: string, payload: string) => Verdict,
  tables: readonly string[] = ['readings'],
  topicEnd = '{gateway}',
): Promise<Setting> {
  const broker = await openScriptedBroker(version, judge)
  t.after(() => broker.close())
  const place = memoryPlace()
  const store = await openTestStore(place, 'gw-1')
  const bridge = await BrokerBridge.open(
    {
      name: 'plain',
      url: `mqtt://127.0.0.1:${broker.port}`,
      gateway: 'gw-1',
      username: undefined,
      password: undefined,
      publish: tables.map(table => ({
        table,
        start: 'beginning',
        topic: `${table}/${topicEnd}`,
        format: 'json',
        payload: '{value}',
      })),
      keepaliveMs: 60_000,
      tls: undefined,
    },
    { ...doors(store, fasterBy(20)), random: () => 0.02 },
  )
  t.after(async () => {
    await bridge.close()
    await store.close()
    place.remove()
  })
  const stream = (table = 'readings'): StreamStatus =>
    bridge.status().streams.find(one => one.table === table) ?? assert.fail(table)
  return { broker, store, stream }
}

const taken = ({ broker }: Setting): string[] => [
  ...new Set(broker.seen.filter(({ verdict }) => verdict === 'take').map(({ payload }) => payload)),
]

describe('a bridge to a plain broker that', { timeout: 120_000 }, () => {
  it('has no room just now: everything waits, is sent again in order, and nothing is parked', async t => {
    let isFull = true
    // 151 is "quota exceeded".
    const setting = await setUp(t, 5, () => (isFull ? 151 : 'take'))
    await append(setting.store, 1, 2, 3)
    await until('refused', () => setting.broker.seen.length > 0)
    isFull = false
    await until('confirmed', () => setting.stream().behind === 0)
    assert.deepEqual([taken(setting), setting.stream().parked], [['1', '2', '3'], 0])
    assert.equal(setting.broker.connections, 1)
  })

  it('does not take one payload: that entry is parked, and the next one to the same topic is not', async t => {
    // 153 is "payload format invalid".
    const setting = await setUp(t, 5, (_topic, payload) => (payload === '2' ? 153 : 'take'))
    await append(setting.store, 1, 2, 3)
    await until('confirmed', () => setting.stream().behind === 0)
    assert.deepEqual([taken(setting), setting.stream().parked, setting.stream().state], [['1', '3'], 1, 'idle'])
  })

  it('is connected again while the disk still answers the read before: each entry is sent, and confirmed', async t => {
    const setting = await setUp(t, 4, () => 'take')
    await append(setting.store, 1)
    await until('confirmed', () => setting.stream().behind === 0)
    const read = setting.store.read.bind(setting.store)
    const answers: (() => void)[] = []
    setting.store.read = async (table, after, limit) => {
      const entries = await read(table, after, limit)
      if (limit > 1 && answers.length < 2) await new Promise<void>(resolve => answers.push(resolve))
      return entries
    }
    await append(setting.store, 2, 3)
    await until('a read that hangs', () => answers.length === 1)
    setting.broker.hangUp()
    await until('the next connection reads too', () => answers.length === 2)
    // The older one first: nobody waits for it any more.
    answers[0]?.()
    await sleep(50)
    answers[1]?.()
    await until('confirmed', () => setting.stream().behind === 0)
    assert.deepEqual(taken(setting), ['1', '2', '3'])
  })

  it('does not get new entries under old numbers taken for those that a damaged log has lost', async t => {
    const setting = await setUp(t, 4, () => 'take')
    await append(setting.store, 1, 2, 3)
    await until('confirmed', () => setting.stream().behind === 0)
    // As after a repair: the last two are gone, and what comes next gets their numbers.
    const head = setting.store.head.bind(setting.store)
    let lost = 2
    setting.store.head = table => asSeq(head(table) - lost)
    await until('noticed', () => setting.stream().confirmed === 1)
    await sleep(100)
    lost = 0
    await append(setting.store, 4)
    await until('confirmed', () => setting.stream().behind === 0)
    assert.deepEqual(
      setting.broker.seen.map(({ payload }) => payload),
      ['1', '2', '3', '2', '3', '4'],
    )
  })

  it('hangs up over one message without a word: it is found and parked, its neighbours and its topic are not', async t => {
    const setting = await setUp(t, 4, (_topic, payload) => (payload === '5' ? 'close' : 'take'))
    await append(setting.store, 1, 2, 3, 4, 5, 6, 7, 8, 9)
    await until('confirmed', () => setting.stream().behind === 0, 60_000)
    assert.deepEqual(taken(setting), ['1', '2', '3', '4', '6', '7', '8', '9'])
    assert.equal(setting.stream().parked, 1)
    const { connections } = setting.broker
    assert.ok(connections <= 10, `${connections} connections over one message`)
  })

  it('acknowledges and hangs up: what it acknowledged last is not counted as taken', async t => {
    let closes = 2
    const setting = await setUp(t, 4, (_topic, payload) =>
      payload === '2' && closes-- > 0 ? 'take-and-close' : 'take',
    )
    await append(setting.store, 1, 2, 3)
    await until('confirmed', () => setting.stream().behind === 0, 60_000)
    assert.deepEqual([taken(setting), setting.stream().parked], [['1', '2', '3'], 0])
  })

  it('never answers one message: the connection is made anew, and nothing after it is lost', async t => {
    let silences = 1
    const setting = await setUp(t, 4, (_topic, payload) => (payload === '2' && silences-- > 0 ? 'silence' : 'take'))
    await append(setting.store, 1, 2, 3, 4)
    await until('confirmed', () => setting.stream().behind === 0, 60_000)
    assert.equal(setting.broker.connections, 2)
    // What came after it was acknowledged, and comes again: at least once, in order from the hole on.
    assert.deepEqual(
      setting.broker.seen.map(({ payload }) => payload),
      ['1', '2', '3', '4', '2', '3', '4'],
    )
  })

  it('hangs up over a row: readings and alerts go on', async t => {
    const judge = (topic: string): Verdict => (topic.startsWith('thresholds/') ? 'close' : 'take')
    const setting = await setUp(t, 4, judge, ['readings', 'alerts', 'thresholds'])
    await put(setting.store, 'limit', 8)
    await append(setting.store, 1, 2, 3)
    await put(setting.store, 'a', 'firing', 'alerts')
    await until('readings', () => setting.stream().behind === 0 && setting.stream('alerts').behind === 0, 60_000)
    await until('parked', () => setting.stream('thresholds').parked === 1, 60_000)
    assert.deepEqual(new Set(taken(setting)), new Set(['1', '2', '3', 'firing']))
  })

  it('forbids every topic of a table, all different: the stream is refused and names one, until one is taken', async t => {
    let isForbidden = true
    // 135 is "not authorized".
    const setting = await setUp(t, 5, () => (isForbidden ? 135 : 'take'), ['thresholds'], '{key}')
    const stream = () => setting.stream('thresholds')
    for (const key of ['a', 'b', 'c']) await put(setting.store, key, 1)
    await until('parked', () => stream().parked === 3 && stream().behind === 0)
    const { state, reason } = stream()
    assert.equal(state, 'refused')
    assert.equal(
      reason,
      "nothing of this table was taken yet: the broker's access rules forbid this topic (topic thresholds/c)",
    )
    isForbidden = false
    await put(setting.store, 'd', 1)
    await until('taken', () => stream().state === 'idle')
    assert.equal(stream().reason, undefined)
  })
})
