import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Wave } from '../../runtime/commands/spare-memory.ts'

const MB = 2 ** 20
const looks = (wave: Wave, ...those: readonly (readonly [megabytes: number, busyShare: number])[]): boolean[] =>
  those.map(([megabytes, busyShare]) => wave.look(megabytes * MB, busyShare))

test('memory is given back once a wave is over, and not while there is much to do', () => {
  const wave = new Wave()
  assert.deepEqual(looks(wave, [40, 0.1], [90, 0.9], [100, 0.9], [100, 0.9], [100, 0.9]), Array(5).fill(false))
  assert.deepEqual(looks(wave, [100, 0.1], [100, 0.1], [100, 0.9]), [false, false, false], 'only a gap between two')
  assert.deepEqual(looks(wave, [100, 0.1], [100, 0.1], [100, 0.1]), [false, false, true])
})

test('what a collection leaves is needed: it is not tried again until much more is held', () => {
  const wave = new Wave()
  looks(wave, [40, 0.1])
  wave.collected(70 * MB)
  assert.deepEqual(looks(wave, ...Array.from({ length: 10 }, () => [77, 0] as const)), Array(10).fill(false))
  assert.deepEqual(looks(wave, [90, 0], [90, 0], [90, 0]), [false, false, true])
})

test('what V8 collects by itself tells how little is needed', () => {
  const wave = new Wave()
  wave.collected(70 * MB)
  assert.deepEqual(looks(wave, [40, 0], [50, 0], [50, 0], [50, 0]), [false, false, false, true])
})
