/** Every query is compared with a plain filter over all that is stored. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { packEveryMs } from '../../runtime/store/packer.ts'
import { type ReadingEntry, type ReadingQuery, seqZero } from '../../runtime/store/types.ts'
import { memoryPlace } from './homes.ts'
import { arrival, collect, startMs } from './suite.ts'
import { World, anyQuery, anyStep, anyWhilePaging, hourMs, naive, placeOf, told } from './world.ts'

describe('a query', () => {
  it('tells what was there when it began, whatever is stored, packed and corrected while it is read', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyStep, { minLength: 3, maxLength: 8 }),
        fc.array(fc.option(anyWhilePaging, { nil: undefined }), { maxLength: 12 }),
        fc.oneof(fc.constant({}), anyQuery),
        async (steps, between, query) => {
          const world = new World()
          await world.open()
          for (const step of steps) await world.take(step)
          const all = await world.all()
          const found: ReadingEntry[] = []
          for await (const entry of world.store.query('readings', query)) {
            found.push(entry)
            const step = between[found.length]
            if (step !== undefined) await world.take(step)
          }
          assert.deepEqual(told(found), told(naive(all, query)))
          await world.store.close()
        },
      ),
      { numRuns: 200 },
    )
  })

  it('tells what a filter over all readings would, packed or not, late, corrected, of peers, after restarts', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyStep, { maxLength: 12 }),
        fc.array(anyQuery, { minLength: 1, maxLength: 6 }),
        async (steps, queries) => {
          const world = new World()
          await world.open()
          for (const step of steps) await world.take(step)
          const all = await world.all()
          for (const query of queries) {
            const found = await collect(world.store.query('readings', query))
            assert.deepEqual(told(found), told(naive(all, query)))
          }
          await world.store.close()
        },
      ),
      { numRuns: 200 },
    )
  })

  it('goes on behind a place: pages put together are the whole, whatever is stored, packed and corrected meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyStep, { minLength: 3, maxLength: 8 }),
        fc.array(fc.array(anyWhilePaging, { maxLength: 3 }), { minLength: 1, maxLength: 5 }),
        fc.oneof(fc.constant({ device: '*' }), anyQuery),
        fc.constantFrom('asc' as const, 'desc' as const),
        fc.integer({ min: 1, max: 5 }),
        async (steps, between, query, order, limit) => {
          const { order: _order, limit: _limit, ...rest } = query as ReadingQuery
          const world = new World()
          await world.open()
          for (const step of steps) await world.take(step)
          const whole = naive(await world.all(), { ...rest, order })
          const pinned = { throughSeq: world.store.head('readings'), correctedThrough: world.store.head('clock') }
          const pages: ReadingEntry[] = []
          for (let turn = 0; ; turn++) {
            const last = pages.at(-1)
            const beyond = last && placeOf(last)
            const page = await collect(world.store.query('readings', { ...rest, ...pinned, order, limit, beyond }))
            pages.push(...page)
            if (page.length < limit) break
            for (const step of between[turn] ?? []) await world.take(step)
          }
          assert.deepEqual(told(pages), told(whole))
          await world.store.close()
        },
      ),
      { numRuns: 200 },
    )
  })

  it('finds in later hours what is packed while it reads an earlier one', async () => {
    const world = new World()
    await world.open()
    const readings = [0, 5, 9].map(hours => ({ deviceTimeMs: startMs + hours * hourMs }))
    await world.take({ kind: 'append', origin: undefined, readings })
    const found: number[] = []
    for await (const { deviceTimeMs = 0 } of world.store.query('readings', {})) {
      found.push((deviceTimeMs - startMs) / hourMs)
      if (found.length === 1) await world.take({ kind: 'pack' })
    }
    assert.deepEqual(found, [0, 5, 9])
    await world.store.close()
  })

  it('tells an hour in order that holds more than a portion, even all of one millisecond', async () => {
    const place = memoryPlace()
    const store = await place.open()
    const readings = Array.from({ length: 20_000 }, (_, index) =>
      arrival({ device: `d${index % 7}`, value: index, deviceTimeMs: startMs + (index < 12_000 ? 0 : -(index % 50)) }),
    )
    await store.commit([{ kind: 'append', table: 'readings', readings }], 'now')
    const all = (await store.read('readings', seqZero, 1_000_000)) as readonly ReadingEntry[]
    for (const order of ['asc', 'desc'] as const) {
      const found = await collect(store.query('readings', { order }))
      assert.deepEqual(
        found.map(({ seq }) => seq),
        naive(all, { order }).map(({ seq }) => seq),
      )
    }
    await store.close()
  })

  it('ends with the next chunk once its reader has left, and leaves no iterator open', async () => {
    const place = memoryPlace()
    let nowMs = 0
    const store = await place.open({ monotonicMs: () => nowMs })
    const readings = Array.from({ length: 100 }, (_, hour) =>
      arrival({ value: hour, deviceTimeMs: startMs + hour * hourMs }),
    )
    await store.commit([{ kind: 'append', table: 'readings', readings }], 'now')
    nowMs += packEveryMs + 1
    await store.commit([{ kind: 'state', owner: 'test', key: 'tick', value: 1 }], 'now')
    const leaving = new AbortController()
    let asked = 0
    const where = {
      chooses: () => {
        if (++asked === 3) leaving.abort()
        return false
      },
      isOfSeries: false,
    }
    assert.deepEqual(await collect(store.query('readings', { where, signal: leaving.signal })), [])
    assert.equal(asked, 3)
    for await (const _ of store.query('readings', { order: 'desc' })) break
    assert.equal(place.openIterators?.(), 0)
    await store.close()
  })
})
