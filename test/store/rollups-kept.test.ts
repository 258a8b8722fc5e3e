/** What rollups keep when readings go, when places are trimmed, and when what they wait for never comes or comes late. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Value } from '../../runtime/reading.ts'
import { type Bucket, type BucketFunction, bucketOf } from '../../runtime/store/buckets.ts'
import { type Intervals, intervalsOf } from '../../runtime/store/intervals.ts'
import { factKey } from '../../runtime/store/keys.ts'
import { packEveryMs } from '../../runtime/store/packer.ts'
import { decodeFrame, encodeFrame, frameBuckets } from '../../runtime/store/rollup-frames.ts'
import type { Store } from '../../runtime/store/store.ts'
import type { Arrival } from '../../runtime/store/types.ts'
import { type Place, diskPlace, memoryPlace } from './homes.ts'
import { arrival, collect } from './suite.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
/** A midnight in UTC. */
const midnightMs = 19_700 * dayMs
const tables = [
  { name: 'readings', kind: 'series' as const },
  { name: 'clock', kind: 'records' as const },
]

class Scene {
  place: Place = memoryPlace()
  readonly periodsMs: number[]
  keepFromMs: number | undefined
  store!: Store
  #nowMs = 0
  #ticks = 0

  constructor(...periodsMs: number[]) {
    this.periodsMs = periodsMs
  }

