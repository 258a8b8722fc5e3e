import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { packEveryMs } from '../../runtime/store/packer.ts'
import { type Arrival, type ReadingEntry, seqZero, timeOf } from '../../runtime/store/types.ts'
import { memoryPlace, specs } from './homes.ts'
import { arrival, collect, startMs } from './suite.ts'

const hourMs = 3_600_000
const tables = [...specs, { name: 'clock', kind: 'records' as const }]
const boots = ['b1', 'b2'] as const
const row = (offsetMs: number) => ({
  offset_ms: offsetMs,
  base_ms: startMs,
  at_ms: startMs + 1000 * hourMs + offsetMs,
  source: 'hub',
})

const anyArrival = fc.record({
  arrivalMs: fc.integer({ min: 0, max: 60 }).map(minutes => startMs + minutes * 600_000),
  boot: fc.constantFrom(undefined, ...boots),
  deviceTimeMs: fc.option(
    fc.integer({ min: 0, max: 60 }).map(minutes => startMs + minutes * 600_000),
    { nil: undefined },
  ),
})

describe('corrected times', () => {
  it('are told by query and read for any range, whether readings are packed or not, before and after a restart', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyArrival, { minLength: 1, maxLength: 25 }),
        fc.dictionary(fc.constantFrom(...boots), fc.integer({ min: -50 * hourMs, max: 3000 * hourMs })),
        fc.boolean(),
        fc.tuple(fc.integer({ min: -40, max: 3010 }), fc.integer({ min: 1, max: 100 })),
        async (given, offsets, isPacked, [fromHour, hours]) => {
          let nowMs = 0
          const place = memoryPlace()
          const open = () => place.open({ tables, monotonicMs: () => nowMs, origin: 'gw-1' })
          let store = await open()
          // Values tell the readings apart; those without a device time are no repetitions of each other.
          const readings = given.map((fields, value) => arrival({ ...fields, value }))
          await store.commit([{ kind: 'append', table: 'readings', readings }], 'now')
          if (isPacked) nowMs += packEveryMs + 1
          await store.commit(
            Object.entries(offsets).map(([boot, offset]) => ({
              kind: 'put' as const,
              table: 'clock',
              key: `gw-1/${boot}`,
              value: row(offset),
            })),
            'now',
          )
          const corrected = readings.map(reading => expected(reading, offsets))
          const [fromMs, toMs] = [startMs + fromHour * hourMs, startMs + (fromHour + hours) * hourMs]
          const inRange = corrected.filter(one => one.timeMs >= fromMs && one.timeMs < toMs)
          for (const isReopened of [false, true]) {
            if (isReopened) {
              await store.close()
              store = await open()
            }
            const read = (await store.read('readings', seqZero, 1000)) as ReadingEntry[]
            assert.deepEqual(read.map(told), corrected)
            const all = await collect(store.query('readings', {}))
            assert.deepEqual(all.map(told), sorted(corrected))
            const some = await collect(store.query('readings', { fromMs, toMs }))
            assert.deepEqual(some.map(told), sorted(inRange))
            const newest = await collect(store.query('readings', { limit: 3 }))
            assert.deepEqual(newest.map(told), sorted(corrected).slice(-3))
          }
          await store.close()
        },
      ),
      { numRuns: 150 },
    )
  })

  it('come from nobody but the origin itself, and a row that says nonsense corrects nothing', async () => {
    const place = memoryPlace()
    const store = await place.open({ tables, origin: 'gw-1' })
    await store.commit([{ kind: 'append', table: 'readings', readings: [arrival({ boot: 'b1' })] }], 'now')
    const bootNow = async () => ((await store.read('readings', seqZero, 1))[0] as ReadingEntry).boot
    const stranger = { key: 'gw-1/b1', value: row(5), origin: 'gw-2', stamp: 1 as never, joined: false }
    await store.commit([{ kind: 'apply-records', table: 'clock', via: 'hub', records: [stranger] }], 'now')
    assert.equal(await bootNow(), 'b1')
    for (const value of [null, 'x', { offset_ms: 'x' }, { ...row(5), base_ms: 1e300 }]) {
      await store.commit([{ kind: 'put', table: 'clock', key: 'gw-1/b1', value }], 'now')
      assert.equal(await bootNow(), 'b1')
    }
    await store.commit([{ kind: 'put', table: 'clock', key: 'gw-1/b1', value: row(5) }], 'now')
    assert.equal(await bootNow(), undefined)
    await store.close()
  })
})

type Told = {
  readonly value: unknown
  readonly timeMs: number
  readonly arrivalMs: number
  readonly boot: string | undefined
}

function told(entry: ReadingEntry): Told {
  return { value: entry.value, timeMs: timeOf(entry), arrivalMs: entry.arrivalMs, boot: entry.boot }
}

function expected({ value, arrivalMs, deviceTimeMs, boot }: Arrival, offsets: Readonly<Record<string, number>>): Told {
  const offset = boot === undefined ? undefined : offsets[boot]
  const right = arrivalMs + (offset ?? 0)
  return { value, timeMs: deviceTimeMs ?? right, arrivalMs: right, boot: offset === undefined ? boot : undefined }
}

const sorted = (all: readonly Told[]): Told[] =>
  all.toSorted((a, b) => a.timeMs - b.timeMs || Number(a.value) - Number(b.value))
