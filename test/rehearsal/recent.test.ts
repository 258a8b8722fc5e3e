/** What a replay remembers of the readings that it has passed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PastReading, PastSeries } from '../../runtime/rehearsal/past.ts'
import { Recent } from '../../runtime/rehearsal/recent.ts'

const series = (device: string): PastSeries => ({ table: 't', origin: 'gw', device, metric: 'm', unit: undefined })
const [one, two] = [series('one'), series('two')]
const reading = (of: PastSeries, seq: number, arrivalMs = seq, deviceTimeMs?: number): PastReading => ({
  series: of,
  value: seq,
  arrivalMs,
  deviceTimeMs,
  seq,
})
const isLate = ({ deviceTimeMs = 0 }: PastReading): boolean => deviceTimeMs < 0
const seqs = (readings: readonly PastReading[]): number[] => readings.map(({ seq }) => seq)

test('readings of a window come back in the order of the log, by their own time', () => {
  const recent = new Recent(1_000)
  for (const each of [reading(one, 1), reading(two, 2), reading(one, 3, 50, 5), reading(two, 4, 60)]) recent.add(each)
  assert.deepEqual(seqs(recent.of({ isLate, takes: () => true, fromMs: 10, newest: 0 })), [4])
  assert.deepEqual(seqs(recent.of({ isLate, takes: () => true, fromMs: 2, newest: 0 })), [2, 3, 4])
  assert.deepEqual(seqs(recent.of({ isLate, takes: of => of === one, fromMs: 0, newest: 0 })), [1, 3])
})

test('the newest are there however old they are', () => {
  const recent = new Recent(1_000)
  for (const seq of [1, 2, 3]) recent.add(reading(one, seq))
  assert.deepEqual(seqs(recent.of({ isLate, takes: () => true, fromMs: undefined, newest: 2 })), [2, 3])
  for (const seq of [4, 5]) recent.add(reading(one, seq, seq, -1))
  assert.deepEqual(seqs(recent.of({ isLate, takes: () => true, fromMs: undefined, newest: 2 })), [2, 3, 4, 5])
})

test('it keeps what is asked about, and stays bounded in time and in number', () => {
  const recent = new Recent(100)
  for (let seq = 0; seq < 10_000; seq++) recent.add(reading(one, seq))
  const kept = recent.of({ isLate, takes: () => true, fromMs: 0, newest: 0 })
  assert.ok(kept.length >= 100 && kept.length <= 400, String(kept.length))
  assert.deepEqual(seqs(recent.of({ isLate, takes: () => true, fromMs: 9_900, newest: 0 })).length, 100)
  const small = new Recent(1_000_000, 500)
  for (let seq = 0; seq < 10_000; seq++) small.add(reading(seq % 2 ? one : two, seq))
  const left = seqs(small.of({ isLate, takes: () => true, fromMs: 0, newest: 0 }))
  assert.ok(left.length <= 500)
  assert.equal(left.at(-1), 9_999)
})
