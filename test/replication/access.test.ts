/**
 * A bridge and a hub behind mosquitto, whose access rules keep something from the gateway: the status says what, there is
 * no storm of connections, and everything else goes on.
 */
import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { connectAsync } from 'mqtt'
import { Hub, type Transport } from '../../runtime/cloud/hub.ts'
import type { BridgeOptions } from '../../runtime/replication/bridge.ts'
import { memoryPlace } from '../store/homes.ts'
import { type Daemon, missing, openMosquitto } from '../rigs/mosquitto.ts'
import { Edge, append, doors, openTestStore, put, until, values } from './rig.ts'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

const own = 'holdfast/v1/gw-1'
const hubRules = ['user hub', 'topic readwrite holdfast/#', 'user gw-1']

async function openSide(rules: readonly string[], options: Partial<BridgeOptions>) {
  const lines = ['allow_anonymous true', 'acl_file {folder}/acl', 'log_type all']
  const broker = await openMosquitto(lines, { acl: `${[...hubRules, ...rules].join('\n')}\n` })
  closers.push(() => broker.stop())
  const place = memoryPlace()
  const store = await openTestStore(place, 'hub')
  closers.push(async () => {
    await store.close()
    place.remove()
  })
  const tables = ['readings', 'thresholds', 'alerts']
  const hub = await Hub.open(
    { id: 'hub', accept: tables, offer: tables, frameBytes: undefined },
    doors(store),
    await transportTo(broker),
  )
  closers.push(() => hub.close())
  const edge = await Edge.open(broker, 'gw-1', options)
  closers.push(() => edge.close())
  return { broker, store, edge }
}

async function transportTo(broker: Daemon): Promise<Transport> {
  const client = await connectAsync(`mqtt://127.0.0.1:${broker.port}`, { clientId: 'hub', username: 'hub' })
  closers.push(() => client.endAsync(true))
  return {
    publish: async (topic, payload) => void (await client.publishAsync(topic, payload, { qos: 1 })),
    subscribe: async (filter, handler) => {
      client.on('message', handler)
      await client.subscribeAsync(filter, { qos: 1 })
    },
  }
}

const connections = (broker: Daemon): number => broker.said().split(' as gw-1-cloud ').length - 1

describe('access rules of mosquitto', { skip: missing('mosquitto', 'mosquitto'), timeout: 60_000 }, () => {
  const allButReadings = [
    `topic write ${own}/up/hello`,
    `topic write ${own}/up/entries/alerts`,
    `topic write ${own}/up/position/#`,
    `topic read ${own}/down/#`,
  ]

  test('a table that may not be written stands still by name, and alerts go on', async () => {
    const { broker, store, edge } = await openSide(allButReadings, {})
    await append(edge.store, 1, 2, 3)
    await put(edge.store, 'a', 'first', 'alerts')
    const topic = `${own}/up/entries/readings`
    await until('denied', () => edge.bridge.status().link.denied.some(one => one.topic === topic))
    const { state, reason } = edge.stream('readings')
    assert.equal(state, 'refused')
    assert.match(
      reason ?? '',
      /let this user write to holdfast\/v1\/gw-1\/up\/entries\/readings in the broker's access/,
    )
    await put(edge.store, 'b', 'second', 'alerts')
    await until('alerts at the hub', async () => (await values(store, 'alerts')).length === 2)
    assert.deepEqual([await values(store), connections(broker), edge.bridge.status().state], [[], 1, 'talking'])
  })

  test('with MQTT 3.1.1, where it acknowledges what it throws away, the stream is stalled and says what may be', async () => {
    const { broker, store, edge } = await openSide(allButReadings, { mqtt: '3.1.1' })
    await append(edge.store, 1, 2, 3)
    await until('stalled', () => edge.stream('readings').state === 'stalled')
    assert.match(
      edge.stream('readings').reason ?? '',
      /not confirmed.*keep holdfast\/v1\/gw-1\/up\/entries\/readings from/,
    )
    await put(edge.store, 'a', 'first', 'alerts')
    await until('the alert', async () => (await values(store, 'alerts')).length === 1)
    assert.equal(connections(broker), 1)
  })

  test('a subscription that mosquitto grants and never serves is told as a greeting without an answer', async () => {
    const { edge } = await openSide([`topic write ${own}/up/#`], {})
    await until('said', () => /no answer to our greeting/.test(edge.bridge.status().reason ?? ''))
    const { state, reason, link } = edge.bridge.status()
    assert.deepEqual([state, link.state], ['greeting', 'connected'])
    assert.match(reason ?? '', /read holdfast\/v1\/gw-1\/down\/# by the broker's access rules/)
  })
})
