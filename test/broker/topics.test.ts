import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Line, type Place } from '../../runtime/broker/line.ts'
import { defaultBrokerLimits } from '../../runtime/broker/limits.ts'
import { TopicCache } from '../../runtime/broker/topic-cache.ts'
import { filterMatches, isFilterFit } from '../../runtime/broker/topics.ts'

for (const [filter, topic, matches] of [
  ['a/b', 'a/b', true],
  ['a/b', 'a/b/c', false],
  ['a/b/c', 'a/b', false],
  ['a/+', 'a/b', true],
  ['a/+', 'a', false],
  ['a/+', 'a/', true],
  ['+/+', '/a', true],
  ['a/#', 'a', true],
  ['a/#', 'a/b/c', true],
  ['a/#', 'ab', false],
  ['#', 'a/b', true],
  ['#', '$SYS/a', false],
  ['+/a', '$SYS/a', false],
  ['$SYS/#', '$SYS/a', true],
] as const) {
  test(`the filter ${filter} ${matches ? 'matches' : 'does not match'} ${topic}`, () => {
    assert.equal(filterMatches(filter, topic), matches)
  })
}

test('filters with misplaced wildcards or too many levels are unfit', () => {
  const fit = ['#', '+', 'a/+/b', 'a/#', '1/2/3/4/5/6/7/8/#']
  const unfit = ['', 'a#', 'a/#/b', 'a+', '+a/b', '1/2/3/4/5/6/7/8/9', 'a\u0000', 'x'.repeat(257)]
  assert.deepEqual(
    [...fit, ...unfit].filter(filter => isFilterFit(filter, defaultBrokerLimits)),
    fit,
  )
})

test('topics that share one place of the cache never take each other for their own', () => {
  const asked: string[] = []
  const wants = (topic: string) => {
    asked.push(topic)
    return topic.startsWith('a')
  }
  const cache = new TopicCache({ ...defaultBrokerLimits, topicSlots: 2 }, wants)
  fc.assert(
    fc.property(fc.array(fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom('a', 'b', 'é') })), names => {
      for (const name of names) {
        const bytes = Buffer.from(`..${name}..`)
        const topic = cache.find(bytes, 2, bytes.length - 2)
        assert.deepEqual([topic.name, topic.wanted], [name, name.startsWith('a')])
      }
    }),
  )
  const bytes = Buffer.from('abc')
  cache.find(bytes, 0, 3)
  const before = asked.length
  cache.find(bytes, 0, 3)
  assert.equal(asked.length, before)
  cache.clear()
  cache.find(bytes, 0, 3)
  assert.equal(asked.length, before + 1)
})

test('places of a line are left in order and once, whatever order they are settled in', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(), fc.boolean()), { maxLength: 60 }), steps => {
      const line = new Line()
      const left: number[] = []
      const waiting: Place[] = []
      let joined = 0
      for (const [pick, join] of steps) {
        if (join) {
          const number = joined++
          waiting.push(line.join(() => left.push(number)))
        } else {
          const [place] = waiting.splice(pick % Math.max(1, waiting.length), 1)
          if (place) {
            line.settle(place, undefined)
            line.settle(place, undefined)
          }
        }
        assert.equal(line.length, joined - left.length)
      }
      for (const place of waiting) line.settle(place, undefined)
      assert.deepEqual(
        left,
        Array.from({ length: joined }, (_, i) => i),
      )
    }),
  )
})
