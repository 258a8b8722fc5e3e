/** Wills of MQTT 5 that wait a while after their client has gone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import mqtt from 'mqtt'
import { openRig, until } from './rig.ts'

const timeout = 60_000

for (const qos of [0, 1, 2] as const) {
  test(`a will that waited is told once, with all that its client said, QoS ${qos}`, { timeout }, async t => {
    const { port } = await openRig(t, {}, undefined, { mqtt5: true })
    const open = (options: mqtt.IClientOptions): Promise<mqtt.MqttClient> =>
      mqtt.connectAsync({ port, protocolVersion: 5, reconnectPeriod: 0, ...options })
    const reader = await open({ clientId: 'reader' })
    t.after(() => reader.endAsync(true))
    const told: unknown[] = []
    reader.on('message', (topic, _payload, { properties }) => {
      told.push([topic, { ...properties?.userProperties }])
    })
    await reader.subscribeAsync('wills/#', { qos: 2 })
    const properties = { willDelayInterval: 1, userProperties: { why: 'gone' } }
    const will = { topic: 'wills/a', payload: Buffer.from('x'), qos, retain: false, properties }
    const client = await open({ clientId: 'a', will, properties: { sessionExpiryInterval: 60 } })
    client.stream.destroy()
    await until(() => told.length > 0)
    // What would come a second time would come before this.
    await reader.publishAsync('wills/after', '', { qos: 1 })
    await until(() => told.some(one => Array.isArray(one) && one[0] === 'wills/after'))
    assert.deepEqual(told, [
      ['wills/a', { why: 'gone' }],
      ['wills/after', {}],
    ])
  })
}
