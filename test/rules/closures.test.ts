/** The quick way to run an expression, held against the library: around the whole of it stands dyn(), which only the library knows. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Value } from '../../runtime/reading.ts'
import { compileExpression } from '../../rules/expression/compile.ts'
import type { Scope } from '../../rules/expression/scope.ts'
import { scopeOf, viewOf } from './scopes.ts'

const { expression } = fc.letrec<{ expression: string; list: string }>(tie => {
  const part = tie('expression')
  // Of no declared kind: these may stand anywhere.
  const open = 'value value previous() value.x value[0] value["x"] last("b") last("none") row("t","k") row("t","k").x'
  const typed =
    'device metric unit origin delta() avg(5m) count(5m) age() label("site") label("none") threshold("a") ' +
    'threshold("none",7) row("t","none") 3 2.5 0 -1 9007199254740993 "open" "a" "" true false null'
  const leaf = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...open.split(' ')) },
    { weight: 1, arbitrary: fc.constantFrom(...typed.split(' ')) },
  )
  const infix = fc.constantFrom(...'+ - * == != < <= > >= && || && || == >'.split(' '))
  return {
    list: fc
      .array(fc.constantFrom('1', '2.5', '"open"', 'true', 'null', '3', 'device'), { maxLength: 3 })
      .map(of => `[${of.join(', ')}]`),
    expression: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      { weight: 2, arbitrary: leaf },
      {
        weight: 4,
        arbitrary: fc.tuple(part, infix, part).map(([left, operator, right]) => `(${left} ${operator} ${right})`),
      },
      fc.tuple(part, fc.constantFrom('2', '0.5', '-4')).map(([left, by]) => `(${left} / ${by})`),
      fc.tuple(part, part, part).map(([condition, yes, no]) => `(${condition} ? ${yes} : ${no})`),
      fc.tuple(part, tie('list')).map(([sought, list]) => `(${sought} in ${list})`),
      fc.tuple(fc.constantFrom('!', '-'), part).map(([sign, of]) => `${sign}(${of})`),
      fc
        .tuple(part, fc.constantFrom('startsWith', 'endsWith', 'contains'), part)
        .map(([of, name, by]) => `(${of}).${name}(${by})`),
      fc.tuple(part, part).map(([key, otherwise]) => `threshold(${key}, ${otherwise})`),
      part.map(key => `row("t", ${key})`),
    ),
  }
})

const numbers: Value[] = [0, 3, -2.5, 81]
const texts: Value[] = ['open', 'a', '']
const objects: Value[] = [{ x: 3 }, { x: 'open' }, { y: 1 }, [], [3, 'a'], [[1]]]
const values: (Value | undefined)[] = [undefined, true, false, ...numbers, ...texts, ...objects]
const value = fc.constantFrom(...values)

const scope: fc.Arbitrary<Scope> = fc.tuple(value, value, fc.boolean()).map(([value, previous, isKnown]) =>
  scopeOf(
    {
      ...(value !== undefined && { value }),
      ...(previous !== undefined && { previous: structuredClone(previous) }),
      view: isKnown ? viewOf() : undefined,
    },
    {
      others: isKnown ? { b: { value: 'open' } } : {},
      rows: { 'thresholds/a': 3, 'thresholds/open': { x: 4 }, 't/k': { x: 3 }, 't/a': [1], 't/open': null },
      labels: { site: 'open' },
    },
  ),
)

describe('an expression that is run the quick way', () => {
  test('answers what the library answers', () => {
    let compared = 0
    fc.assert(
      fc.property(expression, fc.array(scope, { minLength: 3, maxLength: 6 }), (text, scopes) => {
        const quick = compileExpression(text, { zone: 'UTC', wants: 'any' })
        const library = compileExpression(`dyn(${text})`, { zone: 'UTC', wants: 'any' })
        if (!quick.ok || !library.ok) return
        for (const scope of scopes) {
          compared++
          assert.deepEqual(quick.expression.evaluate(scope), library.expression.evaluate(scope), text)
        }
      }),
      { numRuns: 1_500 },
    )
    assert.ok(compared > 1_000, `${compared} compared`)
  })

  test('answers what the library answers for every operator between values of every kind', () => {
    const texts = '+ - * == != < <= > >= && ||'.split(' ').map(operator => `value ${operator} previous()`)
    const more = ['!value', '-value', 'value ? 1 : 2', 'value in [3, "a", true]', 'value.x', 'value[0]', 'value["x"]']
    for (const text of [...texts, ...more, 'value.startsWith(previous())', 'value.contains("p")']) {
      const [quick, library] = [text, `dyn(${text})`].map(each =>
        compileExpression(each, { zone: 'UTC', wants: 'any' }),
      )
      assert.ok(quick?.ok && library?.ok, text)
      for (const value of values) {
        for (const previous of values) {
          const scope = scopeOf({
            ...(value !== undefined && { value }),
            ...(previous !== undefined && { previous: structuredClone(previous) }),
          })
          assert.deepEqual(
            quick.expression.evaluate(scope),
            library.expression.evaluate(scope),
            `${text}: ${JSON.stringify([value, previous])}`,
          )
        }
      }
    }
  })

  test('has no answer for a division by zero', () => {
    for (const text of ['value / 0 > 1', 'value % 0 == 1', '1 / value > 1', 'value / (value - value) > 1']) {
      const compiled = compileExpression(text, { zone: 'UTC', wants: 'bool' })
      assert.ok(compiled.ok)
      assert.equal(compiled.expression.evaluate(scopeOf({ value: 0 })), undefined, text)
    }
  })
})
