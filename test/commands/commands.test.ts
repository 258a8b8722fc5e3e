import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { nowMs, openSurface, reading, type Surface } from '../api/surface.ts'
import { ended, holdfast, linesFrom, start } from './holdfast.ts'

let surface: Surface
let folder: string
let at: string[]
before(async () => {
  surface = await openSurface()
  at = ['--socket', surface.socket]
  folder = mkdtempSync(join(tmpdir(), 'holdfast-commands-'))
  const hourMs = 3_600_000
  await surface.store.commit([
    {
      kind: 'append',
      table: 'readings',
      readings: [reading('freezer-1', -18.5, nowMs - 2 * hourMs), reading('freezer-2', -17, nowMs)],
    },
  ])
})
after(async () => {
  rmSync(folder, { recursive: true })
  await surface.remove()
})

const parsed = (text: string): Record<string, unknown>[] =>
  text
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>)

test('status prints what the gateway tells, as a page or as JSON', async () => {
  assert.deepEqual(parsed((await holdfast(['status', '--json', ...at])).out), [{ gateway: { id: 'gw-1' } }])
  assert.equal((await holdfast(['status', ...at])).out, 'All is well.\n\ngateway  gw-1\n')
})

test('put takes JSON, negative numbers and plain text, and query and delete find the row', async () => {
  for (const [text, value] of [
    ['8.5', 8.5],
    ['-5', -5],
    ['{"max": 8}', { max: 8 }],
    ['on duty', 'on duty'],
    ['null', null],
  ] as const) {
    assert.deepEqual(await holdfast(['put', 'thresholds', 'site/1', text, ...at]), {
      code: 0,
      out: `thresholds site/1 = ${JSON.stringify(value)}\n`,
      err: '',
    })
    assert.deepEqual(surface.store.latest('thresholds', 'site/1')?.value, value)
  }
  const { out } = await holdfast(['query', 'thresholds', '--key', 'site/', ...at])
  assert.match(out, /^KEY +TIME +ORIGIN +VALUE\nsite\/1 +\S+Z +gw-1 +null\n$/)
  assert.equal((await holdfast(['delete', 'thresholds', 'site/1', ...at])).out, 'thresholds site/1 deleted\n')
  assert.equal(surface.store.latest('thresholds', 'site/1'), undefined)
  const again = await holdfast(['delete', 'thresholds', 'site/1', ...at])
  assert.deepEqual(again, { code: 1, out: '', err: 'holdfast: the table "thresholds" has no row "site/1".\n' })
})

test('query prints readings in columns, without colours in a pipe', async () => {
  const { out, code } = await holdfast(['query', 'readings', ...at], {
    env: { TERM: 'xterm-256color', COLORTERM: 'truecolor' },
  })
  assert.equal(code, 0)
  assert.equal(
    out,
    `TIME                      ORIGIN  DEVICE     METRIC       VALUE
2024-01-02T10:00:00.000Z  gw-1    freezer-1  temperature  -18.5 °C
2024-01-02T12:00:00.000Z  gw-1    freezer-2  temperature  -17 °C
`,
  )
})

test('query chooses by device and time, and prints JSON lines', async () => {
  const of = async (...args: string[]): Promise<unknown[]> => {
    const { out } = await holdfast(['query', 'readings', '--json', ...args, ...at])
    return out === '' ? [] : parsed(out).map(({ device }) => device)
  }
  assert.deepEqual(await of('--device', '*-2'), ['freezer-2'])
  assert.deepEqual(await of('--since', '1h'), ['freezer-2'])
  assert.deepEqual(await of('--from', '2024-01-02T09:00:00Z', '--to', '1h'), ['freezer-1'])
  assert.deepEqual(await of('--limit', '1'), ['freezer-2'])
  assert.deepEqual(await of('--metric', 'nothing'), [])
})

test('a command line that is wrong is told so in one line, with exit code 2', async () => {
  for (const [args, sentence] of [
    [['stauts'], /^holdfast: unknown command 'stauts'\. Did you mean status\?$/],
    [
      ['alerts', 'silence', '--alertname', 'x'],
      /^holdfast: unknown option '--alertname'\. See: holdfast alerts silence --help$/,
    ],
    [['put', 'thresholds'], /^holdfast: missing required argument 'KEY'\./],
    [['tail', 'readings', '--from', 'yesterday'], /^holdfast: .*'yesterday' is invalid.*beginning, now/],
    [['status', '--sockte', 'x'], /^holdfast: unknown option '--sockte'\. Did you mean --socket\?$/],
    [['query', 'readings', '--since', '1h', '--from', '2h'], /^holdfast: --since and --from mean the same/],
    [['query', 'readings', '--key', 'a', ...at], /^holdfast: --key does not fit "readings", which is a series table/],
    [['query', 'alerts', '--device', 'a', ...at], /^holdfast: --device does not fit "alerts".*use --key\.$/],
  ] as const) {
    const { code, out, err } = await holdfast(args)
    assert.deepEqual([code, out], [2, ''], args.join(' '))
    assert.match(err.trimEnd(), sentence)
    assert.equal(err.trimEnd().split('\n').length, 1)
  }
})

