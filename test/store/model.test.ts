/**
 * The store against a model of plain arrays and maps: after any sequence of commits, packs and restarts both tell the
 * same readings, in the same order, and the same rows.
 */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { packEveryMs } from '../../runtime/store/packer.ts'
import type { Store } from '../../runtime/store/store.ts'
import { type ReadingEntry, seqZero, timeOf } from '../../runtime/store/types.ts'
import { type Place, diskPlace, memoryPlace } from './homes.ts'
import { arrival, collect, startMs } from './suite.ts'

type Sent = { device: string; time: number | undefined; id: string | undefined; value: number; after: number }
type Step =
  | { kind: 'append'; readings: Sent[] }
  | { kind: 'put'; key: string; value: number }
  | { kind: 'delete'; key: string }
  | { kind: 'restart' }
  | { kind: 'pack' }

const sent = fc.record({
  device: fc.constantFrom('a', 'b'),
  // Few times, some hours apart, so that repetitions and late ones are common.
  time: fc.option(
    fc.integer({ min: 0, max: 6 }).map(index => startMs + index * 1_500_000),
    { nil: undefined },
  ),
  id: fc.option(fc.constantFrom('x', 'y'), { nil: undefined }),
  value: fc.integer({ min: 0, max: 2 }),
  after: fc.integer({ min: 0, max: 50_000 }),
})
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      readings: fc.array(sent, { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      key: fc.constantFrom('k', 'k2', 'k/3'),
      value: fc.integer(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), key: fc.constantFrom('k', 'k2') }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'pack' as const }) },
)

class Model {
  readonly readings: (Sent & { arrivalMs: number })[] = []
  readonly rows = new Map<string, number>()
  readonly #seen = new Set<string>()
  arrivalMs = startMs

  append(readings: readonly Sent[]): void {
    for (const reading of readings) {
      this.arrivalMs += reading.after
      const { device, time, id, value } = reading
      const identity = JSON.stringify(id === undefined ? [device, time, value] : [device, time, id])
      if ((time !== undefined || id !== undefined) && this.#seen.has(identity)) continue
      this.#seen.add(identity)
      this.readings.push({ ...reading, arrivalMs: this.arrivalMs })
    }
  }
}

async function check(store: Store, model: Model): Promise<void> {
  const told = (await store.read('readings', seqZero, 1_000_000)) as ReadingEntry[]
  assert.deepEqual(
    told.map(({ series, value, deviceTimeMs, id, arrivalMs }) => [series.device, value, deviceTimeMs, id, arrivalMs]),
    model.readings.map(({ device, value, time, id, arrivalMs }) => [device, value, time, id, arrivalMs]),
  )
  assert.deepEqual(
    told.map(entry => entry.seq),
    model.readings.map((_, index) => index + 1),
  )
  const [fromMs, toMs] = [startMs + 1_500_000, startMs + 7_500_000]
  const asked = await collect(store.query('readings', { device: 'a', fromMs, toMs }))
  const expected = told.filter(entry => entry.series.device === 'a' && timeOf(entry) >= fromMs && timeOf(entry) < toMs)
  assert.deepEqual(
    asked.map(entry => entry.seq),
    expected.toSorted((one, other) => timeOf(one) - timeOf(other) || one.seq - other.seq).map(entry => entry.seq),
  )
  const rows = (await collect(store.rows('thresholds'))).map(row => [row.key, row.value])
  assert.deepEqual(
    rows,
    [...model.rows].toSorted(([one], [other]) => (one < other ? -1 : 1)),
  )
}

async function run(place: Place, steps: readonly Step[]): Promise<void> {
  let nowMs = 0
  const open = (): Promise<Store> => place.open({ monotonicMs: () => nowMs })
  const model = new Model()
  let store = await open()
  try {
    for (const step of steps) {
      switch (step.kind) {
        case 'append': {
          const before = model.arrivalMs
          let arrivalMs = before
          const readings = step.readings.map(({ device, time, id, value, after }) => {
            arrivalMs += after
            return arrival({ device, deviceTimeMs: time, id, value, arrivalMs })
          })
          model.append(step.readings)
          await store.commit([{ kind: 'append', table: 'readings', readings }])
          break
        }
        case 'put':
          model.rows.set(step.key, step.value)
          await store.commit([{ kind: 'put', table: 'thresholds', key: step.key, value: step.value }])
          break
        case 'delete':
          model.rows.delete(step.key)
          await store.commit([{ kind: 'delete', table: 'thresholds', key: step.key }])
          break
        case 'pack':
          nowMs += packEveryMs + 1
          await store.commit([{ kind: 'state', owner: 'test', key: 'tick', value: nowMs }])
          break
        case 'restart':
          await store.close()
          store = await open()
      }
    }
    await check(store, model)
    await store.close()
    store = await open()
    await check(store, model)
  } finally {
    await store.close()
    place.remove()
  }
}

it('tells the same as a model in memory, after any commits, packs and restarts', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), steps => run(memoryPlace(), steps)),
    { numRuns: 200 },
  )
})

it('tells the same as a model on disk, after any commits, packs and restarts', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), steps => run(diskPlace(), steps)),
    { numRuns: 25 },
  )
})
