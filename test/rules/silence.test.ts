import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Silence, type Silenceable, nextEdgeMs, readSilence, silenceOver } from '../../rules/alert/silence.ts'
import type { Json } from '../../runtime/reading.ts'

const alert: Silenceable = {
  rule: 'WarmFreezer',
  device: 'freezer-1',
  metric: 'temperature',
  severity: 'critical',
  labels: { team: 'cold' },
  device_labels: { site: 'lyon', team: 'hot' },
}

function silence(match: Json, fields: Record<string, Json> = {}, id = 's-1'): Silence {
  const read = readSilence(id, { match, from_ms: 100, until_ms: 200, ...fields })
  assert.ok(typeof read !== 'string', JSON.stringify(read))
  return read
}

test('a silence covers what all its matchers fit, from its beginning until before its end', () => {
  const matches: [Json, boolean][] = [
    [{}, true],
    [{ rule: 'Warm*', device: 'freezer-*', metric: 'temperature' }, true],
    [{ rule: 'Warm' }, false],
    [{ device: 'freezer-2' }, false],
    [{ labels: { site: 'ly*', severity: 'critical', alertname: '*Freezer' } }, true],
    [{ labels: { team: 'cold' } }, true],
    [{ labels: { team: 'hot' } }, false],
    [{ labels: { constructor: '*' } }, false],
  ]
  for (const [match, isCovered] of matches) {
    assert.equal(silenceOver([silence(match)], alert, 150) !== undefined, isCovered, JSON.stringify(match))
  }
  const at = (ms: number): boolean => silenceOver([silence({})], alert, ms) !== undefined
  assert.deepEqual([99, 100, 199, 200].map(at), [false, true, true, false])
})

test('of several silences the longest is named, of equals the first by id, whatever their order', () => {
  const all = [silence({}, {}, 'b'), silence({}, {}, 'a'), silence({}, { until_ms: 180 }, 'c')]
  for (const order of [all, all.toReversed()]) assert.equal(silenceOver(order, alert, 150)?.id, 'a')
  assert.deepEqual(
    [0, 150, 180, 200].map(ms => nextEdgeMs(all, ms)),
    [100, 180, 200, undefined],
  )
})

test('a row that is no silence says why, and silences nothing', () => {
  const rows: [Json, RegExp][] = [
    ['quiet', /no object/],
    [{ match: {} }, /until_ms/],
    [{ until_ms: 5 }, /match is missing/],
    [{ until_ms: 5, match: { devise: 'x' } }, /did you mean "device"/],
    [{ until_ms: 5, match: { device: 1 } }, /must be texts/],
    [{ until_ms: 5, match: { labels: ['x'] } }, /must be texts/],
  ]
  for (const [row, reason] of rows) assert.match(JSON.stringify(readSilence('s', row)).replaceAll('\\', ''), reason)
})
