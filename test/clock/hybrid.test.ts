import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { hybridClock, isTooFarAhead, maxAheadMs } from '../../runtime/clock/hybrid.ts'
import { monotonicMs } from '../../runtime/clock/wall.ts'
import { type Stamp, stampAt, stampMax, stampMs, stampPlus } from '../../runtime/stamp.ts'

const year2026 = Date.UTC(2026, 5, 1)
const anyWallMs = fc.oneof(
  fc.integer({ min: 0, max: Date.UTC(2150, 0, 1) }),
  fc.integer({ min: year2026 - 5, max: year2026 + 5 }),
  fc.constantFrom(0, Number.MAX_SAFE_INTEGER, year2026, stampMs(stampMax)),
)
const anyStep = fc.oneof(
  fc.record({ kind: fc.constant('take' as const), wallMs: anyWallMs, count: fc.integer({ min: 1, max: 10_000 }) }),
  fc.record({ kind: fc.constant('observe' as const), wallMs: anyWallMs, ahead: fc.integer({ min: -1e6, max: 1e9 }) }),
)

describe('hybrid clock', () => {
  it('never runs backwards and never gives a stamp twice, however the wall clock jumps', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 60 }), steps => {
        let wall = 0
        const clock = hybridClock(() => wall)
        let latest = -1
        for (const step of steps) {
          wall = step.wallMs
          if (step.kind === 'observe') {
            clock.observe(stampPlus(stampAt(Math.min(step.wallMs, year2026)), step.ahead))
            continue
          }
          const first = clock.take(step.count)
          assert.ok(first > latest, `${first} after ${latest}`)
          latest = first + step.count - 1
          assert.ok(Number.isSafeInteger(latest))
          assert.equal(clock.last, latest)
        }
      }),
    )
  })

  it('gives stamps later than any it has observed', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: stampAt(Date.UTC(2080, 0, 1)) })), anyWallMs, (stamps, wall) => {
        const clock = hybridClock(() => wall)
        for (const stamp of stamps) clock.observe(stamp as Stamp)
        const next = clock.take(1)
        assert.ok(stamps.every(stamp => next > stamp))
      }),
    )
  })

  it('follows the wall clock while that moves on', () => {
    let wall = year2026
    const clock = hybridClock(() => wall)
    clock.take(10)
    wall += 1000
    assert.equal(stampMs(clock.take(1)), wall)
  })

  it('boots in 1970 and still writes later than before the reboot, once its floor is raised', () => {
    const before = hybridClock(() => year2026).take(1)
    const clock = hybridClock(() => 0)
    clock.raiseFloor(before)
    assert.ok(clock.take(1) > before)
  })

  it('does not believe a wall clock at the end of what a stamp can hold', () => {
    let wall = Date.UTC(2200, 0, 1)
    const clock = hybridClock(() => wall)
    clock.take(5)
    wall = year2026
    assert.equal(stampMs(clock.take(1)), year2026)
  })

  it('calls a stamp too far ahead beyond one hour, and not at one hour', () => {
    assert.equal(isTooFarAhead(stampAt(year2026 + maxAheadMs), year2026), false)
    assert.equal(isTooFarAhead(stampAt(year2026 + maxAheadMs + 1), year2026), true)
    assert.equal(isTooFarAhead(stampAt(0), year2026), false)
  })

  it('judges nobody by a wall clock that is itself impossible', () => {
    assert.equal(isTooFarAhead(stampAt(year2026), 0), false)
  })

  it('measures durations by a clock that does not run backwards', () => {
    const first = monotonicMs()
    assert.ok(monotonicMs() >= first)
  })
})
