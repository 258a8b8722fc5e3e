import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Json, Value } from '../../runtime/reading.ts'
import { type Bucket, keeps, valueOf } from '../../runtime/rollup/bucket.ts'
import { type Closed, Periods } from '../../runtime/rollup/periods.ts'
import { type ReadingEntry, timeOf } from '../../runtime/store/types.ts'
import { readingEntry, series } from '../replication/entries.ts'

const periodMs = 60_000
const graceMs = 6_000
const startMs = Date.UTC(2026, 0, 1)
const [one, two] = [series('a'), series('b')]

type Step = { readonly kind: 'take'; readonly entry: ReadingEntry } | { readonly kind: 'tick'; readonly nowMs: number }

/** Readings with a clock that goes on, some by a device's own time, some late; and looks at the clock in between. */
const history: fc.Arbitrary<readonly Step[]> = fc
  .array(
    fc.record({
      passMs: fc.integer({ min: 0, max: 90_000 }),
      isTick: fc.boolean(),
      series: fc.constantFrom(one, two),
      value: fc.oneof(fc.integer({ min: -50, max: 50 }), fc.boolean(), fc.constantFrom<Value>('open', { lat: 1 })),
      lateMs: fc.option(fc.integer({ min: -5_000, max: 400_000 }), { nil: undefined }),
    }),
    { maxLength: 60 },
  )
  .map(steps => {
    let nowMs = startMs
    return steps.map(({ passMs, isTick, series: of, value, lateMs }, index): Step => {
      nowMs += passMs
      if (isTick) return { kind: 'tick', nowMs }
      const deviceTimeMs = lateMs === undefined ? undefined : nowMs - lateMs
      return { kind: 'take', entry: readingEntry(index + 1, { series: of, value, arrivalMs: nowMs, deviceTimeMs }) }
    })
  })

function run(periods: Periods, step: Step): readonly Closed[] {
  const nowMs = step.kind === 'tick' ? step.nowMs : step.entry.arrivalMs
  const closed = [...periods.advance(nowMs, 3)]
  for (let more = closed.length; more === 3; ) {
    const next = periods.advance(nowMs, 3)
    closed.push(...next)
    more = next.length
  }
  return step.kind === 'tick' ? closed : [...closed, ...periods.take(step.entry)]
}

const end: Step = { kind: 'tick', nowMs: startMs + 100 * 24 * 3_600_000 }
const form = ({ names, bucket }: Closed): string =>
  JSON.stringify([names.device, bucket.startMs, ...keeps.map(keep => valueOf(bucket, keep) ?? null), bucket.stamp])

const readingsOf = (steps: readonly Step[]): readonly ReadingEntry[] =>
  steps.flatMap(step => (step.kind === 'take' ? [step.entry] : []))

