/** Rows that could not be applied or sent: kept whole, tried again, dropped; the rest flows. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { silentLog } from '../../runtime/log.ts'
import { parkedMax, parkedPerStreamMax } from '../../runtime/replication/limits.ts'
import { park, parkedTable } from '../../runtime/replication/parked/parked.ts'
import { ParkedRows } from '../../runtime/replication/parked/parked-rows.ts'
import type { StreamStatus } from '../../runtime/replication/stream.ts'
import { type Time, systemTime } from '../../runtime/replication/time.ts'
import { stampAt } from '../../runtime/stamp.ts'
import { gapsTable } from '../../runtime/store/gap-rows.ts'
import type { Store } from '../../runtime/store/store.ts'
import { asSeq } from '../../runtime/store/types.ts'
import { memoryPlace } from '../store/homes.ts'
import { Cloud, Edge, append, openTestStore, put, until, values } from './rig.ts'

type Fields = Record<string, unknown>

async function parkedIn(store: Store, table = parkedTable): Promise<Record<string, Fields>> {
  const rows: Record<string, Fields> = {}
  for await (const { key, value } of store.rows(table)) rows[key] = value as Fields
  return rows
}

describe('parked rows', () => {
  let store: Store
  let rows: ParkedRows | undefined
  let wallMs: number
  const time: Time = { ...systemTime, wallMs: () => wallMs, after: () => () => undefined }
  const open = async (): Promise<ParkedRows> => (rows = await ParkedRows.open({ store, time, log: silentLog }))
  beforeEach(async () => {
    wallMs = Date.UTC(2026, 5, 1)
    store = await openTestStore(memoryPlace(), 'hub')
    rows = undefined
  })
  afterEach(async () => {
    await rows?.close()
    await store.close()
  })

  const stream = { way: 'from', farSide: 'gw-1', table: 'thresholds', epoch: 'e1' } as const
  const future = (hours: number) => stampAt(wallMs + hours * 3_600_000)
  const row = (seq: number, more: object = {}) => ({
    reason: 'stamp-too-far-ahead',
    row: { seq: asSeq(seq), stamp: future(2), origin: 'gw-1', key: `key ${seq}`, value: seq, ...more },
  })
  async function keep(...parkings: Parameters<typeof park>[2]): Promise<void> {
    const { changes } = await park(store, stream, parkings, wallMs)
    await store.commit(changes)
  }

  it('are applied when they are tried again and fit now, by their own stamps; else they stay and say why', async () => {
    await open()
    await keep(row(1), row(2, { stamp: future(5) }), row(3, { value: undefined, key: 'gone' }))
    await store.commit([{ kind: 'put', table: 'thresholds', key: 'gone', value: 'still here' }])
    wallMs += 90 * 60_000
    const outcomes = (await rows?.retry(undefined)) ?? []
    assert.deepEqual(
      outcomes.map(({ key, outcome, reason }) => [key, outcome, reason]),
      [
        ['from:gw-1/thresholds/e1/1', 'applied', undefined],
        ['from:gw-1/thresholds/e1/2', 'refused', 'stamp-too-far-ahead'],
        ['from:gw-1/thresholds/e1/3', 'applied', undefined],
      ],
    )
    assert.deepEqual(store.latest('thresholds', 'key 1')?.value, 1)
    assert.equal(store.latest('thresholds', 'key 1')?.origin, 'gw-1')
    assert.deepEqual(Object.keys(await parkedIn(store)), ['from:gw-1/thresholds/e1/2'])
    assert.deepEqual(await rows?.retry(['from:gw-1/thresholds/e1/1']), [
      { key: 'from:gw-1/thresholds/e1/1', outcome: 'not found', reason: undefined },
    ])
  })

  it('are tried by themselves once the time of their stamps has come', async () => {
    await open()
    await keep(row(1), { ...row(2), reason: 'BAD_ARGUMENT' })
    await rows?.retryDue()
    assert.equal(Object.keys(await parkedIn(store)).length, 2)
    wallMs += 61 * 60_000
    await rows?.retryDue()
    assert.deepEqual(store.latest('thresholds', 'key 1')?.value, 1)
    assert.deepEqual(Object.keys(await parkedIn(store)), ['from:gw-1/thresholds/e1/2'], 'the other waits for a person')
  })

  it('keep readings whole: applied later, they are what was sent', async () => {
    await open()
    const reading = {
      device: 'freezer-1',
      metric: 'temperature',
      unit: '°C',
      id: 'a',
      arrivalMs: wallMs - 5_000,
      deviceTimeMs: wallMs - 9_000,
      value: -18,
    }
    const parking = { reason: 'x', row: { seq: asSeq(9), stamp: stampAt(wallMs), origin: 'gw-1', ...reading } }
    const { changes } = await park(store, { ...stream, table: 'readings' }, [parking], wallMs)
    await store.commit(changes)
    const [outcome] = (await rows?.retry(['from:gw-1/readings/e1/9'])) ?? []
    assert.equal(outcome?.outcome, 'applied')
    const [entry] = await store.read('readings', asSeq(0), 10)
    assert.ok(entry?.kind === 'reading')
    const { device, metric, unit } = entry.series
    const { id, arrivalMs, deviceTimeMs, value, via, origin } = entry
    assert.deepEqual({ device, metric, unit, id, arrivalMs, deviceTimeMs, value }, reading)
    assert.deepEqual([via, origin], ['gw-1', 'gw-1'])
  })

  it('of ours are written again once, however many copies there are, and the answer says what became of each', async () => {
    const to = (farSide: string) => ({ ...stream, way: 'to', farSide }) as const
    const keepOurs = async (farSide: string, ...seqs: number[]): Promise<void> => {
      const parkings = seqs.map(seq => row(seq, { key: 'limit' }))
      await store.commit((await park(store, to(farSide), parkings, wallMs)).changes)
    }
    for (const value of [1, 2, 3]) await put(store, 'limit', value)
    await keepOurs('cloud', 1)
    await keepOurs('cloud', 3, 2)
    assert.deepEqual(Object.keys(await parkedIn(store)), ['to:cloud/thresholds/e1/3'], 'the newest version alone')
    await keepOurs('cloud', 1)
    await keepOurs('other', 3)
    assert.equal(Object.keys(await parkedIn(store)).length, 2)
    const moving = { bridge: 'cloud', table: 'thresholds', direction: 'send', state: 'moving', confirmed: 3 }
    const streams = () => [moving as unknown as StreamStatus]
    rows = await ParkedRows.open({ store, time: systemTime, log: silentLog, streams })
    const retried = rows.retry(undefined)
    await until('it is written again', () => store.head('thresholds') === 4)
    await keepOurs('cloud', 4)
    assert.deepEqual(
      (await retried).map(({ key, outcome, reason }) => [key, outcome, reason?.slice(0, 62)]),
      [
        ['to:cloud/thresholds/e1/3', 'refused', 'written again, and parked anew as to:cloud/thresholds/e1/4: st'],
        ['to:other/thresholds/e1/3', 'sent again', 'written again for every far side of its table; what does not f'],
      ],
    )
    assert.equal(store.head('thresholds'), 4)
    assert.deepEqual(Object.keys(await parkedIn(store)), ['to:cloud/thresholds/e1/4'])
  })

  it('are dropped by command, and only those that were named', async () => {
    await open()
    await keep(row(1), row(2), row(3))
    const keys = ['from:gw-1/thresholds/e1/2', 'nonsense']
    const outcomes = (await rows?.drop(keys)) ?? []
    assert.deepEqual(
      outcomes.map(({ outcome }) => outcome),
      ['dropped', 'not found'],
    )
    assert.equal(Object.keys(await parkedIn(store)).length, 2)
    await rows?.drop(undefined)
    assert.deepEqual(await parkedIn(store), {})
  })

  it('are bounded by stream and in all; those without room are handed back, to be told as gaps', async () => {
    const many = Array.from({ length: parkedPerStreamMax + 5 }, (_, index) => row(index + 1))
    const { changes, unkept } = await park(store, stream, many, wallMs)
    assert.deepEqual([changes.length, unkept.length], [parkedPerStreamMax, 5])
    await store.commit(changes)
    assert.equal((await park(store, stream, [row(999)], wallMs)).unkept.length, 1)
    assert.equal((await park(store, stream, [row(1)], wallMs)).unkept.length, 0, 'it is kept already')
    for (let peer = 2; peer <= parkedMax / parkedPerStreamMax + 1; peer++) {
      const other = await park(store, { ...stream, farSide: `gw-${peer}` }, many, wallMs)
      await store.commit(other.changes)
    }
    assert.equal(Object.keys(await parkedIn(store)).length, parkedMax)
  })

  it('that an older version kept in its own way are taken over', async () => {
    const value = {
      reason: 'r',
      stream: 'from gw-1',
      table: 'thresholds',
      seq: 7,
      stamp: stampAt(wallMs),
      origin: 'gw-1',
    }
    const old = { ...value, parkedAtMs: 5, key: 'k', value: 1 }
    await store.commit([{ kind: 'state', owner: 'parked', key: 'from gw-1/thresholds/7', value: old }])
    await open()
    assert.equal(store.states('parked').size, 0)
    assert.deepEqual(Object.keys(await parkedIn(store)), ['from:gw-1/thresholds/unknown/7'])
    await rows?.retry(undefined)
    assert.equal(store.latest('thresholds', 'k')?.value, 1)
  })
})

describe('one row that the far side refuses', () => {
  it('is parked and reported, the rest flows, and once it fits it can be sent again', async () => {
    const cloud = await Cloud.open()
    const edge = await Edge.open(cloud, 'gw-1')
    const streams = () => edge.bridge.status().streams
    const rows = await ParkedRows.open({ store: edge.store, time: systemTime, log: silentLog, streams })
    const large = 'x'.repeat(100_000)
    const changes = Array.from({ length: 12 }, (_, index) => ({
      kind: 'put' as const,
      table: 'alerts',
      key: `alert ${index}`,
      value: large,
    }))
    await edge.store.commit(changes)
    await put(edge.store, 'small', 1, 'alerts')
    await append(edge.store, 1, 2, 3)
    await until('the rest is there', () => cloud.store.latest('alerts', 'small') !== undefined)
    await until('the readings are there', async () => (await values(cloud.store)).length === 3)
    assert.equal(cloud.store.latest('alerts', 'alert 0'), undefined)
    await until('they are parked', async () => Object.keys(await parkedIn(edge.store)).length === 12)
    assert.deepEqual([edge.stream('alerts').parked, edge.stream('alerts').gaps], [12, 12])
    const [parked] = Object.values(await parkedIn(edge.store))
    assert.deepEqual([parked?.['reason'], parked?.['table']], ['transaction-too-large', 'alerts'])
    assert.equal(Object.keys(await parkedIn(cloud.store, gapsTable)).length, 1)
    // Each alone is small enough.
    const outcomes = await rows.retry(undefined)
    assert.ok(outcomes.every(({ outcome }) => outcome === 'sent again'))
    assert.ok(outcomes.every(({ reason }) => reason === 'cloud has answered for it'))
    await until('all are there', async () => Object.keys(await parkedIn(cloud.store, 'alerts')).length === 13)
    assert.equal(cloud.store.latest('alerts', 'alert 3')?.stamp, edge.store.latest('alerts', 'alert 3')?.stamp)
    assert.deepEqual(await parkedIn(edge.store), {})
    assert.deepEqual(await parkedIn(cloud.store), {}, 'what is parked stays where it is')
    await rows.close()
    await edge.close()
    await cloud.close()
  })
})
