/** Columns, aggregates and the latest of each series are compared with what a plain walk over all readings would tell. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Value } from '../../runtime/reading.ts'
import type { KeptBuckets, OpenBuckets } from '../../runtime/store/aggregate.ts'
import { type BucketFunction, bucketFunctions, bucketOf } from '../../runtime/store/buckets.ts'
import type { Fill } from '../../runtime/store/fill.ts'
import { type Intervals, intervalsOf, oneInterval } from '../../runtime/store/intervals.ts'
import { byName } from '../../runtime/store/series-order.ts'
import { type ReadingEntry, type ReadingQuery, type Series, asSeq, timeOf } from '../../runtime/store/types.ts'
import { memoryPlace } from './homes.ts'
import { arrival, collect, startMs } from './suite.ts'
import { World, anyQuery, anyStep, hourMs, naive, told } from './world.ts'

const whole = (query: ReadingQuery): ReadingQuery => ({ ...query, order: undefined, limit: undefined })
const steps = fc.array(anyStep, { minLength: 2, maxLength: 10 })
const minuteMs = 60_000

function bySeries(entries: readonly ReadingEntry[]): [Series, ReadingEntry[]][] {
  const groups = new Map<Series, ReadingEntry[]>()
  for (const entry of entries) {
    const group = groups.get(entry.series)
    if (group) group.push(entry)
    else groups.set(entry.series, [entry])
  }
  return [...groups].toSorted(([a], [b]) => byName(a, b))
}

/** The same by the plainest arithmetic. */
function plainly(name: BucketFunction, entries: readonly ReadingEntry[]): Value | null {
  const values = entries.map(({ value }) => value)
  const numbers = values.filter(value => typeof value === 'number')
  const switches = values.filter(value => typeof value === 'boolean')
  const sum = numbers.reduce((total, value) => total + value, 0)
  const mean = sum / numbers.length
  switch (name) {
    case 'count':
      return values.length
    case 'first':
      return values[0] as Value
    case 'last':
      return values.at(-1) as Value
    case 'min':
      return numbers.length > 0 ? Math.min(...numbers) : null
    case 'max':
      return numbers.length > 0 ? Math.max(...numbers) : null
    case 'sum':
      return numbers.length > 0 ? sum : null
    case 'avg':
      if (numbers.length > 0) return mean
      return switches.length > 0 ? switches.filter(Boolean).length / switches.length : null
    case 'stddev': {
      const squares = numbers.reduce((total, value) => total + (value - mean) ** 2, 0)
      return numbers.length > 1 ? Math.sqrt(squares / (numbers.length - 1)) : null
    }
  }
}

const rounded = (value: Value | null): Value | null =>
  typeof value === 'number' ? Math.round(value * 1e9) / 1e9 : value

function naiveRows(all: readonly ReadingEntry[], query: ReadingQuery, intervals: Intervals, rowTime = true) {
  return bySeries(naive(all, whole(query))).flatMap(([series, entries]) => {
    const starts = [...new Set(entries.map(entry => intervals.startOf(timeOf(entry))))]
    return starts.map(startMs => {
      const inside = entries.filter(entry => intervals.startOf(timeOf(entry)) === startMs)
      const values = bucketFunctions.map(name => rounded(plainly(name, inside)))
      return { series: series.id, startMs: rowTime ? startMs : timeOf(inside[0] as ReadingEntry), values }
    })
  })
}

const rowsOf = async (world: World, query: ReadingQuery, intervals: Intervals) => {
  const options = { intervals, functions: bucketFunctions, fill: 'none' as const }
  const rows = await collect(world.store.readings.aggregate('readings', query, options))
  return rows.map(({ series, startMs, values }) => ({ series: series.id, startMs, values: values.map(rounded) }))
}

describe('columns', () => {
  it('hold what a query tells, hour by hour and series by series, sorted by time', async () => {
    await fc.assert(
      fc.asyncProperty(steps, anyQuery, async (given, query) => {
        const world = new World()
        await world.open()
        for (const step of given) await world.take(step)
        const expected = bySeries(naive(await world.all(), whole(query)))
        const found = new Map<Series, [number, Value][]>()
        for await (const { series, times, values } of world.store.readings.columns('readings', whole(query))) {
          const rows = found.get(series) ?? []
          for (const [index, timeMs] of times.entries()) rows.push([timeMs, values[index] as Value])
          found.set(series, rows)
        }
        assert.equal(found.size, expected.length)
        for (const [series, entries] of expected) {
          assert.deepEqual(
            found.get(series),
            entries.map(entry => [timeOf(entry), entry.value]),
          )
        }
        await world.store.close()
      }),
      { numRuns: 150 },
    )
  })
})

