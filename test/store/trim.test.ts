/** Trimming to limits, and what readers see of a log that was trimmed. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Store } from '../../runtime/store/store.ts'
import type { TableLimits } from '../../runtime/store/trim.ts'
import { packEveryMs } from '../../runtime/store/packer.ts'
import { type Entry, asSeq, seqZero } from '../../runtime/store/types.ts'
import { stampAt } from '../../runtime/stamp.ts'
import { type Place, memoryPlace, testStamps } from './homes.ts'
import { arrival, startMs } from './suite.ts'

const put = (store: Store, key: string, value: number) =>
  store.commit([{ kind: 'put', table: 'thresholds', key, value }])
const append = (store: Store, value: number | string) =>
  store.commit([{ kind: 'append', table: 'readings', readings: [arrival({ value })] }])

/** What a reader sees who reads a few entries at a time. */
async function follow(store: Store, table: string, limit: number): Promise<Entry[]> {
  const found: Entry[] = []
  for (let after = seqZero; after < store.head(table); ) {
    const entries = await store.read(table, after, limit)
    assert.ok(entries.length > 0, `nothing after ${after}`)
    found.push(...entries)
    after = (entries.at(-1) as Entry).seq
  }
  return found
}

async function values(store: Store): Promise<unknown[]> {
  const found: unknown[] = []
  for await (const { value } of store.query('readings', {})) found.push(value)
  return found
}

/** Steps until the table is within its limits; returns how many. */
async function trimTo(store: Store, table: string, limits: Partial<TableLimits>): Promise<number> {
  for (let steps = 0; ; steps++) {
    const trim = await store.planTrim(table, { bytesMax: 1e12, keepFromMs: undefined, ...limits })
    if (trim === undefined) return steps
    await store.commit([trim], 'now')
  }
}

async function withStore(run: (store: Store, place: Place) => Promise<void>, stampMs = () => startMs): Promise<void> {
  const place = memoryPlace()
  const store = await place.open({ stamps: testStamps(stampMs) })
  await run(store, place)
  assert.equal(place.openIterators?.(), 0)
}

describe('a log with limits', () => {
  it('knows its bytes, exactly the same after a restart, and when the number was never written', async () => {
    await withStore(async (store, place) => {
      for (let value = 0; value < 50; value++) await append(store, `${value}`.repeat(40_000))
      const bytes = store.bytes('readings')
      assert.ok(bytes > 50 * 40_000)
      await store.close()
      const again = await place.open()
      assert.equal(again.bytes('readings'), bytes)
      assert.ok((await trimTo(again, 'readings', { bytesMax: bytes / 2 })) > 1, 'in more steps than one')
      const less = again.bytes('readings')
      assert.ok(less <= bytes / 2 && less > bytes / 2 - 90_000, `${less} of ${bytes}`)
      await again.close()
      const last = await place.open()
      assert.equal(last.bytes('readings'), less)
      await last.close()
    })
  })

  it('drops nothing while it is within its limits, and never its last block', async () => {
    await withStore(async store => {
      for (let value = 0; value < 10; value++) await append(store, value)
      assert.equal(await trimTo(store, 'readings', { bytesMax: store.bytes('readings') }), 0)
      assert.equal(store.firstSeq('readings'), 1)
      await trimTo(store, 'readings', { bytesMax: 0 })
      assert.equal(store.firstSeq('readings'), 10)
      await store.close()
    })
  })

  it('takes from queries what it takes from the log, packed or not, and counts both', async () => {
    for (const isPacked of [false, true]) {
      let nowMs = 0
      const place = memoryPlace()
      const store = await place.open({ monotonicMs: () => nowMs })
      for (let value = 0; value < 10; value++) {
        if (isPacked) nowMs += packEveryMs
        await append(store, value)
      }
      assert.equal(store.rowCount('readings'), 10)
      await trimTo(store, 'readings', { rowsMax: 4 })
      assert.equal(store.rowCount('readings'), 4)
      const bytes = store.bytes('readings')
      await store.close()
      const again = await place.open()
      assert.deepEqual(await values(again), [6, 7, 8, 9])
      assert.deepEqual([again.rowCount('readings'), again.bytes('readings')], [4, bytes])
      await again.close()
    }
  })

  it('goes by age where an age is asked for, and says which limit it was', async () => {
    let nowMs = startMs
    await withStore(
      async store => {
        for (let value = 0; value < 10; value++, nowMs += 1_000) await append(store, value)
        assert.equal(await trimTo(store, 'readings', { keepFromMs: startMs }), 0)
        await trimTo(store, 'readings', { keepFromMs: startMs + 3_000 })
        assert.equal(store.firstSeq('readings'), 4)
        await trimTo(store, 'readings', { bytesMax: store.bytes('readings') - 1 })
        const gaps = (await follow(store, 'readings', 100)).filter(entry => entry.kind === 'gap')
        assert.deepEqual(
          gaps.map(({ firstSeq, seq, count, reason }) => [firstSeq, seq, count, reason]),
          [
            [1, 3, 3, 'max_age'],
            [4, 4, 1, 'max_bytes'],
          ],
        )
        await store.close()
      },
      () => nowMs,
    )
  })

  it('keeps the number of gaps bounded, and none of their entries is forgotten', async () => {
    await withStore(async (store, place) => {
      for (let value = 0; value < 60; value++) await append(store, value)
      for (let seq = 1; seq < 50; seq++) await store.trim('readings', asSeq(seq), `reason ${seq % 2}`)
      await store.close()
      const again = await place.open()
      const gaps = (await follow(again, 'readings', 100)).filter(entry => entry.kind === 'gap')
      assert.ok(gaps.length <= 16)
      assert.equal(
        gaps.reduce((sum, gap) => sum + gap.count, 0),
        49,
      )
      await again.close()
    })
  })

  it('takes with the trim what is committed with it, and passes over a trim that was planned before another', async () => {
    await withStore(async store => {
      for (let value = 0; value < 10; value++) await append(store, value)
      const plan = await store.planTrim('readings', { bytesMax: 0, keepFromMs: undefined })
      assert.ok(plan)
      await store.commit([plan, { kind: 'put', table: 'thresholds', key: 'gap', value: 9 }])
      assert.equal(store.latest('thresholds', 'gap')?.value, 9)
      await append(store, 10)
      await store.commit([plan])
      assert.equal(store.firstSeq('readings'), 10)
      await store.close()
    })
  })
})

