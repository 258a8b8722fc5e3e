import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Discovery, type DiscoveryMode } from '../../runtime/discovery/discovery.ts'
import type { Facts } from '../../runtime/discovery/entities.ts'
import { silentLog } from '../../runtime/log.ts'
import type { Json } from '../../runtime/reading.ts'
import type { Change } from '../../runtime/store/types.ts'

const quiet: Facts = {
  gateway: 'gw-1',
  version: '1.0.0',
  rules: new Map([['TooWarm', 0]]),
  devices: new Map([['freezer-1', true]]),
  links: new Map(),
  problems: [],
  isClockTrusted: true,
}

/** A Home Assistant that remembers what was published to it, and a store of states that outlives a gateway. */
function house() {
  const states = new Map<string, Json>()
  const published: [topic: string, payload: string][] = []
  const scene = { facts: quiet, isDown: false }
  const open = (mode: DiscoveryMode): Discovery =>
    new Discovery(
      { mode, prefix: 'homeassistant' },
      {
        facts: () => scene.facts,
        publish: async (topic, payload) => {
          if (scene.isDown) throw new Error('not connected')
          published.push([topic, payload])
        },
        store: {
          states: () => states,
          commit: async (changes: readonly Change[]) => {
            for (const change of changes) {
              if (change.kind !== 'state') continue
              if (change.value === undefined) states.delete(change.key)
              else states.set(change.key, change.value)
            }
            return { stored: 0, duplicates: 0, applied: 0, superseded: 0 }
          },
        },
        after: () => () => undefined,
        log: silentLog,
      },
    )
  /** The last of a topic that ends so, since this was last asked. */
  const last = (end: string): Record<string, Json> | string | undefined => {
    const found = published.findLast(([topic]) => topic.endsWith(end))?.[1]
    return found?.startsWith('{') === true ? (JSON.parse(found) as Record<string, Json>) : found
  }
  return { scene, open, published, last }
}

const componentsIn = (config: unknown): Record<string, Record<string, Json>> =>
  (config as { components: Record<string, Record<string, Json>> }).components

describe('Home Assistant', () => {
  test('hears nothing until it has said that it is here, and everything from then on, over restarts', async () => {
    const { open, published, last } = house()
    const first = open('auto')
    await first.look()
    assert.deepEqual(published, [])
    first.heard('offline')
    first.heard('online')
    await first.look()
    const config = last('/config') as Record<string, Json>
    assert.deepEqual(Object.keys(componentsIn(config)), [
      'problem',
      'alerts',
      'clock',
      'rule_TooWarm',
      'device_freezer-1',
    ])
    assert.equal(config['state_topic'], 'holdfast/discovery/gw-1/state')
    assert.equal(last('/availability'), 'online')
    await first.close()
    assert.equal(last('/availability'), 'offline')
    const again = open('auto')
    await again.look()
    assert.equal(last('/availability'), 'online')
  })

  test('is told what changes, and nothing twice', async () => {
    const { scene, open, published, last } = house()
    const discovery = open('on')
    await discovery.look()
    assert.deepEqual(
      published.map(([topic]) => topic),
      [
        'homeassistant/device/holdfast-gw-1/config',
        'holdfast/discovery/gw-1/state',
        'holdfast/discovery/gw-1/availability',
      ],
    )
    await discovery.look()
    assert.equal(published.length, 3)
    scene.facts = { ...quiet, rules: new Map([['TooWarm', 2]]), problems: ['DiskFloor'] }
    await discovery.look()
    assert.equal(published.length, 4)
    const state = last('/state') as Record<string, Json>
    assert.deepEqual(
      [state['alerts'], state['rules'], state['problems'], state['devices']],
      [2, { TooWarm: 2 }, ['DiskFloor'], { 'freezer-1': true }],
    )
    discovery.heard('online')
    await discovery.look()
    assert.equal(published.length, 7, 'all of it again once it has started anew')
    for (let times = 0; times < 100; times++) discovery.heard('online')
    await discovery.look()
    assert.equal(published.length, 10, 'and once, however often it says so')
  })

  test('is told of a rule that is gone, so that it takes the entity away', async () => {
    const { scene, open, last } = house()
    await open('on').look()
    scene.facts = { ...quiet, rules: new Map([['Colder', 0]]) }
    await open('on').look()
    const components = componentsIn(last('/config'))
    assert.deepEqual(components['rule_TooWarm'], { p: 'binary_sensor' })
    assert.equal(components['rule_Colder']?.['name'], 'Colder')
  })

  test('has the device taken away when discovery is switched off', async () => {
    const { open, published } = house()
    await open('on').look()
    published.length = 0
    const off = open('off')
    await off.look()
    assert.deepEqual(
      published.map(([, payload]) => payload),
      ['', '', ''],
    )
    await off.look()
    assert.equal(published.length, 3)
  })

  test('is told later what could not be told', async () => {
    const { scene, open, last } = house()
    scene.isDown = true
    const discovery = open('on')
    await discovery.look()
    assert.equal(last('/config'), undefined)
    scene.isDown = false
    await discovery.look()
    assert.equal(last('/availability'), 'online')
  })

  test('gets names that it takes, and two for two names', async () => {
    const { scene, open, last } = house()
    scene.facts = {
      ...quiet,
      devices: new Map([
        ['kühl 1', true],
        ['kühl.1', false],
      ]),
    } // prettier-ignore
    await open('on').look()
    const keys = Object.keys(componentsIn(last('/config'))).filter(key => key.startsWith('device_'))
    assert.equal(new Set(keys).size, 2)
    for (const key of keys) assert.match(key, /^[A-Za-z0-9_-]+$/)
  })
})
