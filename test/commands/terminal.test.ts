import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failureText } from '../../runtime/commands/failure.ts'
import { age, Columns, grouped, printable, table, type Terminal } from '../../runtime/commands/terminal.ts'
import { HoldfastError } from '../../runtime/errors.ts'

const pipe: Terminal = { paint: (_, text) => text, cellMax: Number.POSITIVE_INFINITY, isTerminal: false }
const coloured: Terminal = { paint: (style, text) => `<${style}>${text}</>`, cellMax: 8, isTerminal: true }

test('columns are aligned, numbers to the right, and no line ends in spaces', () => {
  const drawn = table(
    ['name', '>count', 'why'],
    [
      ['a', '12', ''],
      ['longer', '3', 'because'],
    ],
    pipe,
  )
  assert.equal(drawn, 'NAME    COUNT  WHY\na          12\nlonger      3  because\n')
})

test('a colour is no part of the width, and a long cell is cut on a terminal alone', () => {
  const rows = [
    [{ text: 'ok', style: 'green' } as const, 'a text that is long'],
    ['failed', 'x'],
  ]
  assert.equal(
    table(['state', 'why'], rows, coloured),
    '<dim>STATE</>   <dim>WHY</>\n<green>ok</>      a text …\nfailed  x\n',
  )
  assert.match(table(['state', 'why'], rows, pipe), /a text that is long/)
})

test('letters that are written in several characters count once', () => {
  assert.equal(
    table(
      ['a', 'b'],
      [
        ['é', '1'],
        ['°C', '2'],
      ],
      pipe,
    ),
    'A   B\né   1\n°C  2\n',
  )
})

test('columns that are drawn in pieces never become narrower', () => {
  const columns = new Columns(['key', 'value'], pipe)
  assert.equal(columns.head([['a-long-key', '1']]), 'KEY         VALUE\n')
  assert.equal(columns.lines([['b', '2']]), 'b           2\n')
})

test('nothing from a device moves the cursor', () => {
  assert.equal(printable('\u001b[2J\u0007\n\r\u009b1m\u202e°C'), '\\u001b[2J\\u0007\\u000a\\u000d\\u009b1m\\u202e°C')
  assert.doesNotMatch(table(['device'], [['\u001b]0;owned\u0007']], pipe), /[^\P{Cc}\n]/u)
  assert.doesNotMatch(failureText(new Error('bad \u001b[31m name'), false), /[^\P{Cc}\n]/u)
})

test('ages have their two largest units', () => {
  assert.deepEqual([0, -5, 59_999, 61_000, 3_600_000, 90_061_000].map(age), ['0s', '0s', '59s', '1m1s', '1h0m', '1d1h'])
})

test('counts are grouped by thousands', () => {
  assert.deepEqual([0, 999, 1_000, 1_234_567].map(grouped), ['0', '999', '1,000', '1,234,567'])
})

test('a failure is one sentence and what to do, with a stack only where it was asked for', () => {
  const error = new HoldfastError('TABLE_UNKNOWN', 'there is no table "x"', 'did you mean "y"?')
  assert.equal(failureText(error, false), 'holdfast: there is no table "x". Did you mean "y"?\n')
  assert.equal(failureText(new HoldfastError('INTERNAL', 'it broke'), false), 'holdfast: it broke.\n')
  assert.match(failureText(error, true), /\n {4}at /)
})
