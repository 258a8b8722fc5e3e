/** The rows of the table `gaps`, however ranges are told. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type LostRange, gapRowsMax, gapsTable, tellGaps } from '../../runtime/store/gap-rows.ts'
import type { Store } from '../../runtime/store/store.ts'
import { memoryPlace, specs } from './homes.ts'

const log = { who: 'gw-1', table: 'readings', epoch: 'e1' }
const tables = [...specs, { name: gapsTable, kind: 'records' as const }]

type Told = LostRange & { count: number }

async function rowsOf(store: Store): Promise<Told[]> {
  const rows: Told[] = []
  for await (const { key, value } of store.rows(gapsTable)) {
    const row = value as unknown as Told
    assert.equal(key, `gw-1/readings/e1/${row.first}`)
    rows.push({ first: row.first, last: row.last, reason: row.reason, count: row.count })
  }
  return rows.toSorted((a, b) => a.first - b.first)
}

async function tell(store: Store, ...lost: readonly LostRange[]): Promise<void> {
  await store.commit(await tellGaps(store, log, lost, 1_000))
}

describe('rows of gaps', () => {
  it('say whose entries they are, which, why, and when it was told', async () => {
    const store = await memoryPlace().open({ tables })
    await tell(store, { first: 5, last: 9, reason: 'max_bytes' })
    assert.deepEqual(store.latest(gapsTable, 'gw-1/readings/e1/5')?.value, {
      ...log,
      first: 5,
      last: 9,
      count: 5,
      reason: 'max_bytes',
      told_ms: 1_000,
    })
    await store.close()
  })

  it('join neighbours of one reason, keep others apart, and count what is told twice once', async () => {
    const store = await memoryPlace().open({ tables })
    await tell(store, { first: 1, last: 4, reason: 'max_bytes' })
    await tell(store, { first: 5, last: 9, reason: 'max_bytes' }, { first: 10, last: 10, reason: 'missing' })
    const before = store.head(gapsTable)
    await tell(store, { first: 3, last: 9, reason: 'max_bytes' })
    assert.equal(store.head(gapsTable), before, 'nothing to write')
    await tell(store, { first: 8, last: 12, reason: 'max_age' })
    assert.deepEqual(await rowsOf(store), [
      { first: 1, last: 9, reason: 'max_bytes', count: 9 },
      { first: 8, last: 12, reason: 'max_age', count: 2 },
      { first: 10, last: 10, reason: 'missing', count: 1 },
    ])
    await store.close()
  })

  it('stay bounded, and together tell exactly what was lost', async () => {
    const range = fc.record({
      first: fc.integer({ min: 1, max: 2_000 }),
      length: fc.integer({ min: 1, max: 5 }),
      reason: fc.constantFrom('max_bytes', 'missing', 'row-too-large'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(range, { minLength: 1, maxLength: 200 }), async ranges => {
        const store = await memoryPlace().open({ tables })
        // Each position is lost once: ranges in order, none overlapping another.
        let last = 0
        const lost = ranges
          .toSorted((a, b) => a.first - b.first)
          .map(({ first, length, reason }) => {
            const start = Math.max(first, last + 1)
            last = start + length - 1
            return { first: start, last, reason }
          })
        for (let at = 0; at < lost.length; at += 7) await tell(store, ...lost.slice(at, at + 7))
        const rows = await rowsOf(store)
        assert.ok(rows.length <= gapRowsMax)
        const total = lost.reduce((sum, one) => sum + one.last - one.first + 1, 0)
        assert.equal(
          rows.reduce((sum, row) => sum + row.count, 0),
          total,
        )
        for (const one of lost)
          assert.ok(
            rows.some(row => row.first <= one.first && one.last <= row.last),
            `${one.first} to ${one.last} is in no row`,
          )
        await store.close()
      }),
      { numRuns: 40 },
    )
  })

  it('count what was thinned apart from where it was, and once more what has gone since', async () => {
    const store = await memoryPlace().open({ tables })
    await tell(store, { first: 1, last: 99, count: 50, reason: 'thinned' })
    await tell(store, { first: 2, last: 98, count: 25, reason: 'thinned' })
    assert.deepEqual(
      (await rowsOf(store)).map(({ first, last, count, reason }) => [first, last, count, reason]),
      [[1, 99, 75, 'thinned']],
    )
    await tell(store, { first: 1, last: 120, count: 45, reason: 'disk' })
    assert.deepEqual(
      (await rowsOf(store)).map(({ first, last, count, reason }) => [first, last, count, reason]),
      [[1, 120, 120, 'several']],
    )
    await store.close()
  })

  it('are not written where there is no table for them', async () => {
    const store = await memoryPlace().open()
    assert.deepEqual(await tellGaps(store, log, [{ first: 1, last: 1, reason: 'missing' }], 0), [])
    await store.close()
  })
})
