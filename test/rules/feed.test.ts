import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Value } from '../../runtime/reading.ts'
import type { HistoryNeeds, WindowView } from '../../rules/expression/scope.ts'
import { devicesMax } from '../../rules/judge/device-count.ts'
import { Feed } from '../../rules/judge/feed.ts'
import { slicesMax } from '../../rules/judge/slices.ts'
import { Window } from '../../rules/judge/window.ts'

type Stored = { readonly value: Value; readonly timeMs: number; readonly device: string }

const needsOf = (windowsMs: readonly number[], more: Partial<HistoryNeeds> = {}): HistoryNeeds => ({
  windowsMs,
  previous: true,
  devices: false,
  ...more,
})

/** What the caller of a feed does: if it lacks something, the store is asked for it. */
function asked(feed: Feed, stored: readonly Stored[], nowMs: number): Feed {
  const missing = feed.missing(nowMs)
  if (missing === undefined) {
    feed.moveTo(nowMs)
    return feed
  }
  feed.begin(missing, nowMs)
  const newestFrom = stored.length - missing.newest
  stored.forEach((reading, at) => {
    const isIn = missing.fromMs !== undefined && reading.timeMs >= missing.fromMs
    if (isIn || at >= newestFrom) feed.add(reading.value, reading.timeMs, reading.timeMs, reading.device)
  })
  return feed
}

const cold = (needs: HistoryNeeds, stored: readonly Stored[], nowMs: number): Feed =>
  asked(new Feed(needs), stored, nowMs)

/** Everything that a view says, as it is now. */
const saidBy = (view: WindowView | undefined) =>
  view && {
    readings: view.readings,
    devices: view.devices,
    before: { count: view.before.count, mean: view.before.mean, stddev: view.before.stddev },
    ...(view.count > 0 && {
      count: view.count,
      sum: view.sum,
      min: view.min,
      max: view.max,
      mean: view.mean,
      stddev: view.stddev,
      first: { ...view.first },
      last: { ...view.last },
    }),
  }

const saidByFeed = (feed: Feed, needs: HistoryNeeds) => ({
  value: feed.value,
  previous: feed.previous,
  timeMs: feed.timeMs,
  windows: needs.windowsMs.map(ms => saidBy(feed.window(ms))),
})

const stored = (values: readonly (readonly [number, Value, string?])[]): Stored[] =>
  values.map(([timeMs, value, device = 'a']) => ({ timeMs, value, device }))

const minute = 60_000
/** No date is later, nor earlier below zero. */
const datesEndMs = 8.64e15

