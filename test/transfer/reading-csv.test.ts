import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { csvRecord } from '../../runtime/transfer/csv.ts'
import { type CsvRecord, CsvReader } from '../../runtime/transfer/csv-reader.ts'
import { LineSplitter } from '../../runtime/transfer/lines.ts'

/** Records of a file that comes in pieces of any size. */
function recordsOf(bytes: Buffer, cuts: readonly number[] = [], separator = ',', bytesMax = 4_096): CsvRecord[] {
  const splitter = new LineSplitter(bytesMax)
  const reader = new CsvReader(separator, bytesMax)
  const ends = [...cuts.map(cut => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b)
  const pieces = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
  const lines = [...pieces.flatMap(piece => splitter.take(piece)), ...splitter.end()]
  const records = lines.flatMap(line => reader.take(line) ?? [])
  return [...records, ...[reader.end(lines.length) ?? []].flat()]
}
const cellsOf = (text: string, separator?: string): unknown[] =>
  recordsOf(Buffer.from(text), [], separator).map(record => ('cells' in record ? record.cells : record.fault))

test('what is written as CSV is read as it was, wherever its bytes are cut', () => {
  const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', ' ', 'ü', '😀', '\u0000'), maxLength: 8 })
  const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { maxLength: 6 })
  fc.assert(
    fc.property(table, fc.array(fc.nat(), { maxLength: 5 }), (cells, cuts) => {
      const records = recordsOf(Buffer.from(cells.map(csvRecord).join('')), cuts)
      assert.deepEqual(
        records.map(record => ('cells' in record ? record.cells : record.fault)),
        cells,
      )
    }),
    { numRuns: 500 },
  )
})

test('records know on which lines they begin and end; empty lines count and are none', () => {
  const records = recordsOf(Buffer.from('a,b\n\n"x\n\ny",1\r\n2,3'))
  assert.deepEqual(records, [
    { line: 1, lastLine: 1, cells: ['a', 'b'] },
    { line: 3, lastLine: 5, cells: ['x\n\ny', '1'] },
    { line: 6, lastLine: 6, cells: ['2', '3'] },
  ])
})

test('a record that is wrong is a fault of its own, and the next is read all the same', () => {
  assert.deepEqual(cellsOf('5" pipe,1\na,"b" c\n1,2\n'), [
    'a quote stands inside of cell 1',
    'text follows the closing quote of cell 2',
    ['1', '2'],
  ])
  assert.deepEqual(cellsOf('1,2\n3,"4\n5,6'), [['1', '2'], 'a quote that opens here is never closed'])
})

test('a quote that is not closed passes over a bounded number of lines', () => {
  const text = `"open\n${'0123456789\n'.repeat(1_000)}`
  const records = recordsOf(Buffer.from(text))
  assert.match((records[0] as { fault: string }).fault, /not closed soon enough \(lines 1 to 3\d\d are passed over\)/)
  assert.equal(records.length, 1_001 - ((records[0] as CsvRecord).lastLine - 1))
})

test('another separator, and the mark at the beginning of a file, are understood', () => {
  assert.deepEqual(cellsOf('\ufeffa;b\n"1;2";"3,4"', ';'), [
    ['a', 'b'],
    ['1;2', '3,4'],
  ])
  assert.deepEqual(cellsOf('a\tb', '\t'), [['a', 'b']])
})

test('a line that is too long or no UTF-8 is a fault, and the next is read all the same', () => {
  const bytes = Buffer.concat([
    Buffer.from(`a\n${'x'.repeat(5_000)}\nb\n`),
    Buffer.from([0xff, 0xfe, 0x0a]),
    Buffer.from(`c\n${'y'.repeat(5_000)}`),
  ])
  for (let cut = 0; cut < bytes.length; cut += 97) {
    const splitter = new LineSplitter(4_096)
    const lines = [...splitter.take(bytes.subarray(0, cut)), ...splitter.take(bytes.subarray(cut)), ...splitter.end()]
    assert.deepEqual(lines, [
      { line: 1, text: 'a' },
      { line: 2, fault: 'it has more than 4 KiB' },
      { line: 3, text: 'b' },
      { line: 4, fault: 'it is not UTF-8' },
      { line: 5, text: 'c' },
      { line: 6, fault: 'it has more than 4 KiB' },
    ])
  }
})
