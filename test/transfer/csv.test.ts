import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { cellOfValue, csvRecord, valueOfCell } from '../../runtime/transfer/csv.ts'

test('a value that is written into a cell is the same when it is read again', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('"', '{', '1', '.', '-', 'e', ' ', '\n', 't', '\u0000', '\ud800', '\ufeff') }),
    fc.constantFrom('true', 'NULL', 'NaN', '+5', '.5', '1.', ' 7 ', '"', '""', '[1]', '-Infinity', '1e999', '0x1f'),
  )
  const value = fc.oneof(text, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.jsonValue())
  fc.assert(
    fc.property(value, written => {
      const json = JSON.stringify(written)
      const expected: unknown = Object.is(written, -0) ? -0 : JSON.parse(json)
      assert.deepEqual(valueOfCell(cellOfValue(JSON.parse(json) as never)), JSON.parse(json))
      if (typeof written === 'number') assert.ok(Object.is(valueOfCell(cellOfValue(written)), expected))
    }),
    { numRuns: 2_000 },
  )
})

test('no cell holds a control character that a file of text should not hold', () => {
  const every = Array.from({ length: 0xa0 }, (_, code) => String.fromCharCode(code))
  for (const character of every) {
    // oxlint-disable-next-line no-control-regex -- the point of it
    assert.doesNotMatch(cellOfValue(`a${character}b`), /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/)
    assert.equal(valueOfCell(cellOfValue(`a${character}b`)), `a${character}b`)
  }
})

test('numbers and switches are taken as other programs write them', () => {
  for (const [cell, value] of [
    ['+5', 5],
    ['.5', 0.5],
    ['1.', 1],
    ['-1e3', -1000],
    [' 21.5 ', 21.5],
    ['TRUE', true],
    ['False', false],
    ['', undefined],
    ['null', null],
    ['NaN', Number.NaN],
    ['-inf', Number.NaN],
    ['12:30', '12:30'],
    ['1.2.3', '1.2.3'],
    ['{x', '{x'],
    ['trueish', 'trueish'],
  ] as const) {
    assert.deepEqual(valueOfCell(cell), value, cell)
  }
})

test('cells are quoted as RFC 4180 says', () => {
  assert.equal(csvRecord(['a', 'b,c', 'd"e', 'f\ng', ' h', '']), 'a,"b,c","d""e","f\ng"," h",\r\n')
})