describe('a feed', () => {
  test('tells the newest reading and the one before it', () => {
    const feed = cold(
      needsOf([]),
      stored([
        [1, 'open'],
        [2, 'closed'],
        [3, true],
      ]),
      3,
    )
    assert.deepEqual([feed.value, feed.previous, feed.timeMs], [true, 'closed', 3])
  })

  test('tells of a window what was measured in it', () => {
    const now = 100 * minute
    const readings = stored([
      [now - 6 * minute, 99],
      [now - 4 * minute, 1],
      [now - minute, 4],
      [now - 1, true],
      [now, 'text'],
    ])
    const view = cold(needsOf([5 * minute]), readings, now).window(5 * minute)
    assert.ok(view)
    assert.deepEqual([view.readings, view.count, view.sum, view.min, view.max, view.mean], [4, 3, 6, 1, 4, 2])
    assert.equal(view.stddev, Math.sqrt(3))
    assert.deepEqual(saidBy(view)?.first, { value: 1, timeMs: now - 4 * minute })
    assert.deepEqual(saidBy(view)?.last, { value: 1, timeMs: now - 1 })
  })

  test('has no view of a window before it was filled, or of a length that was not declared', () => {
    const feed = new Feed(needsOf([minute]))
    feed.moveTo(minute)
    feed.add(1, minute, minute, 'a')
    assert.equal(feed.window(minute), undefined)
    assert.equal(feed.window(2 * minute), undefined)
    assert.deepEqual(feed.missing(10 * minute), { fromMs: 9 * minute + 500 - minute, newest: 2 })
  })

  test('holds the newest reading against those before it, also when it lies far off', () => {
    const values = Array.from({ length: 50 }, (_, at) => [at * 1_000, 20 + (at % 2) / 10] as const)
    const feed = cold(needsOf([minute]), stored([...values, [50_000, 1e9]]), 50_000)
    const { before } = feed.window(minute) ?? assert.fail()
    assert.equal(before.count, 50)
    assert.ok(Math.abs(before.mean - 20.05) < 1e-9 && Math.abs(before.stddev - 0.0505) < 1e-3)
  })

  test('of a constant tells no spread at all', () => {
    const values = Array.from({ length: 1_000 }, (_, at) => [at * 977, 20.1] as const)
    const view = cold(needsOf([1_000_000]), stored(values), 977_000).window(1_000_000)
    assert.deepEqual([view?.stddev, view?.mean, view?.before.stddev], [0, 20.1, 0])
  })

  test('takes into its windows what came late, and goes on telling the newest', () => {
    const feed = cold(needsOf([minute]), stored([[minute, 5]]), minute)
    feed.note(1, minute - 2_000, minute + 1, 'a')
    assert.deepEqual([feed.value, feed.timeMs, feed.atMs], [5, minute, minute + 1])
    assert.deepEqual(saidBy(feed.window(minute))?.first, { value: 1, timeMs: minute - 2_000 })
  })

  test('goes back with time within what it keeps, and says so where it cannot', () => {
    const values = Array.from({ length: 600 }, (_, at) => [at * 1_000, at] as const)
    const feed = cold(needsOf([minute]), stored(values), 599_000)
    assert.equal(feed.missing(580_000), undefined)
    feed.moveTo(580_000)
    assert.equal(feed.window(minute)?.max, 580)
    assert.ok(feed.missing(100_000))
    feed.moveTo(100_000)
    assert.equal(feed.window(minute), undefined)
  })

  test('counts the devices of a window', () => {
    const needs = needsOf([minute], { devices: true })
    const values = Array.from({ length: 300 }, (_, at) => [at * 1_000, at, `device-${at % 100}`] as const)
    const feed = cold(needs, stored(values), 299_000)
    assert.equal(feed.window(minute)?.devices, 60)
    feed.add('text', 299_000, 299_000, 'another')
    assert.equal(feed.window(minute)?.devices, 61)
    feed.moveTo(329_000)
    assert.equal(feed.window(minute)?.devices, 31)
  })

  test('counts devices up to a bound, and exactly again once there are fewer', () => {
    const needs = needsOf([minute], { devices: true })
    const feed = cold(needs, [], 0)
    for (let at = 0; at < devicesMax + 10; at++) feed.add(1, at, at, `first-${at}`)
    feed.moveTo(5_000)
    assert.equal(feed.window(minute)?.devices, devicesMax)
    for (let at = 0; at < 20_000; at++) {
      const timeMs = 10 * minute + at * 20
      feed.moveTo(timeMs)
      feed.add(1, timeMs, timeMs, `then-${at % 5_000}`)
    }
    assert.equal(feed.window(minute)?.devices, 3_000)
  })
})

