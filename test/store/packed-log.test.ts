/** The packed part of a log: one copy of each reading, read by position and by time, whatever interrupts the packing. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Store } from '../../runtime/store/store.ts'
import { type Arrival, type Entry, type ReadingEntry, asSeq, seqZero } from '../../runtime/store/types.ts'
import { packEveryMs } from '../../runtime/store/packer.ts'
import { type Place, memoryPlace, testStamps } from './homes.ts'
import { arrival, startMs } from './suite.ts'

async function readAll(store: Store, limit: number): Promise<Entry[]> {
  const found: Entry[] = []
  for (let after = seqZero; after < store.head('readings'); after = (found.at(-1) as Entry).seq)
    found.push(...(await store.read('readings', after, limit)))
  return found
}

async function queryAll(store: Store): Promise<ReadingEntry[]> {
  const found: ReadingEntry[] = []
  for await (const entry of store.query('readings', {})) found.push(entry)
  return found
}

const plain = (entries: readonly Entry[]): unknown[] =>
  entries.map(entry => (entry.kind === 'reading' ? { ...entry, series: entry.series.id } : entry))

const bySeq = (a: Entry, b: Entry): number => a.seq - b.seq

const append = (store: Store, readings: readonly Arrival[]) =>
  store.commit([{ kind: 'append', table: 'readings', readings }])

describe('the packed part of a log', () => {
  it('is read by position as it was written, and holds each reading once, over restarts and however it was packed', async () => {
    const reading = fc.record({
      device: fc.constantFrom('a', 'b', 'c'),
      value: fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.string(), fc.boolean()),
      hours: fc.integer({ min: -30, max: 2 }),
      isTimed: fc.boolean(),
      joined: fc.boolean(),
    })
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.array(reading, { minLength: 1, maxLength: 6 }) },
      { weight: 2, arbitrary: fc.constant('pack' as const) },
      { weight: 1, arbitrary: fc.constant('restart' as const) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 7 }), async (steps, limit) => {
        const place = memoryPlace()
        const stamps = testStamps()
        let nowMs = 0
        const open = (): Promise<Store> => place.open({ stamps, monotonicMs: () => nowMs })
        let store = await open()
        const written: Entry[] = []
        for (const one of steps) {
          if (one === 'pack') nowMs += packEveryMs
          else if (one === 'restart') {
            await store.close()
            store = await open()
          } else {
            const readings = one.map(({ device, value, hours, isTimed, joined }, index) => {
              const timeMs = startMs + hours * 3_600_000 + written.length + index
              return arrival({ device, value, joined, arrivalMs: startMs, deviceTimeMs: isTimed ? timeMs : undefined })
            })
            const before = store.head('readings')
            await append(store, readings)
            written.push(...(await store.read('readings', before, 100)))
          }
        }
        await store.close()
        store = await open()
        assert.deepEqual(plain(await readAll(store, limit)), plain(written))
        assert.deepEqual(plain((await queryAll(store)).toSorted(bySeq)), plain(written))
        assert.equal(store.rowCount('readings'), written.length)
        await store.close()
        assert.equal(place.openIterators?.(), 0)
      }),
      { numRuns: 80 },
    )
  })

  const many = 40_000
  /** So many readings that packing takes several commits. */
  async function packedHalfWay(place: Place, stamps = testStamps()): Promise<{ store: Store; nowMs: () => number }> {
    let nowMs = 0
    const store = await place.open({ stamps, monotonicMs: () => nowMs })
    for (let from = 0; from < many; from += 1_000) {
      const readings = Array.from({ length: 1_000 }, (_, index) =>
        arrival({ device: `d${index % 100}`, value: from + index, arrivalMs: startMs + from + index }),
      )
      await append(store, readings)
    }
    nowMs += packEveryMs
    await append(store, [arrival({ device: 'd0', value: many, arrivalMs: startMs + many })])
    return { store, nowMs: () => nowMs }
  }

  it('is packed in steps; one that was cut off leaves nothing behind, and the next one begins anew', async () => {
    const place = memoryPlace()
    const stamps = testStamps()
    const { store } = await packedHalfWay(place, stamps)
    assert.equal(store.cursor('pack/readings'), undefined, 'not done in one step')
    assert.equal((await queryAll(store)).length, many + 1, 'what is packed in part is told once')
    await store.close()
    let nowMs = 0
    const again = await place.open({ stamps, monotonicMs: () => nowMs })
    assert.equal((await queryAll(again)).length, many + 1)
    nowMs += packEveryMs
    for (let step = 0; step < 20; step++) await append(again, [arrival({ device: 'late', value: step })])
    assert.ok((again.cursor('pack/readings') ?? 0) > many)
    const bytes = again.bytes('readings')
    assert.equal((await readAll(again, 5_000)).filter(entry => entry.kind === 'reading').length, many + 21)
    await again.close()
    const last = await place.open({ stamps })
    assert.equal((await queryAll(last)).length, many + 21)
    assert.deepEqual([last.bytes('readings'), last.rowCount('readings')], [bytes, many + 21])
    await last.close()
  })

  it('is in chunks that are bounded by their bytes, too', async () => {
    const place = memoryPlace()
    let nowMs = 0
    const store = await place.open({ monotonicMs: () => nowMs })
    const text = 'x'.repeat(60_000)
    for (let index = 0; index < 40; index++) await append(store, [arrival({ value: `${index} ${text}` })])
    nowMs += packEveryMs
    for (let step = 0; step < 3; step++) await append(store, [arrival({ device: 'late' })])
    assert.ok((store.cursor('pack/readings') ?? 0) >= 40)
    let chunks = 0
    for await (const pairs of store.snapshot()) chunks += pairs.filter(([key]) => key[0] === 'H'.charCodeAt(0)).length
    assert.ok(chunks >= 3, `${chunks} chunks`)
    assert.equal((await queryAll(store)).length, 43)
    await store.close()
  })

  it('is taken back where the log is trimmed into what is being packed', async () => {
    const place = memoryPlace()
    const { store } = await packedHalfWay(place)
    await store.trim('readings', asSeq(10_000), 'max_rows')
    for (let step = 0; step < 40; step++) await append(store, [arrival({ device: 'late', value: step })])
    const found = await queryAll(store)
    assert.equal(found.length, many + 1 + 40 - 10_000)
    assert.equal(new Set(found.map(entry => entry.seq)).size, found.length)
    await store.close()
    const again = await place.open()
    assert.equal((await queryAll(again)).length, found.length)
    await again.close()
  })
})
