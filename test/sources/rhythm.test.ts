import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { compileInstants } from '../../runtime/schedule.ts'
import { atInstants, everyMs } from '../../runtime/sources/poll/rhythm.ts'

const minuteMs = 60_000
const noon = Date.UTC(2026, 10, 1, 12)
const at = (monotonicMs: number, wallMs = noon) => ({ wallMs, monotonicMs })

function instants(cron: string) {
  const compiled = compileInstants(cron, 'UTC')
  assert.ok(compiled.ok)
  return compiled.instants
}

describe('every so often', () => {
  test('begins at once and keeps its beat', () => {
    const rhythm = everyMs(1_000)
    assert.deepEqual([at(5), at(6), at(1_004), at(1_005), at(1_500)].map(rhythm), [0, 999, 1, 0, 505])
  })

  test('asks once for what was missed', () => {
    const rhythm = everyMs(1_000)
    assert.deepEqual([at(0), at(5_300), at(5_301), at(6_000)].map(rhythm), [0, 0, 699, 0])
  })

  test('does not look at the wall clock', () => {
    const rhythm = everyMs(1_000)
    assert.deepEqual([at(0), at(1, 0), at(2, noon * 2)].map(rhythm), [0, 999, 998])
  })
})

describe('at the times of a cron expression', () => {
  test('waits for the next time, and looks at the clock in between', () => {
    const rhythm = atInstants(instants('*/5 * * * *'))
    const waits = [0, 1, 4.9, 5, 5.1].map(minutes => rhythm(at(0, noon + minutes * minuteMs)))
    assert.deepEqual(waits.map(Math.round), [30_000, 30_000, 6_000, 0, 30_000])
  })

  test('asks once for all that a step ahead or a sleep has passed over', () => {
    const rhythm = atInstants(instants('*/5 * * * *'))
    rhythm(at(0, noon))
    assert.equal(rhythm(at(1, noon + 600 * minuteMs + 1)), 0)
    assert.equal(rhythm(at(2, noon + 600 * minuteMs + 2)), 30_000)
  })

  test('goes on after a step back, without a storm', () => {
    const rhythm = atInstants(instants('*/5 * * * *'))
    rhythm(at(0, noon))
    assert.equal(rhythm(at(1, noon - 7 * minuteMs)), 30_000)
    assert.equal(rhythm(at(2, noon - 5 * minuteMs)), 0)
    assert.equal(rhythm(at(3, noon - 5 * minuteMs + 1)), 30_000)
  })
})
