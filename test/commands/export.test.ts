import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { RowCount } from '../../runtime/commands/transfer/row-count.ts'
import { nowMs, openSurface, reading, type Surface } from '../api/surface.ts'
import { holdfast } from './holdfast.ts'

let surface: Surface
let folder: string
let at: string[]
before(async () => {
  surface = await openSurface()
  at = ['--socket', surface.socket]
  folder = mkdtempSync(join(tmpdir(), 'holdfast-export-'))
  await surface.store.commit([
    {
      kind: 'append',
      table: 'readings',
      readings: [
        ...Array.from({ length: 2_000 }, (_, n) => reading(`freezer-${n % 2}`, n / 10, nowMs - n * 1_000)),
        { ...reading('door', 0, nowMs), metric: 'state', value: 'open,\n"wide"', unit: undefined },
      ],
    },
    { kind: 'put', table: 'thresholds', key: 'freezer-1', value: { max: 8 } },
  ])
})
after(async () => {
  rmSync(folder, { recursive: true })
  await surface.remove()
})

test('export writes CSV to standard output, and its summary as JSON beside it', async () => {
  const { code, out, err } = await holdfast(['export', 'readings', '--device', 'door', '--json', ...at])
  assert.equal(code, 0)
  assert.equal(
    out,
    'time,device,metric,value,unit,id,origin\r\n2024-01-02T12:00:00.000Z,door,state,"open,\n""wide""",,,gw-1\r\n',
  )
  const { seconds, ...summary } = JSON.parse(err) as Record<string, unknown>
  assert.deepEqual(summary, { table: 'readings', format: 'csv', out: '-', rows: 1, bytes: Buffer.byteLength(out) })
  assert.equal(typeof seconds, 'number')
})

test('export writes a file and counts what is in it, in each format', async () => {
  for (const format of ['csv', 'ndjson', 'json'] as const) {
    const file = join(folder, `all.${format}`)
    const { code, out, err } = await holdfast(['export', 'readings', '--format', format, '--out', file, ...at])
    assert.deepEqual([code, err], [0, ''])
    assert.match(out, new RegExp(`^${file}: 2,001 readings, [\\d.]+ kB, [\\d.]+ s \\([\\d,]+ a second\\)\n$`))
    assert.deepEqual(
      readdirSync(folder).filter(name => name.includes('partial')),
      [],
    )
  }
  assert.equal((JSON.parse(readFileSync(join(folder, 'all.json'), 'utf8')) as unknown[]).length, 2_001)
})

test('export chooses as query does, and has all without --limit', async () => {
  const rowsOf = async (...args: string[]): Promise<number> => {
    const { err } = await holdfast(['export', 'readings', '--json', ...args, ...at])
    return (JSON.parse(err) as { rows: number }).rows
  }
  assert.equal(await rowsOf(), 2_001)
  assert.equal(await rowsOf('--device', 'freezer-1'), 1_000)
  assert.equal(await rowsOf('--from', '10s', '--metric', 'temperature'), 11)
  assert.equal(await rowsOf('--limit', '5', '--format', 'ndjson'), 5)
})

test('export writes the rows of a records table', async () => {
  const { out } = await holdfast(['export', 'thresholds', ...at])
  assert.match(out, /^key,value,time,origin\r\nfreezer-1,"\{""max"":8\}",\S+Z,gw-1\r\n$/)
  const { out: lines } = await holdfast(['export', 'thresholds', '--format', 'ndjson', '--key', 'x', ...at])
  assert.equal(lines, '')
})

test('export that fails leaves no half file, and what was there stays', async () => {
  const file = join(folder, 'kept.csv')
  writeFileSync(file, 'kept')
  const failing = await openSurface()
  const store = failing.store as unknown as { query: () => AsyncGenerator<object> }
  store.query = async function* () {
    for await (const entry of surface.store.query('readings', {})) yield entry
    throw new Error('the disk is gone')
  }
  for (const [format, sentence] of [
    ['csv', /^holdfast: the gateway on .* is gone in the middle of its answer\. Ask again\.\n$/],
    ['ndjson', /^holdfast: the gateway could not answer\. Its log says why\.\n$/],
  ] as const) {
    const args = ['export', 'readings', '--format', format, '--out', file, '--socket', failing.socket]
    const { code, out, err } = await holdfast(args)
    assert.deepEqual([code, out], [1, ''])
    assert.match(err, sentence)
    assert.equal(readFileSync(file, 'utf8'), 'kept')
    assert.ok(!existsSync(`${file}.partial`))
  }
  await failing.remove()
})

test('export refuses what cannot be meant, in one sentence', async () => {
  for (const [args, exitCode, sentence] of [
    [['export', 'readings', '--format', 'xml'], 2, /'xml' is invalid/],
    [
      ['export', 'thresholds', '--device', 'a', ...at],
      2,
      /--device does not fit "thresholds", which is a records table/,
    ],
    [['export', 'readings', '--key', 'a', ...at], 2, /--key does not fit "readings", which is a series table/],
    [['export', 'reading', ...at], 1, /did you mean "readings"\?/i],
    [['export', 'readings', '--out', '/nowhere/x.csv', ...at], 1, /^holdfast: \/nowhere\/x\.csv cannot be written/],
    [['export', 'readings', '--out', folder, ...at], 1, /cannot be written/],
  ] as const) {
    const { code, out, err } = await holdfast(args)
    assert.deepEqual([code, out], [exitCode, ''], args.join(' '))
    assert.match(err, sentence)
  }
})

test('rows are counted wherever their bytes are cut', () => {
  const csv = Buffer.from('time,value\r\n1,"a\n""b"\r\n2,c\r\n')
  const json = Buffer.from('[\n{"a":"{"},\n {"a":1}\n]\n')
  for (const [format, bytes] of [
    ['csv', csv],
    ['json', json],
  ] as const) {
    for (let cut = 0; cut <= bytes.length; cut++) {
      const count = new RowCount(format)
      count.take(bytes.subarray(0, cut))
      count.take(bytes.subarray(cut))
      assert.deepEqual([count.rows, count.bytes], [2, bytes.length])
    }
  }
})
