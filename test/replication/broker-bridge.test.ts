/** Tables that go to a plain broker: mosquitto and NATS as they are, and one that misbehaves on purpose. */
import assert from 'node:assert/strict'
import { type TestContext, describe, it } from 'node:test'
import { silentLog } from '../../runtime/log.ts'
import { BrokerBridge, type BrokerBridgeOptions } from '../../runtime/replication/plain/broker-bridge.ts'
import type { StreamStatus } from '../../runtime/replication/stream.ts'
import { type Time, systemTime } from '../../runtime/replication/time.ts'
import type { Store } from '../../runtime/store/store.ts'
import { type BrokerKind, type BrokerOptions, type Heard, RealBroker } from '../rigs/brokers.ts'
import { missing } from '../rigs/mosquitto.ts'
import { type Proxy, openProxy } from '../rigs/proxy.ts'
import { memoryPlace } from '../store/homes.ts'
import { append, arrival, doors, fasterBy, openTestStore, put, remove, sleep, until } from './rig.ts'

type Setting = {
  readonly broker: RealBroker
  readonly proxy: Proxy
  readonly store: Store
  readonly bridge: BrokerBridge
  readonly stream: (table?: string) => StreamStatus
}

async function setUp(
  t: TestContext,
  kind: BrokerKind,
  options: Partial<BrokerBridgeOptions> = {},
  brokerOptions: BrokerOptions = {},
  time: Time = systemTime,
): Promise<Setting> {
  const broker = await RealBroker.open(kind, brokerOptions)
  t.after(() => broker.close())
  const proxy = await openProxy({ target: { host: '127.0.0.1', port: broker.port } })
  t.after(() => proxy.close())
  const place = memoryPlace()
  const store = await openTestStore(place, 'gw-1')
  const bridge = await BrokerBridge.open(
    {
      name: 'plain',
      url: `mqtt://127.0.0.1:${proxy.port}`,
      gateway: 'gw-1',
      username: undefined,
      password: undefined,
      publish: [publish('readings')],
      keepaliveMs: 5_000,
      tls: undefined,
      ...options,
    },
    { ...doors(store, time, silentLog), random: () => 0.02 },
  )
  t.after(async () => {
    await bridge.close()
    await store.close()
    place.remove()
  })
  const stream = (table = 'readings'): StreamStatus =>
    bridge.status().streams.find(one => one.table === table) ?? assert.fail(table)
  return { broker, proxy, store, bridge, stream }
}

const publish = (table: string, more: Partial<BrokerBridgeOptions['publish'][number]> = {}) => ({
  table,
  start: 'beginning' as const,
  topic: undefined,
  format: 'json' as const,
  payload: undefined,
  ...more,
})

const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index)
const bodies = (heard: readonly Heard[]): { value: number }[] =>
  heard.map(({ payload }) => JSON.parse(String(payload)) as { value: number })

/** The first time that each value came, in the order in which it came. */
const firstTimes = (heard: readonly Heard[]): number[] => [...new Set(bodies(heard).map(({ value }) => value))]

for (const [kind, program] of [
  ['mosquitto', 'mosquitto'],
  ['nats', 'nats-server'],
] as const) {
  describe(`a bridge to ${kind}`, { skip: missing(program, program), timeout: 120_000 }, () => {
    it('sends each reading as one message, in order, once, and then has nothing left', async t => {
      const { broker, store, stream } = await setUp(t, kind)
      const heard = await broker.listen('holdfast/#')
      await append(store, ...numbers(1, 500))
      await until('confirmed', () => stream().behind === 0)
      await until('heard', () => heard.length >= 500)
      assert.deepEqual(
        bodies(heard).map(({ value }) => value),
        numbers(1, 500),
      )
      assert.equal(heard[0]?.topic, 'holdfast/gw-1/readings/freezer-1/temperature')
      assert.deepEqual([stream().state, stream().parked], ['idle', 0])
    })

    it('takes names that no topic may have, rows and their deletions, and parks a row beyond 124 KiB', async t => {
      const twice = { key: '{key}', value: '{value}', again: '{value}', deleted: '{deleted}' }
      const { broker, store, stream } = await setUp(t, kind, {
        publish: [publish('readings'), publish('thresholds', { payload: twice })],
      })
      const heard = await broker.listen('holdfast/#')
      const device = 'hall/freezer 1.°C+#'
      await store.commit([{ kind: 'append', table: 'readings', readings: [arrival(1, { device })] }])
      await put(store, 'large', 'x'.repeat(60_000))
      await put(store, 'too large', 'x'.repeat(70_000))
      await remove(store, 'large')
      await until('confirmed', () => stream().behind === 0 && stream('thresholds').behind === 0)
      await until('heard', () => heard.length === 3)
      const said = heard.map(
        ({ topic, payload }) => [topic, JSON.parse(String(payload)) as Record<string, unknown>] as const,
      )
      const of = (topic: string) => said.filter(([own]) => own === topic).map(([, body]) => body)
      assert.equal(of('holdfast/gw-1/readings/hall_freezer_1__C__/temperature')[0]?.['device'], device)
      const rows = of('holdfast/gw-1/thresholds/large')
      assert.deepEqual(
        rows.map(({ key, value, deleted }) => [key, typeof value, deleted]),
        [
          ['large', 'string', false],
          ['large', 'undefined', true],
        ],
      )
      assert.deepEqual([stream('thresholds').parked, stream('thresholds').state], [1, 'idle'])
    })

    it('goes on after cuts, and after the broker was killed: each reading is there, in order', async t => {
      const { broker, proxy, store, stream } = await setUp(t, kind)
      const heard = await broker.listen('holdfast/#')
      for (let round = 0; round < 5; round++) {
        await append(store, ...numbers(round * 200 + 1, round * 200 + 200))
        await until('some confirmed', () => stream().confirmed > round * 200 + 20)
        proxy.dropConnections()
      }
      await until('confirmed', () => stream().behind === 0)
      await append(store, ...numbers(1_001, 1_200))
      await until('some confirmed', () => stream().confirmed > 1_020)
      await broker.kill()
      await append(store, ...numbers(1_201, 1_300))
      await until('offline', () => stream().state === 'offline')
      assert.ok(stream().behind >= 100)
      await broker.start()
      await until('confirmed', () => stream().behind === 0, 60_000)
      await until('the last', () => firstTimes(heard).includes(1_300))
      // A subscriber may lose what the broker itself lost when it was killed; nothing else may be missing.
      const first = firstTimes(heard)
      assert.deepEqual(
        first.filter(value => value <= 1_000),
        numbers(1, 1_000),
      )
      assert.deepEqual(
        first,
        first.toSorted((a, b) => a - b),
      )
      assert.equal(stream().parked, 0)
    })
  })
}

