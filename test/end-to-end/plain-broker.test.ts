/**
 * A gateway with `target: broker` as a process, and a mosquitto or NATS: what the gateway has acknowledged is at the
 * broker's subscribers, in order, though the link is cut, the broker is away and the gateway is killed.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Heard, RealBroker } from '../rigs/brokers.ts'
import { missing } from '../rigs/mosquitto.ts'
import { openProxy } from '../rigs/proxy.ts'
import { Publisher } from './publisher.ts'
import { eventually, freePort, Site, storeConfig } from './programs.ts'

type Message = { readonly id: string; readonly v: number }

/** In the order in which each came first. */
const idsOf = (heard: readonly Heard[]): string[] => [
  ...new Set(heard.map(({ payload }) => (JSON.parse(String(payload)) as Message).id)),
]

for (const [kind, program] of [
  ['mosquitto', 'mosquitto'],
  ['nats', 'nats-server'],
] as const) {
  describe(`a gateway to ${kind}`, { skip: missing(program, program), timeout: 180_000 }, () => {
    test('is killed with a backlog, offline: all that it had acknowledged arrives, in order', async t => {
      const broker = await RealBroker.open(kind)
      t.after(() => broker.close())
      const link = await openProxy({ target: { host: '127.0.0.1', port: broker.port } })
      t.after(() => link.close())
      const heard = await broker.listen('plant/#')
      const port = await freePort()
      const gateway = new Site(t).program('gw', {
        config: `
gateway: { id: gw }
${storeConfig}
broker: { listen: '127.0.0.1:${port}' }
bridges:
  - name: plant
    url: 'mqtt://127.0.0.1:${link.port}'
    target: broker
    keepalive: 5s
    publish:
      - { table: readings, topic: 'plant/{gateway}/{device}', payload: { id: '{id}', v: '{value}' } }
`,
      })
      const publisher = new Publisher(port)
      await gateway.start()
      await publisher.publish(200)
      await eventually(() => assert.deepEqual(idsOf(heard), publisher.acknowledged))

      link.cut()
      await publisher.publish(500)
      await eventually(async () => assert.ok(((await gateway.bridge()).streams[0]?.behind ?? 0) >= 500))
      await gateway.kill()
      await gateway.start()
      await publisher.publish(100)
      link.restore()
      await eventually(() => assert.deepEqual(idsOf(heard), publisher.acknowledged))

      await gateway.kill()
      await broker.stop()
      await gateway.start()
      await publisher.publish(100)
      await broker.start()
      await eventually(() => assert.deepEqual(idsOf(heard), publisher.acknowledged))
      await eventually(async () => {
        const [stream] = (await gateway.bridge()).streams
        assert.deepEqual([stream?.behind, stream?.parked, stream?.state], [0, 0, 'idle'])
      })
    })
  })
}