describe('the periods of a table', () => {
  test('are the same however often the state is saved and read again', () => {
    fc.assert(
      fc.property(history, fc.array(fc.nat(59)), (steps, restarts) => {
        const straight = new Periods({ periodMs, openMax: 7 })
        const expected = [...steps, end].flatMap(step => run(straight, step).map(form))
        const saved = new Map<string, Json>()
        let periods = new Periods({ periodMs, openMax: 7 })
        const told: string[] = []
        for (const [index, step] of [...steps, end].entries()) {
          if (restarts.includes(index)) {
            for (const { key, form: value } of periods.takeUnsaved()) {
              if (value === undefined) saved.delete(key)
              else saved.set(key, JSON.parse(JSON.stringify(value)) as Json)
            }
            periods = new Periods({ periodMs, openMax: 7 }, saved)
          }
          told.push(...run(periods, step).map(form))
        }
        assert.deepEqual(told.toSorted(), expected.toSorted())
      }),
      { numRuns: 300 },
    )
  })

  test('are the same whether the clock is looked at between the readings or not', () => {
    fc.assert(
      fc.property(history, steps => {
        const [watched, quiet] = [new Periods({ periodMs, openMax: 1_000 }), new Periods({ periodMs, openMax: 1_000 })]
        const told = [...steps, end].flatMap(step => run(watched, step).map(form))
        const readings = [...steps.filter(({ kind }) => kind === 'take'), end]
        assert.deepEqual(told.toSorted(), readings.flatMap(step => run(quiet, step).map(form)).toSorted())
      }),
      { numRuns: 300 },
    )
  })

  test('count every reading once, in the period of its own time, and add up as a plain sum does', () => {
    fc.assert(
      fc.property(history, fc.constantFrom(2, 7, 1_000), (steps, openMax) => {
        const periods = new Periods({ periodMs, openMax })
        const closed = [...steps, end].flatMap(step => {
          const told = run(periods, step)
          assert.ok(periods.openCount <= openMax)
          return told
        })
        assert.equal(periods.openCount, 0)
        const keyOf = (device: string, start: number): string => `${device} ${start}`
        const add = (sums: Map<string, number[]>, key: string, parts: number[]): void => {
          const sum = sums.get(key) ?? [0, 0, 0, 0, 0]
          sums.set(
            key,
            sum.map((part, index) => part + (parts[index] ?? 0)),
          )
        }
        const [naive, ours] = [new Map<string, number[]>(), new Map<string, number[]>()]
        for (const entry of readingsOf(steps)) {
          const { value } = entry
          const isNumber = typeof value === 'number'
          const isSwitch = typeof value === 'boolean'
          const start = Math.floor(timeOf(entry) / periodMs) * periodMs
          add(naive, keyOf(entry.series.device, start), [
            1,
            isNumber ? 1 : 0,
            isNumber ? value : 0,
            isSwitch ? 1 : 0,
            value === true ? 1 : 0,
          ])
        }
        for (const { names, bucket } of closed) {
          add(ours, keyOf(names.device, bucket.startMs), [
            bucket.count,
            bucket.numbers,
            bucket.sum,
            bucket.switches,
            bucket.trues,
          ])
        }
        assert.deepEqual(ours, naive)
      }),
      { numRuns: 300 },
    )
  })

  const at = (ms: number, value: Value, more: Partial<ReadingEntry> = {}): Step => ({
    kind: 'take',
    entry: readingEntry(1, { series: one, value, arrivalMs: startMs + ms, ...more }),
  })
  const tick = (ms: number): Step => ({ kind: 'tick', nowMs: startMs + ms })
  const closedBy = (...steps: Step[]): Bucket[][] => {
    const periods = new Periods({ periodMs, openMax: 1_000 })
    return steps.map(step => run(periods, step).map(({ bucket }) => bucket))
  }

  test('close a grace after their end, by the clock', () => {
    const closed = closedBy(at(1_000, 1), at(59_000, 3), tick(periodMs + graceMs - 1), tick(periodMs + graceMs))
    assert.deepEqual(
      closed.map(each => each.length),
      [0, 0, 0, 1],
    )
    assert.deepEqual(
      keeps.map(keep => valueOf(closed[3]?.[0] as Bucket, keep)),
      [2, 1, 3, 3, 2],
    )
  })

  test('open again for what comes late, and close with that alone', () => {
    const late = { deviceTimeMs: startMs + 30_000 }
    const closed = closedBy(at(1_000, 1), tick(70_000), at(200_000, 5, late), at(203_000, 7, late), tick(206_000))
    assert.deepEqual(
      closed.map(each => each.map(({ startMs: start, count }) => [start - startMs, count])),
      [[], [[0, 1]], [], [], [[0, 2]]],
    )
  })

  test('do not wait for a time that lies years ahead, nor for a clock that was set back', () => {
    const ahead = closedBy(at(0, 1, { deviceTimeMs: startMs + 10 ** 11 }), tick(periodMs + graceMs))
    assert.equal(ahead[1]?.length, 1)
    const back = closedBy(at(10 ** 11, 1), at(10 ** 11 + 1, 2), at(0, 3), tick(periodMs + graceMs))
    assert.deepEqual(
      back.map(each => each.map(({ count }) => count)),
      [[], [], [2], [1]],
    )
  })

  test('keep the readings of a boot without a clock apart from those of the same hour', () => {
    const closed = closedBy(
      at(0, 1),
      at(1, 2, { boot: 'x' }),
      at(2, 4, { boot: 'x', deviceTimeMs: startMs }),
      tick(10 ** 9),
    )
    assert.deepEqual(
      closed[3]?.map(({ boot, count }) => [boot, count]),
      [
        [undefined, 2],
        ['x', 1],
      ],
    )
  })
})

describe('the values of a period', () => {
  function bucketOf(...values: Value[]): Bucket {
    const periods = new Periods({ periodMs, openMax: 10 })
    for (const [index, value] of values.entries()) {
      run(periods, { kind: 'take', entry: readingEntry(index + 1, { series: one, value, arrivalMs: startMs }) })
    }
    return run(periods, end)[0]?.bucket as Bucket
  }
  const all = (...values: Value[]): unknown[] => keeps.map(keep => valueOf(bucketOf(...values), keep))

  test('are an average, least, greatest, last and count of numbers', () => {
    assert.deepEqual(all(1, 5, 3), [3, 1, 5, 3, 3])
  })

  test('have for switches the share of true, for texts and objects only last and count', () => {
    assert.deepEqual(all(true, false, true, true), [0.75, undefined, undefined, true, 4])
    assert.deepEqual(all('open', 'shut'), [undefined, undefined, undefined, 'shut', 2])
    assert.deepEqual(all({ lat: 1 }), [undefined, undefined, undefined, { lat: 1 }, 1])
    assert.deepEqual(all('error', 4, 6), [5, 4, 6, 6, 3])
  })

  test('do not lose small numbers beside large ones, and do not overflow', () => {
    assert.equal(valueOf(bucketOf(1e100, 1, -1e100, 1), 'avg'), 0.5)
    assert.equal(valueOf(bucketOf(Number.MAX_VALUE, Number.MAX_VALUE), 'avg'), Number.MAX_VALUE)
  })

  test('have as last the latest by the readings own time', () => {
    const periods = new Periods({ periodMs, openMax: 10 })
    for (const [index, ms] of [3_000, 5_000, 1_000].entries()) {
      const entry = readingEntry(index + 1, {
        series: one,
        value: ms,
        arrivalMs: startMs + 6_000,
        deviceTimeMs: startMs + ms,
      })
      run(periods, { kind: 'take', entry })
    }
    assert.equal(valueOf(run(periods, end)[0]?.bucket as Bucket, 'last'), 5_000)
  })
})
