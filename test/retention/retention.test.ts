/** Limits of logs: what goes, what stays, who is told. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { Log } from '../../runtime/log.ts'
import { silentLog } from '../../runtime/log.ts'
import { type RetentionDoors, Retention } from '../../runtime/retention/retention.ts'
import type { TableLimit } from '../../runtime/retention/tables.ts'
import { aheadChange } from '../../runtime/store/ahead.ts'
import { gapsTable } from '../../runtime/store/gap-rows.ts'
import type { Store } from '../../runtime/store/store.ts'
import { asSeq } from '../../runtime/store/types.ts'
import { memoryPlace, specs, testStamps } from '../store/homes.ts'
import { arrival, startMs } from '../store/suite.ts'

describe('retention', () => {
  let store: Store
  let nowMs: number
  let warnings: string[]
  let retention: Retention

  beforeEach(async () => {
    nowMs = startMs
    warnings = []
    store = await memoryPlace().open({
      tables: [...specs, { name: gapsTable, kind: 'records' }],
      stamps: testStamps(() => nowMs),
    })
  })
  afterEach(async () => {
    await retention.close()
    await store.close()
  })

  function open(limits: readonly Partial<TableLimit>[], doors: Partial<RetentionDoors> = {}): Retention {
    const log = { ...silentLog, warn: (_fields: object, text: string) => void warnings.push(text) } as unknown as Log
    retention = Retention.open(
      limits.map(limit => ({
        table: 'readings',
        bytesMax: undefined,
        ageMsMax: undefined,
        rowsMax: undefined,
        ...limit,
      })),
      {
        store,
        trustedMs: () => nowMs,
        wallMs: () => nowMs,
        // Pauses are over at once; the test sweeps by itself.
        after: (delayMs, run) => {
          if (delayMs < 100) setImmediate(run)
          return () => undefined
        },
        tableOf: cursor => (cursor.startsWith('pack/') ? undefined : cursor.slice(cursor.lastIndexOf('/') + 1)),
        mayForget: () => true,
        monotonicMs: () => nowMs,
        disk: undefined,
        log,
        ...doors,
      },
    )
    return retention
  }

  /** Readings of about 10 kB. */
  async function append(count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      await store.commit([{ kind: 'append', table: 'readings', readings: [arrival({ value: 'x'.repeat(10_000) })] }])
      nowMs += 1_000
    }
  }
  const cursor = (name: string, seq: number) => store.commit([{ kind: 'cursor', name, seq: asSeq(seq) }])
  const lost = () => retention.status().tables.get('readings')?.lost
  async function gaps(): Promise<unknown[]> {
    const rows: unknown[] = []
    for await (const { value } of store.rows(gapsTable)) {
      const { first, last, count, reason } = value as Record<string, unknown>
      rows.push([first, last, count, reason])
    }
    return rows
  }

  it('drops nothing below the limit, and beyond it the oldest until the log fits', async () => {
    await append(100)
    await open([{ bytesMax: 1_100_000 }]).sweep()
    assert.equal(store.firstSeq('readings'), 1)
    await retention.close()
    await open([{ bytesMax: 500_000 }]).sweep()
    assert.ok(store.bytes('readings') <= 500_000 && store.bytes('readings') > 480_000)
  })

  it('tells nobody what every durable cursor has passed', async () => {
    await append(100)
    await cursor('bridge/cloud/readings', 90)
    await cursor('alerting/readings', 100)
    await open([{ bytesMax: 500_000 }]).sweep()
    assert.ok(store.firstSeq('readings') > 40)
    assert.deepEqual(await gaps(), [])
    assert.deepEqual([warnings, lost()], [[], 0])
  })

  it('calls nothing lost that a far side got before its turn, though its backlog is dropped', async () => {
    await append(100)
    await cursor('bridge/cloud/readings', 10)
    await store.commit([aheadChange('bridge/cloud/readings', [[asSeq(20), asSeq(90)]])])
    await open([{ bytesMax: 500_000 }]).sweep()
    assert.ok(store.firstSeq('readings') > 40)
    assert.deepEqual(await gaps(), [[11, 20, 10, 'max_bytes']])
    assert.equal(lost(), 10)
  })

  it('tells what somebody has not passed in a row of gaps, counts it, and logs it once per episode', async () => {
    await append(100)
    await cursor('bridge/cloud/readings', 20)
    await cursor('alerting/readings', 100)
    await open([{ bytesMax: 500_000 }]).sweep()
    const last = store.firstSeq('readings') - 1
    assert.ok(last > 45)
    assert.deepEqual(await gaps(), [[21, last, last - 20, 'max_bytes']])
    await append(20)
    await retention.sweep()
    const [row] = (await gaps()) as [[number, number, number, string]]
    const more = store.firstSeq('readings') - 1
    assert.deepEqual(row, [21, more, more - 20, 'max_bytes'])
    assert.deepEqual([warnings.length, lost()], [1, more - 20])
    await cursor('bridge/cloud/readings', 120)
    await cursor('alerting/readings', 120)
    nowMs += 700_000
    await retention.sweep()
    await append(40)
    await retention.sweep()
    assert.ok(store.firstSeq('readings') > 100)
    assert.equal(warnings.length, 1, 'nothing was lost since')
    await append(100)
    await retention.sweep()
    assert.equal(warnings.length, 2)
  })

  it('takes no notice of the cursor of somebody who will not come again', async () => {
    await append(100)
    await cursor('bridge/old/readings', 3)
    await open([{ bytesMax: 500_000 }], { tableOf: () => undefined }).sweep()
    assert.ok(store.firstSeq('readings') > 40)
    assert.deepEqual(await gaps(), [])
  })

  it('goes by age only while the time is to be trusted', async () => {
    await append(100)
    await cursor('bridge/cloud/readings', 0)
    await open([{ ageMsMax: 60_000 }], { trustedMs: () => undefined }).sweep()
    assert.equal(store.firstSeq('readings'), 1)
    await retention.close()
    await open([{ ageMsMax: 60_000 }]).sweep()
    assert.equal(store.firstSeq('readings'), 41)
    assert.deepEqual(await gaps(), [[1, 40, 40, 'max_age']])
  })

  it('tells no loss of a records table, whose rows all stand', async () => {
    await cursor('bridge/cloud/thresholds', 0)
    for (let key = 0; key < 100; key++) {
      await store.commit([{ kind: 'put', table: 'thresholds', key: `${key}`, value: 'x'.repeat(10_000) }])
    }
    await open([{ table: 'thresholds', bytesMax: 500_000 }]).sweep()
    assert.ok(store.firstSeq('thresholds') > 40)
    assert.deepEqual(await gaps(), [])
    const told = await store.read('thresholds', asSeq(0), 1_000)
    assert.deepEqual(
      told.map(entry => entry.kind === 'record' && entry.key),
      Array.from({ length: store.firstSeq('thresholds') - 1 }, (_, key) => `${key}`),
    )
  })

  it('keeps the logs of what the gateway writes by itself short, and takes no row from them', async () => {
    for (let count = 0; count < 150; count++) {
      const value = `${count} ${'x'.repeat(10_000)}`
      await store.commit([{ kind: 'put', table: gapsTable, key: `${count % 3}`, value }])
    }
    await open([{ table: gapsTable }, { table: 'thresholds' }]).sweep()
    assert.ok(store.bytes(gapsTable) <= 1 << 20 && store.firstSeq(gapsTable) > 1)
    const limited = [...retention.status().tables].filter(([, { bytesMax }]) => bytesMax !== undefined)
    assert.deepEqual(
      limited.map(([table]) => table),
      [gapsTable],
    )
    const keys: string[] = []
    for await (const { key } of store.rows(gapsTable)) keys.push(key)
    assert.deepEqual(keys, ['0', '1', '2'])
  })

  it('lets commits through between its steps, and survives a store that cannot write', async () => {
    await append(300)
    let commits = 0
    const slow: RetentionDoors['after'] = (delayMs, run) => {
      if (delayMs < 100) {
        commits++
        void append(1).then(run)
      }
      return () => undefined
    }
    await open([{ bytesMax: 100_000 }], { after: slow }).sweep()
    assert.ok(commits >= 2, 'in several steps')
    await retention.close()
    const broken = { ...spread(store), commit: () => Promise.reject(new Error('disk full')) }
    await open([{ bytesMax: 1 }], { store: broken }).sweep()
    assert.deepEqual(warnings.slice(-1), ['tables could not be trimmed: trying again'])
  })
})

/** The doors of a store, so that one of them can be another. */
function spread(store: Store): RetentionDoors['store'] {
  return {
    origin: store.origin,
    epoch: store.epoch,
    upkeep: store.upkeep,
    head: table => store.head(table),
    rowCount: table => store.rowCount(table),
    tables: store.tables,
    cursors: store.cursors,
    state: (owner, key) => store.state(owner, key),
    bytes: table => store.bytes(table),
    firstSeq: table => store.firstSeq(table),
    planTrim: (table, limits) => store.planTrim(table, limits),
    commit: (changes, urgency) => store.commit(changes, urgency),
    rows: (table, options) => store.rows(table, options),
  }
}
