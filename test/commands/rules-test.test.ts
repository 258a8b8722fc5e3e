import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { failureLines, progressLine } from '../../runtime/commands/rules/test-report.ts'
import { holdfast } from './holdfast.ts'

let folder: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-rules-test-'))
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)
  write('rules.yaml', 'groups:\n  - name: g\n    rules:\n      - { alert: Warm, match: { metric: t }, above: 8 }\n')
  write(
    'good.yaml',
    `rule_files: ["r*.yaml"]
tests:
  - { name: cold, input_series: [{ series: a/t, values: 5x5 }], alert_rule_test: [{ eval_time: 5m }] }
  - { name: warm, input_series: [{ series: a/t, values: 9 }], alert_rule_test: [{ eval_time: 0, exp_alerts: [{}] }] }
`,
  )
  write(
    'bad.yaml',
    `rule_files: [rules.yaml]
tests:
  - name: "not\\u001bso"
    input_series: [{ series: a/t, values: 5 7 9 9 }]
    alert_rule_test: [{ eval_time: 3m, alertname: Warm, exp_alerts: [{ threshold: 7, fired_at: 1m }] }]
`,
  )
  write(
    'wrong.yaml',
    'rule_files: [rules.yaml]\ntests:\n  - { nam: x, alert_rule_test: [{ eval_time: 5m, alertname: Worm }] }\n',
  )
  write('unknown.yaml', 'rule_files: [rules.yaml]\ntests:\n  - alert_rule_test: [{ eval_time: 5m, alertname: Worm }]\n')
  write('missing.yaml', 'rule_files: [nowhere.yaml]\ntests: []\n')
})
after(() => rmSync(folder, { recursive: true }))

const run = (...args: string[]) => holdfast(['rules', 'test', ...args], { cwd: folder })

test('tests that pass are a line each, and the exit code is 0', async () => {
  assert.deepEqual(await run('good.yaml'), {
    code: 0,
    out: 'good.yaml\n  ✓ cold\n  ✓ warm\n2 tests passed\n',
    err: '',
  })
})

test('a test that fails says where it was, what was expected and how near, without colours in a pipe', async () => {
  assert.deepEqual(await run('good.yaml', 'bad.yaml', '--run', 'o'), {
    code: 1,
    out: `good.yaml
  ✓ cold
bad.yaml
  ✗ not\\u001bso
      at 3m, Warm:
      ≠ a/t
          threshold  expected 7, was 8
          fired_at   expected 1m, was 2m (1m later)
          ▁▅██ 5 to 9, from 0s to 3m
1 of 2 tests failed
`,
    err: '',
  })
})

test('for programs the results are JSON with every failure and its fields', async () => {
  const { code, out } = await run('bad.yaml', '--json')
  assert.equal(code, 1)
  const { ok, problems, tests } = JSON.parse(out) as {
    ok: boolean
    problems: unknown[]
    tests: { file: string; name: string; ok: boolean; failures: { what: string; differences: { field: string }[] }[] }[]
  }
  assert.deepEqual([ok, problems, tests.length], [false, [], 1])
  const [result] = tests
  assert.deepEqual([result?.file, result?.ok, result?.failures[0]?.what], ['bad.yaml', false, 'a/t'])
  assert.deepEqual(
    result?.failures[0]?.differences.map(({ field }) => field),
    ['threshold', 'fired_at'],
  )
})

test('a file with mistakes is told with line and column, and nothing is run', async () => {
  const { code, out, err } = await run('good.yaml', 'wrong.yaml')
  assert.deepEqual([code, out], [1, ''])
  assert.match(err, /^wrong\.yaml:3:7: unknown key "nam"; did you mean "name"\?\nholdfast: 1 problem\. Nothing was run/)
  const json = await run('wrong.yaml', '--json')
  assert.deepEqual([json.code, (JSON.parse(json.out) as { ok: boolean }).ok], [1, false])
})

test('a rule that is not there is no rule that never fires', async () => {
  const { code, err } = await run('unknown.yaml')
  assert.equal(code, 1)
  assert.match(
    err,
    /unknown\.yaml:3:5: test "test 1": there is no rule "Worm" in its rule files; did you mean "Warm"\?/,
  )
})

test('a command line that is wrong ends with 2, a file that is not there with 1', async () => {
  const none = await run('good.yaml', '--run', 'hot')
  assert.deepEqual([none.code, none.err], [2, 'holdfast: no test has "hot" in its name; there are "cold", "warm".\n'])
  assert.equal((await run()).code, 2)
  assert.equal((await run('good.yaml', '--jsno')).code, 2)
  for (const file of ['missing.yaml', 'nothing.yaml']) {
    const { code, err } = await run(file)
    assert.deepEqual([code, /cannot be read: there is no such file/.test(err)], [1, true], err)
  }
})

test('a failure that goes on and on is cut, and says so', () => {
  const difference = { field: 'x', expected: '1', was: '2', hint: undefined }
  const failure = {
    evalTime: '1m',
    evalMs: 0,
    about: undefined,
    kind: 'different' as const,
    what: 'a',
    differences: Array.from({ length: 100 }, () => difference),
    hint: undefined,
  }
  const text = failureLines(
    Array.from({ length: 100 }, () => failure),
    (_, plain) => plain,
  )
  assert.match(text, /and 92 more differences/)
  assert.match(text, /and 80 more\n$/)
  assert.match(
    progressLine(5, 10, 'a name', (_, plain) => plain),
    /━{10}─{10} 6 of 10 a name$/,
  )
})
