import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Json, Value } from '../../runtime/reading.ts'
import type { Variables } from '../../rules/expression/environment.ts'
import { compilePredicate } from '../../rules/expression/expression.ts'
import { type WhereReading, compileReadingWhere, compileRowWhere } from '../../rules/expression/where.ts'

const reading = (value: Value, more: Partial<WhereReading> = {}): WhereReading => ({
  device: 'pump-1',
  metric: 'temperature',
  unit: '°C',
  value,
  origin: 'gw-1',
  timeMs: Date.UTC(2026, 0, 31, 7, 30),
  ...more,
})

function chooses(text: string, of: WhereReading): boolean | undefined {
  const compiled = compileReadingWhere(text)
  assert.ok(compiled.ok, compiled.ok ? '' : compiled.fault.message)
  return compiled.choose(of)
}

function choosesRow(text: string, value: Json, key = 'a'): boolean | undefined {
  const compiled = compileRowWhere(text)
  assert.ok(compiled.ok, compiled.ok ? '' : compiled.fault.message)
  return compiled.choose({ key, value, origin: 'hub', timeMs: 0 })
}

function fault(text: string): string {
  const compiled = compileReadingWhere(text)
  assert.ok(!compiled.ok, 'nothing was wrong')
  return `${compiled.fault.offset}: ${compiled.fault.message}`
}

describe('an expression about a reading', () => {
  test('compares numbers, whether whole or not', () => {
    assert.equal(chooses('value > 80', reading(80.5)), true)
    assert.equal(chooses('value > 80', reading(80)), false)
    assert.equal(chooses('value == 3', reading(3)), true)
    assert.equal(chooses('value >= 3 && value < 4.5', reading(4)), true)
    assert.equal(chooses('value in [1, 2, 3]', reading(2)), true)
  })

  test('calculates with numbers as people write them', () => {
    assert.equal(chooses('value * 2 > 100', reading(50.5)), true)
    assert.equal(chooses('(value - 32) / 1.8 > 30', reading(100)), true)
    assert.equal(chooses('value % 2 == 0', reading(4)), true)
    assert.equal(chooses('-value < 0', reading(4)), true)
  })

  test('finds no order between a text and a number: the answer is no, not a fault', () => {
    for (const text of ['value > 80', 'value <= 80', '80 < value', 'value > 80 && device == "pump-1"']) {
      for (const value of ['open', true, { lat: 3 }, [1, 2]]) assert.equal(chooses(text, reading(value)), false, text)
    }
    assert.equal(chooses('value > "a"', reading(3)), false)
    assert.equal(chooses('value == "open" || value > 80', reading(81)), true)
    assert.equal(chooses('value == "open" || value > 80', reading('open')), true)
  })

  test('knows device, metric, unit, origin and time', () => {
    assert.equal(chooses('device.startsWith("pump-") && metric == "temperature"', reading(1)), true)
    assert.equal(chooses('unit == "°C" && origin == "gw-1"', reading(1)), true)
    assert.equal(chooses('unit == ""', reading(1, { unit: undefined })), true)
    assert.equal(chooses('time > timestamp("2026-01-01T00:00:00Z") && time.getHours() == 7', reading(1)), true)
  })

  test('looks into values that are objects', () => {
    assert.equal(chooses('value.lat > 48', reading({ lat: 48.8, lon: 2.3 })), true)
    assert.equal(chooses('has(value.lat) && value.lat > 48', reading({ lon: 2.3 })), false)
  })

  test('takes a value that is a switch as the answer', () => {
    assert.equal(chooses('value', reading(true)), true)
    assert.equal(chooses('!value', reading(true)), false)
  })

  test('has no answer where a field is missing, or where the result is no truth value', () => {
    assert.equal(chooses('value.lat > 48', reading({ lon: 2.3 })), undefined)
    assert.equal(chooses('value', reading(3)), undefined)
    assert.equal(chooses('1 / 0 == 1', reading(3)), undefined)
  })

  test('tells where it is wrong, and what was meant', () => {
    assert.equal(fault('devce == "a"'), '0: unknown name "devce"; did you mean "device"?')
    assert.match(
      fault('value > 1 && x'),
      /^13: unknown name "x"; known names: device, metric, unit, value, origin, time$/,
    )
    assert.equal(fault('value >'), '7: the expression ends too early')
    assert.match(fault('device > 80'), /^0: a text and a number cannot be compared with >$/)
    assert.equal(fault('1 + 1'), '0: the answer is a number, not true or false')
    assert.match(fault(''), /ends too early/)
  })

  test('refuses regular expressions, wherever they stand', () => {
    assert.match(fault('device.matches("^(a+)+$")'), /regular expressions are not supported/)
    assert.match(fault('value > 1 || [device].exists(d, d.matches("a"))'), /regular expressions are not supported/)
  })

  test('refuses what could take long: walks inside of walks, bindings, great lists and deep nesting', () => {
    assert.match(fault('value.exists(a, value.exists(b, a == b))'), /may not stand inside another walk/)
    assert.match(fault('cel.bind(a, device + device, a == "")'), /cel.bind is not supported/)
    fault(`value in [${Array.from({ length: 101 }, () => '1').join(',')}]`)
    fault(`${'('.repeat(100)}value > 1${')'.repeat(100)}`)
    fault(`value > 1${' && value > 1'.repeat(400)}`)
    assert.match(fault('x'.repeat(5_000)), /longer than 4096 characters/)
  })

  test('reaches nothing but what it was given', () => {
    for (const text of ['value.constructor == 1', 'value["__proto__"] == 1', 'value.toString == 1']) {
      assert.equal(chooses(text, reading({ a: 1 })), undefined, text)
    }
    assert.match(fault('of.device == "a"'), /unknown name "of"/)
  })

  test('never throws, whatever it is asked about', () => {
    const texts = [
      'value > 80',
      'value.a.b == 1',
      'value == device',
      'value[0] > 1',
      '!value',
      'value in [1, "a", true]',
    ]
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.jsonValue(), (text, value) => {
        const answer = chooses(text, reading(value as Value))
        assert.ok(answer === undefined || typeof answer === 'boolean')
      }),
    )
  })

  test('never throws while it is compiled, whatever is written', () => {
    const piece = fc.constantFrom(
      'value',
      '>',
      '80',
      '(',
      ')',
      '[',
      '&&',
      '"',
      "'",
      '.',
      'has',
      '!',
      '?',
      ':',
      '\n',
      '{',
    )
    const variables: Variables = { value: 'dyn' }
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.string(), (pieces, rest) => {
        for (const text of [pieces.join(' '), rest]) {
          const compiled = compilePredicate(text, variables)
          if (!compiled.ok) assert.ok(compiled.fault.offset >= 0 && compiled.fault.offset <= text.length)
        }
      }),
    )
  })
})

describe('an expression about a row', () => {
  test('looks at its fields and its key', () => {
    assert.equal(choosesRow('row.site == "lyon" && key.startsWith("a")', { site: 'lyon' }), true)
    assert.equal(choosesRow('row > 3', 5), true)
    assert.equal(choosesRow('has(row.max) && row.max > 3', { min: 1 }), false)
    assert.equal(choosesRow('row.max > 3', { min: 1 }), undefined)
    assert.equal(choosesRow('row.tags.exists(tag, tag == "cold")', { tags: ['cold'] }), true)
  })

  test('tells which names it uses', () => {
    const compiled = compileRowWhere('key == "row"')
    assert.ok(compiled.ok)
    assert.deepEqual([...compiled.mentions], ['key'])
  })
})
