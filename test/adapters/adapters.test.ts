/** What holds for every adapter, whatever the bytes are. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { Adapter, Decoded } from '../../adapters/adapter.ts'
import { nameFault } from '../../adapters/names.ts'
import { adapterKinds, adapterNames, openAdapter } from '../../adapters/open.ts'
import { nameBytesMax, valueBytesMax } from '../../runtime/limits.ts'
import { message } from './message.ts'
import { assertSound } from './sound.ts'

const about = message()
const topicLevels = new Map([
  ['device', 'freezer-1'],
  ['metric', 'temperature'],
])
/** The others leave alone what is not of their own topics. */
const namedByTopic = adapterKinds.filter(({ nameOptions }) => nameOptions.device !== 'always').map(({ name }) => name)
const routes: Adapter[] = [
  ...adapterNames.map(openLeast),
  openAdapter('json', { each: '.', values: { a: 'x.y', b: 'constructor' } }),
  openAdapter('json', { each: 'items', fields: { device: 'dev', metric: 'm', time: 'toString' } }),
]

/** With the fewest options that it can do with. */
function openLeast(name: string) {
  return openAdapter(name, name === 'modbus' ? { points: [{ address: 0, metric: 'level' }] } : {})
}

describe('every adapter', () => {
  test('takes any bytes without throwing and says why it refuses them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        for (const adapter of routes) assertSound(adapter.decode(bytes, topicLevels, about))
      }),
    )
  })

  test('takes any JSON without throwing and says why it refuses it', () => {
    const names = fc.constantFrom(
      'value',
      'time',
      'id',
      'unit',
      'dev',
      'm',
      'items',
      'x',
      'y',
      '__proto__',
      'constructor',
    )
    const json = fc.letrec(tie => ({
      node: fc.oneof(
        { maxDepth: 4 },
        fc.oneof(fc.constant(null), fc.boolean(), fc.double({ noNaN: true }), fc.string({ unit: 'binary' })),
        fc.array(tie('node'), { maxLength: 4 }),
        fc.array(fc.tuple(names, tie('node')), { maxLength: 6 }).map(entries => Object.fromEntries(entries)),
      ),
    })).node
    fc.assert(
      fc.property(json, message => {
        const bytes = Buffer.from(JSON.stringify(message))
        for (const adapter of routes) assertSound(adapter.decode(bytes, topicLevels, about))
      }),
      { numRuns: 500 },
    )
  })

  test('refuses names that are too long, hold control characters or have no UTF-8 form', () => {
    for (const device of [
      '',
      'a\u0000b',
      'a\u0085b',
      'a\nb',
      'a+b',
      'a#',
      'a/b',
      '\ud800x',
      'é'.repeat(65),
      'a'.repeat(nameBytesMax + 1),
    ]) {
      const levels = new Map([...topicLevels, ['device', device]])
      for (const name of namedByTopic) assert.equal(openLeast(name).decode(Buffer.from('1'), levels, about).ok, false)
    }
    assert.equal(nameFault('the device', 'é'.repeat(64)), undefined)
    assert.equal(nameFault('the device', '❄️ Tiefkühler 😀'), undefined)
  })

  test('is not opened by an unknown name or with options of another', () => {
    assert.throws(() => openAdapter('constructor', {}), /there is no adapter "constructor"/)
    assert.throws(() => openAdapter('number', { fields: {} }))
  })
})

describe('the json adapter', () => {
  const decode = (text: string, options: unknown = {}): Decoded =>
    openAdapter('json', options).decode(Buffer.from(text), topicLevels, about)

  test('takes at most 1,000 readings from one message', () => {
    const list = (length: number): string => JSON.stringify(Array.from({ length }, (_, value) => ({ value, other: 1 })))
    const full = decode(list(1_000), { each: '.' })
    assert.ok(full.ok && full.readings.length === 1_000)
    assert.deepEqual(decode(list(1_001), { each: '.' }), {
      ok: false,
      reason: 'more than 1000 readings in one message',
    })
    const twice = decode(list(501), { each: '.', values: { a: 'value', b: 'other' } })
    assert.deepEqual(twice, { ok: false, reason: 'more than 1000 readings in one message' })
  })

  test('survives nesting of any depth', () => {
    for (const depth of [20, 100_000]) {
      const nested = `{"value": ${'['.repeat(depth)}${']'.repeat(depth)}}`
      assert.deepEqual(decode(nested), { ok: false, reason: '"value" is nested more than 16 deep' })
    }
  })

  test('refuses texts and objects past their size', () => {
    assert.equal(decode(JSON.stringify({ value: 'x'.repeat(valueBytesMax) })).ok, true)
    assert.equal(decode(JSON.stringify({ value: 'x'.repeat(valueBytesMax + 1) })).ok, false)
    assert.equal(decode(JSON.stringify({ value: '€'.repeat(valueBytesMax / 2) })).ok, false)
    assert.equal(decode(JSON.stringify({ value: { text: 'x'.repeat(valueBytesMax) } })).ok, false)
  })

  test('gives each of many values an id of its own', () => {
    const decoded = decode('{"id": "m1", "a": 1, "b": 2}', { values: { x: 'a', y: 'b' } })
    assert.ok(decoded.ok)
    assert.deepEqual(
      decoded.readings.map(({ id }) => id),
      ['m1/x', 'm1/y'],
    )
  })
})
