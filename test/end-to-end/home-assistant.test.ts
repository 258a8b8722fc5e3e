/** What a client sees that says it is Home Assistant, from a real gateway with a rule. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectAsync } from 'mqtt'
import { eventually, freePort, Site, storeConfig } from './programs.ts'

const rules = `
groups:
  - name: cold-store
    rules:
      - { alert: TooWarm, match: { metric: temperature }, above: 8 }
`

test('a gateway and its alerts appear in Home Assistant once that is here, and not before', {
  timeout: 120_000,
}, async t => {
  const site = new Site()
  t.after(() => site.remove())
  const port = await freePort()
  const config = `gateway: { id: gw }\n${storeConfig}\nbroker: { listen: '127.0.0.1:${port}' }\n`
  const gateway = site.program('gateway', { config, rules })
  await gateway.start()
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: 'home-assistant' })
  t.after(() => client.end(true))
  const heard = new Map<string, string>()
  client.on('message', (topic, payload) => heard.set(topic, payload.toString()))
  await client.subscribeAsync(['homeassistant/device/#', 'holdfast/discovery/#'], { qos: 1 })
  await client.publishAsync('sensors/freezer-1/temperature', '4', { qos: 1 })
  assert.equal(heard.size, 0)

  await client.publishAsync('homeassistant/status', 'online', { qos: 1 })
  await eventually(() => assert.equal(heard.get('holdfast/discovery/gw/availability'), 'online'))
  const { components } = JSON.parse(heard.get('homeassistant/device/holdfast-gw/config') ?? '{}') as {
    components: Record<string, { device_class: string; value_template: string }>
  }
  assert.deepEqual(components['rule_TooWarm']?.device_class, 'problem')
  const state = () => JSON.parse(heard.get('holdfast/discovery/gw/state') ?? '{}') as Record<string, unknown>
  assert.deepEqual([state()['alerts'], state()['rules']], [0, { TooWarm: 0 }])

  await client.publishAsync('sensors/freezer-1/temperature', '9', { qos: 1 })
  await eventually(() => assert.deepEqual([state()['alerts'], state()['rules']], [1, { TooWarm: 1 }]))
  assert.deepEqual(state()['devices'], { 'freezer-1': true })
})
