/** What `holdfast query` asks of readings beside the list of them. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { readingTest } from '../../runtime/streams.ts'
import { type Surface, nowMs, openSurface, reading } from '../api/surface.ts'
import { holdfast } from './holdfast.ts'

let surface: Surface
before(async () => {
  surface = await openSurface({ where: readingTest })
  const readings = Array.from({ length: 12 }, (_, index) => reading('freezer-1', index, nowMs - (12 - index) * 60_000))
  await surface.store.commit([{ kind: 'append', table: 'readings', readings }], 'now')
})
after(() => surface.remove())
const query = (...args: string[]) => holdfast(['query', 'readings', ...args, '--socket', surface.socket])
const values = (out: string): number[] => [...out.matchAll(/temperature +(\S+) °C/g)].map(([, value]) => Number(value))

test('query chooses by an expression, which is told where it is wrong', async () => {
  assert.deepEqual(values((await query('--where', 'value >= 10', '--order', 'desc')).out), [11, 10])
  const { code, err } = await query('--where', 'value > 10 && vlaue < 3')
  assert.equal(code, 2)
  assert.match(err, /^holdfast: "where" is not understood at character 15: .*did you mean "value"/i)
})

test('query walks page by page with the cursor that it tells', async () => {
  const found: number[] = []
  let { out, err } = await query('--page', '5')
  for (let page = 0; page < 4; page++) {
    found.push(...values(out))
    const [, cursor] = /^holdfast: there are more: --cursor (\S+)$/m.exec(err) ?? []
    if (cursor === undefined) break
    ;({ out, err } = await query('--cursor', cursor, '--page', '5'))
  }
  assert.deepEqual(
    found,
    Array.from({ length: 12 }, (_, index) => index),
  )
  assert.match(err, /^holdfast: that is all; what comes from now on: --cursor /)
  const json = (await query('--page', '2', '--json')).out
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as object)
  assert.deepEqual(
    json.map(line => (line as { kind: string }).kind),
    ['reading', 'reading', 'page'],
  )
})

test('query tells aggregates as lines, as JSON, and as a picture of each series', async () => {
  const { out } = await query('--every', '6m', '--fn', 'avg,count')
  assert.equal(
    out,
    `TIME                      ORIGIN  DEVICE     METRIC       AVG  COUNT  UNIT
2024-01-02T11:48:00.000Z  gw-1    freezer-1  temperature  2.5      6  °C
2024-01-02T11:54:00.000Z  gw-1    freezer-1  temperature  8.5      6  °C
`,
  )
  const line = JSON.parse((await query('--fn', 'max', '--json')).out) as object
  assert.deepEqual([(line as { max: number }).max, (line as { kind: string }).kind], [11, 'aggregate'])
  const picture = (await query('--every', '1m', '--chart')).out
  assert.match(picture, /^freezer-1 temperature {2}avg in °C {2}gw-1\n +11 ┤/)
  assert.match(picture, /2024-01-02 11:48.*2024-01-02 11:59\n/)
  assert.equal((await query('--every', '1m', '--chart', '--device', 'x')).out, 'No readings.\n')
})

test('query says which rollup an aggregate was answered from', async t => {
  const { upkeep, readings } = surface.store
  readings.keeper = upkeep.rollupKeeper(() => [120_000])
  t.after(() => {
    readings.keeper = undefined
  })
  const before = await query('--every', '6m')
  assert.equal(before.err, '', 'nothing is rolled up yet')
  readings.keeper = () => [{ lengthMs: 120_000, open: () => undefined }]
  const { out, err } = await query('--every', '6m')
  assert.deepEqual([out, err], [before.out, 'holdfast: answered from rollups of 2m\n'])
  assert.equal((await query('--every', '6m', '--json')).err, '')
})

test('query tells the latest of each series', async () => {
  assert.deepEqual(values((await query('--latest')).out), [11])
  assert.deepEqual(values((await query('--latest', '--to', '5m')).out), [6])
})

test('query refuses what does not go together, by its name', async () => {
  for (const [args, sentence] of [
    [['--latest', '--every', '1m'], /--every does not go with --latest/],
    [['--every', '1m', '--limit', '3'], /--limit does not go with --every/],
    [['--fn', 'avg', '--page', '3'], /--page does not go with --fn/],
    [['--fill', 'null'], /--fill goes with --every/],
    [['--chart'], /--chart goes with --every/],
    [['--page', '3', '--limit', '3'], /--limit does not go with pages/],
    [['--cursor', 'x'], /"cursor" is not one that a page ended with/],
    [['--order', 'up'], /asc, desc/],
  ] as const) {
    const { code, out, err } = await query(...args)
    assert.deepEqual([code, out], [2, ''], args.join(' '))
    assert.match(err, sentence)
  }
})