describe('a window', () => {
  const time = fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: -5_000, max: 30_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: -1e15, max: 1e15 }) },
    { weight: 1, arbitrary: fc.double({ noNaN: true, min: -datesEndMs, max: datesEndMs }) },
  )
  const value = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }),
    fc.boolean(),
    fc.constant('text'),
  )
  const anyNumber = fc.double({ noNaN: true, noDefaultInfinity: true })
  const device = fc.constantFrom('a', 'b', 'c')
  const reading = fc.record({ value, timeMs: time, device })
  const lengths = fc.constantFrom([1_000], [1_000, 7_777], [2_500, 60_000, 3_600_000])

  test('that is filled again anywhere on the way tells the same, to the bit, as one that saw it all', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(reading, time, fc.boolean()), { maxLength: 60 }), lengths, (steps, windowsMs) => {
        const needs = needsOf(windowsMs, { devices: true })
        const log: Stored[] = []
        let living = new Feed(needs)
        for (const [next, nowMs, restarts] of steps) {
          if (restarts) living = new Feed(needs)
          asked(living, log, nowMs)
          log.push(next)
          living.add(next.value, next.timeMs, next.timeMs, next.device)
          const fresh = cold(needs, log, nowMs)
          assert.deepEqual(saidByFeed(living, needs), saidByFeed(fresh, needs))
        }
      }),
      { numRuns: 200 },
    )
  })

  test('tells what a plain list of all readings tells, at the resolution of its slices', () => {
    fc.assert(
      fc.property(fc.array(reading, { maxLength: 80 }), time, lengths, (log, nowMs, windowsMs) => {
        const needs = needsOf(windowsMs, { devices: true })
        const feed = cold(needs, log, nowMs)
        for (const ms of windowsMs) {
          const view = feed.window(ms)
          // What it had to forget it does not tell; with so few readings it forgets nothing.
          assert.ok(view)
          const plain = plainView(log, nowMs, ms)
          assert.deepEqual([view.readings, view.count, view.devices], [plain.readings, plain.count, plain.devices])
          if (plain.count === 0) continue
          assert.deepEqual([view.min, view.max], [plain.min, plain.max])
          assert.deepEqual([{ ...view.first }, { ...view.last }], [plain.first, plain.last])
          close(view.sum, plain.sum)
          close(view.mean, plain.mean)
          close(view.stddev, plain.stddev)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('of numbers of any size tells what is true, or of sums, means and spreads none that is finite', () => {
    const huge = fc.record({ value: anyNumber, timeMs: fc.integer({ min: 0, max: 2_000 }), device })
    fc.assert(
      fc.property(fc.array(huge, { minLength: 1, maxLength: 80 }), lengths, (log, windowsMs) => {
        const needs = needsOf(windowsMs)
        const feed = cold(needs, log, 2_000)
        for (const ms of windowsMs) {
          const view = feed.window(ms) ?? assert.fail()
          const most = Math.max(1, ...log.map(({ value }) => Math.abs(value)))
          // The same in a scale in which nothing is too large.
          const scaled = log.map(({ value, ...rest }) => ({ ...rest, value: value / most }))
          const [plain, small] = [plainView(log, 2_000, ms), plainView(scaled, 2_000, ms)]
          assert.deepEqual([view.readings, view.count], [plain.readings, plain.count])
          if (plain.count === 0) continue
          assert.deepEqual([view.min, view.max], [plain.min, plain.max])
          assert.deepEqual([{ ...view.first }, { ...view.last }], [plain.first, plain.last])
          for (const name of ['sum', 'mean', 'stddev'] as const) {
            if (Number.isFinite(view[name])) close(view[name] / most, small[name])
            // Nothing of a usual size comes to that.
            else assert.ok(most > 1e150)
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  test('keeps no more than its slices, whatever times come, and says what it cannot know any longer', () => {
    fc.assert(
      fc.property(fc.array(time, { minLength: 1 }), fc.infiniteStream(time), (moments, times) => {
        const window = new Window(1_000, false)
        window.begin(-1e9)
        for (const nowMs of moments) {
          window.moveTo(nowMs)
          for (let at = 0; at < 50; at++) window.add(1, times.next().value ?? 0, 'a')
          assert.ok(window.slices <= slicesMax)
          assert.equal(window.view() !== undefined, window.knows(nowMs))
        }
      }),
      { numRuns: 50 },
    )
  })
})

function plainView(log: readonly Stored[], nowMs: number, ms: number) {
  const width = Math.max(1, Math.ceil(ms / 120))
  const index = (timeMs: number): number => Math.floor(timeMs / width)
  const inside = log.filter(({ timeMs }) => index(timeMs) > index(nowMs - ms) && index(timeMs) <= index(nowMs))
  const numbers = inside
    .filter(({ value }) => typeof value !== 'string')
    .map(({ value, timeMs }) => ({ value: Number(value) + 0, timeMs }))
  const byTime = numbers.toSorted((a, b) => a.timeMs - b.timeMs)
  const values = numbers.map(({ value }) => value)
  const sum = values.reduce((total, value) => total + value, 0)
  const mean = sum / values.length
  const squares = values.reduce((total, value) => total + (value - mean) ** 2, 0)
  return {
    readings: inside.length,
    count: values.length,
    devices: new Set(inside.map(({ device }) => device)).size,
    sum,
    mean,
    min: Math.min(...values),
    max: Math.max(...values),
    stddev: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0,
    first: byTime[0],
    last: byTime.at(-1),
  }
}

function close(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) <= 1e-6 * Math.max(1, Math.abs(expected)), `${actual} is not ${expected}`)
}
