/** Recordings that feed themselves. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { circleFaults, type Recording } from '../../rules/language/recordings.ts'

const recording = (name: string, change: Partial<Recording>): Recording => ({
  name,
  path: [name],
  into: 'readings',
  table: 'readings',
  device: '*',
  metric: '*',
  ...change,
})

const sentences = (...recordings: Recording[]) => circleFaults(recordings).map(fault => fault?.message)

test('one that takes every metric of the table that it is written to is refused', () => {
  assert.deepEqual(sentences(recording('mean', {})), [
    '"record": feeds itself: its match takes metric "*" of table "readings", and there it is written; name the metric in match',
  ])
  assert.deepEqual(sentences(recording('mean', { metric: 'm*' })).length, 1)
})

test('one that names another metric, or another table, is good', () => {
  assert.deepEqual(sentences(recording('mean', { metric: 'temperature' })), [undefined])
  assert.deepEqual(sentences(recording('mean', { into: 'means' })), [undefined])
  assert.deepEqual(
    sentences(recording('mean', { into: 'means' }), recording('worst', { table: 'means', into: 'worst' })),
    [undefined, undefined],
  )
})

test('a circle of several is named once, with all that belong to it', () => {
  const circle = [
    recording('a', { metric: 'c' }),
    recording('b', { metric: 'a' }),
    recording('c', { metric: 'b' }),
    recording('d', { metric: 'a' }),
  ]
  assert.deepEqual(
    sentences(...circle).filter(sentence => sentence !== undefined),
    ['"record": feeds itself in a circle: a → b → c → a; name other metrics in match'],
  )
})

test('devices that cannot be the same make no circle', () => {
  assert.deepEqual(
    sentences(recording('mean', { device: 'pump-1' }), recording('x', { device: 'fan-*', metric: 'mean' })),
    [
      '"record": feeds itself: its match takes metric "*" of table "readings", and there it is written; name the metric in match',
      undefined,
    ],
  )
  const [a, b] = [recording('a', { device: 'pump-*', metric: 'b' }), recording('b', { device: 'fan-*', metric: 'a' })]
  assert.deepEqual(sentences(a, b), [undefined, undefined])
  assert.equal(sentences(a, { ...b, device: '*' }).filter(sentence => sentence !== undefined).length, 1)
})

test('a thousand that all feed each other are answered, and more are refused', () => {
  const many = Array.from({ length: 1_002 }, (_, index) => recording(`r${index}`, { metric: 'r*' }))
  const all = sentences(...many)
  assert.equal(all[1_000], 'more than 1000 recordings in all files')
  assert.equal(all[1_001], undefined)
  assert.match(all[0] ?? '', /feeds itself/)
})
