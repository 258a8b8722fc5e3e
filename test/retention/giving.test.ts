/** What a store gives when the disk is short: which tables, which readings, and who is told. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Giving, type Rank } from '../../runtime/retention/giving.ts'
import { Losses } from '../../runtime/retention/losses.ts'
import { gapsTable } from '../../runtime/store/gap-rows.ts'
import { packEveryMs } from '../../runtime/store/packer.ts'
import type { Store } from '../../runtime/store/store.ts'
import { type Entry, asSeq } from '../../runtime/store/types.ts'
import { memoryPlace, testStamps } from '../store/homes.ts'
import { arrival, startMs } from '../store/suite.ts'

async function plant() {
  let monotonicMs = 0
  const place = memoryPlace()
  const stamps = testStamps(() => startMs)
  const open = (): Promise<Store> =>
    place.open({
      tables: [
        { name: 'readings', kind: 'series' },
        { name: 'rejects', kind: 'series' },
        { name: 'readings.every-1m.cloud', kind: 'series' },
        { name: gapsTable, kind: 'records' },
      ],
      stamps,
      monotonicMs: () => monotonicMs,
    })
  const store = await open()
  const losses = new Losses({
    store,
    tableOf: cursor => (cursor.startsWith('bridge/') ? cursor.split('/').at(-1) : undefined),
    wallMs: () => startMs,
  })
  const ranks: Readonly<Record<string, Rank>> = { rejects: 'first', 'readings.every-1m.cloud': 'last' }
  const giving = new Giving({
    store,
    losses,
    compactor: { compact: () => Promise.resolve() },
    rankOf: table => ranks[table] ?? 'usual',
    pause: () => Promise.resolve(),
    isClosed: () => false,
  })
  let count = 0
  const append = async (table: string, readings: number): Promise<void> => {
    const all = Array.from({ length: readings }, () =>
      arrival({ device: `d${count % 3}`, value: Math.sin(count++), arrivalMs: startMs + count * 1_000 }),
    )
    await store.commit([{ kind: 'append', table, readings: all }])
  }
  const pack = async (): Promise<void> => {
    monotonicMs += packEveryMs + 1
    for (let commits = 0; commits < 5; commits++)
      await store.commit([{ kind: 'state', owner: 'test', key: 'tick', value: `${monotonicMs} ${commits}` }])
  }
  return { store, giving, append, pack, reopen: async () => (await store.close(), open()) }
}

async function lostAbove(store: Store, cursor: number): Promise<number> {
  let lost = 0
  for (let after = asSeq(0); after < store.head('readings'); ) {
    const entries: readonly Entry[] = await store.read('readings', after, 1_000)
    for (const entry of entries)
      if (entry.kind === 'gap' && entry.seq > cursor) lost += entry.seq - Math.max(cursor, entry.firstSeq - 1)
    after = (entries.at(-1) as Entry).seq
  }
  return lost
}

async function toldRows(store: Store) {
  const rows: { first: number; last: number; count: number; reason: string }[] = []
  for await (const { value } of store.rows(gapsTable)) rows.push(value as (typeof rows)[number])
  return rows
}

describe('a store that must give space', () => {
  it('gives what nobody could read before it thins anything, and summaries last', async () => {
    const { store, giving, append, pack } = await plant()
    for (let part = 0; part < 8; part++) {
      for (const table of ['readings', 'rejects', 'readings.every-1m.cloud']) await append(table, 60)
      await pack()
    }
    assert.ok((await giving.thin(1)) > 0)
    assert.deepEqual([giving.of('rejects').dropped > 0, giving.of('readings').thinned], [true, 0])
    while (giving.of('readings').thinned === 0) await giving.thin(1)
    assert.equal(store.rowCount('rejects'), 60, 'all but what the head is known by')
    assert.equal(giving.of('readings.every-1m.cloud').thinned, 0)
    while ((await giving.thin(1_000)) > 0);
    assert.ok(giving.of('readings.every-1m.cloud').thinned > 0)
    assert.ok((await giving.drop(1)) > 0)
    assert.deepEqual([giving.of('readings').dropped > 0, giving.of('readings.every-1m.cloud').dropped], [true, 0])
    while ((await giving.drop(1_000)) > 0);
    assert.ok(giving.of('readings.every-1m.cloud').dropped > 0)
    await store.close()
  })

  it('leaves alone what is not packed yet, and says so', async () => {
    const { store, giving, append } = await plant()
    await append('readings', 100)
    assert.deepEqual([await giving.thin(1e6), await giving.drop(1e6), store.rowCount('readings')], [0, 0, 100])
    await store.close()
  })

  it('tells exactly what a far side lacks, and nobody of what all have passed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 480 }),
        fc.array(fc.constantFrom('thin', 'drop', 'pass'), { minLength: 1, maxLength: 8 }),
        async (passed, steps) => {
          const { store, giving, append, pack, reopen } = await plant()
          for (let part = 0; part < 8; part++) {
            await append('readings', 60)
            await pack()
          }
          const name = 'bridge/cloud/readings'
          await store.commit([{ kind: 'cursor', name, seq: asSeq(passed) }], 'now')
          for (const step of steps) {
            if (step === 'thin') await giving.thin(300)
            else if (step === 'drop') await giving.drop(1)
          }
          const { lost } = giving.of('readings')
          const rows = await toldRows(store)
          assert.equal(
            rows.reduce((sum, { count }) => sum + count, 0),
            lost,
          )
          assert.ok(rows.every(({ first }) => first > passed))
          const again = await reopen()
          const missing = await lostAbove(again, passed)
          // Where a cursor stands amid what was thinned before it was dropped, the share is an estimate.
          assert.ok(Math.abs(missing - lost) <= 60, `${missing} are missing, ${lost} told`)
          if (!steps.includes('drop') || !steps.includes('thin')) assert.equal(missing, lost)
          await again.close()
        },
      ),
      { numRuns: 40 },
    )
  })
})
