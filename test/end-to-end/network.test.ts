/**
 * A gateway and a hub on two hosts with a real link between them, that is unplugged, swallows packets, or loses one of
 * its ends. Numbers are those of the list of what a demanding user tries on the first day.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { Network, noNetwork, uplinkAddress } from '../rigs/network.ts'
import { arrived, journey, offline, rules, talking } from './ends.ts'
import { Publisher } from './publisher.ts'
import { eventually, type Program, Site, storeConfig } from './programs.ts'

type Hosts = {
  readonly network: Network
  readonly hub: Program
  readonly gateway: Program
  readonly publisher: Publisher
}

type Options = { readonly bridge?: string; readonly keepalive?: string; readonly tables?: string }

const hubPort = 1884

async function openHosts(t: TestContext, options: Options = {}): Promise<Hosts> {
  const network = Network.open(t)
  const site = new Site(t)
  const hub = site.program('hub', { config: hubConfig(options) }, network.on('cloud'))
  const gateway = site.program('gateway', { config: gatewayConfig(network, options), rules }, network.on('edge'))
  await hub.start()
  await gateway.start()
  await talking(gateway)
  return { network, hub, gateway, publisher: new Publisher(1883, 'freezer-1', network.lanAddress) }
}

const hubConfig = ({ tables = '' }: Options): string => `
gateway: { id: hub }
${storeConfig}
hub: { listen: '${uplinkAddress.cloud}:${hubPort}', gateways: { gw: { password: secret } } }
${tables}
`

const gatewayConfig = (network: Network, { bridge, keepalive = '5s', tables = '' }: Options): string => `
gateway: { id: gw }
${storeConfig}
broker: { listen: '${network.lanAddress}:1883', anonymous: admin }
${tables}
bridges:
  - name: up
    url: mqtt://${uplinkAddress.cloud}:${hubPort}
    password: secret
    keepalive: ${keepalive}
    ${bridge ?? 'publish: [readings, alerts]\n    subscribe: [thresholds]'}
`

const sent = async (gateway: Program, table: string) => {
  const { streams } = await gateway.bridge()
  return streams.find(stream => stream.table === table && stream.direction === 'send') ?? assert.fail(table)
}

const skip = noNetwork()
const wavy = (index: number): number => (index % 100 < 50 ? 9.5 : 6)

describe('two hosts', { skip, concurrency: 3, timeout: 300_000 }, () => {
  test('day one 1: the uplink is pulled, 1,000 readings, plugged back: all upstream, in order, once, by itself', async t => {
    const hosts = await openHosts(t)
    const { network, gateway, hub, publisher } = hosts
    await publisher.publish(100)
    network.unplug()
    await offline(gateway)
    await publisher.publish(1_000, wavy)
    assert.ok((await sent(gateway, 'readings')).behind >= 1_000)
    network.plug()
    assert.equal((await arrived(hosts)).length, 1_100)
    assert.equal((await hub.rows('alerts')).length, 10)
  })

  test('day one 2: packets vanish in the middle of the drain, without a FIN: nothing lost, nothing twice', async t => {
    const hosts = await openHosts(t, {
      bridge: 'publish: [readings, alerts]\n    subscribe: [thresholds]\n    frame_bytes: 1KiB',
    })
    const { network, gateway, hub, publisher } = hosts
    network.unplug()
    await offline(gateway)
    await publisher.publish(6_000, wavy)
    network.plug()
    await eventually(async () => assert.ok((await sent(gateway, 'readings')).confirmed > 0))
    network.swallow('edge', 'cloud')
    const held = await hub.readings()
    await publisher.publish(100)
    await offline(gateway)
    t.diagnostic(`at the hub when packets began to vanish: ${held.length} of 6100`)
    network.pass()
    await arrived(hosts)
  })

  test('day one 3: kill -9 while offline with a full queue, restarted offline, then connected: everything arrives', async t => {
    const hosts = await openHosts(t)
    const { network, gateway, hub, publisher } = hosts
    network.unplug()
    await offline(gateway)
    await publisher.publish(3_000, wavy)
    await gateway.kill()
    await gateway.start()
    await publisher.publish(100)
    assert.deepEqual(await hub.readings(), [])
    network.plug()
    assert.equal((await arrived(hosts)).length, 3_100)
  })

  test('the hub is killed while readings flow, and the network swallows what it had on its way', async t => {
    const hosts = await openHosts(t)
    const { network, gateway, hub, publisher } = hosts
    const over = new AbortController()
    const publishing = (async () => {
      while (!over.signal.aborted) await publisher.publish(50, wavy)
    })()
    await eventually(async () => assert.ok((await hub.readings()).length > 0))
    // No RST comes back: the edge learns of it by silence alone.
    network.swallow('edge')
    await hub.kill()
    await offline(gateway)
    network.pass()
    await hub.start()
    await talking(gateway)
    over.abort()
    await publishing
    await arrived(hosts)
  })

  test('day one 20: a threshold changed in the cloud while the gateway is offline judges the next reading', async t => {
    const { network, gateway, hub, publisher } = await openHosts(t)
    network.unplug()
    await offline(gateway)
    const changed = await hub.put('thresholds', 'limit', 5)
    await publisher.publish(1, () => 6)
    network.plug()
    await eventually(async () => assert.equal((await gateway.rows('thresholds'))[0]?.stamp, changed.stamp))
    await publisher.publish(1, () => 6.5)
    await eventually(async () => {
      const alerts = await hub.alerts()
      assert.deepEqual(
        alerts.map(({ value, threshold, threshold_stamp: stamp }) => [value, threshold, stamp]),
        [[6.5, 5, changed.stamp]],
      )
    })
  })

  test('day one 23: from outside every port of the gateway is closed, and the uplink carries one connection', async t => {
    const hosts = await openHosts(t)
    const { network, publisher } = hosts
    await publisher.publish(20)
    await arrived(hosts)
    assert.deepEqual(await openPorts(network), [])
    // What the edge has on the uplink: one connection, which it opened itself.
    const sockets = network
      .run('edge', 'ss', '-Htn', 'src', uplinkAddress.edge)
      .trim()
      .split('\n')
      .map(line => line.trim().split(/\s+/))
    assert.deepEqual(
      sockets.map(([state, , , , remote]) => [state, remote]),
      [['ESTAB', `${uplinkAddress.cloud}:${hubPort}`]],
    )
    const listening = network.run('edge', 'ss', '-Htlnu').trim().split('\n')
    assert.deepEqual(
      listening.map(line => line.trim().split(/\s+/)[4]),
      [`${network.lanAddress}:1883`],
    )
  })

  test('day one 25: the identical configuration applied again: queue and data untouched', async t => {
    const hosts = await openHosts(t)
    const { network, gateway, hub, publisher } = hosts
    await publisher.publish(300, wavy)
    await arrived(hosts)
    network.unplug()
    await offline(gateway)
    await publisher.publish(200)
    const before = {
      readings: (await gateway.readings()).map(journey),
      behind: (await sent(gateway, 'readings')).behind,
    }
    await gateway.stop()
    gateway.write({ config: gatewayConfig(network, {}), rules })
    await gateway.start()
    assert.deepEqual((await gateway.readings()).map(journey), before.readings)
    await eventually(async () => assert.equal((await sent(gateway, 'readings')).behind, before.behind))
    const held = (await hub.readings()).length
    network.plug()
    assert.equal((await arrived(hosts)).length, 500)
    // What the hub had did not travel again.
    assert.equal(held, 300)
  })
})

/** Tries all TCP ports of the edge from the cloud; those that answer. */
async function openPorts(network: Network): Promise<number[]> {
  const program = `
    const net = require('node:net');
    const open = [];
    let next = 1, busy = 0;
    const step = () => {
      while (busy < 200 && next <= 65535) {
        const port = next++; busy++;
        const socket = net.connect({ host: process.argv[1], port, timeout: 2000 });
        const done = isOpen => { if (isOpen) open.push(port); socket.destroy(); busy--; step(); };
        socket.once('connect', () => done(true)).once('error', () => done(false)).once('timeout', () => done(false));
      }
      if (busy === 0 && next > 65535) { console.log(JSON.stringify(open)); next = Infinity; }
    };
    step();`
  const [, ...args] = [...network.on('cloud'), process.execPath, '-e', program, uplinkAddress.edge]
  const { stdout } = await promisify(execFile)('ip', args)
  return JSON.parse(stdout) as number[]
}