test('what the gateway refuses is one sentence, with exit code 1, or 2 for a value that cannot be meant', async () => {
  for (const [args, sentence, exitCode = 1] of [
    [['query', 'reading'], 'holdfast: there is no table "reading". Did you mean "readings"?\n'],
    [['tail', '__proto__'], 'holdfast: there is no table "__proto__". Known tables: readings, thresholds, alerts.\n'],
    [
      ['put', 'readings', 'a', '1'],
      'holdfast: "readings" is a series table. It has readings; rows are in records tables.\n',
    ],
    [['put', 'thresholds', '..', '1'], 'holdfast: ".." cannot be a name or key.\n', 2],
    [['put', 'thresholds', '', '1'], /^holdfast: .*\n$/],
    [['query', 'readings', '--since', 'soon'], /^holdfast: "from" is not a time: "soon"\. Write 1h for an hour ago/, 2],
  ] as [string[], string | RegExp, number?][]) {
    const { code, out, err } = await holdfast([...args, ...at])
    assert.deepEqual([code, out], [exitCode, ''], args.join(' '))
    if (typeof sentence === 'string') assert.equal(err, sentence)
    else assert.match(err, sentence)
    assert.doesNotMatch(err, /\n +at /)
  }
})

test('a gateway that does not run is named by its socket, and how to start one is told', async () => {
  const socket = join(folder, 'nobody.sock')
  const { code, err } = await holdfast(['status', '--socket', socket])
  assert.equal(code, 1)
  assert.equal(
    err,
    `holdfast: no gateway answers on ${socket}. Start one with "holdfast run", or name the socket of one with --socket.\n`,
  )
  // Without --socket, the configuration of the folder says where it would be.
  const { err: elsewhere } = await holdfast(['tail', 'readings'], { cwd: folder })
  assert.match(elsewhere, new RegExp(`no gateway answers on ${join(folder, 'data', 'holdfast.sock')}`))
})

test('something else on the socket is no gateway', async () => {
  const socket = join(folder, 'other.sock')
  const server = createServer(other => other.resume().end('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello'))
  await new Promise<void>(resolve => server.listen(socket, resolve))
  const { code, err } = await holdfast(['status', '--socket', socket])
  assert.deepEqual(
    [code, err],
    [1, `holdfast: what answers on ${socket} is no gateway. Name its socket with --socket.\n`],
  )
  await new Promise(resolve => server.close(resolve))
})

test('a stack is printed only where it was asked for', async () => {
  const wrong = ['status', '--socket', join(folder, 'nobody.sock')]
  assert.doesNotMatch((await holdfast(wrong)).err, /\n +at /)
  assert.match((await holdfast([...wrong, '--debug'])).err, /\n +at /)
  assert.match((await holdfast(wrong, { env: { HOLDFAST_LOG__LEVEL: 'debug' } })).err, /\n +at /)
})

test('tail prints what is committed until its reader has enough, and that is no failure', async () => {
  const child = start(['tail', 'alerts', '--from', 'beginning', '--json', ...at])
  const end = new Promise(resolve => child.once('close', resolve))
  await holdfast(['put', 'alerts', 'a', '"firing"', ...at])
  for await (const line of linesFrom(child)) {
    assert.equal((JSON.parse(line) as { key: string }).key, 'a')
    break
  }
  child.stdout.destroy()
  await holdfast(['put', 'alerts', 'b', '1', ...at])
  await holdfast(['put', 'alerts', 'c', '1', ...at])
  assert.equal(await end, 0)
})

test('tail says when its gateway closes, with exit code 1', async () => {
  const closing = await openSurface()
  const child = start(['tail', 'readings', '--from', 'beginning', '--socket', closing.socket])
  const end = ended(child)
  await closing.store.commit([{ kind: 'append', table: 'readings', readings: [reading('door', 1, nowMs)] }])
  await new Promise(resolve => child.stdout.once('data', resolve))
  await closing.close()
  const { code, out, err } = await end
  assert.deepEqual([code, err], [1, 'holdfast: the gateway is closing.\n'])
  assert.match(out, /^SEQ +TIME +ORIGIN .*\n +1 +\S+ +gw-1 +door +temperature +1 °C\n$/)
  await closing.remove()
})

