/**
 * One folder for each case: test/adapters/golden/<adapter>/<case>/ holds the payload (`input.txt`, `input.bin`, or
 * `input.hex`: bytes in hex, with what follows a # for people), what must come out (`expected.json`), and where they are not
 * the usual ones the route's options (`options.yaml`) and `topic.txt` (the pattern, and below it the topic). A case of
 * several messages has `messages.json` instead of an input, a list of { topic, text | json | hex | sparkplug, retain }, and in
 * `expected.json` what comes out of each: what one message wants remembered is known to those after it.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { Adapter, Decoded, Levels } from '../../adapters/adapter.ts'
import { openAdapter } from '../../adapters/open.ts'
import { compileTopic } from '../../adapters/topic.ts'
import type { Json } from '../../runtime/reading.ts'
import { message, remember } from './message.ts'
import { encodePayload, type SparkplugPayload } from './sparkplug.ts'

export type Published = { readonly topic: string; readonly retain: boolean; readonly payload: Uint8Array }

export type GoldenCase = {
  readonly name: string
  readonly folder: string
  readonly pattern: string
  readonly published: readonly Published[]
  /** Opened anew at each call. */
  readonly open: () => Adapter
  readonly levelsOf: (topic: string) => Levels
}

type Sent = {
  readonly topic: string
  readonly text?: string
  readonly json?: unknown
  readonly hex?: string
  readonly sparkplug?: SparkplugPayload
  readonly retain?: boolean
}

const golden = join('test', 'adapters', 'golden')
const usualTopic = 'sensors/{device}/{metric}\nsensors/freezer-1/temperature'

export function goldenCases(adapter: string): GoldenCase[] {
  return readdirSync(join(golden, adapter)).map(name => readCase(adapter, name, join(golden, adapter, name)))
}

function readCase(adapter: string, name: string, folder: string): GoldenCase {
  const optional = (file: string): string | undefined =>
    existsSync(join(folder, file)) ? readFileSync(join(folder, file), 'utf8') : undefined
  const options: unknown = parse(optional('options.yaml') ?? '{}')
  const [pattern = '', topic = ''] = (optional('topic.txt') ?? usualTopic).split('\n')
  const compiled = compileTopic(pattern)
  assert.ok(compiled.ok, folder)
  const messages = optional('messages.json')
  const sent = messages === undefined ? undefined : (JSON.parse(messages) as readonly Sent[])
  return {
    name,
    folder,
    pattern,
    published: sent?.map(publishedAs) ?? [{ topic, retain: false, payload: inputOf(folder, optional('input.hex')) }],
    open: () => openAdapter(adapter, options),
    levelsOf: of => {
      const levels = compiled.pattern.match(of)
      assert.ok(levels, `${of} does not match ${pattern}`)
      return levels
    },
  }
}

function inputOf(folder: string, hex: string | undefined): Uint8Array {
  if (hex !== undefined) return Buffer.from(hex.replace(/#.*$/gm, '').replace(/\s+/g, ''), 'hex')
  const input = existsSync(join(folder, 'input.bin')) ? 'input.bin' : 'input.txt'
  return readFileSync(join(folder, input))
}

function publishedAs({ topic, text, json, hex, sparkplug, retain = false }: Sent): Published {
  if (sparkplug !== undefined) return { topic, retain, payload: encodePayload(sparkplug) }
  if (json !== undefined) return { topic, retain, payload: Buffer.from(JSON.stringify(json)) }
  return { topic, retain, payload: hex === undefined ? Buffer.from(text ?? '') : Buffer.from(hex, 'hex') }
}

/** What comes out of the messages one after the other. */
export function decodeAll({ open, levelsOf }: GoldenCase, published: readonly Published[]): Decoded[] {
  const adapter = open()
  const known = new Map<string, Json>()
  return published.map(({ topic, retain, payload }) => {
    const decoded = adapter.decode(payload, levelsOf(topic), { ...message(topic, known), retain })
    remember(known, decoded)
    return decoded
  })
}
