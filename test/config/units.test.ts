import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { formatDuration, formatSize, parseDurationMs, parseSizeBytes } from '../../runtime/units.ts'

describe('durations', () => {
  test('are read as people write them', () => {
    const cases = { '100ms': 100, '1h30m': 5_400_000, '1.5s': 1_500, '2d': 172_800_000, '1w': 604_800_000, 0: 0 }
    for (const [text, ms] of Object.entries(cases)) assert.equal(parseDurationMs(text), ms, text)
    for (const text of ['', '5', 's', '-5s', '5 s', '5S', '1e3s', '1s ', '5sm', 'constructor']) {
      assert.equal(parseDurationMs(text), undefined, text)
    }
  })

  test('come back as they were from their shortest form', () => {
    fc.assert(fc.property(fc.nat(), ms => assert.equal(parseDurationMs(formatDuration(ms)), ms)))
    assert.equal(formatDuration(90_000), '1m30s')
    assert.equal(formatDuration(30 * 86_400_000), '30d')
  })
})

describe('sizes', () => {
  test('are read with decimal and binary units', () => {
    const cases = {
      4096: 4096,
      '64MB': 64e6,
      '64 MB': 64e6,
      '128KiB': 131_072,
      '1.5kB': 1_500,
      '1GiB': 2 ** 30,
      '7B': 7,
    }
    for (const [text, bytes] of Object.entries(cases)) assert.equal(parseSizeBytes(text), bytes, text)
    for (const text of ['', 'MB', '-1MB', '1TB', '1e6', '0x10', '64mb', 'constructor']) {
      assert.equal(parseSizeBytes(text), undefined, text)
    }
  })

  test('are shown with one digit at most', () => {
    assert.deepEqual([0, 999, 1_536, 64e6, 2.5e9].map(formatSize), ['0 B', '999 B', '1.5 kB', '64 MB', '2.5 GB'])
  })
})