  async open(): Promise<this> {
    this.store = await this.place.open({ tables, monotonicMs: () => this.#nowMs })
    this.store.readings.keeper = this.store.upkeep.rollupKeeper(() => this.periodsMs)
    return this
  }

  async append(...readings: readonly Partial<Arrival>[]): Promise<void> {
    await this.store.commit([{ kind: 'append', table: 'readings', readings: readings.map(arrival) }], 'now')
  }

  async pack(): Promise<void> {
    this.#nowMs += packEveryMs + 1
    for (let more = 0; more < 3; more++)
      await this.store.commit([{ kind: 'state', owner: 'test', key: 'tick', value: ++this.#ticks }], 'now')
  }

  /** Returns in how many steps. */
  async roll(most = 1_000): Promise<number> {
    for (let steps = 0; steps < most; steps++) {
      const { periodsMs, keepFromMs } = this
      const change = await this.store.upkeep.planRollups('readings', { periodsMs, keepFromMs })
      if (change === undefined) return steps
      await this.store.commit([change], 'now')
    }
    return most
  }

  async rows(everyMs: number, functions: readonly BucketFunction[] = ['count'], fromMs = 0): Promise<unknown[]> {
    const intervals = intervalsOf(everyMs) as Intervals
    const question = { intervals, functions, fill: 'none' as const }
    const rows = await collect(this.store.readings.aggregate('readings', { fromMs }, question))
    return rows.map(({ startMs, values }) => [startMs - midnightMs, ...values])
  }

  /** The keys of buckets that are on the disk. */
  async keys(): Promise<number> {
    let count = 0
    for await (const pairs of this.store.snapshot()) count += pairs.filter(([key]) => key[0] === 0x42).length
    return count
  }
}

const at = (ms: number, value: Value): Partial<Arrival> => ({ deviceTimeMs: midnightMs + ms, value })

describe('rollups', () => {
  for (const [where, makePlace] of [
    ['memory', memoryPlace],
    ['the disk', diskPlace],
  ] as const)
    it(`keep what readings gave when these have gone, days from midnight to midnight in UTC, in ${where}`, async t => {
      const scene = new Scene(hourMs, dayMs)
      scene.place = makePlace()
      t.after(() => scene.place.remove())
      await scene.open()
      await scene.append(at(0, 1), at(30 * minuteMs, 2), at(dayMs - 1, 3), at(dayMs, 10))
      await scene.pack()
      await scene.append(at(5, 4))
      await scene.pack()
      await scene.roll()
      await scene.append(at(2 * dayMs, 5))
      await scene.store.trim('readings', scene.store.head('readings'), 'max_age')
      const days = [
        [0, 4, 1, 4, 10, 3],
        [dayMs, 1, 10, 10, 10, 10],
        [2 * dayMs, 1, 5, 5, 5, 5],
      ]
      assert.equal(scene.store.rowCount('readings'), 1)
      assert.deepEqual(await scene.rows(dayMs, ['count', 'min', 'max', 'sum', 'last']), days)
      assert.deepEqual(await scene.rows(hourMs), [
        [0, 3],
        [23 * hourMs, 1],
        [dayMs, 1],
        [2 * dayMs, 1],
      ])
      assert.deepEqual(await scene.rows(dayMs, ['stddev']), [[2 * dayMs, null]], 'which no rollup keeps')
      await scene.store.close()
      await scene.open()
      assert.deepEqual(await scene.rows(dayMs, ['count', 'min', 'max', 'sum', 'last']), days)
      await scene.store.close()
    })

  it('answer from the longest that fits, and say which', async () => {
    const scene = await new Scene(minuteMs, hourMs, dayMs).open()
    const used = (everyMs: number, functions: readonly BucketFunction[] = ['avg'], zone = 'UTC', query = {}) => {
      const intervals = intervalsOf(everyMs, zone) as Intervals
      return scene.store.readings.rollupOf('readings', query, { intervals, functions })
    }
    assert.equal(used(dayMs), undefined, 'nothing is rolled up yet')
    await scene.append(at(0, 1))
    await scene.pack()
    await scene.roll()
    assert.deepEqual(
      [7 * dayMs, dayMs, 6 * hourMs, 90 * minuteMs, 30_000].map(ms => used(ms)),
      [dayMs, dayMs, hourMs, minuteMs, undefined],
    )
    assert.equal(used(dayMs, ['avg', 'stddev']), undefined)
    assert.equal(used(dayMs, ['avg'], 'Europe/Berlin'), minuteMs, 'midnight there is none in UTC')
    const where = { chooses: () => true, isOfSeries: false }
    assert.equal(used(dayMs, ['avg'], 'UTC', { where }), undefined)
    assert.equal(used(dayMs, ['avg'], 'UTC', { where: { ...where, isOfSeries: true } }), dayMs)
    await scene.store.close()
  })

  it('begin with the oldest readings when they are declared later, and leave nothing when they are taken out', async () => {
    const scene = await new Scene().open()
    for (let day = 0; day < 3; day++) {
      await scene.append(...Array.from({ length: 90 }, (_, minute) => at(day * dayMs + minute * minuteMs, minute)))
      await scene.pack()
    }
    assert.equal(await scene.roll(), 0)
    scene.periodsMs.push(dayMs)
    await scene.roll()
    assert.equal(scene.store.upkeep.rollupBehind('readings', dayMs), 0)
    scene.periodsMs.unshift(minuteMs)
    assert.equal(scene.store.upkeep.rollupBehind('readings', minuteMs), 270)
    // One step, and it is taken out again before the next.
    await scene.roll(1)
    scene.periodsMs.shift()
    await scene.roll()
    assert.equal(await scene.keys(), 1)
    scene.periodsMs.unshift(minuteMs)
    await scene.roll()
    await scene.store.trim('readings', scene.store.head('readings'), 'test')
    assert.deepEqual((await scene.rows(hourMs)).slice(0, 2), [
      [0, 60],
      [hourMs, 30],
    ])
    scene.periodsMs.length = 0
    await scene.roll()
    assert.equal(await scene.keys(), 0)
    await scene.store.close()
  })

  it('let go what is older than their own limit, and what comes late for it is told of the readings', async () => {
    const scene = await new Scene(hourMs).open()
    await scene.append(at(0, 1), at(3 * dayMs, 2), at(40 * dayMs, 3))
    await scene.pack()
    await scene.roll()
    assert.equal(await scene.keys(), 3)
    scene.keepFromMs = midnightMs + 39 * dayMs
    await scene.roll()
    assert.equal(await scene.keys(), 1)
    await scene.append(at(7, 4))
    await scene.pack()
    await scene.roll()
    assert.equal(await scene.keys(), 1)
    assert.deepEqual(await scene.rows(dayMs), [
      [0, 2],
      [3 * dayMs, 1],
      [40 * dayMs, 1],
    ])
    await scene.store.close()
  })

  it('keep the numbers of a long text and not the text, which is told as long as it is stored', async () => {
    const scene = await new Scene(hourMs).open()
    const long = 'x'.repeat(300)
    await scene.append(at(0, 'short'), at(1, long))
    await scene.pack()
    await scene.roll()
    assert.deepEqual(await scene.rows(hourMs, ['count', 'first', 'last']), [[0, 2, 'short', long]])
    await scene.append(at(dayMs, 'short'))
    await scene.store.trim('readings', scene.store.head('readings'), 'test')
    assert.deepEqual((await scene.rows(hourMs, ['count', 'first', 'last']))[0], [0, 2, 'short', null])
    await scene.store.close()
  })

  it('keep readings of a boot without a clock apart, and move them when its time is known, if they have gone too', async () => {
    for (const isGone of [false, true]) {
      const scene = await new Scene(hourMs, dayMs).open()
      const waiting = (minutes: number) => ({ arrivalMs: midnightMs + minutes * minuteMs, boot: 'b1', value: minutes })
      await scene.append(waiting(0), waiting(59), waiting(60), at(0, -1))
      await scene.pack()
      await scene.roll()
      const before = await scene.rows(hourMs)
      assert.deepEqual(before, [
        [0, 3],
        [hourMs, 1],
      ])
      await scene.append(at(0, -2))
      if (isGone) await scene.store.trim('readings', scene.store.head('readings'), 'test')
      const offset = 9 * dayMs
      const value = { offset_ms: offset, base_ms: midnightMs - hourMs, at_ms: midnightMs + dayMs + offset, source: '' }
      await scene.store.commit([{ kind: 'put', table: 'clock', key: 'gw-1/b1', value }], 'now')
      assert.equal((await scene.rows(dayMs)).length, isGone ? 1 : 2, 'of the readings, until they are moved')
      const steps = await scene.roll()
      assert.ok(steps >= 2, `each period has to move: ${steps} steps`)
      assert.deepEqual(await scene.rows(hourMs), [
        [0, 2],
        [offset, 2],
        [offset + hourMs, 1],
      ])
      assert.deepEqual(await scene.rows(dayMs, ['count', 'min', 'max']), [
        [0, 2, -2, -1],
        [offset, 3, 0, 60],
      ])
      assert.equal(await scene.keys(), 3, 'nothing waits any more')
      await scene.store.close()
    }
  })

  it('stay, and go on with what comes, where damage has taken the place up to which they go', async () => {
    const scene = await new Scene(hourMs).open()
    await scene.append(at(0, 1), at(hourMs, 2))
    await scene.pack()
    await scene.roll()
    const { tables: all } = scene.store
    const { id } = all.get('readings') as unknown as { id: number }
    const puts = [{ key: factKey(`rollup/${id}/3600`), value: undefined }]
    await scene.store.commit([{ kind: 'chunks', table: 'readings', puts }], 'now')
    await scene.store.close()
    await scene.open()
    await scene.roll()
    for (let hour = 1; hour < 3; hour++) {
      await scene.append(at(hour * hourMs + 1, 3))
      await scene.pack()
      await scene.roll()
      assert.equal(scene.store.upkeep.rollupBehind('readings', hourMs), 0)
    }
    await scene.append(at(9 * hourMs, 4))
    await scene.store.trim('readings', scene.store.head('readings'), 'test')
    assert.deepEqual(await scene.rows(hourMs), [
      [0, 1],
      [hourMs, 2],
      [2 * hourMs, 1],
      [9 * hourMs, 1],
    ])
    await scene.store.close()
  })

  it('are of one moment for each series, however they are merged while a reader goes through them', async () => {
    const scene = await new Scene(minuteMs).open()
    const minutes = 400
    const all = (value: number) => Array.from({ length: minutes }, (_, minute) => at(minute * minuteMs + value, value))
    await scene.append(...all(1))
    await scene.pack()
    await scene.roll()
    await scene.append(...all(2))
    const intervals = intervalsOf(minuteMs) as Intervals
    const rows = scene.store.readings.aggregate('readings', {}, { intervals, functions: ['count'], fill: 'none' })
    let told = 0
    for await (const { values } of rows) {
      assert.deepEqual(values, [2])
      if (told++ !== 100) continue
      await scene.append(...all(3))
      await scene.pack()
      await scene.roll()
    }
    assert.equal(told, minutes)
    assert.equal(scene.place.openIterators?.(), 0)
    await scene.store.close()
  })

  it('count each reading of many series once, in steps that are small', async () => {
    const scene = await new Scene(minuteMs, hourMs).open()
    const readings = Array.from({ length: 300 }, (_, index) => ({ ...at(index, index), device: `d-${index}` }))
    await scene.append(...readings)
    await scene.pack()
    const once = async (): Promise<void> => {
      const rows = await scene.rows(hourMs)
      assert.equal(rows.length, 300)
      assert.ok(rows.every(row => (row as number[])[1] === 1))
    }
    for (let steps = 0; (await scene.roll(1)) === 1; steps++) {
      await once()
      if (steps === 2) {
        await scene.store.close()
        await scene.open()
      }
      assert.ok(steps > 1 || scene.store.upkeep.rollupBehind('readings', hourMs) > 0, 'more than two steps')
    }
    await once()
    await scene.store.close()
  })

  it('count readings once whose time comes to be known while their range is being taken in', async () => {
    const scene = await new Scene(hourMs).open()
    const device = (index: number): string => `d-${index}`
    const waiting = (minute: number) => ({ arrivalMs: midnightMs + minute * minuteMs, boot: 'b1', value: minute })
    await scene.append(...Array.from({ length: 150 }, (_, index) => ({ ...waiting(0), device: device(index) })))
    await scene.pack()
    await scene.roll()
    await scene.append(...Array.from({ length: 150 }, (_, index) => ({ ...waiting(1), device: device(149 - index) })))
    await scene.pack()
    assert.equal(await scene.roll(2), 2)
    assert.ok(scene.store.upkeep.rollupBehind('readings', hourMs) > 0)
    const value = { offset_ms: dayMs, base_ms: midnightMs - hourMs, at_ms: midnightMs + 2 * dayMs, source: '' }
    await scene.store.commit([{ kind: 'put', table: 'clock', key: 'gw-1/b1', value }], 'now')
    for (;;) {
      const rows = await scene.rows(hourMs)
      assert.deepEqual(
        rows,
        Array.from({ length: 150 }, () => [dayMs, 2]),
      )
      if ((await scene.roll(1)) === 0) break
    }
    await scene.store.close()
  })

  it('keep apart what a second boot without a clock brings, and what came of the first late', async () => {
    const scene = await new Scene(hourMs).open()
    for (const boot of ['b1', 'b2', 'b1']) {
      await scene.append({ arrivalMs: midnightMs + 1, boot, value: 1 })
      await scene.pack()
      await scene.roll()
    }
    assert.deepEqual(await scene.rows(hourMs), [[0, 3]])
    assert.equal(await scene.keys(), 2)
    const value = { offset_ms: dayMs, base_ms: midnightMs - hourMs, at_ms: midnightMs + 2 * dayMs, source: '' }
    await scene.store.commit([{ kind: 'put', table: 'clock', key: 'gw-1/b1', value }], 'now')
    await scene.roll()
    await scene.append({ arrivalMs: midnightMs + 2, boot: 'b1', value: 1 })
    await scene.pack()
    await scene.roll()
    await scene.append(at(9 * dayMs, 1))
    await scene.store.trim('readings', scene.store.head('readings'), 'test')
    assert.deepEqual(await scene.rows(hourMs), [
      [0, 1],
      [dayMs, 3],
      [9 * dayMs, 1],
    ])
    await scene.store.close()
  })
})

it('a frame of buckets comes back from the disk as it was', () => {
  const anyValue = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.string(),
    fc.constant({ a: 1 }),
  )
  const anyReadings = fc.array(fc.record({ ms: fc.integer({ min: 0, max: minuteMs - 1 }), value: anyValue }), {
    minLength: 1,
    maxLength: 5,
  })
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(frameBuckets - 1), { minLength: 1 }), anyReadings, (places, readings) => {
      const frame = 900_000
      const sorted = readings.toSorted((a, b) => a.ms - b.ms)
      const buckets = places
        .toSorted((a, b) => a - b)
        .map((place): Bucket => {
          const startMs = (frame * frameBuckets + place) * minuteMs
          const times = Float64Array.from(sorted, ({ ms }) => startMs + ms)
          return bucketOf(
            startMs,
            times,
            sorted.map(({ value }) => value),
            0,
            sorted.length,
          )
        })
      const told = decodeFrame(encodeFrame(buckets, frame, minuteMs), frame, minuteMs)
      const folded = buckets.map(bucket => ({
        ...bucket,
        sum: Number.isFinite(bucket.sumRest) ? bucket.sum + bucket.sumRest : bucket.sum,
        sumRest: 0,
        squares: undefined,
      }))
      assert.deepEqual(told, folded)
    }),
    { numRuns: 200 },
  )
})
