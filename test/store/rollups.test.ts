/** What is answered from rollups is what the readings themselves would give, whatever happened while they were made. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Value } from '../../runtime/reading.ts'
import type { AggregateRow } from '../../runtime/store/aggregate.ts'
import type { SeriesQuery } from '../../runtime/store/questions.ts'
import { type Intervals, intervalsOf, oneInterval } from '../../runtime/store/intervals.ts'
import type { ReadingQuery } from '../../runtime/store/types.ts'
import { collect, startMs } from './suite.ts'
import { type Step, World, anyQuery, anyStep, hourMs } from './world.ts'

const minuteMs = 60_000
const dayMs = 24 * hourMs
const functions = ['avg', 'min', 'max', 'sum', 'count', 'first', 'last'] as const
const everyPeriods = [15 * minuteMs, hourMs, dayMs]

type Roll = { readonly kind: 'roll'; readonly steps: number }
type Declare = { readonly kind: 'declare'; readonly periodsMs: readonly number[] }
const anyRoll = fc.record({ kind: fc.constant('roll' as const), steps: fc.integer({ min: 1, max: 12 }) })
const anyDeclare = fc.record({
  kind: fc.constant('declare' as const),
  periodsMs: fc.subarray(everyPeriods),
})
const anySteps = fc.array(
  fc.oneof({ weight: 6, arbitrary: anyStep }, { weight: 4, arbitrary: anyRoll }, { weight: 1, arbitrary: anyDeclare }),
  { minLength: 3, maxLength: 16 },
)

/** A boot is corrected once, and no reading of one has the time of another: equal times are told in the order of the log. */
function plain(steps: readonly (Step | Roll | Declare)[]): readonly (Step | Roll | Declare)[] {
  const corrected = new Set<string>()
  let count = 0
  return steps.flatMap((step): (Step | Roll | Declare)[] => {
    if (step.kind === 'correct') {
      if (corrected.has(step.boot)) return []
      corrected.add(step.boot)
    }
    if (step.kind !== 'append') return [step]
    const readings = step.readings.map(reading =>
      reading.boot === undefined ? reading : { ...reading, arrivalMs: (reading.arrivalMs ?? startMs) + ++count },
    )
    return [{ ...step, readings }]
  })
}

class Rolled {
  readonly world = new World()
  periodsMs: readonly number[] = everyPeriods
  opened = 0

  async take(step: Step | Roll | Declare): Promise<void> {
    if (step.kind === 'declare') this.periodsMs = step.periodsMs
    else if (step.kind === 'roll') await this.roll(step.steps)
    else await this.world.take(step)
  }

  /** Each step is all that there is: a restart may follow any of them. */
  async roll(steps: number): Promise<number> {
    const { store } = this.world
    for (let done = 0; done < steps; done++) {
      const change = await store.upkeep.planRollups('readings', { periodsMs: this.periodsMs, keepFromMs: undefined })
      if (change === undefined) return done
      await store.commit([change], 'now')
    }
    return steps
  }

  async rows(query: SeriesQuery, intervals: Intervals): Promise<readonly unknown[]> {
    const { store } = this.world
    const made = await collect(store.readings.aggregate('readings', query, { intervals, functions, fill: 'none' }))
    return made.map(({ series, startMs: at, values }: AggregateRow) => [series.id, at, values.map(rounded)])
  }

  async checks(query: SeriesQuery, intervals: Intervals): Promise<void> {
    const { readings, upkeep } = this.world.store
    readings.keeper = undefined
    const expected = await this.rows(query, intervals)
    const keeper = upkeep.rollupKeeper(() => this.periodsMs)
    readings.keeper = (...asked) =>
      keeper(...asked).map(kept => ({
        ...kept,
        open: series => {
          const open = kept.open(series)
          if (open !== undefined && open.through > 0) this.opened++
          return open
        },
      }))
    assert.deepEqual(await this.rows(query, intervals), expected)
  }
}

const rounded = (value: Value | null): Value | null =>
  typeof value === 'number' ? Math.round(value * 1e9) / 1e9 : value
const whole = ({ order: _order, limit: _limit, ...query }: ReadingQuery): SeriesQuery => query

describe('an aggregate that is answered from rollups', () => {
  it('is what the readings give, with late ones, restarts at any step, corrected boots, and periods that come and go', async () => {
    let opened = 0
    await fc.assert(
      fc.asyncProperty(
        anySteps,
        anyQuery,
        fc.constantFrom(15 * minuteMs, hourMs, 6 * hourMs, dayMs),
        async (steps, query, everyMs) => {
          const rolled = new Rolled()
          await rolled.world.open()
          for (const step of plain(steps)) await rolled.take(step)
          const intervals = intervalsOf(everyMs) as Intervals
          await rolled.checks({}, intervals)
          await rolled.checks(whole(query), intervals)
          await rolled.checks(whole(query), oneInterval(query.fromMs))
          assert.ok((await rolled.roll(1_000)) < 1_000, 'an end is reached')
          await rolled.checks({}, intervals)
          opened += rolled.opened
          await rolled.world.store.close()
        },
      ),
      { numRuns: 100 },
    )
    assert.ok(opened > 500, `rollups were opened ${opened} times`)
  })
})
