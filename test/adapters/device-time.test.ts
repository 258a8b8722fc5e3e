import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { deviceTimeMs } from '../../adapters/device-time.ts'

const newYear = Date.UTC(2026, 0, 1)

describe('the time of a device', () => {
  test('is read as seconds or milliseconds by its size', () => {
    assert.equal(deviceTimeMs(newYear, 'auto'), newYear)
    assert.equal(deviceTimeMs(newYear / 1_000, 'auto'), newYear)
    assert.equal(deviceTimeMs(newYear / 1_000 + 0.25, 'auto'), newYear + 250)
    assert.equal(deviceTimeMs(1e11, 'auto'), 1e11)
    assert.match(String(deviceTimeMs(1e11 - 1, 'auto')), /not between 1970 and 2100/)
  })

  test('is taken at its word where the route says the format', () => {
    assert.equal(deviceTimeMs(5, 'unix_s'), 5_000)
    assert.equal(deviceTimeMs(5, 'unix_ms'), 5)
    assert.match(String(deviceTimeMs('2026-01-01', 'unix_ms')), /not a number \(time_format: unix_ms\)/)
    assert.match(String(deviceTimeMs(5, 'iso8601')), /not a text in ISO 8601 form/)
  })

  test('may be any usual form of ISO 8601, and is UTC without a zone', () => {
    for (const text of [
      '2026-01-01',
      '2026-01-01T00:00',
      '2026-01-01 00:00:00',
      '2026-01-01T00:00:00.000000Z',
      '2026-01-01t00:00:00z',
      '2026-01-01T02:00:00+02:00',
      '2026-01-01T02:00:00+0200',
      '2025-12-31T19:00:00-05',
    ]) {
      assert.equal(deviceTimeMs(text, 'auto'), newYear, text)
    }
  })

  test('is refused where it cannot be meant', () => {
    for (const raw of [-1, Number.POSITIVE_INFINITY, Date.UTC(2100, 0, 1), '1969-12-31T23:59:59Z', '2100-01-01']) {
      assert.match(String(deviceTimeMs(raw, 'auto')), /not between 1970 and 2100/, String(raw))
    }
    for (const raw of [
      '',
      'now',
      '1767225600',
      '2026-13-01',
      '2026-02-30',
      '2026-01-01T25:00',
      'Thu Jan 01 2026',
      '0x10',
    ]) {
      assert.match(String(deviceTimeMs(raw, 'auto')), /ISO 8601 form/, raw)
    }
    for (const raw of [true, {}, []]) assert.match(String(deviceTimeMs(raw, 'auto')), /neither a number nor a text/)
  })
})
