import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recorderOrSkip } from '../rigs/iorec.ts'
import { cutPower } from '../rigs/power-cut.ts'

test('no state that a power cut can leave loses an acknowledged row or cannot be opened', async t => {
  if (!recorderOrSkip(t)) return
  const result = await cutPower({ steps: 280, paddingBytes: 4_000, packEvery: 20, points: 9, seed: 1 })
  assert.ok(result.states >= 60, `only ${result.states} states were built`)
  assert.deepEqual(result.problems, [])
  assert.deepEqual([result.missing, result.unopenable], [0, 0])
})

test('no power cut while the store is created leaves one that cannot be opened', async t => {
  if (!recorderOrSkip(t)) return
  const result = await cutPower({ steps: 2, paddingBytes: 0, packEvery: 0, points: Number.POSITIVE_INFINITY, seed: 1 })
  assert.ok(result.states >= 400, `only ${result.states} states were built`)
  assert.deepEqual(result.problems, [])
})
