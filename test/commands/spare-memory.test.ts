import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Wave } from '../../runtime/commands/spare-memory.ts'

const mib = 2 ** 20
/** How many looks it takes until it collects, with so much held; undefined if it never does. */
function looksUntil(wave: Wave, heldBytes: number, busyShare = 0.1, most = 1_000): number | undefined {
  for (let look = 1; look <= most; look++) if (wave.look(heldBytes, busyShare)) return look
  return undefined
}

test('what a wave has left is collected after three calm looks, and nothing while there is much to do', () => {
  const wave = new Wave()
  assert.equal(looksUntil(wave, 40 * mib, 0.1, 50), undefined, 'what was always needed')
  assert.equal(looksUntil(wave, 100 * mib, 0.9, 50), undefined, 'busy')
  assert.equal(looksUntil(wave, 100 * mib), 3)
  assert.equal(looksUntil(wave, 42 * mib, 0.1, 50), undefined, 'it has been given back')
  assert.equal(looksUntil(wave, 90 * mib), 3, 'the next wave')
})

test('where a collection gives nothing back it is tried again, later and later, and at once after one that did', () => {
  const wave = new Wave()
  wave.look(40 * mib, 0)
  const waits = Array.from({ length: 9 }, () => looksUntil(wave, 110 * mib))
  assert.deepEqual(waits, [3, 6, 12, 24, 48, 96, 192, 300, 300])
  assert.equal(wave.look(41 * mib, 0), false, 'what was needed then is not any more')
  assert.equal(looksUntil(wave, 100 * mib), 3)
})
