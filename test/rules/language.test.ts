/** Every key of a rule beyond limits: what it becomes, and the sentence that contradictions are answered with. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRules } from '../../rules/language/file.ts'
import { one, problems, rules } from './files.ts'

const only = (...lines: string[]) => rules(one('alert: A', ...lines))[0] ?? assert.fail()

test('silence is a condition of its own', () => {
  assert.deepEqual(only('absent: 10m').condition, { kind: 'absent', afterMs: 600_000 })
  assert.equal(only('absent: 10m').moments, undefined)
})

test('what an alert stands for, how it ends and how often it is told', () => {
  const rule = only(
    'above: 8',
    'per: device',
    'latch: true',
    'flapping: { changes: 5, within: 10m }',
    'renotify: 4h',
    'late_after: 5m',
    'severity: critical',
  )
  assert.equal(rule.per, 'device')
  assert.equal(rule.latch, true)
  assert.deepEqual(rule.flapping, { changes: 5, withinMs: 600_000 })
  assert.equal(rule.renotifyMs, 14_400_000)
  assert.equal(rule.lateAfterMs, 300_000)
  assert.equal(rule.severity, 'critical')
  assert.deepEqual(rule.labels, { severity: 'critical' })
})

test('the severity of a rule wins over that of its group', () => {
  const [rule] = rules(
    'groups: [{ name: g, labels: { severity: info, site: x }, rules: [{ alert: A, above: 1, severity: critical }] }]',
  )
  assert.deepEqual(rule?.labels, { severity: 'critical', site: 'x' })
  assert.equal(rule?.severity, 'critical')
})

test('devices are chosen by the labels of the table devices too', () => {
  assert.deepEqual(only('match: { metric: t, labels: { site: "lyon*", floor: "2" } }', 'above: 1').match, {
    table: 'readings',
    device: '*',
    metric: 't',
    labels: { site: 'lyon*', floor: '2' },
  })
})

test('a rule is judged at the interval of its group, unless it says its own or a schedule', () => {
  const moments = rules(`groups:
  - name: g
    interval: 30s
    rules:
      - { alert: A, above: 1 }
      - { alert: B, above: 1, interval: 5s }
      - { alert: C, above: 1, schedule: "0 6 * * 1-5" }
      - { alert: D, above: 1, schedule: { cron: "0 6 * * *", zone: Europe/Berlin } }
      - { alert: E, absent: 1m }
`).map(rule => rule.moments)
  assert.deepEqual(moments, [
    { kind: 'interval', everyMs: 30_000 },
    { kind: 'interval', everyMs: 5_000 },
    { kind: 'cron', cron: '0 6 * * 1-5', zone: 'UTC' },
    { kind: 'cron', cron: '0 6 * * *', zone: 'Europe/Berlin' },
    undefined,
  ])
})

test('a schedule that names no zone is in the zone of the configuration', () => {
  const parsed = parseRules([{ file: 'r', text: one('alert: A', 'above: 1', 'schedule: "0 6 * * *"') }], {
    zone: 'Asia/Tokyo',
  })
  assert.ok(parsed.ok)
  assert.deepEqual(parsed.rules[0]?.moments, { kind: 'cron', cron: '0 6 * * *', zone: 'Asia/Tokyo' })
})

test('a snippet may go on after the alert; that of a whole group shows the group', () => {
  assert.equal(only('above: 1', 'snippet: { before: 1m, after: 30s }').snippet.afterMs, 30_000)
  const { device, metric } = only('match: { device: "pump-*", metric: t }', 'per: all', 'above: 1').snippet
  assert.deepEqual([device, metric], ['pump-*', 't'])
})

test('actions have their defaults filled in and keep their order', () => {
  const rule = only(
    'above: 1',
    'actions:',
    '  - publish: { topic: plant/siren/set }',
    '  - publish: { topic: "cmnd/{{ $device }}/POWER", payload: { on: true, level: "{{ $value }}" }, qos: 0, retain: true }',
    '    on: [firing, resolved]',
    '    repeat: 5m',
    '  - write: { table: orders, key: "{{ $device }}", row: { state: "{{ $state }}" } }',
    '    on: resolved',
  )
  assert.deepEqual(rule.actions, [
    {
      on: ['firing'],
      repeatMs: undefined,
      does: { kind: 'publish', topic: 'plant/siren/set', payload: '{{ $state }}', qos: 1, retain: false },
    },
    {
      on: ['firing', 'resolved'],
      repeatMs: 300_000,
      does: {
        kind: 'publish',
        topic: 'cmnd/{{ $device }}/POWER',
        payload: { on: true, level: '{{ $value }}' },
        qos: 0,
        retain: true,
      },
    },
    {
      on: ['resolved'],
      repeatMs: undefined,
      does: { kind: 'write', table: 'orders', key: '{{ $device }}', row: { state: '{{ $state }}' } },
    },
  ])
})

test('rules of the first version keep their fingerprints, so that an update restarts no hold', () => {
  const prints: [fingerprint: string, lines: string[]][] = [
    ['c0872af8c46959d4', ['above: 8']],
    ['43266772487de40a', ['below: 20', 'clear: 30', 'for: 10m']],
    [
      '963bc184c56d1a84',
      ['match: { device: "fridge-*", metric: temperature }', 'above: 8', 'below: 2', 'for: 5m', 'per: series'],
    ],
    [
      '9a167bead7878425',
      [
        'match: { table: fast, device: "freezer-*", metric: temperature }',
        'above: { table: thresholds, key: "{device}/{metric}", field: max, default: -15 }',
        'clear: { table: limits, key: clear }',
        'for: 30s',
        'keep_firing_for: 2m',
        'late_after: 60s',
        'latch: false',
        'labels: { severity: critical }',
      ],
    ],
  ]
  for (const [fingerprint, lines] of prints) assert.equal(only(...lines).fingerprint, fingerprint)
})

test('whatever changes a verdict changes the fingerprint, and nothing else does', () => {
  const print = (...lines: string[]) => only(...lines).fingerprint
  const base = print('above: 8')
  const same = [
    ['renotify: 1h'],
    ['severity: critical'],
    ['snippet: { after: 1m }'],
    ['actions: [{ publish: { topic: a } }]'],
    ['match: { labels: {} }'],
  ]
  for (const lines of same) assert.equal(print('above: 8', ...lines), base, lines.join(' '))
  const others = [
    print('above: 8', 'per: device'),
    print('above: 8', 'per: all'),
    print('above: 8', 'latch: true'),
    print('above: 8', 'flapping: { changes: 5, within: 10m }'),
    print('above: 8', 'flapping: { changes: 5, within: 11m }'),
    print('above: 8', 'interval: 1m'),
    print('above: 8', 'schedule: "0 6 * * *"'),
    print('above: 8', 'schedule: { cron: "0 6 * * *", zone: Asia/Tokyo }'),
    print('above: 8', 'late_after: 5m'),
    print('above: 8', 'match: { labels: { site: a } }'),
    print('above: 8', 'match: { labels: { site: b } }'),
    print('absent: 8s'),
    print('absent: 9s'),
  ]
  assert.equal(new Set([base, ...others]).size, others.length + 1)
  assert.equal(
    print('above: 8', 'match: { labels: { a: x, b: y } }'),
    print('above: 8', 'match: { labels: { b: y, a: x } }'),
  )
})

test('a hold over several moments of its schedule is good', () => {
  assert.equal(only('above: 1', 'for: 2d', 'schedule: "0 6 * * *"').forMs, 172_800_000)
})

const refusals: [what: string, lines: string[], ...sentences: string[]][] = [
  [
    'two conditions',
    ['alert: A', 'above: 1', 'absent: 1m'],
    '5:9: "above": a rule has one condition, and this one has absent: make two rules',
  ],
  [
    'an end of silence',
    ['alert: A', 'absent: 1m', 'clear: 3'],
    '6:9: "clear": silence ends with the next reading: leave clear out',
  ],
  [
    'moments of silence',
    ['alert: A', 'absent: 1m', 'interval: 1m'],
    '6:9: "interval": silence is found at its own moment: leave it out',
  ],
  [
    'an alert that is a recording',
    ['alert: A', 'record: b', 'above: 1'],
    '5:9: "record": a rule is an alert or a recording, not both: make two rules',
  ],
  [
    'a recording that latches',
    ['record: b', 'latch: true', 'for: 5m', 'match: { metric: a }'],
    '4:9: the key "expr" is missing: it says what the recording writes',
    '5:9: "latch": not for a recording, which raises no alert',
    '6:9: "for": not for a recording, which raises no alert',
  ],
  [
    'an alert with a table to write',
    ['alert: A', 'above: 1', 'into: x'],
    '6:9: "into": only a recording writes readings',
  ],
  ['a rule without a name', ['above: 1'], '4:9: the key "alert" is missing (or "record", for a recording)'],
  ['a misspelt name, once', ['alret: A', 'above: 1'], '4:9: unknown key "alret"; did you mean "alert"?'],
  ['a misspelt silence, once', ['alert: A', 'absnet: 5m'], '5:9: unknown key "absnet"; did you mean "absent"?'],
  [
    'a limit in quotes as end',
    ['alert: A', 'above: 8', 'clear: "7"'],
    '6:16: "clear": with above or below it is a number or a row: leave the quotes out',
  ],
  [
    'interval and schedule',
    ['alert: A', 'above: 1', 'interval: 1m', 'schedule: "0 6 * * *"'],
    '7:9: "schedule": interval says already when the rule is judged: keep one of them',
  ],
  [
    'a schedule of four fields',
    ['alert: A', 'above: 1', 'schedule: "0 6 * *"'],
    '6:19: "schedule": write a cron expression of five fields (minute, hour, day of month, month, day of week), such as "0 2 * * *"',
  ],
  [
    'a schedule that never comes',
    ['alert: A', 'above: 1', 'schedule: { cron: "0 6 31 2 *" }'],
    '6:27: "cron": "0 6 31 2 *" is no cron expression: dayOfMonth: 31 2 is an impossible day of month for the given month',
  ],
  [
    'a zone that is none',
    ['alert: A', 'above: 1', 'schedule: { cron: "0 6 * * *", zone: Europe/Lyon }'],
    '6:46: "zone": "Europe/Lyon" is no time zone: write one such as UTC or Europe/Berlin',
  ],
  [
    'a hold that ends between two moments of its schedule',
    ['alert: A', 'above: 1', 'for: 10m', 'schedule: "0 6 * * *"'],
    '6:14: "for": shorter than the time between two moments of the schedule (1d), so nobody looks again before it ends',
  ],
  ['an interval below a second', ['alert: A', 'above: 1', 'interval: 100ms'], '6:19: "interval": shorter than 1s'],
  [
    'flapping that cannot be',
    ['alert: A', 'above: 1', 'for: 5m', 'flapping: { changes: 3, within: 10m }'],
    '7:19: "flapping": each alert takes 5m to fire, so there are never more than 3 within 10m',
  ],
  [
    'a placeholder for many devices',
    ['alert: A', 'per: all', 'match: { metric: t }', 'above: { key: "{device}/{metric}" }'],
    '7:23: "key": per: all stands for many of them at once, so there is no one {device}',
  ],
  [
    'a severity said twice',
    ['alert: A', 'above: 1', 'severity: x', 'labels: { severity: y }'],
    '6:9: "severity": stands in labels too: keep one of them',
  ],
  ['an unknown per', ['alert: A', 'above: 1', 'per: devices'], '6:14: "per": series, device or all'],
  [
    'an action that does nothing, and one that does two things',
    [
      'alert: A',
      'above: 1',
      'actions:',
      '  - on: firing',
      '  - { publish: { topic: a }, write: { table: t, key: k, row: 1 } }',
    ],
    '7:13: an action says publish (a message) or write (a row)',
    '8:13: an action does one thing, publish or write: make two actions',
  ],
  [
    'an action that is repeated when all is over',
    ['alert: A', 'above: 1', 'actions:', '  - { publish: { topic: a }, on: [resolved], repeat: 5m }'],
    '7:54: "repeat": an action is repeated while the alert fires, and this one is only done when it resolves',
  ],
  [
    'a topic with a wildcard',
    ['alert: A', 'above: 1', 'actions: [{ publish: { topic: "a/+/b" } }]'],
    '6:39: "topic": a topic to publish to has no wildcards (+, #)',
  ],
  [
    'a topic of ours',
    ['alert: A', 'above: 1', 'actions: [{ publish: { topic: holdfast/alerts/x } }]'],
    '6:39: "topic": topics below holdfast/ belong to Holdfast: choose another',
  ],
  [
    'a topic with an empty level',
    ['alert: A', 'above: 1', 'actions: [{ publish: { topic: "a//{{ $device }}" } }]'],
    '6:39: "topic": a topic has no empty level and no slash at its ends',
  ],
  [
    'unknown variables, in topics, payloads, keys and rows, each where it stands',
    [
      'alert: A',
      'above: 1',
      'actions:',
      '  - publish: { topic: "a/{{ $labels.site }}", payload: { x: ["{{ $labels.b }}"] } }',
      '  - write: { table: t, key: "{{ $labels.c }}", row: { y: "v {{ $labels.d }}" } }',
    ],
    '7:34: "topic": no label "site" in {{ $labels.site }}; labels here: alertname, device, metric',
    '7:71: item 1: no label "b" in {{ $labels.b }}; labels here: alertname, device, metric',
    '8:38: "key": no label "c" in {{ $labels.c }}; labels here: alertname, device, metric',
    '8:69: "y": no label "d" in {{ $labels.d }}; labels here: alertname, device, metric',
  ],
  [
    'a quality of service that is none',
    ['alert: A', 'above: 1', 'actions: [{ publish: { topic: a, qos: 3 } }]'],
    '6:47: "qos": 0, 1 or 2',
  ],
  [
    'an occasion that is none',
    ['alert: A', 'above: 1', 'actions: [{ publish: { topic: a }, on: [fired] }]'],
    '6:49: item 1: firing or resolved',
  ],
  [
    'readings that are chosen without match',
    ['alert: A', 'above: 1', 'device: pump-1', 'entity_id: sensor.x'],
    '6:17: "device": write it into match: { device: "pump-*" }',
    '7:20: "entity_id": readings are chosen by match: { device: "pump-*", metric: temperature }',
  ],
  [
    'a regular expression as a pattern',
    ['alert: A', 'above: 1', 'match: { device: "pump-[0-9]+", metric: "a|b" }'],
    '6:26: "device": looks like a regular expression: a pattern knows only *, any run of characters',
    '6:49: "metric": looks like a regular expression: a pattern knows only *, any run of characters',
  ],
  [
    'a list of patterns',
    ['alert: A', 'above: 1', 'match: { device: [a, b] }'],
    '6:26: "device": one pattern, not a list: write a rule for each, or give the devices a label and match that',
  ],
  [
    'all labels at once, and a variable without its sign',
    ['alert: A', 'above: 1', 'annotations: { a: "{{ $labels }} {{ value }}" }'],
    '6:28: "a": {{ $labels }} are many: name one, as in {{ $labels.device }}',
    '6:42: "a": {{ value }} is not a variable: functions are not supported; write {{ $value }}',
  ],
  [
    'a key whose value begins right after its colon',
    ['alert: A', 'above:1'],
    '5:9: a blank is missing after the colon of this key',
  ],
  [
    'a key that begins in a column of its own',
    ['alert: A', ' above: 1'],
    '4:16: what follows is indented deeper than this, which has a value already',
  ],
  [
    'a key that begins before the others',
    ['alert: A\n       above: 1'],
    '5:1: indented otherwise than the lines before it: keys that belong together begin in one column',
  ],
  [
    'texts beside annotations',
    ['alert: A', 'above: 1', 'summary: Too warm'],
    '6:18: "summary": write texts as annotations: { summary: "…" }',
  ],
]
for (const [what, lines, ...sentences] of refusals) {
  test(`refused: ${what}`, () => {
    assert.deepEqual(
      problems(one(...lines)),
      sentences.map(sentence => `r1.yaml:${sentence}`),
    )
  })
}

const unquoted: [what: string, line: string, sentence: string][] = [
  ['a text that begins with !', 'expr: !(value)', '5:15: YAML takes what begins with ! for something else'],
  [
    'a text that begins with a variable',
    'annotations:\n          a: {{ $device }} is warm',
    '6:28: YAML takes {{ for something else',
  ],
  ['a text that is a variable', 'annotations:\n          a: {{ $device }}', '6:15: YAML takes {{ for something else'],
  ['a pattern that begins with *', 'match: { metric: * }', '5:26: YAML takes what begins with * for something else'],
  ['a text that goes on after its quotes', 'expr: "a" == device', '5:19: the text goes on after its closing quote'],
  [
    'a colon in a text',
    'annotations: { a: x }\n        expr: value > 3 ? "a": "b"',
    '6:15: YAML takes the ": " in this text',
  ],
]
for (const [what, line, sentence] of unquoted) {
  test(`what YAML does not understand without quotes is told in plain words: ${what}`, () => {
    const [first = '', ...more] = problems(one('alert: A', line))
    assert.ok(!more.some(each => each.includes('aliases')))
    assert.ok(first.startsWith(`r1.yaml:${sentence}`), first)
    assert.match(first, /: put the whole text in quotes/)
  })
}

test('a name of a rule and of its group may be the same, and an alert and a recording may not', () => {
  assert.deepEqual(problems('groups: [{ name: A, rules: [{ alert: A, above: 1 }] }]'), [])
})
