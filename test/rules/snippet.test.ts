/** The readings in an alert: all of them if they fit, the telling ones if not, and never more than the cap. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { snippet, snippetBytes, type Point, type SnippetSeries } from '../../rules/alert/snippet.ts'
import type { Value } from '../../runtime/reading.ts'

const series = (points: readonly Point[], change: Partial<SnippetSeries> = {}): SnippetSeries => ({
  table: 'readings',
  device: 'freezer-1',
  metric: 'temperature',
  unit: '°C',
  points,
  ...change,
})
const wide = { bytesMax: 49_152, pointsMax: undefined }
const every = (count: number, value: (index: number) => Value): Point[] =>
  Array.from({ length: count }, (_, index): Point => [index * 1000, value(index)])

test('readings that fit are written as they are, cut to the time asked for and in order', () => {
  const built = snippet(
    [
      series([
        [3000, 3],
        [1000, 1],
        [2000, 2],
        [4000, 4],
      ]),
      series([[9000, 1]], { metric: 'x' }),
    ],
    wide,
    1000,
    3000,
  )
  assert.deepEqual(built, {
    from_ms: 1000,
    to_ms: 3000,
    count: 3,
    series: [
      series([
        [1000, 1],
        [2000, 2],
        [3000, 3],
      ]),
    ],
  })
})

test('a day of readings is thinned under its cap and says so', () => {
  const day = every(86_400, index => Math.round(Math.sin(index / 9000) * 1000) / 100)
  const spiked = day.with(40_000, [40_000_000, 99]).with(50_000, [50_000_000, -99])
  const built = snippet([series(spiked)], wide, 0, 86_400_000)
  assert.ok(snippetBytes(built) <= 49_152)
  assert.ok(snippetBytes(built) > 40_000, 'uses what it may')
  const points = built.series[0]?.points ?? []
  assert.deepEqual(built.thinned, { kept: points.length, of: 86_400, method: 'min-max' })
  assert.deepEqual([points[0], points.at(-1)], [day[0], day.at(-1)])
  assert.ok(points.some(([, value]) => value === 99) && points.some(([, value]) => value === -99))
})

test('a switch keeps both of its positions in every part of the time', () => {
  const door = every(20_000, index => index % 5000 === 2500)
  const opened = snippet([series(door)], { ...wide, bytesMax: 4096 }, 0, 20_000_000).series[0]?.points ?? []
  assert.equal(opened.filter(([, value]) => value === true).length, 4)
})

test('a short series keeps all of its readings beside a long one', () => {
  const built = snippet(
    [
      series(every(9000, index => index)),
      series(
        every(5, index => index),
        { metric: 'few' },
      ),
    ],
    wide,
    0,
    9_000_000,
  )
  assert.equal(built.series[1]?.points.length, 5)
})

test('at most so many readings as the rule says', () => {
  const built = snippet([series(every(900, index => index % 7))], { ...wide, pointsMax: 50 }, 0, 900_000)
  assert.ok((built.thinned?.kept ?? 99) <= 50)
  assert.deepEqual(
    snippet([series(every(900, index => index))], { ...wide, pointsMax: 1 }, 0, 900_000).series[0]?.points,
    [[899_000, 899]],
  )
})

test('with too many series the last are dropped, never that of the alert', () => {
  const many = Array.from({ length: 500 }, (_, index) =>
    series(
      every(100, each => each),
      { metric: `m${index}` },
    ),
  )
  const built = snippet(many, { ...wide, bytesMax: 2048 }, 0, 100_000)
  assert.ok(snippetBytes(built) <= 2048)
  assert.equal(built.series[0]?.metric, 'm0')
  assert.equal(built.thinned?.of, 50_000)
})

test('values too long to store are shortened before anything is given up', () => {
  const built = snippet(
    [
      series([
        [1, 'x'.repeat(5000)],
        [2, { a: 'y'.repeat(5000) }],
        [3, 7],
      ]),
    ],
    { ...wide, bytesMax: 1024 },
    0,
    9,
  )
  assert.deepEqual(
    built.series[0]?.points.map(([, value]) => JSON.stringify(value).length),
    [43, 46, 1],
  )
  assert.ok(built.thinned)
})

test('no readings make an empty snippet', () => {
  assert.deepEqual(snippet([], wide, 5, 9), { from_ms: 5, to_ms: 9, count: 0, series: [] })
})

const anyValue: fc.Arbitrary<Value> = fc.oneof(
  { weight: 6, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
  { weight: 1, arbitrary: fc.boolean() },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme' }) },
  { weight: 1, arbitrary: fc.record({ lat: fc.double({ noNaN: true }), text: fc.string() }) },
)
const anySeries = fc
  .record({
    metric: fc.string({ maxLength: 300, unit: 'grapheme' }),
    values: fc.array(fc.tuple(fc.integer({ min: 0, max: 5000 }), anyValue), { maxLength: 300, size: 'max' }),
  })
  .map(({ metric, values }) => series(values, { metric }))

test('a snippet never exceeds its cap, and is the same every time', () => {
  fc.assert(
    fc.property(fc.array(anySeries, { maxLength: 6 }), fc.integer({ min: 1024, max: 9000 }), (all, bytesMax) => {
      const built = snippet(all, { bytesMax, pointsMax: undefined }, 0, 5000)
      assert.ok(Buffer.byteLength(JSON.stringify(built)) <= bytesMax)
      assert.deepEqual(snippet(all, { bytesMax, pointsMax: undefined }, 0, 5000), built)
      const kept = built.series.reduce((sum, each) => sum + each.points.length, 0)
      assert.equal(
        built.count,
        all.reduce((sum, each) => sum + each.points.length, 0),
      )
      if (kept < built.count) assert.deepEqual(built.thinned, { kept, of: built.count, method: 'min-max' })
    }),
    { numRuns: 150, endOnFailure: true },
  )
})

test('thinning keeps the smallest, the largest, the first and the newest reading of every series', () => {
  const numbers = fc.array(fc.integer({ min: -1_000_000, max: 1_000_000 }), {
    minLength: 5,
    maxLength: 3000,
    size: 'max',
  })
  fc.assert(
    fc.property(numbers, numbers, fc.integer({ min: 1024, max: 8000 }), (a, b, bytesMax) => {
      const given = [a, b].map((values, index) =>
        series(
          values.map((value, at): Point => [at * 7, value]),
          { metric: `m${index}` },
        ),
      )
      const built = snippet(given, { bytesMax, pointsMax: undefined }, 0, 1_000_000)
      assert.equal(built.series.length, 2)
      built.series.forEach(({ points }, index) => {
        const all = given[index]?.points ?? []
        const values = points.map(([, value]) => Number(value))
        assert.equal(Math.min(...values), Math.min(...all.map(([, value]) => Number(value))))
        assert.equal(Math.max(...values), Math.max(...all.map(([, value]) => Number(value))))
        assert.deepEqual([points[0], points.at(-1)], [all[0], all.at(-1)])
        assert.ok(points.every((point, at) => at === 0 || point[0] > (points[at - 1]?.[0] ?? 0)))
      })
    }),
    { numRuns: 60, endOnFailure: true },
  )
})