describe('a bridge to mosquitto with access rules', { skip: missing('mosquitto', 'mosquitto') }, () => {
  const access = 'user gw-1\ntopic write holdfast/gw-1/readings/freezer-1/#\nuser listener\ntopic read #\n'

  for (const mqtt of ['auto', '3.1.1'] as const) {
    const options = { username: 'gw-1', mqtt }

    it(`parks what a topic is refused for, says so, and the rest flows (mqtt: ${mqtt})`, async t => {
      const { broker, store, stream, bridge } = await setUp(t, 'mosquitto', options, { access }, fasterBy(20))
      const heard = await broker.listen('holdfast/#', 'listener')
      const other = (value: number) => [arrival(value, { device: 'freezer-2' })]
      await append(store, 1, 2)
      await store.commit([{ kind: 'append', table: 'readings', readings: other(3) }])
      await append(store, 4, 5)
      await until('confirmed', () => stream().behind === 0, 60_000)
      await until('heard', () => firstTimes(heard).length === 4)
      assert.deepEqual(firstTimes(heard), [1, 2, 4, 5])
      assert.equal(stream().parked, 1)
      const { connectedAtMs } = bridge.status().link
      await store.commit([{ kind: 'append', table: 'readings', readings: other(6) }])
      await until('confirmed', () => stream().behind === 0)
      // The refused topic is left alone: no connection is lost over it again.
      assert.deepEqual([stream().parked, bridge.status().link.connectedAtMs], [2, connectedAtMs])
    })

    it(`waits where all of a table is refused, parks nothing, and goes on once it is let in (mqtt: ${mqtt})`, async t => {
      const all = { ...options, publish: [publish('readings', { topic: 'plant/all' })] }
      const { broker, store, stream, bridge } = await setUp(t, 'mosquitto', all, { access }, fasterBy(100))
      const heard = await broker.listen('plant/#', 'listener')
      await append(store, ...numbers(1, 50))
      await until('refused', () => stream().state === 'refused', 60_000)
      await until('told', () => bridge.status().state === 'refused')
      assert.match(stream().reason ?? '', /plant\/all/)
      await sleep(200)
      assert.deepEqual([stream().parked, stream().behind, heard.length], [0, 50, 0])
      broker.allow(`${access}\nuser gw-1\ntopic write plant/all\n`)
      await until('taken', () => stream().behind === 0, 60_000)
      await until('heard', () => firstTimes(heard).length === 50)
      assert.deepEqual([firstTimes(heard), stream().state, stream().parked], [numbers(1, 50), 'idle', 0])
    })
  }

  it('sends what is chosen, and passes over the rest', async t => {
    const chosen = {
      where: (entry: { value?: unknown }) => Number(entry.value) > 2,
      byKeyAlone: false,
      columns: undefined,
    }
    const publishing = { publish: [publish('readings', { selection: chosen })] }
    const { broker, store, stream } = await setUp(t, 'mosquitto', publishing)
    const heard = await broker.listen('holdfast/#')
    await append(store, 1, 2, 3, 4)
    await until('confirmed', () => stream().behind === 0)
    await until('heard', () => heard.length === 2)
    assert.deepEqual(firstTimes(heard), [3, 4])
  })

  it('keeps to its daily budget, and an alert is not held back by it', async t => {
    const options = { publish: [publish('readings'), publish('alerts')], dailyBytes: 2_000 }
    const { broker, store, stream, bridge } = await setUp(t, 'mosquitto', options)
    const heard = await broker.listen('holdfast/#')
    await append(store, ...numbers(1, 100))
    await until('waiting', () => stream().state === 'waiting')
    const { behind } = stream()
    assert.ok(behind > 50)
    assert.equal(bridge.status().valve.daily?.leftBytes, 0)
    await put(store, 'freezer-1', { state: 'firing' }, 'alerts')
    await until('the alert', () => heard.some(({ topic }) => topic.includes('/alerts/')))
    await until('confirmed', () => stream('alerts').behind === 0)
    assert.match(stream().reason ?? '', /used up/)
  })

  it('sends an alert before a backlog of readings', async t => {
    const { broker, proxy, store, stream } = await setUp(
      t,
      'mosquitto',
      { publish: [publish('readings'), publish('alerts')] },
      {},
    )
    const heard = await broker.listen('holdfast/#')
    proxy.cut()
    await append(store, ...numbers(1, 400))
    await put(store, 'freezer-1', { state: 'firing' }, 'alerts')
    proxy.restore()
    await until('confirmed', () => stream().behind === 0 && stream('alerts').behind === 0)
    await until('heard', () => heard.length >= 401)
    assert.ok(heard.findIndex(({ topic }) => topic.includes('/alerts/')) < 30)
  })
})
