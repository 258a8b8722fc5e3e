import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { compileTopic } from '../../adapters/topic.ts'

function match(pattern: string, topic: string): Record<string, string> | undefined {
  const compiled = compileTopic(pattern)
  assert.ok(compiled.ok, pattern)
  const levels = compiled.pattern.match(topic)
  return levels && Object.fromEntries(levels)
}

function reason(pattern: string): string {
  const compiled = compileTopic(pattern)
  assert.ok(!compiled.ok, `${pattern} compiled`)
  return compiled.reason
}

describe('a topic pattern', () => {
  test('names the levels in braces', () => {
    assert.deepEqual(match('sensors/{device}/{metric}', 'sensors/freezer-1/temperature'), {
      device: 'freezer-1',
      metric: 'temperature',
    })
    assert.deepEqual(match('{site}/x/{device}', 'berlin/x/a b'), { site: 'berlin', device: 'a b' })
  })

  test('matches the whole topic and nothing shorter or longer', () => {
    for (const topic of ['sensors/a', 'sensors/a/b/c', 'sensors', 'sensor/a/b', 'sensorsx/a/b', '/sensors/a/b', '']) {
      assert.equal(match('sensors/{device}/{metric}', topic), undefined, topic)
    }
    assert.equal(match('a/b', 'a/bc'), undefined)
    assert.equal(match('a/b', 'a/b/'), undefined)
  })

  test('takes + for one level and a last # for the rest, with its parent', () => {
    assert.deepEqual(match('a/+/{device}', 'a/x/d'), { device: 'd' })
    for (const topic of ['a', 'a/', 'a/b', 'a/b/c']) assert.deepEqual(match('a/#', topic), {}, topic)
    assert.equal(match('a/#', 'ab'), undefined)
    assert.deepEqual(match('#', 'anything/at/all'), {})
  })

  test('gives an empty level as an empty name, for the adapter to refuse', () => {
    assert.deepEqual(match('s/{device}/{metric}', 's//t'), { device: '', metric: 't' })
  })

  test("does not reach the broker's own topics with a wildcard [MQTT-4.7.2-1]", () => {
    for (const pattern of ['#', '+/{device}', '{device}/x']) assert.equal(match(pattern, '$SYS/x'), undefined, pattern)
    assert.deepEqual(match('$SYS/{device}', '$SYS/x'), { device: 'x' })
  })

  test('is refused with a sentence that says how to write it', () => {
    assert.match(reason(''), /empty/)
    assert.match(reason('a/#/b'), /only be the last level/)
    assert.match(reason('a/b#'), /a level of their own/)
    assert.match(reason('a/{device'), /fill its level/)
    assert.match(reason('a/x-{device}'), /fill its level/)
    assert.match(reason('a/{Device}'), /small letter/)
    assert.match(reason('a/{__proto__}'), /small letter/)
    assert.match(reason('{x}/{x}'), /stands twice/)
    assert.match(reason('a\u0000b'), /control character/)
    assert.match(reason('a'.repeat(600)), /longer than/)
  })

  test('gives back the levels that a topic was made of', () => {
    const level = fc.string({ maxLength: 6 }).filter(text => !/[/+#{}$]/.test(text) && !/\p{Cc}/u.test(text))
    fc.assert(
      fc.property(fc.array(fc.tuple(level, fc.boolean()), { minLength: 1, maxLength: 8 }), steps => {
        const pattern = steps.map(([text, named], index) => (named ? `{l${index}}` : text)).join('/')
        fc.pre(pattern !== '')
        const topic = steps.map(([text]) => text).join('/')
        const named = steps.flatMap(([text, isNamed], index) => (isNamed ? [[`l${index}`, text]] : []))
        assert.deepEqual(match(pattern, topic), Object.fromEntries(named))
        assert.equal(match(pattern, `${topic}/more`), undefined)
      }),
    )
  })
})
