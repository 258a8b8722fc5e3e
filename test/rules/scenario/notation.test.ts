import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Item, parseNotation, printNotation, valuesOf } from '../../../rules/scenario/notation.ts'
import { parseSeriesName } from '../../../rules/scenario/names.ts'

function values(text: string): readonly unknown[] {
  const parsed = parseNotation(text)
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.message)
  return valuesOf(parsed.items)
}

describe('the notation of readings', () => {
  it('reads numbers, gaps, repetitions and steps as promtool does', () => {
    assert.deepEqual(values('20 20.5 _ 21x2'), [20, 20.5, undefined, 21, 21, 21])
    assert.deepEqual(values('-2+4x3'), [-2, 2, 6, 10])
    assert.deepEqual(values('1-2x4'), [1, -1, -3, -5, -7])
    assert.deepEqual(values('1 _x3 stale'), [1, undefined, undefined, undefined, undefined])
    assert.deepEqual(values('-3-1x2 1e3 .5'), [-3, -4, -5, 1000, 0.5])
    assert.deepEqual(values('  \n '), [])
  })

  it('reads texts in quotes, with blanks and escapes in them, and switches', () => {
    assert.deepEqual(values('"open" "half open"x1 "a\\"b" true falsex1'), [
      'open',
      'half open',
      'half open',
      'a"b',
      true,
      false,
      false,
    ])
  })

  it('steps as they are written, not as binary fractions add up', () => {
    assert.deepEqual(values('20+0.1x3'), [20, 20.1, 20.2, 20.3])
  })

  it('points at what it cannot read, and says what to write instead', () => {
    const faults: [string, number, RegExp][] = [
      ['20 twenty', 3, /"twenty" is no number: put texts in double quotes/],
      ['20 21*5', 3, /repeat with x, as in 21x5/],
      ['1+2', 0, /how often, as in 1\+2x5/],
      ['20, 21', 0, /no commas/],
      ['20,5', 0, /decimal point/],
      ['1 "open', 2, /closing quote/],
      ['1 "a"b', 2, /put a blank between/],
      ['"\\q"', 0, /JSON/],
      ['NaN', 0, /finite numbers/],
      ['1 {{schema:1}}', 2, /histograms/],
      ['20x100000000', 0, /more than 1000000/],
      ['1x999999 1x999999', 9, /more than 1000000/],
      ['_x0', 0, /says nothing/],
      ['1e308+1e308x5', 0, /too large/],
    ]
    for (const [text, offset, message] of faults) {
      const parsed = parseNotation(text)
      assert.ok(!parsed.ok, text)
      assert.match(parsed.message, message)
      assert.equal(parsed.offset, offset, text)
    }
  })

  it('reads back what it prints, whatever the items', () => {
    const step = fc.double({ noNaN: true, min: -1e9, max: 1e9 }).map(value => value + 0)
    const item: fc.Arbitrary<Item> = fc.oneof(
      fc.record({ value: step, step: fc.oneof(fc.constant(0), step), times: fc.integer({ min: 1, max: 50 }) }),
      fc.record({
        value: fc.oneof(fc.string(), fc.boolean(), fc.constant(undefined)),
        step: fc.constant(0),
        times: fc.integer({ min: 1, max: 50 }),
      }),
    )
    // A step that is never taken is not written.
    const written = item.map(each => ({ ...each, step: each.times === 1 ? 0 : each.step }))
    fc.assert(
      fc.property(fc.array(written, { maxLength: 20 }), items => {
        const parsed = parseNotation(printNotation(items))
        assert.ok(parsed.ok)
        assert.deepEqual(parsed.items, items)
      }),
    )
  })

  it('never throws, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from('01.x+-_"\\ e{}tru*,')) }), text => {
        parseNotation(text)
      }),
    )
  })
})

describe('the name of a series', () => {
  it('is device and metric with a slash, or as promtool writes it', () => {
    const plain = { device: 'freezer-1', metric: 'temperature', table: undefined, unit: undefined }
    assert.deepEqual(parseSeriesName('freezer-1/temperature'), plain)
    assert.deepEqual(parseSeriesName('temperature{device="freezer-1"}'), plain)
    assert.deepEqual(parseSeriesName('a/b/c'), { ...plain, device: 'a/b', metric: 'c' })
    assert.deepEqual(parseSeriesName('t{ unit="°C" , table="raw", device="d,}1", }'), {
      device: 'd,}1',
      metric: 't',
      table: 'raw',
      unit: '°C',
    })
  })

  it('is refused with a sentence and its place', () => {
    const faults: [string, number, RegExp][] = [
      ['temperature', 0, /device\/metric/],
      ['/temperature', 0, /device\/metric/],
      ['t{job="x"}', 2, /no label "job"/],
      ['t{unit="C"}', 1, /device is missing/],
      ['t{device=x}', 2, /look like/],
      ['t{device="x"', 11, /closing/],
      ['{device="x"}', 0, /metric is missing/],
      ['t{device="x", device="y"}', 14, /twice/],
    ]
    for (const [text, offset, message] of faults) {
      const parsed = parseSeriesName(text)
      assert.ok('message' in parsed, text)
      assert.match(parsed.message, message)
      assert.equal(parsed.offset, offset, text)
    }
  })
})
