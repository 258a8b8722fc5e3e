/** The JSON Schema for editors: what it completes, and how far it agrees with what the gateway accepts. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { rulesJsonSchema } from '../../rules/language/json-schema.ts'
import { one } from './files.ts'
import { accepts, type Schema } from './json-schema.ts'

const schema = rulesJsonSchema() as Schema
const isAccepted = (text: string): boolean => accepts(schema, parse(text))

test('every key has a sentence, and no refused key is offered', () => {
  const keysOf = (node: Schema): [key: string, child: Schema][] => [
    ...Object.entries(node.properties ?? {}),
    ...[...Object.values(node.properties ?? {}), ...(node.items ? [node.items] : []), ...(node.anyOf ?? [])].flatMap(
      keysOf,
    ),
  ]
  const keys = keysOf(schema)
  const names = keys.map(([key]) => key)
  for (const key of ['alert', 'record', 'absent', 'schedule', 'within', 'payload', 'zone', 'after']) {
    assert.ok(names.includes(key), key)
  }
  for (const key of ['from', 'where', 'limit', 'query_offset', 'summary']) assert.ok(!names.includes(key), key)
  assert.deepEqual(
    keys.filter(([, child]) => !child.description).map(([key]) => key),
    [],
  )
})

test('it accepts the examples and the YAML of the documentation', () => {
  const examples = readdirSync('rules/examples', { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.yaml'))
    .map(name => readFileSync(join('rules/examples', name), 'utf8'))
  const pages = [...readFileSync('docs/rules.md', 'utf8').matchAll(/^```yaml\n(.*?)^```/gms)].map(
    ([, text = '']) => text,
  )
  const files = [...examples, ...pages].filter(text => /^groups:/m.test(text))
  assert.ok(files.length >= 2)
  for (const text of files) assert.ok(isAccepted(text), text)
})

const good: string[][] = [
  ['alert: A', 'above: 8'],
  ['alert: A', 'above: 8', 'below: 2', 'interval: 5m'],
  ['alert: A', 'expr: value > 8', 'clear: value < 7'],
  ['alert: A', 'absent: 10m', 'latch: true'],
  ['alert: A', 'above: { key: "{device}" }', 'schedule: { cron: "0 6 * * *" }'],
  ['alert: A', 'above: 8', 'actions: [{ publish: { topic: a, payload: { b: [1, null] } }, on: [resolved] }]'],
  ['record: b', 'expr: avg(5m)', 'into: means'],
]
const bad: [what: string, lines: string[]][] = [
  ['an unknown key', ['alert: A', 'above: 8', 'abov: 1']],
  ['a refused key', ['alert: A', 'above: 8', 'from: x']],
  ['no condition', ['alert: A']],
  ['two conditions', ['alert: A', 'absent: 1m', 'above: 3']],
  ['no name', ['above: 8']],
  ['an alert that is a recording', ['alert: A', 'record: b', 'expr: value']],
  ['a recording that latches', ['record: b', 'expr: value', 'latch: true']],
  ['a recording of nothing', ['record: b']],
  ['an alert that is written', ['alert: A', 'above: 1', 'into: x']],
  ['interval and schedule', ['alert: A', 'above: 1', 'interval: 1m', 'schedule: "0 6 * * *"']],
  ['a name with a slash', ['alert: a/b', 'above: 1']],
  ['a limit in quotes', ['alert: A', 'above: "8"']],
  ['a hold that is a number', ['alert: A', 'above: 8', 'for: 60']],
  ['a hold in words', ['alert: A', 'above: 8', 'for: 5 minutes']],
  ['a quality of service of 3', ['alert: A', 'above: 1', 'actions: [{ publish: { topic: a, qos: 3 } }]']],
  ['an unknown per', ['alert: A', 'above: 1', 'per: site']],
]

test('it accepts what the gateway accepts', () => {
  for (const lines of good) assert.ok(isAccepted(one(...lines)), lines.join('; '))
})

for (const [what, lines] of bad) {
  test(`it refuses ${what}`, () => assert.ok(!isAccepted(one(...lines))))
}
