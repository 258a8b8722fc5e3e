import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { AlertRow } from '../../rules/alert/alert.ts'
import { type Surface, nowMs } from '../api/surface.ts'
import { openDesk, raise } from './alerts-rig.ts'
import { holdfast } from './holdfast.ts'

const minuteMs = 60_000

let surface: Surface
let at: string[]
before(async () => {
  surface = await openDesk()
  at = ['--socket', surface.socket]
})
after(() => surface.remove())

const rowsOf = (out: string): string[][] => {
  const lines = out.trimEnd().split('\n')
  return lines.map(line => line.split(/ {2,}/))
}

test('nothing that fires is said in a sentence', async () => {
  assert.deepEqual(await holdfast(['alerts', ...at]), { code: 0, out: 'No alert fires.\n', err: '' })
  assert.deepEqual(await holdfast(['alerts', '--json', ...at]), { code: 0, out: '', err: '' })
  const none = await holdfast(['alerts', 'ack', '--all', ...at])
  assert.deepEqual([none.code, none.out], [0, 'There is nothing to acknowledge.\n'])
})

let warm: string
let pump: string

test('what fires or is latched is listed, newest first, with what a person wants to know', async () => {
  const annotations = { summary: 'freezer-1 is at 9.5' }
  warm = await raise(surface, { annotations }, 75)
  pump = await raise(
    surface,
    { rule: 'Shakes', device: 'pump-1', metric: 'vibration', severity: 'info', state: 'latched' },
    5,
  )
  await raise(surface, { rule: 'Over', state: 'resolved', resolved_ms: nowMs - 9 * minuteMs }, 10)
  const { code, out } = await holdfast(['alerts', ...at])
  assert.equal(code, 0)
  assert.deepEqual(rowsOf(out), [
    ['SINCE', 'SEVERITY', 'STATE', 'ALERT', 'DEVICE', 'VALUE', 'SUMMARY', 'KEY'],
    ['5m0s', 'info', 'latched', 'Shakes', 'pump-1/vibration', '9.5 °C > 8', '-', pump],
    ['1h15m', 'critical', 'firing', 'Warm', 'freezer-1/temperature', '9.5 °C > 8', 'freezer-1 is at 9.5', warm],
  ])
  const rulesOf = async (...options: string[]): Promise<string[]> =>
    rowsOf((await holdfast(['alerts', ...options, ...at])).out)
      .slice(1)
      .map(row => row[3] ?? '')
  assert.deepEqual(await rulesOf('--all'), ['Shakes', 'Over', 'Warm'])
  assert.deepEqual(await rulesOf('--all', '--since', '30m'), ['Shakes', 'Over'])
  assert.deepEqual(await rulesOf('--device', 'pump-*'), ['Shakes'])
  assert.deepEqual(await rulesOf('--rule', 'W*'), ['Warm'])
  assert.deepEqual(await rulesOf('--limit', '1'), ['Shakes'])
  const json = JSON.parse((await holdfast(['alerts', '--rule', 'Warm', '--json', ...at])).out) as AlertRow & {
    key: string
  }
  assert.deepEqual([json.key, json.state, 'snippet' in json], [warm, 'firing', false])
})

test('an acknowledgement is a row of the table acks; a slip of the pen is told the nearest key', async () => {
  const { code, out } = await holdfast(['alerts', 'ack', warm, '--by', 'anna', '--comment', 'on my way', ...at])
  assert.deepEqual([code, out], [0, `${warm}: acknowledged\n`])
  assert.deepEqual(surface.store.latest('acks', warm)?.value, { by: 'anna', acked_ms: nowMs, comment: 'on my way' })
  const again = await holdfast(['alerts', 'ack', warm, ...at])
  assert.deepEqual([again.code, again.out], [0, `${warm}: already acknowledged: by anna at 2024-01-02T12:00:00.000Z\n`])
  const typo = await holdfast(['alerts', 'ack', pump.replace('Shakes', 'Shake'), ...at])
  assert.deepEqual([typo.code, typo.out], [1, `${pump.replace('Shakes', 'Shake')}: not found: did you mean ${pump}?\n`])
  const over = await holdfast(['alerts', 'ack', `gw-1/Over/freezer-1/temperature/${nowMs - 10 * minuteMs}`, ...at])
  assert.match(over.out, /: over: there is nothing to acknowledge/)
  const all = await holdfast(['alerts', 'ack', '--all', '--json', ...at])
  assert.deepEqual(JSON.parse(all.out), { rows: [{ key: pump, outcome: 'acknowledged', reason: null }] })
  for (const args of [['ack'], ['ack', warm, '--all']]) {
    assert.deepEqual(await holdfast(['alerts', ...args, ...at]), {
      code: 2,
      out: '',
      err: 'holdfast: name the keys, or say --all, or --rule and --device.\n',
    })
  }
})

