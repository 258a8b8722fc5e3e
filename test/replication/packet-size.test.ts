/** A broker between the ends that takes no packet beyond its limit, and says so in MQTT 5. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, describe, test } from 'node:test'
import { BrokerTransport } from '../../runtime/cloud/broker-transport.ts'
import { Hub } from '../../runtime/cloud/hub.ts'
import { silentLog } from '../../runtime/log.ts'
import { systemTime } from '../../runtime/replication/time.ts'
import type { Store } from '../../runtime/store/store.ts'
import { missing, openMosquitto } from '../rigs/mosquitto.ts'
import { Edge, append, doors, logOf, openTestStore, places, put, rowsOf, until } from './rig.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

async function openEnds(packetBytesMax: number): Promise<{ store: Store; hub: Hub; edge: Edge }> {
  const broker = await openMosquitto(['allow_anonymous true', `max_packet_size ${packetBytesMax}`])
  closers.push(() => broker.stop())
  const place = places.memory()
  const store = await openTestStore(place, 'hub')
  closers.push(() => store.close())
  const url = `mqtt://127.0.0.1:${broker.port}`
  const link = { hub: 'hub', url, username: 'hub', password: undefined, tls: undefined, secrets: undefined }
  const transport = new BrokerTransport(link, { time: systemTime, random: () => 0.02, log: silentLog })
  closers.push(() => transport.close())
  const options = { id: 'hub', accept: ['readings', 'alerts'], offer: ['thresholds'], frameBytes: undefined }
  const hub = await Hub.open(options, doors(store), transport)
  transport.tellOf(hub)
  closers.push(() => hub.close())
  const edge = await Edge.open(broker, 'gw-1')
  closers.push(() => edge.close())
  return { store, hub, edge }
}

const noise = (bytes: number): string => randomBytes(bytes / 2).toString('hex')
const gapOf = (stream: { parked: number; lastGap: string | undefined }) => [stream.parked, stream.lastGap]

describe('a broker with a maximum packet size', { skip: missing('mosquitto', 'mosquitto') }, () => {
  test('gets frames that fit it, both ways, and a row that never can is parked and told as a gap', async () => {
    const { store, hub, edge } = await openEnds(12_000)
    await append(edge.store, ...Array.from({ length: 4_000 }, (_, index) => Math.sin(index * 12.9898) * 43758))
    await put(edge.store, 'before', 1, 'alerts')
    await put(edge.store, 'large', noise(20_000), 'alerts')
    for (let row = 0; row < 10; row++) await put(edge.store, `after-${row}`, noise(4_000), 'alerts')
    await put(store, 'large', noise(20_000))
    for (let row = 0; row < 10; row++) await put(store, `after-${row}`, noise(4_000))
    await until('the readings', () => store.head('readings') === 4_000)
    await until('the alerts', () => store.latest('alerts', 'after-9') !== undefined)
    await until('the thresholds', () => edge.store.latest('thresholds', 'after-9') !== undefined)
    assert.equal((await logOf(store, 'readings')).length, 4_000)
    assert.deepEqual(Object.keys(await rowsOf(store, 'alerts')).length, 11)
    assert.deepEqual(Object.keys(await rowsOf(edge.store)).length, 10)
    const up = hub.status().gateways[0]?.streams.find(({ table }) => table === 'alerts')
    const down = hub.status().gateways[0]?.streams.find(({ table }) => table === 'thresholds')
    assert.deepEqual(up && [up.gaps, up.lastGap], [1, 'row-too-large'])
    assert.equal(edge.stream('alerts').parked, 1)
    assert.deepEqual(down && gapOf(down), [1, 'row-too-large'])
  })

  test('that is too small for any frame is told, with what to do', async () => {
    const { edge } = await openEnds(4_000)
    await until('refused', () => edge.bridge.status().state === 'refused')
    assert.match(edge.bridge.status().reason ?? '', /^the broker takes payloads of at most 3\d\d\d bytes, .*raise its/)
  })
})
