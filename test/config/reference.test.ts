import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { ConfigDoors } from '../../runtime/config/doors.ts'
import { loadConfig } from '../../runtime/config/load.ts'
import { configJsonSchema, configReference } from '../../runtime/config/reference.ts'
import { formatProblem } from '../../runtime/document.ts'

describe('the reference', () => {
  const rows = configReference()
    .split('\n')
    .filter(line => line.startsWith('| `'))
    .map(line => line.split(/(?<!\\)\|/).map(cell => cell.trim()))

  test('has one row for each key, with a type and a sentence', () => {
    const keys = rows.map(([, key]) => key)
    assert.equal(new Set(keys).size, keys.length)
    for (const key of [
      'store.commit_interval',
      'broker.limits.topic_levels',
      'routes[].values',
      'bridges[].publish[].start',
      'hub.gateways.NAME.password_file',
    ]) {
      assert.ok(keys.includes(`\`${key}\``), key)
    }
    for (const [, key, type, , sentence] of rows) {
      assert.ok(type, `${key} has no type`)
      assert.match(sentence ?? '', /\.$/, `${key} has no sentence`)
    }
  })

  test('tells defaults as people write them', () => {
    const fallback = (name: string): string | undefined => rows.find(([, key]) => key === `\`${name}\``)?.[3]
    assert.equal(fallback('store.commit_interval'), '`100ms`')
    assert.equal(fallback('broker.limits.packet_bytes'), '`256KiB`')
    assert.equal(fallback('bridges[].url'), 'required')
    assert.equal(fallback('routes[].adapter'), 'json')
  })

  test('has a JSON schema beside it, for editors', () => {
    const schema = configJsonSchema() as { properties: Record<string, { additionalProperties?: unknown }> }
    assert.ok(Object.keys(schema.properties).includes('bridges'))
    assert.equal(schema.properties['store']?.additionalProperties, false)
    assert.ok(JSON.stringify(schema).length > 1_000)
  })
})

describe('the examples', () => {
  const readSecret = (): never => assert.fail('no secret is needed')
  const doors: ConfigDoors = { environment: {}, hostName: 'example', readSecret }
  for (const file of ['examples/holdfast.yaml', 'examples/hub.yaml']) {
    test(`${file} loads`, () => {
      const loaded = loadConfig(file, readFileSync(file, 'utf8'), doors)
      assert.ok(loaded.ok, loaded.ok ? '' : loaded.problems.map(formatProblem).join('\n'))
    })
  }

  test('fit each other: the bridge of the gateway reaches the hub, and the hub takes and gives its tables', () => {
    const [gateway, hub] = ['examples/holdfast.yaml', 'examples/hub.yaml'].map(file =>
      loadConfig(file, readFileSync(file, 'utf8'), doors),
    )
    assert.ok(gateway?.ok && hub?.ok)
    const [bridge] = gateway.config.bridges
    const { listen, accept, offer } = hub.config.hub ?? assert.fail('no hub')
    assert.ok(bridge && listen.some(({ host, port }) => host === bridge.farSide.host && port === bridge.farSide.port))
    for (const { table } of bridge.publish) assert.ok(accept === 'all' || accept.has(table))
    for (const table of bridge.subscribe) assert.ok(offer === 'all' || offer.has(table))
    assert.notEqual(gateway.config.store.path, hub.config.store.path)
  })
})
