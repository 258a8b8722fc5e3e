/**
 * A hub, a gateway, and a link between them that is cut, falls silent, is slow, or loses one of its ends: what the gateway
 * has acknowledged comes to the hub once and in order, and what the hub says comes down.
 */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { openProxy, type Proxy } from '../rigs/proxy.ts'
import { arrived, contents, offline, rules, talking } from './ends.ts'
import { Publisher } from './publisher.ts'
import { eventually, freePort, pause, type Program, Site, slowStoreConfig, storeConfig } from './programs.ts'

type Line = {
  readonly hub: Program
  readonly gateway: Program
  readonly link: Proxy
  readonly publisher: Publisher
}

type LineOptions = {
  readonly bridge?: string
  readonly tables?: string
  readonly keepalive?: string
  readonly hubStore?: string
}

/** The hub, and a gateway that talks to it over a link of its own. Both talk when it resolves. */
async function openLine(t: TestContext, options: LineOptions = {}): Promise<Line> {
  const site = new Site(t)
  const { hub, hubPort } = await openHub(site, options)
  const { gateway, link, port } = await openEdge(t, site, hubPort, 'gw', options)
  return { hub, gateway, link, publisher: new Publisher(port) }
}

async function openHub(
  site: Site,
  { tables = '', hubStore = storeConfig }: LineOptions,
): Promise<{ hub: Program; hubPort: number }> {
  const hubPort = await freePort()
  const listen = `hub: { listen: '127.0.0.1:${hubPort}' }`
  const hub = site.program('hub', { config: `gateway: { id: hub }\n${hubStore}\n${listen}\n${tables}\n` })
  await hub.start()
  return { hub, hubPort }
}

async function openEdge(
  t: TestContext,
  site: Site,
  hubPort: number,
  id: string,
  { bridge = 'publish: [readings, alerts], subscribe: [thresholds]', tables = '', keepalive = '5s' }: LineOptions,
) {
  const port = await freePort()
  const link = await openProxy({ target: { host: '127.0.0.1', port: hubPort } })
  t.after(() => link.close())
  const gateway = site.program(id, {
    config: `
gateway: { id: ${id} }
${storeConfig}
broker: { listen: '127.0.0.1:${port}' }
${tables}
bridges: [{ name: up, url: 'mqtt://127.0.0.1:${link.port}', keepalive: ${keepalive}, ${bridge} }]
`,
    rules,
  })
  await gateway.start()
  await talking(gateway)
  return { gateway, link, port }
}

const behind = async (gateway: Program, table: string): Promise<number> => {
  const { streams } = await gateway.bridge()
  return streams.find(stream => stream.table === table && stream.direction === 'send')?.behind ?? assert.fail(table)
}

