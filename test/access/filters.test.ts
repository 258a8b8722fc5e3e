import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { covers, patternOf } from '../../runtime/access/filters.ts'
import { filterMatches } from '../../runtime/broker/topics.ts'

const covered = (filter: string, ...patterns: string[]): boolean => covers(patterns.map(patternOf), filter)

describe('patterns allow', () => {
  it('what they match, and filters of which they match everything', () => {
    assert.equal(covered('sensors/a/t', 'sensors/a/#'), true)
    assert.equal(covered('sensors/a', 'sensors/a/#'), true, 'a/# matches a')
    assert.equal(covered('sensors/a/#', 'sensors/a/#'), true)
    assert.equal(covered('sensors/a/+', 'sensors/+/#'), true)
    assert.equal(covered('sensors/ab', 'sensors/a/#'), false)
    assert.equal(covered('sensors/+/t', 'sensors/a/#'), false)
    assert.equal(covered('sensors/#', 'sensors/+'), false)
    assert.equal(covered('#', 'sensors/#'), false)
    assert.equal(covered('+', '#'), true)
    assert.equal(covered('a'), false)
  })

  it('filters that only several of them together cover', () => {
    assert.equal(covered('a/#', 'a', 'a/+', 'a/+/+/#'), true)
    assert.equal(covered('a/#', 'a', 'a/+/#'), true)
    assert.equal(covered('a/#', 'a/+/#'), false, 'a itself is missing')
    assert.equal(covered('#', '+', '+/+/#'), true)
  })

  it('$SYS only where it is written', () => {
    assert.equal(covered('$SYS/#', '#'), false)
    assert.equal(covered('$SYS/broker/uptime', '+/#'), false)
    assert.equal(covered('$SYS/#', '#', '$SYS/#'), true)
    assert.equal(covered('#', '$SYS/#'), false)
    assert.equal(covered('+/broker/#', '$SYS/#'), false)
  })
})

// Few names, so that they meet.
const name = fc.constantFrom('a', 'b', '', '$SYS')
const topic = fc.array(name, { minLength: 1, maxLength: 4 }).map(levels => levels.join('/'))
const filter = fc
  .tuple(fc.array(fc.oneof(name, fc.constant('+')), { maxLength: 3 }), fc.constantFrom('', '#', 'a', '+'))
  .filter(([levels, last]) => levels.length > 0 || last !== '')
  .map(([levels, last]) => [...levels, ...(last === '' ? [] : [last])].join('/'))
const patterns = fc.array(filter, { maxLength: 5 })

describe('whether a filter is allowed', () => {
  it('for a topic, is whether a pattern matches it as the broker matches filters', () => {
    fc.assert(
      fc.property(patterns, topic, (some, one) => {
        assert.equal(
          covered(one, ...some),
          some.some(pattern => filterMatches(pattern, one)),
        )
      }),
      { numRuns: 2_000 },
    )
  })

  it('follows from the topics that it matches: allowed if and only if each of them is', () => {
    // With a name that no pattern has, and one level more than any, four names to the fifth are all that can matter.
    const levels = ['a', 'b', '', 'other', '$SYS']
    const every: string[] = []
    const grow = (topics: readonly string[], more: number): void => {
      every.push(...topics)
      if (more > 0)
        grow(
          topics.flatMap(one => levels.map(level => `${one}/${level}`)),
          more - 1,
        )
    }
    grow(levels, 4)
    fc.assert(
      fc.property(patterns, filter, (some, wanted) => {
        const isEach = every
          .filter(one => filterMatches(wanted, one))
          .every(one => some.some(pattern => filterMatches(pattern, one)))
        assert.equal(covered(wanted, ...some), isEach)
      }),
      { numRuns: 150 },
    )
  })
})
