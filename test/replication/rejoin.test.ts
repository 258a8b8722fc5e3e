/**
 * Day one, 8: offline for longer than anything is kept, rows changed on both sides. Both logs are trimmed beyond what the
 * other side has; what meets again is merged by stamp, and rows that one side alone has survive.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Store } from '../../runtime/store/store.ts'
import { asSeq } from '../../runtime/store/types.ts'
import { Cloud, Edge, append, put, remove, rowsOf, until, values } from './rig.ts'

type Step = { readonly side: 'edge' | 'cloud'; readonly key: string; readonly value: number | undefined }

const step: fc.Arbitrary<Step> = fc.record({
  side: fc.constantFrom('edge' as const, 'cloud' as const),
  key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  value: fc.option(fc.nat(99), { nil: undefined }),
})

const both = {
  publish: [
    { table: 'readings', start: 'beginning' as const },
    { table: 'thresholds', start: 'beginning' as const },
  ],
  subscribe: ['thresholds', 'readings'],
}

const trimAll = async (store: Store): Promise<void> => {
  for (const table of ['thresholds', 'readings']) await store.trim(table, asSeq(store.head(table) - 1), 'max_age')
}

async function apply(store: Store, { key, value }: Step): Promise<void> {
  if (value === undefined) await remove(store, key)
  else await put(store, key, value)
}

describe('a side that was away for longer than anything is kept', () => {
  it('merges by stamp, both ways on one table: no row that one side alone has is lost, none comes back to life', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 12 }),
        fc.array(step, { minLength: 1, maxLength: 30 }),
        fc.constantFrom(100, 400, undefined),
        async (before, meanwhile, frameBytes) => {
          const cloud = await Cloud.open({ frameBytes })
          const edge = await Edge.open(cloud, 'gw-1', { ...both, frameBytes })
          try {
            for (const one of before) await apply(one.side === 'edge' ? edge.store : cloud.store, one)
            await put(edge.store, 'common', 0)
            const agree = async (): Promise<boolean> =>
              JSON.stringify(await rowsOf(edge.store)) === JSON.stringify(await rowsOf(cloud.store))
            await until(
              'both agree before',
              async () => cloud.store.latest('thresholds', 'common') !== undefined && agree(),
            )
            await edge.bridge.close()

            const last = new Map<string, Step>()
            for (const one of meanwhile) {
              await apply(one.side === 'edge' ? edge.store : cloud.store, one)
              last.set(`${one.side} ${one.key}`, one)
            }
            await put(edge.store, 'edge alone', 1)
            await put(cloud.store, 'cloud alone', 2)
            await append(edge.store, 1, 2)
            await append(edge.store, 3)
            await append(cloud.store, 4)
            await append(cloud.store, 5)
            await put(edge.store, 'last', 1)
            await put(cloud.store, 'last', 2)
            const expected = newest(await rowsOf(edge.store), await rowsOf(cloud.store))
            await trimAll(edge.store)
            await trimAll(cloud.store)
            assert.ok(edge.store.firstSeq('thresholds') === edge.store.head('thresholds'))

            await edge.dial()
            await until(
              'both agree again',
              async () => (await rowsOf(cloud.store))['edge alone'] !== undefined && agree(),
            )
            const rows = await rowsOf(edge.store)
            assert.ok(rows['edge alone'] !== undefined && rows['cloud alone'] !== undefined)
            // A key that one side alone had written since stands as it wrote it; a deletion may still win over the other's row.
            for (const [key, row] of Object.entries(rows)) assert.deepEqual(row, expected[key], key)
            for (const key of ['a', 'b', 'c', 'd', 'e']) {
              const mine = last.get(`edge ${key}`)
              const theirs = last.get(`cloud ${key}`)
              if (mine === undefined && theirs === undefined) assert.deepEqual(rows[key], expected[key])
              if (mine !== undefined && theirs === undefined) assert.equal(valueOf(rows[key]), mine.value)
              if (mine === undefined && theirs !== undefined) assert.equal(valueOf(rows[key]), theirs.value)
            }
            // Series go on after a gap.
            await until('the readings came', async () => (await values(cloud.store)).includes(3))
            await until('theirs too', async () => (await values(edge.store)).includes(5))
            assert.ok(!(await values(cloud.store)).includes(1))
          } finally {
            await edge.close()
            await cloud.close()
          }
        },
      ),
      { numRuns: 8, seed: 11 },
    )
  })

  it('goes on where it was when the merging is cut in the middle', async () => {
    const cloud = await Cloud.open()
    const edge = await Edge.open(cloud, 'gw-1', { ...both, frameBytes: 300 })
    await put(edge.store, 'common', 0)
    await until('it is there', () => cloud.store.latest('thresholds', 'common') !== undefined)
    await edge.bridge.close()
    for (let round = 0; round < 3; round++) {
      for (let key = 0; key < 120; key++) await put(edge.store, `key ${key}`, round)
    }
    await put(edge.store, 'last', 1)
    await trimAll(edge.store)
    await edge.dial()
    for (const count of [5, 40, 80]) {
      await until(`${count} rows are there`, async () => Object.keys(await rowsOf(cloud.store)).length >= count)
      edge.proxy.dropConnections()
    }
    await until('all are there', async () => Object.keys(await rowsOf(cloud.store)).length === 122)
    assert.deepEqual(await rowsOf(cloud.store), await rowsOf(edge.store))
    // Each row once, and nothing of the rounds before.
    const entries = await cloud.store.read('thresholds', asSeq(0), 10_000)
    assert.equal(entries.length, 122)
    assert.equal(edge.stream('thresholds').gaps, 0)
    await edge.close()
    await cloud.close()
  })
})

const valueOf = (row: unknown): unknown => (row as [unknown] | undefined)?.[0]

/** Of each key the row with the later stamp; on a tie, of the greater origin. */
function newest(one: Record<string, unknown>, other: Record<string, unknown>): Record<string, unknown> {
  const merged = { ...one }
  for (const [key, row] of Object.entries(other)) {
    const [mine, theirs] = [merged[key], row] as [[unknown, number, string] | undefined, [unknown, number, string]]
    if (mine === undefined || theirs[1] > mine[1] || (theirs[1] === mine[1] && theirs[2] > mine[2])) merged[key] = row
  }
  return merged
}
