import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Schedule, compileWindow } from '../../runtime/schedule.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const at = (text: string): number => Date.parse(text)

function schedule(open: string, hours: number, zone = 'UTC'): Schedule {
  const compiled = compileWindow({ open, forMs: hours * hourMs, zone })
  assert.ok(compiled.ok, compiled.ok ? '' : compiled.reason)
  return compiled.schedule
}

/** Minutes since midnight on local clocks. */
function clockOf(zone: string): (ms: number) => number {
  const format = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit' })
  const known = new Map<number, number>()
  return ms => {
    const cached = known.get(ms)
    if (cached !== undefined) return cached
    const [hours = 0, minutes = 0] = format.format(ms).split(':').map(Number)
    known.set(ms, hours * 60 + minutes)
    return hours * 60 + minutes
  }
}

/** The plainest form: local clocks are watched minute by minute, and a time that they have shown or skipped opens. */
function openingsByWatching(clock: (ms: number) => number, timeOfDay: number, fromMs: number, toMs: number): number[] {
  const openings: number[] = []
  for (let ms = fromMs; ms < toMs; ms += minuteMs) {
    const [before, now] = [clock(ms - minuteMs), clock(ms)]
    const passed = now >= before ? timeOfDay > before && timeOfDay <= now : before - now > 720 && timeOfDay <= now
    const isSecondTime = openings.some(opening => ms - opening < 12 * hourMs)
    if (passed && !isSecondTime) openings.push(ms)
  }
  return openings
}

describe('a window of time', () => {
  it('is open from its opening for its duration, and says when that changes', () => {
    const nightly = schedule('0 2 * * *', 2)
    assert.deepEqual(nightly.stateAt(at('2026-11-23T01:59:59Z')), { isOpen: false, untilMs: at('2026-11-23T02:00Z') })
    assert.deepEqual(nightly.stateAt(at('2026-11-23T02:00:00Z')), { isOpen: true, untilMs: at('2026-11-23T04:00Z') })
    assert.deepEqual(nightly.stateAt(at('2026-11-23T04:00:00Z')), { isOpen: false, untilMs: at('2026-11-24T02:00Z') })
    const monday = schedule('30 22 * * 1', 5, 'America/New_York')
    assert.deepEqual(monday.stateAt(at('2026-11-24T05:00Z')), { isOpen: true, untilMs: at('2026-11-24T08:30Z') })
    assert.equal(schedule('*/10 * * * *', 0.5).stateAt(at('2026-11-24T05:09Z')).isOpen, true)
    assert.equal(schedule('0 0 29 2 *', 1).stateAt(at('2026-11-24T05:09Z')).untilMs, undefined)
  })

  it('opens at the next instant that exists when its hour is skipped, and once when its hour comes twice', () => {
    const berlin = schedule('30 2 * * *', 1, 'Europe/Berlin')
    assert.equal(berlin.stateAt(at('2026-03-29T00:00Z')).untilMs, at('2026-03-29T01:00Z'), '02:30 is skipped: at 03:00')
    assert.equal(berlin.stateAt(at('2026-03-29T02:00Z')).untilMs, at('2026-03-30T00:30Z'))
    assert.equal(berlin.stateAt(at('2026-10-25T00:00Z')).untilMs, at('2026-10-25T00:30Z'), 'the first 02:30')
    assert.equal(berlin.stateAt(at('2026-10-25T01:30Z')).untilMs, at('2026-10-26T01:30Z'), 'not the second')
  })

  for (const [zone, changes] of [
    ['Europe/Berlin', ['2026-03-29T01:00Z', '2026-10-25T01:00Z', '2031-03-30T01:00Z']],
    ['America/New_York', ['2026-03-08T07:00Z', '2026-11-01T06:00Z']],
    ['Australia/Lord_Howe', ['2026-04-04T15:00Z', '2026-10-03T15:30Z']],
  ] as const) {
    const clock = clockOf(zone)
    it(`opens as somebody would who watches the clocks of ${zone} change`, () => {
      fc.assert(
        fc.property(
          fc.constantFrom(...changes),
          fc.integer({ min: 0, max: 4 * 60 - 1 }),
          fc.integer({ min: 1, max: 600 }),
          fc.array(fc.integer({ min: -30 * 60, max: 30 * 60 }), { minLength: 5, maxLength: 5 }),
          (change, timeOfDay, forMinutes, moments) => {
            const changeMs = at(change)
            const openings = openingsByWatching(clock, timeOfDay, changeMs - 50 * hourMs, changeMs + 60 * hourMs)
            const tested = schedule(`${timeOfDay % 60} ${Math.floor(timeOfDay / 60)} * * *`, forMinutes / 60, zone)
            for (const minutes of moments) {
              const ms = changeMs + minutes * minuteMs
              const isOpen = openings.some(opening => opening <= ms && ms < opening + forMinutes * minuteMs)
              const { isOpen: said, untilMs } = tested.stateAt(ms)
              assert.equal(said, isOpen, `at ${new Date(ms).toISOString()}`)
              if (!isOpen)
                assert.equal(
                  untilMs,
                  openings.find(opening => opening > ms),
                )
            }
          },
        ),
        { numRuns: 40 },
      )
    })
  }

  it('holds what it says until then, whatever steps the clock has made', () => {
    const expressions = ['0 2 * * *', '*/7 3-5 * * 1-5', '15 23 L * *', '* * * * *', '0 0 1 1 *', '30 1 * * 0#2']
    const steps = [1_000, -2 * hourMs, dayMs, at('2026-11-23T00:00Z'), -40 * dayMs]
    for (const open of expressions) {
      for (const zone of ['UTC', 'Europe/Berlin', 'America/New_York']) {
        const tested = schedule(open, 3, zone)
        let ms = 5_000
        for (const step of steps) {
          ms += step
          const { isOpen, untilMs } = tested.stateAt(ms)
          assert.equal(
            tested.stateAt((untilMs ?? ms + 1) - 1).isOpen,
            isOpen,
            `${open} ${zone} ${new Date(ms).toJSON()}`,
          )
          if (!isOpen && untilMs !== undefined) assert.equal(tested.stateAt(untilMs).isOpen, true)
        }
      }
    }
  })

  it('names what is no cron expression of five fields, and what is no zone', () => {
    const wrong = (open: string, zone = 'UTC'): string => {
      const compiled = compileWindow({ open, forMs: hourMs, zone })
      return compiled.ok ? 'fine' : `${compiled.key}: ${compiled.reason}`
    }
    assert.match(wrong('61 2 * * *'), /^open: "61 2 \* \* \*" is no cron expression: minute: 61 is not valid there$/)
    assert.match(wrong('0 2 31 2 *'), /^open: .*impossible day/)
    assert.match(wrong('0 0 2 * * *'), /^open: write a cron expression of five fields/)
    assert.match(wrong('@daily'), /^open: write a cron expression of five fields/)
    assert.match(wrong('0 2 * * *', 'Mars/Olympus'), /^zone: "Mars\/Olympus" is no time zone/)
    assert.equal(wrong('0 2 * * mon-fri', 'Europe/Berlin'), 'fine')
  })
})
