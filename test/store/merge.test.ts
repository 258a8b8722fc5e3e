/** Small chunks of hours that are over are joined, and nobody sees a difference. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { mergeCursor } from '../../runtime/store/merge.ts'
import { packEveryMs } from '../../runtime/store/packer.ts'
import type { Store } from '../../runtime/store/store.ts'
import { type Entry, asSeq, seqZero } from '../../runtime/store/types.ts'
import { memoryPlace, testStamps } from './homes.ts'
import { arrival, startMs } from './suite.ts'

const minuteMs = 60_000

async function told(store: Store): Promise<readonly [seq: number, value: unknown][][]> {
  const byTime: [number, unknown][] = []
  for await (const { seq, value } of store.query('readings', {})) byTime.push([seq, value])
  const byPlace: [number, unknown][] = []
  for (let after = seqZero; after < store.head('readings'); ) {
    const entries: readonly Entry[] = await store.read('readings', after, 7)
    for (const entry of entries) if (entry.kind === 'reading') byPlace.push([entry.seq, entry.value])
    after = (entries.at(-1) as Entry).seq
  }
  return [byTime, byPlace]
}

/** Five hours of three devices that tell a value each minute, packed every ten minutes, and some that come late. */
async function fill(store: Store, leap: (ms: number) => void, minutes: number, from = 0): Promise<void> {
  for (let minute = from; minute < from + minutes; minute++) {
    leap(minuteMs)
    const arrivalMs = startMs + minute * minuteMs
    const readings = ['a', 'b', 'c'].map(device => arrival({ device, value: minute, arrivalMs }))
    if (minute % 50 === 49) readings.push(arrival({ device: 'a', value: -minute, arrivalMs, deviceTimeMs: startMs }))
    await store.commit([{ kind: 'append', table: 'readings', readings }], 'now')
  }
}

it('chunks of an hour that is over become one, over a restart too, and a trim in between takes what it should', async () => {
  const place = memoryPlace()
  let nowMs = 0
  const leap = (ms: number): void => void (nowMs += ms)
  const stamps = testStamps(() => startMs + nowMs)
  const open = (): Promise<Store> => place.open({ stamps, monotonicMs: () => nowMs })
  let store = await open()
  await fill(store, leap, 200)
  const large = store.bytes('readings')
  // Each pass begins with a packing and goes on in the commits that follow.
  for (let pass = 0; pass < 40; pass++) await fill(store, leap, 1, 200 + pass)
  const merged = store.cursor(mergeCursor('readings')) ?? 0
  assert.ok(merged > 300, `joined through ${merged}`)
  assert.ok(store.bytes('readings') < large, 'less than before the last forty minutes')
  const before = await told(store)
  assert.equal(before[0]?.length, store.rowCount('readings'))
  const bytes = store.bytes('readings')
  await store.close()
  store = await open()
  assert.deepEqual(await told(store), before)
  assert.equal(store.bytes('readings'), bytes)

  await store.trim('readings', asSeq(333), 'test')
  const first = store.firstSeq('readings')
  assert.ok(first > 300)
  const left = before.map(list => list.filter(([seq]) => seq >= first))
  assert.deepEqual(await told(store), left)
  for (let minute = 240; minute < 400; minute += packEveryMs / minuteMs) await fill(store, leap, 10, minute)
  const after = await told(store)
  assert.deepEqual(after[1]?.slice(0, left[1]?.length), left[1])
  assert.equal(after[0]?.length, store.rowCount('readings'))
  await store.close()
  assert.equal(place.openIterators?.(), 0)
})
