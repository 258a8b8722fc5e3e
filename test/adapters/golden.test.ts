/**
 * One folder for each case: test/adapters/golden/<adapter>/<case>/ holds the payload (`input.txt` or `input.bin`), what must
 * come out (`expected.json`), and where they are not the usual ones the route's options (`options.yaml`) and `topic.txt`
 * (the pattern, and below it the topic). A case of several messages has `messages.json` instead of an input, a list of
 * { topic, text | json | hex, retain }, and in `expected.json` what comes out of each: what one message wants
 * remembered is known to those after it. A new case needs no code.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { adapterNames, openAdapter } from '../../adapters/open.ts'
import { compileTopic } from '../../adapters/topic.ts'
import type { Json } from '../../runtime/reading.ts'
import { message, remember } from './message.ts'

type Sent = {
  readonly topic: string
  readonly text?: string
  readonly json?: unknown
  readonly hex?: string
  readonly retain?: boolean
}

const golden = join('test', 'adapters', 'golden')
const usualTopic = 'sensors/{device}/{metric}\nsensors/freezer-1/temperature'

describe('golden cases', () => {
  for (const adapter of adapterNames) {
    const cases = readdirSync(join(golden, adapter))
    test(`the ${adapter} adapter has cases`, () => assert.ok(cases.length >= 5))
    for (const name of cases) {
      test(`${adapter}: ${name}`, () => runCase(adapter, join(golden, adapter, name)))
    }
  }
})

function runCase(adapter: string, folder: string): void {
  const optional = (name: string): string | undefined =>
    existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : undefined
  const expected: unknown = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'))
  const options: unknown = parse(optional('options.yaml') ?? '{}')
  const [pattern = '', topic = ''] = (optional('topic.txt') ?? usualTopic).split('\n')
  const messages = optional('messages.json')
  if (messages === undefined) {
    const input = existsSync(join(folder, 'input.bin')) ? 'input.bin' : 'input.txt'
    const [decoded] = decodeAll(adapter, options, pattern, [
      { topic, retain: false, payload: readFileSync(join(folder, input)) },
    ])
    return assert.deepEqual(decoded, expected)
  }
  const sent = JSON.parse(messages) as readonly Sent[]
  const published = sent.map(one => ({ topic: one.topic, retain: one.retain === true, payload: payloadOf(one) }))
  assert.deepEqual(decodeAll(adapter, options, pattern, published), expected)
}

type Published = { readonly topic: string; readonly retain: boolean; readonly payload: Uint8Array }

/** What comes out, through JSON, so that fields that are undefined count as absent; bytes as hex. */
function decodeAll(name: string, options: unknown, pattern: string, published: readonly Published[]): unknown[] {
  const compiled = compileTopic(pattern)
  assert.ok(compiled.ok)
  const adapter = openAdapter(name, options)
  const known = new Map<string, Json>()
  return published.map(({ topic, retain, payload }) => {
    const levels = compiled.pattern.match(topic)
    assert.ok(levels, `${topic} does not match ${pattern}`)
    const decoded = adapter.decode(payload, levels, { ...message(topic, known), retain })
    remember(known, decoded)
    return JSON.parse(
      JSON.stringify(decoded, (_, value: unknown) =>
        value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
      ),
    )
  })
}

function payloadOf({ text, json, hex }: Sent): Uint8Array {
  if (json !== undefined) return Buffer.from(JSON.stringify(json))
  return hex === undefined ? Buffer.from(text ?? '') : Buffer.from(hex, 'hex')
}
