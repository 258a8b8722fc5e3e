import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Decoded } from '../../adapters/adapter.ts'
import { openAdapter } from '../../adapters/open.ts'
import { homiePropertiesMax } from '../../runtime/limits.ts'
import type { Json } from '../../runtime/reading.ts'
import { message, remember } from './message.ts'

function controller() {
  const adapter = openAdapter('homie', {})
  const known = new Map<string, Json>()
  const hear = (topic: string, text: string): Decoded => {
    const decoded = adapter.decode(Buffer.from(text), new Map(), message(`homie/${topic}`, known))
    remember(known, decoded)
    return decoded
  }
  const describeDevice = (device: string, count: number, unit = 'A'): Decoded => {
    const properties = Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, { unit }]))
    return hear(`5/${device}/$description`, JSON.stringify({ homie: '5.0', nodes: { n: { properties } } }))
  }
  return { known, hear, describeDevice }
}

describe('homie', () => {
  test('properties are remembered up to a bound, and those taken back make room', () => {
    const { known, hear, describeDevice } = controller()
    const each = 400
    for (let index = 0; index < homiePropertiesMax / each; index++) assert.ok(describeDevice(`d${index}`, each).ok)
    assert.equal(known.get('properties'), homiePropertiesMax)
    const full = { ok: false, reason: `there are ${homiePropertiesMax} properties already` }
    assert.deepEqual(describeDevice('one-more', 1), full)
    assert.deepEqual(hear('one-more/n/p/$unit', 'A'), full)
    assert.ok(describeDevice('d0', each, 'V').ok, 'those that are known may change')
    describeDevice('d0', 1)
    assert.equal(known.get('properties'), homiePropertiesMax - each + 1)
    assert.ok(hear('one-more/n/p/$unit', 'A').ok)
    assert.equal([...known.keys()].filter(key => key.startsWith('property ')).length, known.get('properties'))
  })

  test('a description of more properties than one state holds is refused', () => {
    const { known, describeDevice } = controller()
    const refused = describeDevice('car', 2_000)
    assert.ok(!refused.ok && /too many properties/.test(refused.reason))
    assert.equal(known.size, 0)
  })
})
