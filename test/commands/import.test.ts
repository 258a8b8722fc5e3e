import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Value } from '../../runtime/reading.ts'
import type { Store } from '../../runtime/store/store.ts'
import { nowMs, openSurface, type Surface } from '../api/surface.ts'
import { type Ended, ended, holdfast, start } from './holdfast.ts'

let surface: Surface
let folder: string
let at: string[]
before(async () => {
  surface = await openSurface()
  at = ['--socket', surface.socket]
  folder = mkdtempSync(join(tmpdir(), 'holdfast-import-'))
})
after(async () => {
  rmSync(folder, { recursive: true })
  await surface.remove()
})

const file = (name: string, text: string | Buffer): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}
const run = (...args: string[]): Promise<Ended> => holdfast(['import', ...args, ...at])
async function piped(text: string | Buffer, ...args: string[]): Promise<Ended> {
  const child = start(['import', ...args, ...at])
  child.stdin.on('error', () => undefined).end(text)
  return await ended(child)
}
type Told = readonly [
  device: string,
  metric: string,
  value: Value,
  timeMs: number | undefined,
  unit: string | undefined,
  id: string | undefined,
]
async function stored(device: string, store: Store = surface.store): Promise<Told[]> {
  const found: Told[] = []
  for await (const { series, value, deviceTimeMs, id } of store.query('readings', { device })) {
    found.push([series.device, series.metric, value, deviceTimeMs, series.unit, id])
  }
  return found
}
const timed = (text: string): string => text.replace(/[\d.]+ s \([\d,]+ a second\)/, 'N s')
const t = (n: number): string => new Date(nowMs - n * 1_000).toISOString()

test('CSV is imported by the names of its columns, and the same again is stored once', async () => {
  const path = file(
    'a.csv',
    `Time,device,metric,value,unit,id,origin\r\n${t(3)},a,t,21.5,°C,,x\r\n${t(2)},a,door,"on, or\n""off""",,e1,x\r\n` +
      `${nowMs - 1_000},a,t,true,,,x\r\n${(nowMs - 500) / 1_000},a,fix,"{""lat"":1}",,,x\r\n`,
  )
  const first = await run('readings', path)
  assert.deepEqual(
    [first.code, timed(first.out), first.err],
    [0, 'readings: 4 readings stored, N s\n', 'not imported: origin\n'],
  )
  assert.deepEqual(await stored('a'), [
    ['a', 't', 21.5, nowMs - 3_000, '°C', undefined],
    ['a', 'door', 'on, or\n"off"', nowMs - 2_000, undefined, 'e1'],
    ['a', 't', true, nowMs - 1_000, undefined, undefined],
    ['a', 'fix', { lat: 1 }, nowMs - 500, undefined, undefined],
  ])
  const second = await run('readings', path)
  assert.equal(timed(second.out), 'readings: 0 readings stored, 4 were stored before, N s\n')
  assert.equal((await stored('a')).length, 4)
})

test('lines of JSON are imported from standard input, with a summary as JSON', async () => {
  const text = `{"time":"${t(2)}","device":"b","metric":"t","value":1,"seq":9,"site":"x"}\n\n{"time_ms":${nowMs},"device":"b","metric":"t","value":2}`
  const { code, out, err } = await piped(text, 'readings', '-', '--json')
  const { seconds, ...summary } = JSON.parse(out) as Record<string, unknown>
  assert.deepEqual([code, err, typeof seconds], [0, '', 'number'])
  assert.deepEqual(summary, {
    table: 'readings',
    source: 'standard input',
    dry_run: false,
    lines: 3,
    good: 2,
    bad: 0,
    stored: 2,
    duplicates: 0,
    durable_line: 3,
    series: 1,
    from: t(2),
    to: t(0),
    unused: ['site'],
    problems: [],
  })
})

test('of a file in which a line is wrong nothing is imported; the first twenty are told, the rest counted', async () => {
  const bad = Array.from({ length: 25 }, (_, n) => `${t(n)},c/${n},t,1`)
  const path = file('c.csv', `time,device,metric,value\n${t(1)},c,t,1\n${bad.join('\n')}\n${t(2)},c,t,2\n`)
  const { code, out, err } = await run('readings', path)
  assert.deepEqual([code, out], [1, ''])
  const lines = err.trimEnd().split('\n')
  assert.equal(lines[0], 'line 3: the device holds "/", which MQTT keeps for topics')
  assert.deepEqual(lines.slice(20), [
    '... and 5 more',
    'holdfast: nothing was imported: 25 of 28 lines are wrong. Correct them, or leave them out with --skip-bad.',
  ])
  assert.deepEqual(await stored('c'), [])
  const skipped = await run('readings', path, '--skip-bad')
  assert.deepEqual([skipped.code, timed(skipped.out)], [0, 'readings: 2 readings stored, 25 lines left out, N s\n'])
  assert.deepEqual((await stored('c')).length, 2)
})