describe('a records log that was trimmed', () => {
  it('still tells every row and tombstone that stands, in order, and what was written since', async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), value: fc.option(fc.nat()) }) },
      { weight: 1, arbitrary: fc.constant('trim' as const) },
      { weight: 1, arbitrary: fc.constant('restart' as const) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 5 }), async (steps, limit) => {
        const place = memoryPlace()
        const stamps = testStamps()
        let store = await place.open({ stamps })
        const model = new Map<string, { seq: number; value: number | undefined }>()
        for (const one of steps) {
          if (one === 'trim') await store.trim('thresholds', asSeq(store.head('thresholds') - 2), 'max_bytes')
          else if (one === 'restart') {
            await store.close()
            store = await place.open({ stamps })
          } else {
            const { key, value } = one
            if (value === null) await store.commit([{ kind: 'delete', table: 'thresholds', key }])
            else await put(store, key, value)
            model.set(key, { seq: store.head('thresholds'), value: value ?? undefined })
          }
        }
        const told = await follow(store, 'thresholds', limit)
        // Positions go on without a hole, and nothing counts as lost.
        let position = 0
        for (const entry of told) {
          assert.equal(entry.kind === 'gap' ? entry.firstSeq : entry.seq, position + 1)
          if (entry.kind === 'gap') assert.equal(entry.count, 0)
          position = entry.seq
        }
        assert.equal(position, store.head('thresholds'))
        const rows = new Map<string, { seq: number; value: unknown }>()
        for (const entry of told) {
          if (entry.kind === 'record') rows.set(entry.key, { seq: entry.seq, value: entry.value })
        }
        assert.deepEqual(rows, model)
        await store.close()
        assert.equal(place.openIterators?.(), 0)
      }),
      { numRuns: 60 },
    )
  })

  it('is read on from where the reading was interrupted, though more is trimmed and written meanwhile', async () => {
    await withStore(async store => {
      for (let key = 0; key < 20; key++) await put(store, `${key}`, key)
      await store.trim('thresholds', asSeq(10), 'max_age')
      const first = await store.read('thresholds', seqZero, 4)
      assert.deepEqual(
        first.map(entry => entry.seq),
        [1, 2, 3, 4],
      )
      await put(store, '5', 55)
      await store.trim('thresholds', asSeq(20), 'max_age')
      const rest: Entry[] = []
      for (let after = asSeq(4); after < store.head('thresholds'); after = (rest.at(-1) as Entry).seq)
        rest.push(...(await store.read('thresholds', after, 4)))
      const values = rest.flatMap(entry => (entry.kind === 'record' ? [entry.value] : []))
      assert.deepEqual(values, [4, ...Array.from({ length: 14 }, (_, index) => index + 6), 55])
      await store.close()
    })
  })
})

describe('a repeated row', () => {
  it('stands at a new position with its old stamp and origin, a deleted one too', async () => {
    await withStore(async store => {
      const records = [{ key: 'far', value: 1, origin: 'gw-2', stamp: stampAt(startMs - 5_000), joined: false }]
      await store.commit([{ kind: 'apply-records', table: 'thresholds', via: 'gw-2', records }])
      await put(store, 'gone', 1)
      await store.commit([{ kind: 'delete', table: 'thresholds', key: 'gone' }])
      const before = store.head('thresholds')
      await store.commit([
        { kind: 'repeat', table: 'thresholds', key: 'far' },
        { kind: 'repeat', table: 'thresholds', key: 'gone' },
        { kind: 'repeat', table: 'thresholds', key: 'never' },
      ])
      const [far, gone, ...rest] = await store.read('thresholds', before, 10)
      assert.deepEqual(rest, [])
      assert.ok(far?.kind === 'record' && gone?.kind === 'record')
      assert.deepEqual([far.origin, far.stamp, far.value, far.via], ['gw-2', stampAt(startMs - 5_000), 1, ''])
      assert.deepEqual([gone.key, gone.value], ['gone', undefined])
      assert.equal(store.latest('thresholds', 'far')?.seq, far.seq)
      await store.close()
    })
  })
})
