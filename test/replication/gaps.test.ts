/** Entries that never come: told first, kept as rows at both sides, counted; series go on after them. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { silentLog } from '../../runtime/log.ts'
import { Retention } from '../../runtime/retention/retention.ts'
import { gapsTable } from '../../runtime/store/gap-rows.ts'
import type { Store } from '../../runtime/store/store.ts'
import { asSeq } from '../../runtime/store/types.ts'
import { Cloud, Edge, append, flush, put, until, values } from './rig.ts'

async function gapRows(store: Store): Promise<Record<string, unknown>> {
  const rows: Record<string, unknown> = {}
  for await (const { key, value } of store.rows(gapsTable)) {
    const { first, last, count, reason } = value as Record<string, unknown>
    rows[key] = [first, last, count, reason]
  }
  return rows
}

const large = 'x'.repeat(20_000)

describe('gaps', () => {
  let cloud: Cloud
  let edge: Edge
  beforeEach(async () => {
    cloud = await Cloud.open()
    edge = await Edge.open(cloud, 'gw-1', { subscribe: ['thresholds', 'readings'] })
  })
  afterEach(async () => {
    await edge.close()
    await cloud.close()
  })
  const received = () => {
    const streams = cloud.hub.status().gateways[0]?.streams ?? []
    return streams.find(({ table, direction }) => table === 'readings' && direction === 'receive')
  }
  const confirmed = (seq: number) => () => edge.stream('readings').confirmed === seq

  it('stand for what a limit dropped at the edge, at both sides, and readings go on after them', async () => {
    await append(edge.store, 1, 2, 3)
    await until('the first three are there', confirmed(3))
    await edge.bridge.close()
    await flush(edge.store)
    for (let value = 4; value <= 50; value++) {
      const readings = [{ ...arrivalOf(value), id: `${value}` }]
      await edge.store.commit([{ kind: 'append', table: 'readings', readings }])
    }
    const retention = Retention.open(
      [{ table: 'readings', bytesMax: 400_000, ageMsMax: undefined, rowsMax: undefined }],
      {
        store: edge.store,
        trustedMs: () => undefined,
        wallMs: () => 1_800_000_000_000,
        after: (delayMs, run) => {
          if (delayMs < 100) setImmediate(run)
          return () => undefined
        },
        tableOf: cursor => cursor.slice(cursor.lastIndexOf('/') + 1),
        mayForget: () => true,
        monotonicMs: () => 0,
        disk: undefined,
        log: silentLog,
      },
    )
    await retention.sweep()
    await retention.close()
    const last = edge.store.firstSeq('readings') - 1
    assert.ok(last > 20 && last < 40)
    const lost = { [`gw-1/readings/${edge.store.epoch}/4`]: [4, last, last - 3, 'max_bytes'] }
    assert.deepEqual(await gapRows(edge.store), lost)
    await edge.dial()
    assert.equal(edge.stream('readings').gaps, last - 3, 'the status tells of it before the far side knows')
    assert.equal(edge.stream('readings').behind, edge.store.head('readings') - last, 'what is gone does not wait')
    await until('the rest is there', confirmed(50))
    assert.deepEqual(await gapRows(cloud.store), lost)
    const stored = await values(cloud.store)
    assert.equal(stored.length, 3 + 50 - last)
    assert.equal(edge.stream('readings').gaps, last - 3)
    assert.deepEqual([received()?.gaps, received()?.lastGap], [last - 3, 'max_bytes'])
    // Told once, whatever is asked again after a restart of either side.
    await edge.stop()
    await cloud.stop()
    await cloud.start()
    await edge.start()
    await append(edge.store, 51)
    await until('the next one is there', confirmed(51))
    assert.deepEqual(await gapRows(cloud.store), lost)
    assert.equal(received()?.gaps, last - 3)
  })

  it('travel as rows too, in a stream that nobody names; a hub that does not take it is no trouble', async () => {
    await edge.bridge.close()
    const publish = ['readings', 'gaps'].map(table => ({
      table,
      start: 'beginning' as const,
      isImplied: table === 'gaps',
    }))
    for (const accept of [['readings', 'gaps'], ['readings']]) {
      const other = await Cloud.open({ accept })
      const gateway = await Edge.open(other, 'gw-2', { publish, subscribe: [] })
      await put(gateway.store, 'a gap', 1, gapsTable)
      await append(gateway.store, 1)
      await until('the reading is there', () => gateway.stream('readings').confirmed === 1)
      const tables = gateway.bridge.status().streams.map(({ table }) => table)
      if (accept.includes('gaps')) {
        assert.deepEqual(tables.toSorted(), ['gaps', 'readings'])
        await until('the row is there', () => other.store.latest(gapsTable, 'a gap')?.value === 1)
      } else assert.deepEqual(tables, ['readings'])
      await gateway.close()
      await other.close()
    }
    await edge.dial()
  })

  it('are told by a hub that trimmed its own log, to each gateway that was away', async () => {
    await until('the edge listens', () => edge.stream('readings', 'receive').state === 'idle')
    await edge.bridge.close()
    await append(cloud.store, 1, 2, 3, 4, 5)
    for (const value of [6, 7]) await append(cloud.store, value)
    await cloud.store.trim('readings', asSeq(5), 'max_age')
    await edge.dial()
    await until('the rest came', () => edge.stream('readings', 'receive').confirmed === 7)
    assert.deepEqual(await values(edge.store), [6, 7])
    assert.deepEqual(await gapRows(edge.store), {
      [`hub/readings/${cloud.store.epoch}/1`]: [1, 5, 5, 'max_age'],
    })
    assert.equal(edge.stream('readings', 'receive').gaps, 5)
  })

  it('are told of what cannot travel too, and that side shows it as well', async () => {
    await until('the edge talks', () => edge.stream('readings').state === 'idle')
    await edge.store.commit(
      Array.from({ length: 20 }, (_, index) => ({
        kind: 'put' as const,
        table: 'alerts',
        key: `huge ${index}`,
        value: large.repeat(5),
      })),
    )
    await put(edge.store, 'fine', 1, 'alerts')
    await until('the rest is there', () => edge.stream('alerts').confirmed === 21)
    const told = [1, 20, 20, 'transaction-too-large']
    assert.deepEqual(await gapRows(cloud.store), { [`gw-1/alerts/${edge.store.epoch}/1`]: told })
    await until('the edge shows it', async () => Object.keys(await gapRows(edge.store)).length > 0)
    assert.deepEqual(await gapRows(edge.store), { [`to:cloud/alerts/${edge.store.epoch}/1`]: told })
  })
})

function arrivalOf(value: number) {
  return {
    device: 'freezer-1',
    metric: 'picture',
    value: `${value} ${large}`,
    deviceTimeMs: undefined,
    id: undefined,
    unit: undefined,
    arrivalMs: 1_800_000_000_000 + value,
    joined: false,
  }
}