describe('columns of a device whose clock stands still', () => {
  it('come chunk by chunk, though all of them are of one hour', async () => {
    const world = new World()
    await world.open()
    for (let pack = 0; pack < 4; pack++) {
      const readings = Array.from({ length: 50 }, (_, index) => ({ deviceTimeMs: startMs, value: pack * 50 + index }))
      await world.take({ kind: 'append', origin: undefined, readings })
      if (pack < 3) await world.take({ kind: 'pack' })
    }
    const found: Value[][] = []
    for await (const { values } of world.store.readings.columns('readings', {})) found.push([...values])
    assert.deepEqual(
      found.flat(),
      Array.from({ length: 200 }, (_, index) => index),
    )
    assert.ok(found.every(({ length }) => length <= 100))
    await world.store.close()
  })
})

describe('an aggregate', () => {
  it('is what plain arithmetic over all readings gives, whatever is packed, late, corrected and chosen', async () => {
    const every = fc.constantFrom(7 * minuteMs, 15 * minuteMs, hourMs, 6 * hourMs, 24 * hourMs)
    await fc.assert(
      fc.asyncProperty(steps, anyQuery, every, async (given, query, everyMs) => {
        const world = new World()
        await world.open()
        for (const step of given) await world.take(step)
        const all = await world.all()
        const intervals = intervalsOf(everyMs) as Intervals
        assert.deepEqual(await rowsOf(world, whole(query), intervals), naiveRows(all, query, intervals))
        const isOpen = query.fromMs === undefined
        assert.deepEqual(
          await rowsOf(world, whole(query), oneInterval(query.fromMs)),
          naiveRows(all, query, oneInterval(query.fromMs), !isOpen),
        )
        await world.store.close()
      }),
      { numRuns: 150 },
    )
  })

  it('is the same out of buckets that somebody keeps and of what they do not hold yet', async () => {
    await fc.assert(
      fc.asyncProperty(
        steps,
        steps,
        fc.record({ fromMs: fc.integer({ min: 0, max: 300 }), minutes: fc.integer({ min: 1, max: 600 }) }),
        fc.boolean(),
        async (before, later, { fromMs: fromMinutes, minutes }, isOpen) => {
          const isPlain = ({ kind }: { kind: string }): boolean => kind !== 'correct'
          const world = new World()
          await world.open()
          for (const step of before.filter(isPlain)) await world.take(step)
          const all = await world.all()
          let reads = 0
          world.store.readings.keeper = (_table, fits) => {
            assert.equal(fits(5 * minuteMs), true)
            return [keptOf(all, 15 * minuteMs, () => reads++), keptOf(all, 5 * minuteMs, () => reads++)]
          }
          for (const step of later.filter(({ kind }) => isPlain({ kind }) && kind !== 'restart')) await world.take(step)
          const fromMs = startMs - hourMs + fromMinutes * minuteMs + 17
          const query = isOpen ? {} : { fromMs, toMs: fromMs + minutes * minuteMs }
          const intervals = intervalsOf(15 * minuteMs) as Intervals
          assert.deepEqual(await rowsOf(world, query, intervals), naiveRows(await world.all(), query, intervals))
          assert.ok(reads > 0 || all.length === 0 || !isOpen)
          await world.store.close()
        },
      ),
      { numRuns: 150 },
    )
  })

  it('leaves empty intervals out, or fills them: with nothing, what was before, a line, or a number', async () => {
    const world = memoryPlace()
    const store = await world.open()
    const at = (minutes: number, value: number) =>
      arrival({ deviceTimeMs: hourMs * 400_000 + minutes * minuteMs, value })
    await store.commit([{ kind: 'append', table: 'readings', readings: [at(2, 10), at(2.5, 20), at(5, 30)] }], 'now')
    const filled = async (fill: Fill, query: ReadingQuery = {}) => {
      const options = { intervals: intervalsOf(minuteMs) as Intervals, functions: ['avg', 'count'] as const, fill }
      const rows = await collect(store.readings.aggregate('readings', query, options))
      return rows.map(({ startMs, values }) => [startMs / minuteMs - 24_000_000, ...values])
    }
    const range = { fromMs: hourMs * 400_000 + 30_000, toMs: hourMs * 400_000 + 7 * minuteMs }
    assert.deepEqual(await filled('none', range), [
      [2, 15, 2],
      [5, 30, 1],
    ])
    assert.deepEqual(await filled('linear'), [
      [2, 15, 2],
      [3, 20, 0],
      [4, 25, 0],
      [5, 30, 1],
    ])
    assert.deepEqual(await filled('null', range), [
      [0, null, 0],
      [1, null, 0],
      [2, 15, 2],
      [3, null, 0],
      [4, null, 0],
      [5, 30, 1],
      [6, null, 0],
    ])
    assert.deepEqual(
      (await filled('previous', range))
        .slice(3, 5)
        .concat(await filled('previous', range))
        .at(-1),
      [6, 30, 0],
    )
    assert.deepEqual((await filled(-1, range))[0], [0, -1, 0])
    assert.deepEqual(await filled('null', { device: 'nobody', ...range }), [], 'a series without readings has no rows')
    await store.commit([{ kind: 'append', table: 'readings', readings: [at(3_000_000, 1)] }], 'now')
    await assert.rejects(filled('null'), /more than 1000000 intervals in a row have no reading/)
    assert.equal((await filled('none')).length, 3)
    await store.close()
  })

  it('aligns days to midnight of a zone, also those that have 23 or 25 hours, and weeks to Monday', () => {
    const days = intervalsOf(24 * hourMs, 'Europe/Berlin') as Intervals
    const iso = (ms: number): string => new Date(ms).toISOString()
    const spring = days.startOf(Date.parse('2026-03-29T12:00:00Z'))
    assert.equal(iso(spring), '2026-03-28T23:00:00.000Z')
    assert.equal(iso(days.next(spring)), '2026-03-29T22:00:00.000Z')
    const autumn = days.startOf(Date.parse('2026-10-25T01:30:00Z'))
    assert.equal((days.next(autumn) - autumn) / hourMs, 25)
    const week = intervalsOf(7 * 24 * hourMs) as Intervals
    assert.equal(iso(week.startOf(Date.parse('2026-11-22T23:00:00Z'))), '2026-11-16T00:00:00.000Z')
    assert.equal(intervalsOf(24 * hourMs, 'Europe/Atlantis'), undefined)
    // Clocks there went forward at midnight: that day began at one.
    const skipped = intervalsOf(24 * hourMs, 'America/Sao_Paulo') as Intervals
    assert.equal(iso(skipped.startOf(Date.parse('2018-11-04T12:00:00Z'))), '2018-11-04T03:00:00.000Z')
    for (let ms = Date.parse('2018-02-15T00:00:00Z'); ms < Date.parse('2018-02-20T00:00:00Z'); ms += 1_800_000) {
      assert.ok(skipped.startOf(ms) <= ms && ms < skipped.next(skipped.startOf(ms)))
    }
  })
})

