/** Which readings are late, and that they stay so when they are read again from the store. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { Lag, type SavedLag } from '../../rules/judge/lag.ts'
import type { JudgedReading } from '../../rules/judge/reading.ts'
import type { AlertRule } from '../../rules/rule.ts'
import { expression, Gateway, SeriesBook, startMs, told } from './judging.ts'
import { ruleOf } from './rules.ts'

const minuteMs = 60_000

/** Lags as they are: steady, jittery, a backlog, a clock that is set. */
const arrivals = fc.array(
  fc.record({
    series: fc.constantFrom(0, 1),
    afterS: fc.constantFrom(0, 1, 30, 300, 600),
    lagS: fc.oneof(fc.constantFrom(undefined, -3600, 0, 1, 2, 90, 3600), fc.integer({ min: -5, max: 400 })),
  }),
  { minLength: 1, maxLength: 40 },
)

test('the newest two that were not late, of a series or of several, are the same by what is saved of their lags', () => {
  fc.assert(
    fc.property(arrivals, fc.constantFrom(0, 30_000, minuteMs, 600_000), (log, lateAfterMs) => {
      const book = new SeriesBook()
      const toleranceMs = Math.max(1_000, Math.min(minuteMs, lateAfterMs))
      const lags = [new Lag(undefined), new Lag(undefined)]
      const met: { readonly reading: JudgedReading; readonly isLate: boolean; readonly series: number }[] = []
      let arrivalMs = startMs
      for (const [at, { series, afterS, lagS }] of log.entries()) {
        arrivalMs += afterS * 1_000
        const deviceTimeMs = lagS === undefined ? undefined : arrivalMs - lagS * 1_000
        const reading = { series: book.of('d', `${series}`), value: 1, arrivalMs, deviceTimeMs, seq: at + 1 }
        const lag = lags[series] ?? assert.fail()
        const foreseenMs = lag.foreseeMs(reading, toleranceMs)
        const lateMs = lag.meet(reading, toleranceMs)
        assert.equal(foreseenMs, lateMs)
        met.push({ reading, isLate: lateMs > lateAfterMs, series })

        const saved = lags.map(each => new Lag(JSON.parse(JSON.stringify(each.save())) as SavedLag))
        const isLate = (each: (typeof met)[number]): boolean =>
          (saved[each.series] ?? assert.fail()).excessMs(each.reading) > Math.max(lateAfterMs, 1_000)
        for (const of of [[0], [1], [0, 1]]) {
          const ours = met.filter(each => of.includes(each.series))
          const seqs = (timely: typeof met): number[] => timely.slice(-2).map(each => each.reading.seq)
          assert.deepEqual(seqs(ours.filter(each => !isLate(each))), seqs(ours.filter(each => !each.isLate)))
        }
      }
    }),
    { numRuns: 300 },
  )
})

describe('a reading that', () => {
  const stepped: AlertRule = ruleOf({
    id: 'Stepped',
    condition: { kind: 'expression', violated: expression('delta() > 4'), clear: undefined },
    moments: { kind: 'cron', cron: '*/2 * * * *', zone: 'UTC' },
  })

  /** Values with when they came, and by how much they were behind. */
  function crashed(log: readonly (readonly [value: number, atS: number, lagS: number])[]): string[][] {
    return [false, true].map(crashes => {
      const gateway = new Gateway([stepped])
      for (const [value, atS, lagS] of log) gateway.append(gateway.book.of('d', 'm'), value, atS, atS - lagS)
      gateway.read(log.length)
      gateway.commit()
      const before = gateway.said.length
      const endS = log.at(-1)?.[1] ?? 0
      if (crashes) gateway.crash(endS)
      gateway.advance(endS + 120)
      return told(gateway.said.slice(before))
    })
  }

  test('was not late when it came is the one before the next also after a crash, though it would be late now', () => {
    const [living, filled] = crashed([
      [0, 0, 3_600],
      [5, 1, 2],
    ])
    assert.deepEqual(living, ['fired d/m@120'])
    assert.deepEqual(filled, living)
  })

  test('was late when it came is not the one before the next after a crash, though it would not be late now', () => {
    const [living, filled] = crashed([
      [0, 0, 0],
      [9, 10, 3_600],
      [5, 700, 3_600],
    ])
    assert.deepEqual(living, ['fired d/m@720'])
    assert.deepEqual(filled, living)
  })
})

test('windows of a device that has no clock end at its own time, also at a moment that is the first thing after a restart', () => {
  for (const crashes of [false, true]) {
    const counted = ruleOf({
      id: 'Counted',
      condition: { kind: 'expression', violated: expression('count(2m) > 1'), clear: undefined },
      moments: { kind: 'cron', cron: '*/2 * * * *', zone: 'UTC' },
    })
    const gateway = new Gateway([counted])
    for (const atS of [1, 2]) gateway.send('d', 'm', 0, atS, atS - 1.7e9)
    gateway.advance(130)
    gateway.commit()
    if (crashes) gateway.crash(130)
    gateway.advance(250)
    assert.deepEqual(told(gateway.said), ['fired d/m@120', 'resolved d/m@240'])
  }
})
