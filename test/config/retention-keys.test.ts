/** The keys that bound the store: limits of tables, space that stays free, and when the database is tidied. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../runtime/config/load.ts'
import { formatProblem } from '../../runtime/document.ts'

const doors = { environment: {}, hostName: 'pi', readSecret: () => ({ text: '', mode: 0o600 }) }
const load = (text: string) => loadConfig('/etc/c.yaml', text, doors)

function config(text: string) {
  const loaded = load(text)
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.problems.map(formatProblem).join('\n'))
  return loaded.config
}

function problems(text: string): string {
  const loaded = load(text)
  assert.ok(!loaded.ok, 'nothing was wrong')
  return loaded.problems.map(formatProblem).join('\n')
}

const limitsOf = (text: string, table: string): unknown => {
  const { bytesMax, ageMsMax, rowsMax } = config(text).tables.get(table) ?? {}
  return [bytesMax, ageMsMax, rowsMax]
}

test('a table is limited in bytes, age and rows', () => {
  assert.deepEqual(
    limitsOf('tables: {readings: {kind: series, max_bytes: 2GB, max_age: 30d, max_rows: 5000}}', 'readings'),
    [2e9, 30 * 86_400_000, 5_000],
  )
  for (const wrong of ['0', '-1', '1.5', '5k', '2000000000000']) {
    assert.match(problems(`tables: {readings: {kind: series, max_rows: ${wrong}}}`), /max_rows/, wrong)
  }
})

test('rollups are periods that fill a day evenly, of a table of readings', () => {
  const rollupsOf = (text: string) =>
    config(`tables: {readings: {kind: series, ${text}}}`).tables.get('readings')?.rollups
  assert.deepEqual(rollupsOf('max_age: 30d'), { periodsMs: [], ageMsMax: undefined })
  assert.deepEqual(rollupsOf('rollups: [1d, 1m, 1h], rollups_max_age: 3650d'), {
    periodsMs: [60_000, 3_600_000, 86_400_000],
    ageMsMax: 3_650 * 86_400_000,
  })
  for (const [list, why] of [
    ['[7m]', /must fill a day evenly/],
    ['[30s]', /must be 1m to 1d/],
    ['[7d]', /must be 1m to 1d/],
    ['[1h, 60m]', /is there already/],
    ['[often]', /duration with its unit/],
  ] as const) {
    assert.match(problems(`tables: {readings: {kind: series, rollups: ${list}}}`), why, list)
  }
  assert.match(problems('tables: {alerts: {kind: records, rollups: [1h]}}'), /only a table of kind series/)
})

test('what the gateway fills by itself is limited without a word, and what holds the user’s own is not', () => {
  assert.deepEqual(limitsOf('', 'rejects'), [64e6, undefined, undefined])
  assert.deepEqual(limitsOf('', 'alerts'), [undefined, undefined, 100_000])
  for (const table of ['readings', 'thresholds', 'device_labels', 'clock']) {
    assert.deepEqual(limitsOf('', table), [undefined, undefined, undefined], table)
  }
})

test('a limit that is written for such a table stands for all of its own', () => {
  assert.deepEqual(limitsOf('tables: {alerts: {kind: records, max_age: 365d}}', 'alerts'), [
    undefined,
    365 * 86_400_000,
    undefined,
  ])
  assert.deepEqual(limitsOf('tables: {alerts: {kind: records}}', 'alerts'), [undefined, undefined, 100_000])
})

test('the space that stays free is a share of the disk or a size', () => {
  const minFree = (text: string) => config(`store: {min_free: ${text}}`).store.minFree
  assert.deepEqual(minFree('10%'), { kind: 'share', share: 0.1 })
  assert.deepEqual(minFree('2.5 %'), { kind: 'share', share: 0.025 })
  assert.deepEqual(minFree('0%'), { kind: 'share', share: 0 })
  assert.deepEqual(minFree('64MB'), { kind: 'bytes', bytes: 64e6 })
  assert.deepEqual(minFree('0'), { kind: 'bytes', bytes: 0 })
  for (const wrong of ['lots', '-5%', '5 percent']) {
    assert.match(problems(`store: {min_free: "${wrong}"}`), /write a share of the disk such as 5%/, wrong)
  }
  assert.match(problems('store: {min_free: 60%}'), /must be at most 50%/)
})

test('the database is tidied by a cron expression, or never', () => {
  assert.equal(config('store: {compact: "0 4 * * 0"}').store.compact, '0 4 * * 0')
  assert.equal(config('store: {compact: off}').store.compact, undefined)
  assert.match(problems('store: {compact: daily}'), /cron expression of five fields.*or "off"/)
})
