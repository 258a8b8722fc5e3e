/** Rule files: what they become, and every sentence that a bad one is answered with. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRules } from '../../rules/language/file.ts'
import { one, problems, rules } from './files.ts'
import { ruleOf } from './rules.ts'

test('a rule with nothing but a name and a limit has every default filled in', () => {
  const [rule] = rules(one('alert: A', 'above: 8'))
  const { fingerprint, ...rest } = rule ?? assert.fail()
  assert.match(fingerprint, /^[0-9a-f]{16}$/)
  const { fingerprint: _, ...expected } = ruleOf({ file: 'r1.yaml' })
  assert.deepEqual(rest, expected)
})

test('every key of the language is read', () => {
  const [rule] = rules(`groups:
  - name: cold-store
    labels: { site: lyon, severity: info }
    rules:
      - alert: FreezerTooWarm
        match: { table: fast, device: "freezer-*", metric: temperature }
        above: { key: "{device}/{metric}", field: max, default: 8 }
        clear: { table: limits, key: clear }
        for: 30s
        keep_firing_for: 2m
        snippet: { before: 1h30m, tables: [fast, slow], match: { device: "{device}", metric: "t*" }, max_bytes: 32KiB, max: 500 }
        labels: { severity: critical }
        annotations: { summary: "{{ $labels.device }} in {{ $labels.site }} is at {{ $value }}" }
`)
  assert.deepEqual(rule?.match, { table: 'fast', device: 'freezer-*', metric: 'temperature', labels: {} })
  assert.deepEqual(rule?.condition, {
    kind: 'limits',
    of: undefined,
    above: { kind: 'row', table: 'thresholds', key: '{device}/{metric}', field: 'max', default: 8 },
    below: undefined,
    clear: { kind: 'row', table: 'limits', key: 'clear', field: undefined, default: undefined },
  })
  assert.deepEqual([rule?.forMs, rule?.keepFiringForMs], [30_000, 120_000])
  assert.deepEqual(rule?.snippet, {
    beforeMs: 5_400_000,
    afterMs: 0,
    tables: ['fast', 'slow'],
    device: '{device}',
    metric: 't*',
    bytesMax: 32_768,
    pointsMax: 500,
  })
  assert.deepEqual(rule?.labels, { site: 'lyon', severity: 'critical' })
})

test('the snippet of a rule comes from the table that the rule judges', () => {
  assert.deepEqual(rules(one('alert: A', 'match: { table: fast }', 'above: 8', 'snippet: 5m'))[0]?.snippet.tables, [
    'fast',
  ])
})

test('the fingerprint follows the meaning of the verdict and nothing else', () => {
  const print = (...lines: string[]): string | undefined => rules(one('alert: A', ...lines))[0]?.fingerprint
  const base = print('above: 8', 'for: 60s')
  assert.equal(print('for: 1m', 'above: 8.0', 'snippet: 5m', 'labels: { a: b }', 'annotations: { c: d }'), base)
  const others = [
    print('above: 9', 'for: 60s'),
    print('below: 8', 'for: 60s'),
    print('above: 8', 'for: 61s'),
    print('above: 8', 'for: 60s', 'clear: 7'),
    print('above: 8', 'for: 60s', 'keep_firing_for: 1s'),
    print('above: 8', 'for: 60s', 'match: { metric: t }'),
    print('above: { key: a, default: 8 }', 'for: 60s'),
  ]
  assert.equal(new Set([base, ...others]).size, others.length + 1)
})

test('files without groups or rules are good', () => {
  assert.deepEqual(rules(), [])
  assert.deepEqual(rules('groups: []', 'groups: [{ name: g, rules: [] }]'), [])
})

test('the rules of all files come in the order of the files', () => {
  assert.deepEqual(
    rules(one('alert: B', 'above: 1'), one('alert: A', 'below: 1')).map(({ id, file }) => [id, file]),
    [
      ['B', 'r1.yaml'],
      ['A', 'r2.yaml'],
    ],
  )
})

test('all problems of all files come at once, each with file, line and column', () => {
  const first = `groups:
  - name: g
    lables: { site: lyon }
    rules:
      - alert: Twice
        match: { devise: "freezer-*" }
        above: 8
        clear: 9
        for: 5 minutes
      - alert: Nothing
        annotations: { summary: "{{ $lables.device }} {{ $vlaue }} {{ $labels.room }} {{ $value | humanize }} {{ x" }
      - alert: Twice
        below: { kye: a }
        labels: { device: x, "not-good": y, n: 3, z: "{{ $value }}" }
        snippet: 8d
`
  const second = `groups:
  - name: g
    rules:
      - alert: Twice
        below: 5
        above: 2
  - name: g
    rules: []
`
  assert.deepEqual(problems(first, second), [
    'r1.yaml:3:5: unknown key "lables"; did you mean "labels"?',
    'r1.yaml:6:18: unknown key "devise"; did you mean "device"?',
    'r1.yaml:8:16: "clear": 9 is greater than above (8); the alert would clear while it is violated',
    'r1.yaml:9:14: "for": not a duration; write it as 30s, 5m or 1h30m',
    'r1.yaml:10:9: the rule has no condition: above or below (a limit), expr (true while violated) or absent (no reading for so long)',
    'r1.yaml:11:34: "summary": unknown variable {{ $lables.device }}; did you mean "$labels"?; known are $value, $threshold, $device, $metric, $unit, $side, $alert, $group, $table, $severity, $state, $labels.NAME and $device_labels.NAME',
    'r1.yaml:11:55: "summary": unknown variable {{ $vlaue }}; did you mean "$value"?; known are $value, $threshold, $device, $metric, $unit, $side, $alert, $group, $table, $severity, $state, $labels.NAME and $device_labels.NAME',
    'r1.yaml:11:68: "summary": no label "room" in {{ $labels.room }}; labels here: alertname, device, metric',
    'r1.yaml:11:87: "summary": {{ $value | humanize }} is not a variable: functions are not supported; write {{ $value }}',
    'r1.yaml:11:111: "summary": "{{" without its "}}"',
    'r1.yaml:12:16: alert "Twice" is there already, at r1.yaml:5:16',
    'r1.yaml:13:16: the key "key" is missing',
    'r1.yaml:13:18: unknown key "kye"; did you mean "key"?',
    'r1.yaml:14:27: the label "device" is set by Holdfast on every alert; choose another name',
    'r1.yaml:14:42: "not-good" is not a name here: a letter, then letters, digits or _, at most 64, not beginning with __',
    'r1.yaml:14:48: "n": a text; put quotes around numbers and true or false',
    'r1.yaml:14:54: "z": labels are plain text; write variables into annotations',
    'r1.yaml:15:18: "snippet": longer than 7d',
    'r2.yaml:4:16: alert "Twice" is there already, at r1.yaml:5:16',
    'r2.yaml:5:16: "below": 5 is greater than above (2): every value would be outside the band',
    'r2.yaml:7:11: group "g" is there already, at r2.yaml:2:11',
  ])
})

const refusals: [what: string, lines: string[], sentence: string][] = [
  [
    'a table named as from',
    ['alert: A', 'above: 1', 'from: x'],
    '6:15: "from": write the table as match: { table: NAME }',
  ],
  ['a misspelt limit, once', ['alert: A', 'abov: 1'], '5:9: unknown key "abov"; did you mean "above"?'],
  [
    'clear with a band',
    ['alert: A', 'above: 5', 'below: 2', 'clear: 3'],
    '7:16: "clear": only with exactly one of above and below; a band clears inside its limits',
  ],
  [
    'clear under below',
    ['alert: A', 'below: 5', 'clear: 4'],
    '6:16: "clear": 4 is smaller than below (5); the alert would clear while it is violated',
  ],
  [
    'a limit that is a text',
    ['alert: A', 'above: "8"'],
    '5:16: "above": a number, or { table: thresholds, key: "{device}/{metric}", field: max, default: 8 }',
  ],
  [
    'an infinite limit',
    ['alert: A', 'above: .inf'],
    '5:16: "above": a number, or { table: thresholds, key: "{device}/{metric}", field: max, default: 8 }',
  ],
  [
    'an unknown placeholder',
    ['alert: A', 'above: { key: "{devise}/x" }'],
    '5:23: "key": unknown placeholder "{devise}"; known are {device} and {metric}',
  ],
  [
    'a stray brace',
    ['alert: A', 'above: { key: "{device" }'],
    '5:23: "key": a brace that belongs to no placeholder; known are {device} and {metric}',
  ],
  [
    'a placeholder that chooses',
    ['alert: A', 'match: { device: "{device}" }', 'above: 1'],
    '5:26: "device": no placeholders here: this is the place that chooses the series; * stands for any run of characters',
  ],
  [
    'a number as device',
    ['alert: A', 'match: { device: 7 }', 'above: 1'],
    '5:26: "device": a text; put quotes around numbers, and around a pattern that begins with *',
  ],
  ['an hour without a unit', ['alert: A', 'above: 1', 'for: 60'], '6:14: "for": a duration such as 30s, 5m or 1h30m'],
  ['a hold of a year', ['alert: A', 'above: 1', 'for: 365d'], '6:14: "for": longer than 30d'],
  [
    'a hold that is no number at all',
    ['alert: A', 'above: 1', `for: ${'9'.repeat(400)}w`],
    '6:14: "for": longer than 30d',
  ],
  [
    'a tiny snippet',
    ['alert: A', 'above: 1', 'snippet: { max_bytes: 10 }'],
    '6:31: "max_bytes": must be from 1024 to 98304 bytes',
  ],
  [
    'a snippet that is a list',
    ['alert: A', 'above: 1', 'snippet: [60s]'],
    '6:18: "snippet": a duration such as 60s, or { before: 60s, tables: [readings], match: { device: "{device}" } }',
  ],
  [
    'a name that breaks topics',
    ['alert: a/b', 'above: 1'],
    '4:16: "alert": not a name for an alert: a letter, then letters, digits, _ . or -, no blanks, at most 100',
  ],
  ['a rule that is a text', ['A'], '4:9: item 1: expected keys with values, not a text'],
]
for (const [what, lines, sentence] of refusals) {
  test(`refused with one sentence: ${what}`, () => {
    assert.deepEqual(problems(one(...lines)), [`r1.yaml:${sentence}`])
  })
}

test('a file that is not YAML says where it stops being YAML', () => {
  assert.match(problems('groups:\n  - name: g\n rules: [').join('\n'), /^r1\.yaml:3:\d+: /)
})

test('an empty file and a file of the wrong kind say what is missing', () => {
  assert.deepEqual(problems(''), ['r1.yaml:1:1: the key "groups" is missing'])
  assert.deepEqual(problems('- alert: A'), ['r1.yaml:1:1: expected keys with values, not a list'])
})

test('one bad file among good ones gives no rules at all', () => {
  assert.equal(
    parseRules([
      { file: 'a', text: one('alert: A', 'above: 1') },
      { file: 'b', text: 'x' },
    ]).ok,
    false,
  )
})

const hostile: [what: string, text: string, sentence: RegExp][] = [
  [
    'an alias bomb',
    'a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\ngroups: [*c,*c]',
    /r1\.yaml:2:8: aliases .* not supported/,
  ],
  ['20,000 brackets', '['.repeat(20_000), /r1\.yaml:1:\d+: nested more than 64 levels deep/],
  ['20,000 brackets that close', '['.repeat(20_000) + ']'.repeat(20_000), /nested more than 64 levels deep/],
  ['20,000 dashes', '- '.repeat(20_000), /nested more than 64 levels deep/],
  ['a huge file', `groups: [] # ${'x'.repeat(300_000)}`, /larger than 262144 bytes/],
  [
    'a prototype as labels',
    one('alert: A', 'above: 1', 'labels: { __proto__: { polluted: yes } }'),
    /6:19: the key "__proto__" is not allowed/,
  ],
  ['a prototype at the top', '__proto__: { groups: [] }', /1:1: the key "__proto__" is not allowed/],
  ['a key written twice', 'groups: []\ngroups: []', /2:1: the key "groups" is written twice/],
  ['a list as a key', '? [a]\n: b', /a key must be a plain name/],
]
for (const [what, text, sentence] of hostile) {
  test(`hostile YAML is refused with a sentence: ${what}`, () => {
    assert.match(problems(text).join('\n'), sentence)
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
  })
}

test('a file of nothing but keys, or of one key, is answered with a short list', () => {
  const keys = Array.from({ length: 30_000 }, (_, index) => `k${index.toString(36)}:`).join('\n')
  assert.equal(problems(keys).length, 101)
  assert.equal(problems('a:\n'.repeat(60_000)).length, 101)
})

test('names that objects are born with are names like any other', () => {
  const [rule] = rules(
    one('alert: constructor', 'above: 1', 'labels: { toString: x }', 'annotations: { a: "{{ $labels.toString }}" }'),
  )
  assert.deepEqual(rule?.labels, { toString: 'x' })
  assert.equal(problems(one('alert: A', 'above: 1', 'annotations: { a: "{{ $labels.valueOf }}" }')).length, 1)
})
