import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  type Budget,
  type Now,
  kept,
  leftBytes,
  openBudget,
  passed,
  renewsAtMs,
  spent,
} from '../../runtime/replication/lanes/budget.ts'
import { fullBucket, taken, waitMs } from '../../runtime/replication/lanes/rate.ts'
import { arrived, emptyRoad, handedOver, hasRoom, queuedMsMax } from '../../runtime/replication/lanes/road.ts'

const dayMs = 86_400_000

describe('a rate', () => {
  it('is kept over any stretch of time by those who wait for tokens, whatever those who never wait take', () => {
    const act = fc.record({ passMs: fc.nat(3_000), bytes: fc.integer({ min: 1, max: 20_000 }), waits: fc.boolean() })
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), fc.integer({ min: 100, max: 10_000 }), (acts, rate) => {
        let nowMs = 0
        let bucket = fullBucket(rate, nowMs)
        let sent = 0
        for (const { passMs, bytes, waits } of acts) {
          nowMs += passMs
          if (waits) {
            nowMs += waitMs(bucket, nowMs)
            assert.equal(waitMs(bucket, nowMs), 0)
            // Before this frame everything sent fits into the rate and one burst.
            assert.ok(sent <= rate + (rate * nowMs) / 1_000 + 1, `${sent} bytes in ${nowMs} ms at ${rate}`)
          }
          bucket = taken(bucket, bytes, nowMs)
          sent += bytes
        }
      }),
      {
        // Once found: after the wait that was told, a rounding error of a token was still missing.
        examples: [
          [
            [
              { passMs: 0, bytes: 16_545, waits: false },
              { passMs: 536, bytes: 1, waits: false },
              { passMs: 0, bytes: 12_930, waits: true },
              { passMs: 0, bytes: 1, waits: true },
            ],
            100,
          ],
        ],
      },
    )
  })
})

describe('a daily budget', () => {
  const at = (wall: string, monotonicMs: number, isTrusted = true): Now => ({
    wallMs: Date.parse(wall),
    monotonicMs,
    isTrusted,
  })

  it('is full again with each new day of UTC, and says when', () => {
    let now = at('2026-11-23T22:00Z', 0)
    let budget = spent(openBudget(1_000, undefined, now), 1_200)
    assert.equal(leftBytes(budget), 0)
    assert.equal(renewsAtMs(budget, now), Date.parse('2026-11-24T00:00Z'))
    now = at('2026-11-23T23:59:59Z', 7_199_000)
    budget = passed(budget, now)
    assert.equal(leftBytes(budget), 0)
    budget = passed(budget, at('2026-11-24T00:00Z', 7_200_000))
    assert.equal(leftBytes(budget), 1_000)
  })

  it('counts 24 hours of running while the clock is not trusted, and is not refilled when it becomes trusted', () => {
    const off = (hours: number): Now => at('1970-01-01T00:00Z', hours * 3_600_000, false)
    let budget = spent(openBudget(1_000, undefined, off(0)), 700)
    assert.equal(renewsAtMs(budget, off(10)), 14 * 3_600_000)
    budget = passed(budget, off(23))
    assert.equal(leftBytes(budget), 300)
    assert.equal(leftBytes(passed(budget, at('2026-11-23T12:00Z', 23.5 * 3_600_000))), 300)
    assert.equal(leftBytes(passed(budget, off(24))), 1_000)
  })

  it('is refilled by no restart and by no step of the clock within its day, and never stops for longer than a day', () => {
    const act = fc.record({
      act: fc.constantFrom('spend', 'restart', 'pass', 'step', 'trust', 'distrust'),
      size: fc.nat(1_000),
    })
    fc.assert(
      fc.property(fc.array(act, { maxLength: 80 }), acts => {
        let [wallMs, monotonicMs, isTrusted] = [Date.parse('2026-11-23T00:00Z'), 0, true]
        const now = (): Now => ({ wallMs, monotonicMs, isTrusted })
        let budget: Budget = openBudget(1_000, undefined, now())
        // Steps stay within the day, so what is used can only grow.
        let used = 0
        for (const { act, size } of acts) {
          if (act === 'spend') {
            budget = spent(budget, size)
            used += size
          } else if (act === 'restart') {
            monotonicMs = 0
            budget = openBudget(1_000, kept(budget), now())
          } else if (act === 'pass') {
            monotonicMs += size
            wallMs += size
          } else if (act === 'step') wallMs = Date.parse('2026-11-23T00:00Z') + size * 60_000
          else isTrusted = act === 'trust'
          budget = passed(budget, now())
          assert.equal(budget.usedBytes, used)
        }
        // Two midnights later it is full, whatever the clock said in between.
        for (const days of [1, 2]) {
          monotonicMs += dayMs
          wallMs += dayMs
          budget = passed(budget, now())
          assert.ok(days === 1 || leftBytes(budget) === 1_000)
        }
      }),
    )
  })

  it('goes on within a day when the clock was trusted in a far future and then set right', () => {
    const future = spent(openBudget(1_000, undefined, at('2099-01-01T00:00Z', 0)), 1_000)
    const right = passed(future, at('2026-11-23T12:00Z', 1_000))
    assert.equal(leftBytes(right), 0, 'the same budget, by another name')
    assert.equal(leftBytes(passed(right, at('2026-11-24T00:00Z', dayMs / 2))), 1_000)
  })
})

describe('the road to the next hop', () => {
  it('takes one frame at a time while frames take long, and more while they arrive at once', () => {
    let road = emptyRoad
    let nowMs = 0
    const send = () => {
      const handed = handedOver(road, 4_000, nowMs)
      road = handed.road
      return handed.load
    }
    for (let round = 0; round < 5; round++) {
      const load = send()
      assert.ok(!hasRoom(road), 'nothing of a lower lane beside it')
      nowMs += queuedMsMax + 100
      road = arrived(road, load, 0, nowMs)
      assert.ok(hasRoom(road))
    }
    // The link becomes good: with each round twice as much.
    for (let round = 0; round < 5; round++) {
      const loads = []
      while (hasRoom(road)) loads.push(send())
      assert.ok(loads.length >= round + 1, `${loads.length} in round ${round}`)
      nowMs += 20
      for (const load of loads) road = arrived(road, load, 0, nowMs)
    }
    assert.equal(road.bytes, 0)
  })

  it('does not take a long way for a slow one, and makes frames smaller on a slow one', () => {
    const far = handedOver(emptyRoad, 4_000, 0)
    assert.ok(arrived(far.road, far.load, 700, 800).roomBytes > 4_000)
    assert.equal(arrived(far.road, far.load, 0, 8_000).frameBytesMax, 1_024)
    const large = handedOver(emptyRoad, 64_000, 0)
    assert.equal(arrived(large.road, large.load, 0, 16_000).frameBytesMax, 8_000)
  })
})