test('alerts are acknowledged by their rule and device, too', async () => {
  const key = await raise(surface, { rule: 'Leaks', device: 'tank-1', metric: 'level' }, 1)
  await raise(surface, { rule: 'Leaks', device: 'tank-2', metric: 'level' }, 1)
  const none = await holdfast(['alerts', 'ack', '--rule', 'Leak', '--device', 'tank-1', ...at])
  assert.deepEqual([none.code, none.out], [0, 'There is nothing to acknowledge.\n'])
  const acked = await holdfast(['alerts', 'ack', '--rule', 'Leak*', '--device', 'tank-1', ...at])
  assert.deepEqual([acked.code, acked.out], [0, `${key}: acknowledged\n`])
  assert.equal((await holdfast(['alerts', 'ack', '--rule', 'Leaks', '--all', ...at])).code, 2)
})

test('a silence is a row of the table silences that says whom it covers, and can be ended', async () => {
  const match = ['--device', 'free*', '--label', 'site=lyon', 'team=c*']
  const made = await holdfast([
    'alerts',
    'silence',
    ...match,
    '--for',
    '2h',
    '--by',
    'anna',
    '--comment',
    'seals',
    ...at,
  ])
  assert.equal(made.code, 0, made.err)
  const [, id = ''] =
    /^(gw-1-\w+): device=free\* site=lyon team=c\* is silent for 2h; 1 alert that/.exec(made.out) ?? []
  assert.notEqual(id, '', made.out)
  assert.deepEqual(surface.store.latest('silences', id)?.value, {
    match: { device: 'free*', labels: { site: 'lyon', team: 'c*' } },
    from_ms: nowMs,
    until_ms: nowMs + 120 * minuteMs,
    by: 'anna',
    comment: 'seals',
  })
  assert.match((await holdfast(['alerts', '--rule', 'Warm', ...at])).out, /firing, silenced/)
  await surface.store.commit([{ kind: 'put', table: 'silences', key: 'by-hand', value: { match: {} } }])
  const { out } = await holdfast(['alerts', 'silences', ...at])
  assert.deepEqual(rowsOf(out), [
    ['STATE', 'UNTIL', 'COVERS', 'ALERTS', 'BY', 'COMMENT', 'ID'],
    ['active', '2h0m more', 'device=free* site=lyon team=c*', '1', 'anna', 'seals', id],
    ['faulty', '-', 'until_ms, its end in milliseconds since 1970, is missing', '0', '-', '-', 'by-hand'],
  ])
  const ended = await holdfast(['alerts', 'unsilence', id, `${id}x`, 'by-hand', ...at])
  assert.deepEqual([ended.code, ended.out], [1, `${id}: ended\n${id}x: not found\nby-hand: ended\n`])
  assert.equal((await holdfast(['alerts', 'silences', ...at])).out, 'There are no silences.\n')
  assert.doesNotMatch((await holdfast(['alerts', ...at])).out, /silenced/)
})

test('a silence says what it is about and for how long, or is none', async () => {
  const faults: [string[], RegExp][] = [
    [['--for', '2h'], /say which alerts: --rule, --device, --metric, --label, or --everything/],
    [['--rule', 'x'], /say for how long: --for 2h/],
    [['--rule', 'x', '--for', 'soon'], /--for is no time such as 30m or 2h: "soon"/],
    [['--rule', 'x', '--everything', '--for', '2h'], /--everything leaves nothing to choose/],
    [['--label', 'site', '--for', '2h'], /--label is not NAME=PATTERN: "site"/],
    [['--rule', 'x', '--for', '520w'], /from a second to a year/],
  ]
  for (const [args, reason] of faults) {
    const { code, err } = await holdfast(['alerts', 'silence', ...args, ...at])
    assert.equal(code, 2)
    assert.match(err, reason)
  }
  const post = (path: string, body: object) => surface.call('POST', `/api/v1/${path}`, JSON.stringify(body))
  for (const body of [
    { for_ms: 5000 },
    { for_ms: 5000, match: { devise: 'x' } },
    { for_ms: 5000, match: { device: 7 } },
  ]) {
    assert.equal((await post('silences', body)).status, 400)
  }
  assert.equal((await post('alerts/ack', {})).status, 400)
  assert.equal((await post('silences/end', { all: true })).status, 400)
  assert.equal((await surface.call('GET', '/api/v1/alerts?state=firing')).status, 400)
  assert.equal((await surface.call('GET', '/api/v1/alerts?limit=50000')).status, 400)
})

test('a gateway that does not run is said to be so', async () => {
  const { code, err } = await holdfast(['alerts', '--socket', '/nowhere/holdfast.sock'])
  assert.equal(code, 1)
  assert.match(err, /no gateway answers on \/nowhere\/holdfast.sock/)
})
