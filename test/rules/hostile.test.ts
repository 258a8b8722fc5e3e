/** Rule files that are written to hurt: each is answered with a sentence, and none takes its time or its memory with it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { parseRules } from '../../rules/language/file.ts'
import { documentProblemsMax } from '../../runtime/document.ts'
import { one, problems } from './files.ts'

const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at))
const fileOf = (rules: readonly string[]): string => `groups:\n  - name: g\n    rules:\n${rules.join('\n')}\n`

const hostile: [what: string, text: string, sentence: RegExp][] = [
  ['an alias bomb', 'a: &a [x,x]\nb: &b [*a,*a]\ngroups: [*b,*b]', /1?2:\d+: aliases .* not supported/],
  ['20,000 brackets', `groups: ${'['.repeat(20_000)}`, /nested more than 64 levels deep/],
  ['a huge file', `groups: [] # ${'x'.repeat(300_000)}`, /larger than 262144 bytes/],
  [
    'a giant expression',
    one('alert: A', `expr: "${'value + '.repeat(20_000)}1 > 0"`),
    /"expr": longer than 4096 characters/,
  ],
  [
    'an expression of very many parts',
    one('alert: A', `expr: "${'value > 3 || '.repeat(300)}true"`),
    /5:\d+: "expr": /,
  ],
  [
    'an expression that nests',
    one('alert: A', `expr: "${'('.repeat(1_000)}1${')'.repeat(1_000)} > 3"`),
    /5:\d+: "expr": /,
  ],
  ['a list without end', one('alert: A', `expr: "value in [${'1,'.repeat(1_500)}1]"`), /5:\d+: "expr": /],
  [
    'walks inside walks',
    one('alert: A', 'expr: value.all(a, value.all(b, value.all(c, a == c)))'),
    /"expr": all may not stand inside another walk/,
  ],
  [
    'a runaway regular expression',
    one('alert: A', 'expr: device.matches("(a+)+$")'),
    /regular expressions are not supported/,
  ],
  ['a window of years', one('alert: A', 'expr: avg(90000d) > 1'), /5:\d+: "expr": /],
  [
    'windows without number',
    one('alert: A', `expr: ${times(30, at => `avg(${at + 1}m)`).join(' + ')} > 1`),
    /"expr": /,
  ],
  [
    'other series without number',
    one('alert: A', `expr: ${times(40, at => `last("m${at}")`).join(' + ')} > 1`),
    /5:\d+: "expr": /,
  ],
  [
    'a pattern of stars',
    one('alert: A', 'above: 1', `match: { device: "${'*a'.repeat(50_000)}" }`),
    /longer than 256 characters/,
  ],
  [
    'a topic of braces',
    one('alert: A', `above: 1`, `actions: [{ publish: { topic: "${'{{'.repeat(60_000)}" } }]`),
    /"topic": longer than 512/,
  ],
  [
    'a payload that is a document',
    one(
      'alert: A',
      'above: 1',
      `actions: [{ publish: { topic: a, payload: [${'"{{ $labels.x }}",'.repeat(9_000)}1] } }]`,
    ),
    /"payload": longer than 8192 characters/,
  ],
  [
    'actions without number',
    one('alert: A', 'above: 1', `actions: [${'{ publish: { topic: a } },'.repeat(17)}]`),
    /6:18: "actions": at most 16 actions/,
  ],
  [
    'labels without number',
    one('alert: A', 'above: 1', `labels: { ${times(12_000, at => `l${at}: x`).join(', ')} }`),
    /more than 32 labels/,
  ],
  [
    'labels to match without number',
    one('alert: A', 'above: 1', `match: { labels: { ${times(100, at => `l${at}: x`).join(', ')} } }`),
    /"labels": more than 16 labels/,
  ],
  [
    'annotations that are all wrong',
    one(
      'alert: A',
      'above: 1',
      `annotations: { ${times(100, at => `a${at}: "${'{{ $x }}'.repeat(200)}"`).join(', ')} }`,
    ),
    /more than 32 annotations/,
  ],
  [
    'a schedule of 50,000 minutes',
    one('alert: A', 'above: 1', `schedule: "${'0,'.repeat(50_000)}0 * * * *"`),
    /longer than 100 characters/,
  ],
  [
    'a zone that is a book',
    one('alert: A', 'above: 1', `schedule: { cron: "0 6 * * *", zone: ${'x'.repeat(50_000)} }`),
    /longer than 100 characters/,
  ],
  ['a hold beyond all numbers', one('alert: A', 'above: 1', `for: ${'9'.repeat(400)}w`), /"for": longer than 30d/],
  ['an interval of nothing', one('alert: A', 'above: 1', 'interval: 0s'), /"interval": shorter than 1s/],
  ['very long keys', one(`{ ${'x'.repeat(100_000)}: 1 }`), /unknown key/],
  [
    'the prototype of a payload',
    one('alert: A', 'above: 1', 'actions: [{ publish: { topic: a, payload: { __proto__: { x: 1 } } } }]'),
    /"__proto__" is not allowed/,
  ],
]
for (const [what, text, sentence] of hostile) {
  test(`refused with a sentence: ${what}`, () => {
    const found = problems(text)
    assert.match(found.join('\n'), sentence)
    assert.ok(found.length <= documentProblemsMax + 1)
    assert.ok(found.every(each => each.length < 1_000))
  })
}

test('labels without number are not all named in each complaint about a text', () => {
  const labels = times(5_000, at => `l${at}: x`).join(', ')
  const text = one(
    'alert: A',
    'above: 1',
    `labels: { ${labels} }`,
    `annotations: { a: "${'{{ $labels.no }}'.repeat(100)}" }`,
  )
  assert.deepEqual(problems(text).length, 1)
})

test('very many rules are refused with one sentence, and so are very many files', () => {
  const files = times(11, file => fileOf(times(1_000, at => `      - { alert: A${file}_${at}, above: 1 }`)))
  assert.deepEqual(problems(...files), ['r11.yaml:4:9: more than 10000 rules in all files'])
  assert.deepEqual(problems(...times(300, () => '')), [
    'r257.yaml: more than 256 rule files: put several groups into one file',
  ])
})

test('a file of one mistake a thousand times is answered with a short list', () => {
  for (const rule of [
    '- { alert: A, above: 1 }',
    '-',
    '- { alert: B, expr: "x > 1" }',
    '- { record: r, expr: value }',
  ]) {
    assert.equal(problems(fileOf(times(5_000, () => `      ${rule}`))).length, documentProblemsMax + 1, rule)
  }
})

/** Anything that YAML can say, made of the words of the language. */
const words = [
  'groups',
  'rules',
  'name',
  'alert',
  'record',
  'expr',
  'clear',
  'above',
  'absent',
  'match',
  'per',
  'actions',
]
const anything = fc.letrec(tie => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<unknown>(
      null,
      true,
      0,
      -1,
      '',
      '5m',
      'A',
      'all',
      '{{ $x',
      '{device}',
      'value > 3',
      'rate(5m)',
      '__proto__',
    ),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom(
        ...words,
        'publish',
        'topic',
        'payload',
        'schedule',
        'cron',
        'flapping',
        'changes',
        'within',
        'labels',
      ),
      tie('value'),
      { maxKeys: 5 },
    ),
  ),
})).value

test('no file throws: it is rules, or it is problems that each have a place', () => {
  const isAnswered = (content: unknown): void => {
    const parsed = parseRules([{ file: 'f', text: JSON.stringify(content) }])
    if (parsed.ok) return
    assert.ok(parsed.problems.length > 0)
    for (const { line, column, message } of parsed.problems) assert.ok(line >= 1 && column >= 1 && message.length > 3)
  }
  const rule = fc.dictionary(
    fc.constantFrom(
      'alert',
      'record',
      'expr',
      'clear',
      'above',
      'below',
      'absent',
      'match',
      'per',
      'for',
      'schedule',
      'actions',
      'flapping',
      'snippet',
      'labels',
      'annotations',
      'into',
      'interval',
    ),
    anything,
    { maxKeys: 8 },
  )
  const file = fc.oneof(
    anything,
    fc.record({
      groups: fc.array(fc.record({ name: fc.constant('g'), rules: fc.array(rule, { maxLength: 3 }) }), {
        maxLength: 2,
      }),
    }),
  )
  fc.assert(fc.property(file, isAnswered), { numRuns: 300 })
})
