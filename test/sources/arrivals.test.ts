import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Arrivals } from '../../runtime/sources/mqtt/arrivals.ts'

test('a later message of a source has no earlier time, and a clock that was set back is believed', () => {
  const arrivals = new Arrivals()
  const times = [1_000.4, 999.6, 1_001, 1_000, 1_000.9, 5_000, 1_500, 1_499.2].map(ms => arrivals.at(ms))
  assert.deepEqual(times, [1_000, 1_000, 1_001, 1_001, 1_001, 5_000, 1_500, 1_500])
})