describe('the latest reading of each series', () => {
  it('is the last that a query tells of it, also where corrections have moved readings, and before any time', async () => {
    await fc.assert(
      fc.asyncProperty(steps, anyQuery, async (given, query) => {
        const world = new World()
        await world.open()
        for (const step of given) await world.take(step)
        const all = await world.all()
        const { where, fromMs = 0, ...names } = whole(query)
        const expected = bySeries(naive(all, names))
          .map(([, entries]) => entries.at(-1) as ReadingEntry)
          .filter(entry => timeOf(entry) >= fromMs)
          .filter(entry => where === undefined || naive([entry], { where }).length === 1)
        const found = await collect(world.store.readings.latest('readings', whole(query)))
        assert.deepEqual(told(found), told(expected))
        await world.store.close()
      }),
      { numRuns: 150 },
    )
  })
})

/** Buckets of all readings that there are, as somebody might keep them. */
function keptOf(all: readonly ReadingEntry[], lengthMs: number, onRead: () => void): KeptBuckets {
  const open = (series: Series): OpenBuckets => ({
    through: asSeq(all.at(-1)?.seq ?? 0),
    fromMs: 0,
    async *read(fromMs, toMs) {
      onRead()
      const entries = naive(all, { fromMs, toMs }).filter(entry => entry.series === series)
      const startOf = (entry: ReadingEntry): number => Math.floor(timeOf(entry) / lengthMs) * lengthMs
      for (const startMs of new Set(entries.map(startOf))) {
        const inside = entries.filter(entry => startOf(entry) === startMs)
        const times = Float64Array.from(inside, timeOf)
        const values = inside.map(({ value }) => value)
        yield bucketOf(startMs, times, values, 0, inside.length)
      }
    },
    close: () => Promise.resolve(),
  })
  return { lengthMs, open }
}
