/**
 * A Sparkplug edge node and a house of ready-made devices against a gateway of its own process: short routes, names from the
 * topics, aliases over kill -9, births asked for over MQTT.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { connectAsync, type MqttClient } from 'mqtt'
import { decodePayload } from '../../adapters/sparkplug-payload.ts'
import type { DevicesListed } from '../../runtime/api/devices.ts'
import { encodePayload, type SparkplugMetric } from '../adapters/sparkplug.ts'
import { eventually, freePort, type Program, Site, storeConfig } from './programs.ts'

const [, ofThePage = ''] = /^```yaml\n(.*?)^```/ms.exec(readFileSync('docs/ecosystems.md', 'utf8')) ?? []

async function openGateway(t: TestContext, routes: string) {
  const port = await freePort()
  const config = `gateway: { id: gw }\nclock: { trust: always }\n${storeConfig}\nbroker: { listen: '127.0.0.1:${port}' }\n${routes}`
  const gateway = new Site(t).program('gateway', { config })
  await gateway.start()
  return { gateway, url: `mqtt://127.0.0.1:${port}` }
}

const told = async (gateway: Program): Promise<string[]> =>
  (await gateway.readings()).map(({ device, metric, value }) => `${device} ${metric} ${JSON.stringify(value)}`)

const states = async (gateway: Program): Promise<string[]> =>
  (await gateway.client.get<DevicesListed>('/devices')).devices.map(({ device, state }) => `${device} ${state}`)

/** Sends as an edge node does, but for the quality of service: a PUBACK says that it was stored. */
function edgeNode(client: MqttClient) {
  let seq = 0
  const send = async (verb: string, rest: string, metrics: readonly SparkplugMetric[]): Promise<void> => {
    const payload = encodePayload({ timestamp: Date.now(), metrics, seq: seq++ % 256 })
    await client.publishAsync(`spBv1.0/plant/${verb}/${rest}`, Buffer.from(payload), { qos: 1 })
  }
  return {
    skip: () => seq++,
    birth: async () => {
      seq = 0
      await send('NBIRTH', 'line-1', [
        { name: 'bdSeq', dataType: 'UInt64', value: 4 },
        { name: 'Node Control/Rebirth', dataType: 'Boolean', value: false },
      ])
      const metric = { name: 'Motor/Speed', alias: 7, dataType: 'Int16', value: 0, properties: { engUnit: 'rpm' } }
      await send('DBIRTH', 'line-1/press', [metric])
    },
    speed: (value: number) => send('DDATA', 'line-1/press', [{ alias: 7, as: 'Int16', value }]),
  }
}

test('Sparkplug data by alias is understood after kill -9, and a gap in the sequence is answered by asking for births', {
  timeout: 120_000,
}, async t => {
  const { gateway, url } = await openGateway(t, 'routes: [{ topic: spBv1.0/#, adapter: sparkplug-b }]')
  const death = encodePayload({ timestamp: 1, metrics: [{ name: 'bdSeq', dataType: 'UInt64', value: 4 }] })
  const client = await connectAsync(url, {
    clientId: 'line-1',
    reconnectPeriod: 50,
    will: { topic: 'spBv1.0/plant/NDEATH/line-1', payload: Buffer.from(death), qos: 1, retain: false },
  })
  t.after(() => client.endAsync(true))
  const commands: string[] = []
  client.on('message', (topic, payload) => {
    const decoded = decodePayload(payload)
    const [command] = decoded.ok ? (decoded.payload.metrics ?? []) : []
    commands.push(`${topic} ${command?.name} ${command?.boolean}`)
  })
  await client.subscribeAsync('spBv1.0/plant/NCMD/line-1')
  const node = edgeNode(client)
  await node.birth()
  await node.speed(-1)
  await gateway.kill()
  await gateway.start()
  await eventually(() => assert.ok(client.connected))
  await node.speed(-2)
  const speeds = ['0', '-1', '-2'].map(value => `plant.line-1.press Motor.Speed ${value}`)
  assert.deepEqual(await told(gateway), speeds)
  assert.deepEqual(commands, [])

  node.skip()
  await node.speed(-3)
  await node.speed(-4)
  await eventually(() => assert.deepEqual(commands, ['spBv1.0/plant/NCMD/line-1 Node Control/Rebirth true']))
  const rejects = await gateway.readings('rejects')
  assert.equal(rejects.length, 2, 'an alias may mean something else by now')
  await node.birth()
  await node.speed(-5)
  assert.deepEqual(
    (await told(gateway)).slice(3),
    ['0', '-5'].map(value => `plant.line-1.press Motor.Speed ${value}`),
  )
  assert.equal((await gateway.readings()).at(-1)?.unit, 'rpm')
  assert.equal(commands.length, 1)
  assert.deepEqual(await states(gateway), ['plant.line-1 online', 'plant.line-1.press online'])

  client.stream.destroy(new Error('cut'))
  await client.endAsync(true)
  await eventually(async () =>
    assert.deepEqual(await states(gateway), ['plant.line-1 offline', 'plant.line-1.press offline']),
  )
})

test('ready-made devices are named by their own topics by the routes of docs/ecosystems.md', {
  timeout: 120_000,
}, async t => {
  const { gateway, url } = await openGateway(t, ofThePage)
  const client = await connectAsync(url)
  t.after(() => client.endAsync(true))
  const say = (topic: string, payload: string | Buffer) => client.publishAsync(topic, payload, { qos: 1 })
  await say('zigbee2mqtt/kitchen/lamp', '{"state":"ON","color":{"x":0.4},"linkquality":92}')
  await say('zigbee2mqtt/kitchen/lamp/availability', '{"state":"online"}')
  await say('tele/plug/SENSOR', '{"Time":"2026-01-31T12:00:00","ENERGY":{"Power":5}}')
  await say('stat/plug/POWER', 'OFF')
  await say('tele/plug/LWT', 'Offline')
  await say('homie/pump/motor/current/$unit', 'A')
  await say('homie/pump/motor/current', '3.2')
  await say('homie/pump/$state', 'lost')
  await say(
    'shelly1-a8/events/rpc',
    '{"method":"NotifyStatus","params":{"ts":1769860800.5,"switch:0":{"output":true}}}',
  )
  await say('shelly1-a8/online', 'false')
  const picture = { name: 'picture', dataType: 'File', value: 'ffd8' }
  const level = { name: 'Tank/Level', dataType: 'Float', value: 12.1 }
  await say(
    'spBv1.0/plant/NBIRTH/line-2',
    Buffer.from(encodePayload({ timestamp: 1, seq: 0, metrics: [picture, level] })),
  )
  assert.deepEqual(await told(gateway), [
    'kitchen.lamp state true',
    'kitchen.lamp color.x 0.4',
    'kitchen.lamp linkquality 92',
    'plug ENERGY.Power 5',
    'plug POWER false',
    'pump motor.current 3.2',
    'shelly1-a8 switch:0.output true',
    'plant.line-2 Tank.Level 12.1',
  ])
  assert.deepEqual(await states(gateway), [
    'kitchen.lamp online',
    'plant.line-2 online',
    'plug offline',
    'pump offline',
    'shelly1-a8 offline',
  ])
  const [reject] = await gateway.readings('rejects')
  assert.match(JSON.stringify(reject?.value), /picture.*File, which no reading holds/)
})
