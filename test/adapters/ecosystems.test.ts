/** What holds for the adapters that name devices by their own topics, whatever the bytes, the topics and their order are. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { Levels } from '../../adapters/adapter.ts'
import { adapterKinds, openAdapter } from '../../adapters/open.ts'
import type { Json } from '../../runtime/reading.ts'
import { message, remember } from './message.ts'
import { assertSound } from './sound.ts'

const none: Levels = new Map()

/** Words of each format's topics and payloads: random texts alone would never get past its first question. */
const words: Readonly<Record<string, { readonly levels: readonly string[]; readonly keys: readonly string[] }>> = {
  zigbee2mqtt: {
    levels: ['zigbee2mqtt', 'bridge', 'state', 'lamp', 'kitchen', 'set', 'get', 'availability', '', 'a+b', '\ud800'],
    keys: ['state', 'last_seen', 'color', 'x', 'linkquality', 'device', 'a/b', '', '__proto__'],
  },
  senml: { levels: ['senml', 'attic'], keys: ['bn', 'bt', 'n', 'u', 'v', 'vs', 'vd', 's', 't', 'bver', 'x_'] },
  shelly: {
    levels: ['shellies', 'plus1', 'events', 'rpc', 'online', 'status', 'switch:0', 'relay', '0', 'command', ''],
    keys: ['method', 'params', 'ts', 'switch:0', 'events', 'component', 'event', 'id', 'apower', 'temperature', 'tC'],
  },
  homie: {
    levels: ['homie', '5', 'car', 'engine', 'speed', '$state', '$description', '$unit', '$datatype', '$stats', 'set'],
    keys: ['nodes', 'properties', 'datatype', 'unit', 'format', 'engine', 'speed', '__proto__'],
  },
  'sparkplug-b': {
    levels: ['spBv1.0', 'plant', 'NBIRTH', 'DBIRTH', 'NDATA', 'DDATA', 'NDEATH', 'NCMD', 'STATE', 'line', ''],
    keys: ['timestamp'],
  },
  tasmota: {
    levels: ['tele', 'stat', 'cmnd', 'plug', 'SENSOR', 'STATE', 'LWT', 'RESULT', 'STATUS8', 'STATUS11', 'POWER1', ''],
    keys: [
      'Time',
      'ENERGY',
      'Power',
      'POWER',
      'TempUnit',
      'PressureUnit',
      'StatusSNS',
      'StatusSTS',
      'Temperature',
      '#',
    ],
  },
}

function payloads(keys: readonly string[]): fc.Arbitrary<Uint8Array> {
  const { node } = fc.letrec(tie => ({
    node: fc.oneof(
      { maxDepth: 4 },
      fc.oneof(
        fc.constantFrom(null, true, 'ON', 'online', 'Offline', 'ready', '2026-01-31T12:00:00', 1_769_860_800.5, '21.5'),
        fc.double({ noNaN: true }),
        fc.string({ unit: 'binary' }),
      ),
      fc.array(tie('node'), { maxLength: 3 }),
      fc.array(fc.tuple(fc.constantFrom(...keys), tie('node')), { maxLength: 5 }).map(own => Object.fromEntries(own)),
    ),
  }))
  const json = node.map(value => Buffer.from(JSON.stringify(value)))
  const text = fc
    .constantFrom('ON', 'online', 'Online', 'true', 'ready', 'lost', '21.5', 'float', '')
    .map(word => Buffer.from(word))
  return fc.oneof(json, text, fc.uint8Array({ maxLength: 60 }))
}

describe('an adapter that names devices', () => {
  for (const { name, nameOptions } of adapterKinds) {
    if (nameOptions.device !== 'always') continue
    const own = words[name]
    assert.ok(own, `no words for ${name}`)
    const topics = fc.array(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...own.levels) }, fc.string()), {
      minLength: 1,
      maxLength: 6,
    })
    const rooted = topics.map(levels => [own.levels[0], ...levels])
    const sent = fc.tuple(fc.oneof(topics, rooted, rooted), payloads(own.keys), fc.boolean())

    test(`${name} takes any messages in any order without throwing`, () => {
      fc.assert(
        fc.property(fc.array(sent, { maxLength: 8 }), messages => {
          const adapter = openAdapter(name, {})
          const known = new Map<string, Json>()
          for (const [levels, payload, retain] of messages) {
            const topic = levels.join('/')
            const decoded = adapter.decode(payload, none, { ...message(topic, known), retain })
            assertSound(decoded)
            remember(known, decoded)
          }
        }),
        { numRuns: 200 },
      )
    })
  }
})
