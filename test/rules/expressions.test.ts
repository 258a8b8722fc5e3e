/** Expressions in rule files: what they become, and where in a file their faults are. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRules } from '../../rules/language/file.ts'
import { allRules, one, problems, rules } from './files.ts'

const only = (...lines: string[]) => rules(one('alert: A', ...lines))[0] ?? assert.fail()
const recorded = (...lines: string[]) => {
  const [rule] = allRules(one('record: mean', 'match: { metric: t }', ...lines))
  assert.ok(rule?.kind === 'record')
  return rule
}

test('an expression of true and false is a condition, with an end of its own if it says one', () => {
  const { condition } = only('expr: value > 80 && metric == "t"', 'clear: value < 70')
  assert.ok(condition.kind === 'expression')
  assert.equal(condition.violated.gives, 'bool')
  assert.equal(condition.clear?.text, 'value < 70')
})

test('with a limit the expression is the number that is held against it', () => {
  const { condition } = only('expr: avg(5m)', 'above: 8', 'clear: 7')
  assert.ok(condition.kind === 'limits')
  assert.equal(condition.of?.gives, 'number')
  assert.deepEqual(condition.clear, { kind: 'literal', value: 7 })
})

test('an expression that asks for time is judged every minute, unless something else is said', () => {
  assert.deepEqual(only('expr: avg(5m) > 8').moments, { kind: 'interval', everyMs: 60_000 })
  assert.deepEqual(only('expr: hour() > 8', 'interval: 10s').moments, { kind: 'interval', everyMs: 10_000 })
  assert.equal(only('expr: value > 8').moments, undefined)
})

test('a recording names its metric and its table', () => {
  const rule = recorded('expr: avg(5m)', 'into: means', 'interval: 5m', 'labels: { kind: mean }')
  assert.deepEqual([rule.id, rule.metric, rule.table], ['mean', 'mean', 'means'])
  assert.deepEqual(rule.moments, { kind: 'interval', everyMs: 300_000 })
  assert.deepEqual(rule.labels, { kind: 'mean' })
  assert.equal(recorded('expr: value * 2').table, 'readings')
})

test('the text of an expression is part of the meaning; blanks around it are not', () => {
  const print = (...lines: string[]) => only(...lines).fingerprint
  const base = print('expr: value > 8')
  assert.equal(print('expr: |', '  value > 8'), base)
  const others = [
    print('expr: value > 9'),
    print('expr: value > 8', 'clear: value < 7'),
    print('expr: delta()', 'above: 8'),
    print('above: 8'),
    recorded('expr: value').fingerprint,
    recorded('expr: value', 'into: means').fingerprint,
    recorded('expr: value * 2').fingerprint,
  ]
  assert.equal(new Set([base, ...others]).size, others.length + 1)
})

test('hours are those of a zone, which is part of the meaning of an expression and of nothing else', () => {
  const print = (line: string, zone: string) => {
    const parsed = parseRules([{ file: 'r', text: one('alert: A', line) }], { zone })
    assert.ok(parsed.ok)
    return parsed.rules[0]?.fingerprint
  }
  assert.notEqual(print('expr: hour() < 6', 'UTC'), print('expr: hour() < 6', 'Asia/Tokyo'))
  assert.equal(print('above: 6', 'UTC'), print('above: 6', 'Asia/Tokyo'))
})

const places: [what: string, lines: string[], sentence: string][] = [
  ['a plain text', ['expr: value > limit'], '5:23: "expr": unknown name "limit"'],
  ['quotes', ['expr: "value > limit"'], '5:24: "expr": unknown name "limit"'],
  ['quotes with quotes in them', ['expr: "device == \\"a\\" && value > limit"'], '5:43: "expr": unknown name "limit"'],
  ['single quotes', ['expr: \'device == "a" && value > limit\''], '5:41: "expr": unknown name "limit"'],
  ['a block', ['expr: |', '  value > 8', '  && value < limit'], '7:22: "expr": unknown name "limit"'],
  ['a folded block', ['expr: >-', '  value > 8', '  && value < limit'], '7:22: "expr": unknown name "limit"'],
  ['a plain text of two lines', ['expr: value > 8', '  && value < limit'], '6:22: "expr": unknown name "limit"'],
  ['after a duration', ['expr: avg(5m) > 8 && avg(1h30m) > limit'], '5:43: "expr": unknown name "limit"'],
  ['an end', ['expr: value > 8', 'clear: value < limit'], '6:24: "clear": unknown name "limit"'],
]
for (const [what, lines, sentence] of places) {
  test(`a fault is told where it stands in the file: ${what}`, () => {
    const [problem = '', ...more] = problems(one('alert: A', ...lines))
    assert.deepEqual(more, [])
    assert.ok(problem.startsWith(`r1.yaml:${sentence}`), problem)
  })
}

const refusals: [what: string, lines: string[], sentence: RegExp][] = [
  [
    'a number without a limit',
    ['alert: A', 'expr: avg(5m)'],
    /5:15: "expr": the answer is a number, not true or false/,
  ],
  ['a comparison with a limit', ['alert: A', 'expr: avg(5m) > 3', 'above: 3'], /"expr": .* not a number/],
  [
    'a limit as end of an expression',
    ['alert: A', 'expr: value > 8', 'clear: 7'],
    /6:16: "clear": where expr alone is the condition, clear is an expression too/,
  ],
  ['silence beside it', ['alert: A', 'expr: value > 8', 'absent: 3m'], /5:9: "expr": a rule has one condition/],
  [
    'regular expressions',
    ['alert: A', 'expr: device.matches("(a+)+$")'],
    /"expr": regular expressions are not supported/,
  ],
  ['a huge window', ['alert: A', 'expr: avg(1000d) > 1'], /5:1\d: "expr": /],
  ['a number in place of a text', ['alert: A', 'expr: 7'], /5:15: "expr": an expression, such as/],
  ['nothing', ['alert: A', 'expr: ""'], /5:15: "expr": empty; write an expression/],
  [
    'a label of many devices',
    ['alert: A', 'per: all', 'expr: label("site") == "lyon"'],
    /6:15: "expr": label\(\) asks for one device, and per: all stands for many/,
  ],
  [
    'devices where there is one',
    ['alert: A', 'per: device', 'expr: devices(5m) < 3'],
    /6:15: "expr": devices\(\) counts the devices of a group, and this rule looks at one: say per: all/,
  ],
  [
    'another metric of many devices',
    ['alert: A', 'per: all', 'expr: last("pressure") > 3'],
    /6:15: "expr": per: all stands for many devices: say whose "pressure", as in last\("pump-1", "pressure"\)/,
  ],
]
for (const [what, lines, sentence] of refusals) {
  test(`refused: ${what}`, () => {
    const all = problems(one(...lines))
    assert.equal(all.length, 1, all.join('\n'))
    assert.match(all[0] ?? '', sentence)
  })
}

const habits: [what: string, expression: string, sentence: string][] = [
  ['and', 'value > 80 and metric == "t"', '27: "expr": write && for "and"'],
  ['or, and not in a text', 'metric == "this or that" or value > 3', '43: "expr": write || for "or"'],
  ['not', 'not (value > 3)', '16: "expr": write ! for "not", as in !(value > 3)'],
  [
    'a range of PromQL',
    'avg_over_time(t[5m]) > 3',
    '31: "expr": write the window as an argument, as in avg(5m); which series it is about, match says',
  ],
  [
    'a matcher of PromQL',
    'device =~ "pump"',
    '23: "expr": regular expressions are not supported: use startsWith, endsWith, contains, or ==',
  ],
  [
    'a template',
    '{{ $value }} > 3',
    '16: "expr": variables of templates have no place here: write value, device or metric',
  ],
  ['a per cent', 'value > 80%', '25: "expr": leave the % away: numbers are compared as they come'],
  ['an arrow', 'value => 80', '22: "expr": write >= for "at least"'],
  ['a function without brackets', 'previous > 3', '16: "expr": "previous" is a function: write previous(…)'],
  [
    'what PromQL takes together',
    'sum by (job) (value) > 3',
    '20: "expr": what is taken together is said by per: device or per: all of the rule',
  ],
  [
    'a selector of PromQL',
    'absent(up{job="x"})',
    '23: "expr": which series it is about, match says: match: { device: "pump-*", metric: flow }',
  ],
  [
    'a window of PromQL that lies before',
    'value offset 5m > 3',
    '22: "expr": offset is not supported: every window ends now',
  ],
  [
    'a function of PromQL over a window',
    'stddev_over_time(5m) > 3',
    '16: "expr": unknown function "stddev_over_time": write stddev(5m)',
  ],
  [
    'a function of PromQL that has another name here',
    'increase(5m) > 3',
    '16: "expr": unknown function "increase": write delta(5m)',
  ],
  [
    'a state of Home Assistant',
    'states("sensor.x") == "on"',
    '16: "expr": unknown function "states": write value, or last("pump-2", "flow") for another series',
  ],
  ['a hold', 'value > 8 for 10m', '26: "expr": write how long as a key of the rule, such as for: 10m'],
  ['a time of day', 'hour() > 22:00', '25: "expr": write a time of day as a text, as in time_of_day() >= "06:30"'],
  ['a decimal comma', 'value > 3,5', '25: "expr": write the decimal point as a point, as in 3.5'],
  [
    'a text without its quotes',
    'value == open',
    '25: "expr": unknown name "open"; if a device says so, it is a text: write "open" in quotes',
  ],
  [
    'a number in quotes',
    'value > "80"',
    '25: "expr": "80" in quotes is a text, and no number is greater or smaller than a text: leave the quotes out',
  ],
  ['a bracket that is missing', 'avg(5m > 3', '26: "expr": here must be ), not the end'],
]
for (const [what, expression, sentence] of habits) {
  test(`what people write who come from elsewhere is named: ${what}`, () => {
    assert.deepEqual(problems(one('alert: A', `expr: ${JSON.stringify(expression)}`)), [`r1.yaml:5:${sentence}`])
  })
}

test('a metric that is used as a name is told where metrics are chosen', () => {
  const [problem = ''] = problems(one('alert: A', 'expr: temperature > 80'))
  assert.match(problem, /a metric is chosen by match: \{ metric: temperature \}, and what it measures is called value/)
})

test('faults of expressions come together with those of form, of all rules and files', () => {
  const found = problems(
    one('alert: A', 'expr: valeu > 3', 'four: 5m'),
    one('alert: B', 'expr: value >', 'clear: vlaue < 2'),
  )
  assert.deepEqual(
    found.map(each => each.split(': ', 1)[0]),
    ['r1.yaml:5:15', 'r1.yaml:6:9', 'r2.yaml:5:22', 'r2.yaml:6:16'],
  )
})