test('standard input is stored up to the line that is wrong, and that is told', async () => {
  const text = `time,device,metric,value\n${t(3)},d,t,1\n${t(2)},d,t,2\n${t(1)},d,t,\n${t(0)},d,t,4\n`
  const { code, out, err } = await piped(text, 'readings', '-')
  assert.deepEqual([code, out], [1, ''])
  assert.equal(
    err,
    'holdfast: line 4: the value is missing; everything up to line 3 is stored. The same import again goes on: what is stored already is stored once.\n',
  )
  assert.equal((await stored('d')).length, 2)
  const again = await piped(text.replace(',\n', ',3\n'), 'readings', '-')
  assert.equal(timed(again.out), 'readings: 2 readings stored, 2 were stored before, N s\n')
})

test('a dry run checks all, says what it would do, and stores nothing', async () => {
  const path = file('e.csv', `time,device,metric,value\n${t(9)},e,t,1\n${t(1)},e,u,2\n`)
  const head = surface.store.head('readings')
  const good = await run('readings', path, '--dry-run')
  assert.deepEqual(
    [good.code, good.out],
    [0, `readings: 2 readings of 2 series from ${t(9)} to ${t(1)} would be imported\n`],
  )
  const bad = await piped('{"device":"e"}\n', 'readings', '-', '--dry-run')
  assert.deepEqual([bad.code, bad.out], [1, ''])
  assert.match(bad.err, /^line 1: the time is missing\nholdfast: nothing would be imported: 1 of 1 lines are wrong/)
  assert.equal(surface.store.head('readings'), head)
})

test('columns are mapped, and fields are the same on every line, as the command line says', async () => {
  const path = file('f.csv', `Zeit;Wert;Ort\n2024-01-02 11:00:00;.5;x\n2024-01-02 11:00:01;+1;x\n`)
  const wanted = [
    '--map',
    'time=zeit',
    '--map',
    'value=Wert',
    '--set',
    'device=f',
    '--set',
    'metric=t',
    '--set',
    'unit=K',
  ]
  const { code, err } = await run('readings', path, '--separator', ';', ...wanted)
  assert.deepEqual([code, err], [0, 'not imported: Ort\n'])
  assert.deepEqual(await stored('f'), [
    ['f', 't', 0.5, nowMs - 3_600_000, 'K', undefined],
    ['f', 't', 1, nowMs - 3_599_000, 'K', undefined],
  ])
  const lines = file('f.ndjson', `{"ts":${nowMs},"v":7}\n`)
  const mapped = ['--map', 'time=ts', '--map', 'value=v', '--set', 'device=f2', '--set', 'metric=t']
  assert.equal((await run('readings', lines, ...mapped)).code, 0)
  assert.deepEqual(await stored('f2'), [['f2', 't', 7, nowMs, undefined, undefined]])
})

test('rows are imported into a records table', async () => {
  const path = file(
    'rows.csv',
    'key,value,time,origin\r\nsite/1,8.5,x,y\r\nsite/2,"{""max"":8}",x,y\r\nsite/3,null,x,y\r\n',
  )
  const { code, out } = await run('thresholds', path)
  assert.deepEqual([code, timed(out)], [0, 'thresholds: 3 rows stored, N s\n'])
  assert.deepEqual(surface.store.latest('thresholds', 'site/2')?.value, { max: 8 })
  assert.equal(surface.store.latest('thresholds', 'site/3')?.value, null)
  assert.equal(timed((await run('thresholds', path)).out), 'thresholds: 0 rows stored, 3 were stored before, N s\n')
})