test('what a device wrote cannot move the cursor', async () => {
  await surface.store.commit([
    { kind: 'append', table: 'readings', readings: [{ ...reading('evil', 0, nowMs), value: '\u001b[2Jgone\u0007' }] },
  ])
  const { out } = await holdfast(['query', 'readings', '--device', 'evil', ...at])
  assert.match(out, /\\u001b\[2Jgone\\u0007/)
})

test('check tells all problems at once, with file, line and column', async () => {
  const config = join(folder, 'bad.yaml')
  writeFileSync(config, 'stroe:\n  path: x\nbroker:\n  listen: nowhere\n')
  const { code, out, err } = await holdfast(['check', '--config', config])
  assert.deepEqual([code, out], [1, ''])
  assert.match(err, /bad\.yaml:1:1: unknown key "stroe"; did you mean "store"\?/)
  assert.match(err, /bad\.yaml:4:11: /)
  assert.match(err, /holdfast: 2 problems\./)
  const json = parsed((await holdfast(['check', '--json', '--config', config])).out)[0] as {
    ok: boolean
    problems: object[]
  }
  assert.equal(json.ok, false)
  assert.equal(json.problems.length, 2)
  const status = await holdfast(['status', '--config', config])
  assert.equal(status.code, 1)
  assert.match(
    status.err,
    /^holdfast: the configuration has 2 problems:\n.*stroe.*\n.*\nCorrect it, and look again with "holdfast check"\.\n$/,
  )
})

test('check looks at the rules too, and at the tables that they speak of', async () => {
  const rules = join(folder, 'rules')
  mkdirSync(rules)
  writeFileSync(join(folder, 'good.yaml'), 'rules:\n  folder: ./rules\n')
  const check = (...args: string[]) => holdfast(['check', '--config', 'good.yaml', ...args], { cwd: folder })
  const rule = (more: string): void =>
    writeFileSync(
      join(rules, 'a.yaml'),
      `groups:\n  - name: a\n    rules:\n      - alert: TooWarm\n        match: { metric: temperature }\n${more}`,
    )
  rule('        above: 8\n')
  assert.deepEqual(await check(), {
    code: 0,
    out: `good.yaml: good\n${rules}: 1 rule in 1 file, all good\n`,
    err: '',
  })
  rule('        abvoe: 8\n')
  assert.match((await check()).err, /a\.yaml:6:9: unknown key "abvoe"; did you mean "above"\?/)
  rule('        above: { table: limits, key: x }\n')
  assert.match((await check()).err, /a\.yaml:6:25: alert "TooWarm": there is no table "limits" in the configuration/)
})

test('a configuration that cannot be read is told in one sentence', async () => {
  for (const [named, sentence] of [
    ['/nowhere/x.yaml', 'holdfast: the configuration /nowhere/x.yaml does not exist. Name another with --config.\n'],
    [folder, `holdfast: the configuration ${folder} is not a file. Name a file with --config.\n`],
  ] as const) {
    for (const verb of ['run', 'check', 'status']) {
      assert.deepEqual(await holdfast([verb, '--config', named]), { code: 1, out: '', err: sentence })
    }
  }
})

test('help of every verb has an example, and nothing is printed on standard error', async () => {
  const { out } = await holdfast(['--help'])
  const verbs = [...out.matchAll(/^ {2}([a-z]+)\b/gm)].map(([, verb = '']) => verb).filter(verb => verb !== 'help')
  assert.ok(verbs.length >= 9, verbs.join())
  for (const verb of verbs.filter(name => name !== 'sim')) {
    const { code, out: help, err } = await holdfast([verb, '--help'])
    assert.deepEqual([code, err], [0, ''])
    assert.match(help, /\nExamples?:\n {2}\$ /, verb)
  }
  assert.match((await holdfast(['sim', '--help'])).out, /--plan FILE/)
})

test('version is that of the package', async () => {
  const { out } = await holdfast(['version', '--json'])
  assert.match(String(parsed(out)[0]?.holdfast), /^\d+\.\d+\.\d+/)
  assert.equal((await holdfast(['--version'])).out.trim(), parsed(out)[0]?.holdfast)
})

test('a time that was taken while nobody knew the time is marked, and the mark explained beside the rows', async () => {
  const marked = { ...reading('door-1', 1, nowMs), deviceTimeMs: undefined, boot: 'a boot' }
  const known = { ...reading('door-2', 1, nowMs), boot: 'a boot' }
  await surface.store.commit([{ kind: 'append', table: 'readings', readings: [marked, known] }])
  const query = (...args: string[]) => holdfast(['query', 'readings', ...args, ...at])
  const { out, err } = await query('--device', 'door-*')
  assert.match(out, /12:00:00\.000Z \? +gw-1 +door-1 .*\n2024-01-02T12:00:00\.000Z +gw-1 +door-2/)
  assert.equal(
    err,
    'holdfast: a time with a ? is of when the gateway did not know the time; it is put right once it does (holdfast status).\n',
  )
  assert.equal((await query('--device', 'door-2')).err, '')
  assert.equal((await query('--device', 'door-*', '--json')).err, '')
})