// Most of each test is waiting for a back-off or a keepalive, so they wait together.
describe('the link', { concurrency: 4, timeout: 300_000 }, () => {
  test('is cut while readings and alerts go on: all of it is at the hub once and in order, without another publish', async t => {
    const line = await openLine(t)
    const { gateway, hub, link, publisher } = line
    await publisher.publish(200)
    link.cut()
    await offline(gateway)
    await publisher.publish(1_000, index => (index % 100 < 50 ? 9.5 : 6))
    assert.ok((await behind(gateway, 'readings')) >= 1_000)
    await eventually(async () => assert.equal((await gateway.rows('alerts')).length, 10))
    assert.deepEqual(await hub.rows('alerts'), [])
    link.restore()
    assert.equal((await arrived(line)).length, 1_200)
    assert.equal((await hub.rows('alerts')).length, 10)
  })

  for (const silent of ['up', 'down', 'both'] as const) {
    test(`falls silent (${silent}) in the middle of a drain, without a FIN: nothing is lost, nothing comes twice [I10]`, async t => {
      // Small frames of values that do not compress, over a thin link: the drain takes a while, and many frames.
      const bridge = 'publish: [readings, alerts], subscribe: [thresholds], frame_bytes: 1KiB'
      const line = await openLine(t, { bridge })
      const { gateway, hub, link, publisher } = line
      link.cut()
      await offline(gateway)
      await publisher.publish(6_000, () => Math.random() * 7)
      link.restore()
      link.throttle(4_000)
      await eventually(async () => assert.ok((await hub.readings()).length > 0))
      link.stall(silent)
      await publisher.publish(100)
      // Nobody hangs up: the gateway must find out by itself.
      await offline(gateway)
      assert.ok((await hub.readings()).length < 6_100, 'the drain was over before the silence')
      link.restore()
      await arrived(line)
    })
  }

  test('is slow: all of it arrives, in order', async t => {
    const line = await openLine(t)
    line.link.delay(150)
    await line.publisher.publish(500, index => (index % 100 < 50 ? 9.5 : 6))
    await arrived(line)
  })

  test('loses the hub to kill -9 while readings flow, twice: nothing is lost, nothing comes twice [I3]', async t => {
    const line = await openLine(t, { hubStore: slowStoreConfig })
    const { hub, publisher } = line
    const over = new AbortController()
    const publishing = (async () => {
      while (!over.signal.aborted) await publisher.publish(50, index => (index % 100 < 50 ? 9.5 : 6))
    })()
    // Twice: the back-off starts from its beginning only on a link that has proved itself, so each kill costs more time.
    for (let round = 0; round < 2; round++) {
      const { length } = await hub.readings()
      await eventually(async () => assert.ok((await hub.readings()).length > length))
      await hub.kill()
      await hub.start()
    }
    over.abort()
    await publishing
    await arrived(line)
  })

  test('is down when the gateway is killed with a full queue and started again: all that was acknowledged arrives', async t => {
    const line = await openLine(t)
    const { gateway, hub, link, publisher } = line
    link.cut()
    await offline(gateway)
    await publisher.publish(2_000, index => (index % 200 < 100 ? 9.5 : 6))
    await gateway.kill()
    await gateway.start()
    assert.ok((await behind(gateway, 'readings')) >= 2_000)
    await publisher.publish(100)
    assert.deepEqual(await hub.readings(), [])
    link.restore()
    assert.equal((await arrived(line)).length, 2_100)
    assert.equal((await hub.rows('alerts')).length, 10)
  })

  test('was down while a threshold changed at the hub: the next reading after it is judged by the new one', async t => {
    const { gateway, hub, link, publisher } = await openLine(t)
    const first = await hub.put('thresholds', 'limit', 8)
    await eventually(async () => assert.equal((await gateway.rows('thresholds'))[0]?.stamp, first.stamp))
    link.cut()
    await offline(gateway)
    const second = await hub.put('thresholds', 'limit', 5)
    await publisher.publish(1, () => 6)
    link.restore()
    await eventually(async () => assert.equal((await gateway.rows('thresholds'))[0]?.stamp, second.stamp))
    await publisher.publish(1, () => 6.5)
    await eventually(async () => {
      for (const program of [gateway, hub]) {
        const alerts = await program.alerts()
        assert.deepEqual(
          alerts.map(row => [row.value, row.threshold, row.threshold_stamp, row.threshold_source]),
          [[6.5, 5, second.stamp, { table: 'thresholds', key: 'limit' }]],
        )
      }
    })
  })

  test('carries one table both ways without a loop: once both sides agree, not one byte flows', async t => {
    const tables = 'tables: { settings: { kind: records } }'
    const bridge = 'publish: [settings], subscribe: [settings]'
    // No keepalive falls into the quiet time, so that quiet means quiet.
    const { gateway, hub, link } = await openLine(t, { tables, bridge, keepalive: '20m' })
    for (let index = 0; index < 20; index++) {
      await Promise.all([
        gateway.put('settings', `gw-${index}`, index),
        hub.put('settings', `hub-${index}`, index),
        gateway.put('settings', 'both', `gw ${index}`),
        hub.put('settings', 'both', `hub ${index}`),
      ])
    }
    await eventually(async () => {
      const ours = await contents(gateway, 'settings')
      assert.equal(ours.length, 41)
      assert.deepEqual(await contents(hub, 'settings'), ours)
      assert.equal(await behind(gateway, 'settings'), 0)
    })
    const bytes = await eventually(async () => {
      const before = { ...link.bytes }
      await pause(1_000)
      assert.deepEqual(link.bytes, before)
      return before
    })
    await pause(3_000)
    assert.deepEqual(link.bytes, bytes)
  })

  test('joins two gateways through one hub: all three agree on every row, whoever wrote at the same time', async t => {
    const site = new Site(t)
    const tables = 'tables: { settings: { kind: records } }'
    const bridge = 'publish: [settings, readings], subscribe: [settings]'
    const { hub, hubPort } = await openHub(site, { tables })
    const edges = await Promise.all(['gw-a', 'gw-b'].map(id => openEdge(t, site, hubPort, id, { tables, bridge })))
    const [a, b] = edges as [(typeof edges)[number], (typeof edges)[number]]
    for (let index = 0; index < 200; index++) {
      if (index === 100) a.link.cut()
      await Promise.all([
        a.gateway.put('settings', 'contested', `a ${index}`),
        b.gateway.put('settings', 'contested', `b ${index}`),
        a.gateway.put('settings', `key-${index}`, 'a'),
        b.gateway.put('settings', `key-${index}`, 'b'),
      ])
    }
    a.link.restore()
    const rows = await eventually(async () => {
      const found = await contents(hub, 'settings')
      assert.equal(found.length, 201)
      assert.deepEqual(await contents(a.gateway, 'settings'), found)
      assert.deepEqual(await contents(b.gateway, 'settings'), found)
      return found as { value: string; origin: string }[]
    })
    t.diagnostic(`won by gw-a: ${rows.filter(({ origin }) => origin === 'gw-a').length} of ${rows.length}`)
    // Readings of both arrive under their own names.
    await Promise.all(edges.map(({ port }) => new Publisher(port).publish(50)))
    await eventually(async () => {
      const readings = await hub.readings()
      for (const { gateway } of edges) {
        const ours = await gateway.readings()
        assert.equal(ours.length, 50)
        assert.deepEqual(
          readings.filter(({ origin }) => origin === ours[0]?.origin).map(({ id }) => id),
          ours.map(({ id }) => id),
        )
      }
    })
  })
})
