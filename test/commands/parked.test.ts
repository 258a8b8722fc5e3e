import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { silentLog } from '../../runtime/log.ts'
import { park } from '../../runtime/replication/parked/parked.ts'
import { ParkedRows } from '../../runtime/replication/parked/parked-rows.ts'
import { systemTime } from '../../runtime/replication/time.ts'
import { stampAt } from '../../runtime/stamp.ts'
import { asSeq } from '../../runtime/store/types.ts'
import { type Surface, nowMs, openSurface } from '../api/surface.ts'
import { specs } from '../store/homes.ts'
import { holdfast } from './holdfast.ts'

let surface: Surface
let rows: ParkedRows
let at: string[]
before(async () => {
  surface = await openSurface({}, [...specs, { name: 'parked', kind: 'records' }], () => ({
    retry: async keys => rows.retry(keys),
    drop: async keys => rows.drop(keys),
  }))
  const { store } = surface
  at = ['--socket', surface.socket]
  rows = await ParkedRows.open({ store, time: systemTime, log: silentLog })
  const stream = { way: 'from', farSide: 'gw-2', table: 'thresholds', epoch: 'e1' } as const
  const parked = (seq: number, aheadMs: number) => ({
    reason: 'stamp-too-far-ahead',
    row: {
      seq: asSeq(seq),
      stamp: stampAt(systemTime.wallMs() + aheadMs),
      origin: 'gw-2',
      key: `freezer-${seq}`,
      value: seq,
    },
  })
  const { changes } = await park(store, stream, [parked(1, 0), parked(2, 7_200_000), parked(3, 0)], nowMs)
  await store.commit(changes)
})
after(async () => {
  await rows.close()
  await surface.remove()
})

test('parked rows are shown with the key that a command takes', async () => {
  const { out } = await holdfast(['parked', ...at])
  assert.match(
    out,
    /^PARKED +REASON +WHAT +KEY\n2024-\S+ +stamp-too-far-ahead +freezer-1 +from:gw-2\/thresholds\/e1\/1\n/,
  )
  const { out: json } = await holdfast(['parked', '--json', ...at])
  assert.equal(json.trim().split('\n').length, 3)
})

test('a command that names neither keys nor --all does nothing, and says what it takes', async () => {
  for (const verb of ['retry', 'drop']) {
    const { code, err } = await holdfast(['parked', verb, ...at])
    assert.deepEqual([code, err], [2, 'holdfast: name the keys, or say --all.\n'])
  }
  const { status } = await surface.call('POST', '/api/v1/parked/drop', '{}', { 'content-type': 'application/json' })
  assert.equal(status, 400)
  const plain = await surface.call('POST', '/api/v1/parked/drop', '{"all":true}', { 'content-type': 'text/plain' })
  assert.equal(plain.status, 400)
})

test('retry applies what fits now, says of the rest why not, and fails if anything stays', async () => {
  const one = await holdfast(['parked', 'retry', 'from:gw-2/thresholds/e1/1', ...at])
  assert.deepEqual(one, { code: 0, out: 'from:gw-2/thresholds/e1/1: applied\n', err: '' })
  assert.equal(surface.store.latest('thresholds', 'freezer-1')?.value, 1)
  const all = await holdfast(['parked', 'retry', '--all', '--json', ...at])
  assert.equal(all.code, 1)
  assert.deepEqual(JSON.parse(all.out), {
    rows: [
      { key: 'from:gw-2/thresholds/e1/2', outcome: 'refused', reason: 'stamp-too-far-ahead' },
      { key: 'from:gw-2/thresholds/e1/3', outcome: 'applied', reason: null },
    ],
  })
})

test('drop forgets rows', async () => {
  const { code, out } = await holdfast(['parked', 'drop', '--all', ...at])
  assert.deepEqual([code, out], [0, 'from:gw-2/thresholds/e1/2: dropped\n'])
  assert.equal((await holdfast(['parked', 'list', '--json', ...at])).out, '')
})
