/** Patterns and placeholders. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { fillPlaceholders, inSnippet, matchesPattern, ruleFor, rulesFor } from '../../rules/match.ts'
import { ruleOf } from './rules.ts'

test('a star stands for any run of characters, all else for itself', () => {
  const cases: [pattern: string, text: string, matches: boolean][] = [
    ['*', '', true],
    ['*', 'anything/at.all', true],
    ['freezer-*', 'freezer-1', true],
    ['freezer-*', 'freezer-', true],
    ['freezer-*', 'xfreezer-1', false],
    ['*-1', 'freezer-1', true],
    ['f*-*1', 'freezer-21', true],
    ['a*a', 'a', false],
    ['a*b*a', 'aba', true],
    ['a*b*b*a', 'aba', false],
    ['*ab*b', 'ab', false],
    ['freezer.1', 'freezerx1', false],
    ['a?c', 'abc', false],
    ['', '', true],
    ['', 'a', false],
  ]
  for (const [pattern, text, matches] of cases)
    assert.equal(matchesPattern(pattern, text), matches, `${pattern} ${text}`)
})

test('patterns agree with the regular expression that they mean', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 })
  fc.assert(
    fc.property(letters, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 }), (pattern, text) => {
      const meant = new RegExp(`^${pattern.replaceAll('*', '.*')}$`)
      assert.equal(matchesPattern(pattern, text), meant.test(text))
    }),
  )
})

test('a pattern made to be slow is answered at once', () => {
  assert.equal(matchesPattern('*a'.repeat(100), 'a'.repeat(200) + 'b'), false)
})

test('a rule judges the series of its own table only', () => {
  const rules = [
    ruleOf({ id: 'any' }),
    ruleOf({ id: 'fast', match: { table: 'fast', device: '*', metric: '*', labels: {} } }),
    ruleOf({ id: 'temp', match: { table: 'readings', device: 'f-*', metric: 'temp', labels: {} } }),
  ]
  const names = (table: string, device: string, metric: string): string[] =>
    rulesFor(rules, { table, device, metric }).map(rule => rule.id)
  assert.deepEqual(names('readings', 'f-1', 'temp'), ['any', 'temp'])
  assert.deepEqual(names('readings', 'g-1', 'temp'), ['any'])
  assert.deepEqual(names('fast', 'f-1', 'temp'), ['fast'])
})

test('placeholders are filled as text: a device called * does not open the snippet to all', () => {
  const spec = ruleOf({}).snippet
  const series = { table: 'readings', device: 'other', metric: 'm' }
  assert.equal(inSnippet(spec, { device: '*', metric: 'm' }, series), false)
  assert.equal(inSnippet(spec, { device: '*', metric: 'm' }, { ...series, device: '*' }), true)
  assert.equal(inSnippet(spec, { device: 'other', metric: 'x' }, series), true)
  assert.equal(inSnippet(spec, { device: 'other', metric: 'x' }, { ...series, table: 'fast' }), false)
})

test('the fill of a placeholder is not filled again', () => {
  assert.equal(fillPlaceholders('{device}/{metric}', { device: '{metric}', metric: '$&' }), '{metric}/$&')
})

test('a rule for one series has the keys of its limits written out, but for names that look like placeholders', () => {
  const limit = { kind: 'row', table: 't', key: '{device}/{metric}', field: undefined, default: 1 } as const
  const clear = { kind: 'literal', value: 0 } as const
  const rule = ruleOf({ above: limit, clear })
  assert.deepEqual(ruleFor(rule, { device: 'a', metric: 'm' }), ruleOf({ above: { ...limit, key: 'a/m' }, clear }))
  assert.deepEqual(ruleFor(rule, { device: '{metric}', metric: 'm' }), rule)
})
