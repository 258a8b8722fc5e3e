/** Rows of records tables beyond their limits: which are forgotten, and which stay whatever happens. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import type { Json } from '../../runtime/reading.ts'
import { type RowDoors, type RowLimit, RowKeeper, passedBy } from '../../runtime/retention/rows.ts'
import { Smallest } from '../../runtime/retention/smallest.ts'
import type { Store } from '../../runtime/store/store.ts'
import { asSeq, seqZero } from '../../runtime/store/types.ts'
import { type Place, memoryPlace, testStamps } from '../store/homes.ts'
import { collect, startMs } from '../store/suite.ts'

describe('rows beyond a limit', () => {
  let place: Place
  let store: Store
  let nowMs: number

  beforeEach(async () => {
    nowMs = startMs
    place = memoryPlace()
    store = await open()
  })
  afterEach(async () => {
    await store.close()
    assert.equal(place.openIterators?.(), 0)
  })

  const open = (): Promise<Store> => place.open({ stamps: testStamps(() => nowMs) })
  const keeper = (limit: Partial<RowLimit>, doors: Partial<RowDoors> = {}): RowKeeper =>
    new RowKeeper(
      { table: 'alerts', rowsMax: undefined, ageMsMax: undefined, ...limit },
      {
        store,
        trustedMs: () => nowMs,
        passed: table => passedBy(store.cursors.values(), store.head(table)),
        mayForget: () => true,
        pause: () => Promise.resolve(),
        isClosed: () => false,
        ...doors,
      },
    )
  async function put(key: string, value: Json = 0): Promise<void> {
    nowMs += 1_000
    await store.commit([{ kind: 'put', table: 'alerts', key, value }], 'now')
  }
  const remove = (key: string) => store.commit([{ kind: 'delete', table: 'alerts', key }], 'now')
  const keys = async () => (await collect(store.rows('alerts'))).map(({ key }) => key)

  it('go by the age of what they say now, however their keys are ordered', async () => {
    for (const key of ['d', 'a', 'c', 'b']) await put(key)
    await put('d')
    assert.equal(await keeper({ rowsMax: 2 }).sweep(), 2)
    assert.deepEqual(await keys(), ['b', 'd'])
  })

  it('stay while there are not more than the limit and its slack', async () => {
    for (let row = 0; row < 34; row++) await put(`${row}`)
    assert.equal(await keeper({ rowsMax: 32 }).sweep(), 0)
    await put('34')
    assert.equal(await keeper({ rowsMax: 32 }).sweep(), 3)
    assert.equal((await keys()).length, 32)
  })

  it('go by their age once the time is known', async () => {
    for (const key of ['a', 'b', 'c']) await put(key)
    nowMs += 100_000
    await put('d')
    assert.equal(await keeper({ ageMsMax: 60_000 }, { trustedMs: () => undefined }).sweep(), 0)
    assert.equal(await keeper({ ageMsMax: 60_000 }).sweep(), 3)
    assert.deepEqual(await keys(), ['d'])
  })

  it('are gone without a word: the log gets no entry, and a reader of it who comes late does not see them', async () => {
    for (const key of ['a', 'b', 'c']) await put(key)
    const head = store.head('alerts')
    await keeper({ rowsMax: 1 }).sweep()
    assert.equal(store.head('alerts'), head)
    await store.trim('alerts', asSeq(2), 'test')
    const told = [...(await store.read('alerts', seqZero, 100)), ...(await store.read('alerts', asSeq(2), 100))]
    assert.deepEqual(
      told.map(entry => (entry.kind === 'record' ? entry.key : entry.kind)),
      ['gap', 'c'],
    )
  })

  it('stay until every cursor has passed them', async () => {
    for (const key of ['a', 'b', 'c', 'd']) await put(key)
    await store.commit([{ kind: 'cursor', name: 'bridge/cloud/alerts', seq: asSeq(2) }], 'now')
    const rows = keeper({ rowsMax: 1 })
    await rows.sweep()
    assert.deepEqual([await keys(), rows.held], [['c', 'd'], 1])
  })

  it('stay while they must, and others go in their place', async () => {
    for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) await put(key, key === 'a' || key === 'b' ? 'firing' : 'resolved')
    const rows = keeper({ rowsMax: 3 }, { mayForget: (_table, value) => value !== 'firing' })
    await rows.sweep()
    await rows.sweep()
    assert.deepEqual(await keys(), ['a', 'b', 'f'])
  })

  it('are swept with the deletions that stand, once everybody has passed them', async () => {
    for (const key of ['a', 'b']) await put(key)
    await remove('a')
    nowMs += 100_000
    assert.equal(await keeper({ ageMsMax: 60_000 }).sweep(), 2)
    assert.equal((await collect(store.upkeep.rows('alerts'))).length, 0)
  })

  it('cost no walk until there can be too many again, over a restart too', async () => {
    for (let row = 0; row < 40; row++) await put(`${row}`)
    assert.equal(await keeper({ rowsMax: 32 }).sweep(), 8)
    await store.close()
    store = await open()
    const rows = keeper({ rowsMax: 32 }, { store: noWalks(store) })
    assert.equal(await rows.sweep(), 0)
    assert.equal(rows.rowsAtMost, 32)
  })

  it('that were written again while they were about to go stay', async () => {
    for (const key of ['a', 'b']) await put(key)
    const [first] = await collect(store.upkeep.rows('alerts'))
    assert.equal(first?.key, 'a')
    await put('a', 'newer')
    await store.commit([{ kind: 'forget', table: 'alerts', key: 'a', seq: first.seq }])
    assert.equal(store.latest('alerts', 'a')?.value, 'newer')
    await store.commit([
      { kind: 'forget', table: 'alerts', key: 'a', seq: asSeq(3) },
      { kind: 'put', table: 'alerts', key: 'a', value: 'newest' },
    ])
    assert.equal(store.latest('alerts', 'a')?.value, 'newest')
    await store.close()
    store = await open()
    assert.equal(store.latest('alerts', 'a')?.value, 'newest')
  })
})

function noWalks(store: Store): RowDoors['store'] {
  return {
    head: table => store.head(table),
    state: (owner, key) => store.state(owner, key),
    commit: changes => store.commit(changes),
    get upkeep(): Store['upkeep'] {
      throw new Error('walked')
    },
  }
}

it('the smallest of many numbers are the same as if all were sorted', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.integer({ min: 1, max: 20 }), (numbers, most) => {
      const smallest = new Smallest(most)
      for (const number of numbers) smallest.add(number)
      assert.deepEqual(smallest.ascending(), numbers.toSorted((a, b) => a - b).slice(0, most))
    }),
  )
})