test('what cannot be read or meant is one sentence', async () => {
  const plain = file('plain.csv', 'a,b\n1,2\n')
  const rowed = file('rowed.csv', 'time,device,metric,value\n1,2\n')
  for (const [args, exitCode, sentence] of [
    [['readings', join(folder, 'none.csv')], 1, /none\.csv: there is no such file\.\n$/],
    [['readings', folder], 1, /it is a folder/],
    [['reading', plain], 1, /there is no table "reading"/],
    [
      ['readings', plain],
      1,
      /^holdfast: the head line has no column "time": it has "a", "b"\. Say which it is with --map time=COLUMN/,
    ],
    [['readings', rowed], 1, /^line 2: it has 2 cells, and the head line has 4\n/],
    [['readings', file('list.json', '[\n{}]\n')], 1, /it is one JSON array\. Make lines of it: jq/],
    [
      ['readings', file('x.gz', Buffer.from([0x1f, 0x8b, 8, 0]))],
      1,
      /compressed with gzip\. Unpack it on the way: zcat/,
    ],
    [['readings', file('utf16.csv', Buffer.from('time', 'utf16le'))], 1, /no text in UTF-8/],
    [['readings', plain, '--map', 'tmie=a'], 2, /there is no field "tmie"; did you mean "time"\?/],
    [['readings', plain, '--map', 'time'], 2, /write FIELD=COLUMN/],
    [['readings', plain, '--map', 'time=a', '--set', 'time=1'], 2, /both speak of "time"/],
    [['readings', plain, '--set', 'unit=a', '--set', 'unit=b'], 2, /twice of "unit"/],
    [['readings', plain, '--separator', 'tab'], 2, /--separator is one character/],
    [['readings', plain, '--format', 'json'], 2, /'json' is invalid/],
  ] as [string[], number, RegExp][]) {
    const { code, out, err } = await run(...args)
    assert.deepEqual([code, out], [exitCode, ''], args.join(' '))
    assert.match(err, sentence)
  }
})

test('a named pipe is read once, as standard input is', async () => {
  const path = join(folder, 'pipe')
  execFileSync('mkfifo', [path])
  const child = start(['import', 'readings', path, ...at])
  const end = ended(child)
  // Not the one that waits: the gateway that the child asks first is in this process.
  await writeFile(path, `time,device,metric,value\n${t(1)},g,t,1\n`)
  assert.equal((await end).code, 0)
  assert.equal((await stored('g')).length, 1)
})

test('an import that is killed in the middle is run again, and each reading is stored once', async () => {
  const count = 30_000
  const path = file(
    'long.csv',
    `time,device,metric,value\n${Array.from({ length: count }, (_, n) => `${nowMs + n},h,t,${n}\n`).join('')}`,
  )
  const child = start(['import', 'readings', path, ...at])
  const end = ended(child)
  while ((await stored('h')).length === 0) await new Promise(resolve => setTimeout(resolve, 5))
  child.kill('SIGKILL')
  await end
  const before = (await stored('h')).length
  assert.ok(before > 0 && before <= count)
  assert.equal((await run('readings', path)).code, 0)
  const values = (await stored('h')).map(([, , value]) => value)
  assert.deepEqual(
    values,
    Array.from({ length: count }, (_, n) => n),
  )
})

test('an import that is interrupted says through which line all is stored', async () => {
  const child = start(['import', 'readings', '-', ...at])
  const end = ended(child)
  const line = (n: number): string => `${nowMs + n},i,t,${n}\n`
  child.stdin.on('error', () => undefined)
  child.stdin.write(`time,device,metric,value\n${Array.from({ length: 10_000 }, (_, n) => line(n)).join('')}`)
  while ((await stored('i')).length === 0) await new Promise(resolve => setTimeout(resolve, 5))
  child.kill('SIGINT')
  await new Promise(resolve => setTimeout(resolve, 50))
  child.stdin.write(line(10_000))
  const { code, err } = await end
  assert.equal(code, 1)
  const through = /^holdfast: it was interrupted; everything up to line (\d+) is stored\. /.exec(err)?.[1]
  assert.equal((await stored('i')).length, Number(through) - 1)
})

test('a gateway that goes away in the middle is told with what is stored', async () => {
  const closing = await openSurface()
  const child = start(['import', 'readings', '-', '--socket', closing.socket])
  const end = ended(child)
  child.stdin.on('error', () => undefined)
  const lines = Array.from({ length: 10_000 }, (_, n) => `${nowMs + n},j,t,${n}\n`)
  child.stdin.write(`time,device,metric,value\n${lines.join('')}`)
  while ((await stored('j', closing.store)).length === 0) await new Promise(resolve => setTimeout(resolve, 5))
  const count = (await stored('j', closing.store)).length
  await closing.close()
  child.stdin.end(lines.join(''))
  const { code, err } = await end
  assert.equal(code, 1)
  const through = Number(/; everything up to line (\d+) is stored\./.exec(err)?.[1])
  assert.ok(through >= 4_097 && through <= Math.max(count, 8_192) + 1, err)
  await closing.remove()
})
