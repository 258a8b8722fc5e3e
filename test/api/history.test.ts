/** The history of a table as a replay reads it: every reading once, in the order of the log. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { HistoryForm } from '../../runtime/api/history.ts'
import { arrival, nowMs, openSurface, type Surface } from './surface.ts'

const hourMs = 3_600_000
const startMs = nowMs - 24 * hourMs
let surface: Surface

before(async () => {
  surface = await openSurface()
  for (let batch = 0; batch < 24; batch++) {
    const atMs = startMs + batch * hourMs
    const readings = Array.from({ length: 1_000 }, (_, index) =>
      arrival(
        `freezer-${index % 10}`,
        index,
        atMs + index * 1_000,
        index % 10 === 3 ? atMs + index * 1_000 - 20 : undefined,
      ),
    )
    // Every batch ends with a reading of five hours ago.
    readings.push(arrival('late-1', batch, atMs + 1_000_000, atMs - 5 * hourMs))
    await surface.store.commit([{ kind: 'append', table: 'readings', readings }], 'now')
  }
})
after(() => surface.remove())

type Told = {
  seq: number
  device: string
  atMs: number
  ownMs: number | undefined
  value: unknown
  unit: string | null
}

async function told(query: Record<string, string>): Promise<Told[]> {
  const { status, lines, text } = await surface.call(
    'GET',
    `/api/v1/tables/readings/history?${new URLSearchParams(query).toString()}`,
  )
  assert.equal(status, 200, text)
  const names = new Map<number, HistoryForm['known'][number]>()
  return (lines as unknown as HistoryForm[]).flatMap(form => {
    for (const known of form.known) names.set(known[0], known)
    let [seq, atMs] = [0, 0]
    return form.value.map((value, index) => {
      seq += form.seq[index] ?? 0
      atMs += form.at[index] ?? 0
      const own = form.own?.[index] ?? undefined
      const [, , device, , unit] = names.get(form.series[index] ?? 0) ?? [0, '', '', '', null]
      return { seq, device, atMs, ownMs: own === undefined ? undefined : atMs + own, value, unit }
    })
  })
}

test('every reading of the range is told once, in the order of the log, with both of its times', async () => {
  const all = await told({ from: String(startMs), to: String(nowMs) })
  assert.deepEqual(
    all.map(({ seq }) => seq),
    Array.from({ length: 24_024 }, (_, index) => index + 1),
  )
  assert.deepEqual(all[1003 + 1], {
    seq: 1005,
    device: 'freezer-3',
    atMs: startMs + hourMs + 3_000,
    ownMs: startMs + hourMs + 2_980,
    value: 3,
    unit: '°C',
  })
})

test('a part of the range, and of the series, is told alone', async () => {
  const from = startMs + 10 * hourMs
  const series = JSON.stringify([
    ['freezer-1', '*'],
    ['freezer-*1', 'temp*'],
    ['late-*', '*'],
  ])
  const some = await told({ from: String(from), to: String(from + 2 * hourMs), series })
  assert.equal(some.length, 2 * 101)
  assert.ok(some.every(({ device }) => ['freezer-1', 'late-1'].includes(device)))
  assert.ok(some.every(({ atMs }) => atMs >= from && atMs < from + 2 * hourMs))
})

test('what has been dropped is not told', async () => {
  const expected = await told({ from: String(startMs), to: String(nowMs) })
  await surface.store.trim('readings', expected[12_011]?.seq as never, 'test')
  const first = surface.store.firstSeq('readings')
  assert.ok(first > 12_000)
  const all = await told({ from: String(startMs), to: String(nowMs) })
  assert.deepEqual(
    all,
    expected.filter(({ seq }) => seq >= first),
  )
})

test('a question that cannot be meant is refused', async () => {
  for (const query of ['series=freezer-1', 'series=[["a"]]', 'series=[[1,2]]', 'device=a', 'from=1h&to=2h']) {
    const { status } = await surface.call('GET', `/api/v1/tables/readings/history?${query}`)
    assert.equal(status, 400, query)
  }
  assert.equal((await surface.call('GET', '/api/v1/tables/thresholds/history')).status, 409)
})
