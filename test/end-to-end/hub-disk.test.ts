/** Day one 26: the far side stops committing but keeps the connection: the status is not green, and the age grows. */
import assert from 'node:assert/strict'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fill, mountSmallDisk } from '../rigs/disk-full.ts'
import { Publisher } from './publisher.ts'
import { eventually, freePort, pause, Site, storeConfig } from './programs.ts'

const disk = mountSmallDisk('tmpfs')
const skip = typeof disk === 'string' ? disk : false
if (skip !== false && process.env.CI === 'true') throw new Error(skip)

test('a hub whose disk is full keeps the connection and confirms nothing: the gateway says so, and all arrives later', {
  skip,
  timeout: 300_000,
}, async t => {
  assert.ok(typeof disk !== 'string')
  const site = new Site()
  t.after(async () => {
    await site.remove()
    disk.unmount()
  })
  const [port, hubPort] = [await freePort(), await freePort()]
  const hubStore = `store: { path: ${join(disk.folder, 'data')}, commit_interval: 5ms, ballast: 4MB }`
  const hub = site.program('hub', {
    config: `gateway: { id: hub }\n${hubStore}\nhub: { listen: '127.0.0.1:${hubPort}' }\napi: { socket: ./data/holdfast.sock }\n`,
  })
  mkdirSync(join(hub.folder, 'data'))
  const bridge = `{ name: up, url: 'mqtt://127.0.0.1:${hubPort}', publish: [readings, alerts] }`
  const gateway = site.program('gateway', {
    config: `gateway: { id: gw }\n${storeConfig}\nbroker: { listen: '127.0.0.1:${port}' }\nbridges: [${bridge}]\n`,
  })
  await hub.start()
  await gateway.start()
  const publisher = new Publisher(port)
  const readings = async () => {
    const { state, streams } = await gateway.bridge()
    const stream = streams.find(({ table }) => table === 'readings') ?? assert.fail('no stream')
    return { talking: state === 'talking', ...stream }
  }
  await publisher.publish(100)
  await eventually(async () =>
    assert.deepEqual([(await readings()).state, (await readings()).confirmed], ['idle', 100]),
  )

  const filler = join(disk.folder, 'filler')
  fill(filler)
  // Until the hub looks at its disk, it may well take what fits into the log that it has.
  await eventually(async () => assert.equal((await hub.status()).store.state, 'full'))
  await publisher.publish(500)
  const stuck = await eventually(async () => {
    const stream = await readings()
    assert.deepEqual([stream.talking, stream.state], [true, 'stalled'])
    assert.ok((stream.oldest_unsent_ms ?? 0) > 0)
    return stream
  })
  await pause(2_500)
  const later = await readings()
  assert.equal(later.confirmed, stuck.confirmed)
  assert.ok((later.oldest_unsent_ms ?? 0) > (stuck.oldest_unsent_ms ?? 0), 'the age of the oldest unsent does not grow')

  rmSync(filler)
  await eventually(async () =>
    assert.deepEqual([(await readings()).state, (await readings()).confirmed], ['idle', 600]),
  )
  assert.deepEqual(
    (await hub.readings()).map(({ id }) => id),
    publisher.acknowledged,
  )
})
