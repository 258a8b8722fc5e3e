/**
 * One folder for each case: test/adapters/golden/<adapter>/<case>/ holds the payload (`input.txt` or `input.bin`), what must
 * come out (`expected.json`), and where they are not the usual ones the route's options (`options.yaml`) and `topic.txt`
 * (the pattern, and below it the topic). A new case needs no code.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { adapterNames, openAdapter } from '../../adapters/open.ts'
import { compileTopic } from '../../adapters/topic.ts'
import { message } from './message.ts'

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
  const input = existsSync(join(folder, 'input.bin')) ? 'input.bin' : 'input.txt'
  const [pattern = '', topic = ''] = (optional('topic.txt') ?? usualTopic).split('\n')
  const compiled = compileTopic(pattern)
  assert.ok(compiled.ok)
  const levels = compiled.pattern.match(topic)
  assert.ok(levels, `${topic} does not match ${pattern}`)
  const options: unknown = parse(optional('options.yaml') ?? '{}')
  const decoded = openAdapter(adapter, options).decode(readFileSync(join(folder, input)), levels, message(topic))
  // Through JSON, so that fields that are undefined count as absent.
  assert.deepEqual(JSON.parse(JSON.stringify(decoded)), JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')))
}
