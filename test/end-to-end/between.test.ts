/**
 * A hub behind somebody else's broker: gateways and hub dial a mosquitto, or a NATS with its MQTT, that stands between
 * them, and neither listens for the other. Readings go up and thresholds come down whatever is cut, killed or restarted.
 */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { openProxy, type Proxy } from '../rigs/proxy.ts'
import { type BrokerKind, RealBroker } from '../rigs/brokers.ts'
import { missing } from '../rigs/mosquitto.ts'
import { Publisher } from './publisher.ts'
import { eventually, freePort, type Program, Site, storeConfig } from './programs.ts'

/** As docs/far-sides.md has it: a gateway writes its own `up` and reads its own `down`; the hub the other way round. */
const access = `
pattern write holdfast/v1/%u/up/#
pattern read holdfast/v1/%u/down/#

user hub
topic read holdfast/v1/+/up/#
topic write holdfast/v1/+/down/#
`

type Line = {
  readonly broker: RealBroker
  readonly hub: Program
  readonly gateway: Program
  /** Each leg can be cut by itself. */
  readonly hubLeg: Proxy
  readonly gatewayLeg: Proxy
  readonly publisher: Publisher
}

async function openLine(t: TestContext, kind: BrokerKind): Promise<Line> {
  const broker = await RealBroker.open(kind, kind === 'mosquitto' ? { access } : {})
  t.after(() => broker.close())
  const legs = [await leg(t, broker), await leg(t, broker)] as const
  const [hubLeg, gatewayLeg] = legs
  const site = new Site(t)
  const hub = site.program('hub', {
    config: `gateway: { id: hub }\n${storeConfig}\nhub: { broker: { url: 'mqtt://127.0.0.1:${hubLeg.port}', username: hub } }\n`,
  })
  const port = await freePort()
  const gateway = site.program('gw', {
    config: `
gateway: { id: gw }
${storeConfig}
broker: { listen: '127.0.0.1:${port}' }
bridges:
  - { name: up, url: 'mqtt://127.0.0.1:${gatewayLeg.port}', keepalive: 5s, publish: [readings], subscribe: [thresholds] }
`,
  })
  await hub.start()
  await gateway.start()
  await talking(gateway)
  return { broker, hub, gateway, hubLeg, gatewayLeg, publisher: new Publisher(port) }
}

async function leg(t: TestContext, broker: RealBroker): Promise<Proxy> {
  const proxy = await openProxy({ target: { host: '127.0.0.1', port: broker.port } })
  t.after(() => proxy.close())
  return proxy
}

const talking = (gateway: Program): Promise<void> =>
  eventually(async () => assert.equal((await gateway.bridge()).state, 'talking'))

/** All that the gateway has acknowledged is at the hub, once and in order; and what the hub says is at the gateway. */
async function agrees({ hub, gateway, publisher }: Line, limit: number): Promise<void> {
  await hub.put('thresholds', 'limit', limit)
  await eventually(async () => {
    assert.deepEqual(
      (await hub.readings()).map(({ id }) => id),
      publisher.acknowledged,
    )
    const [row] = await gateway.rows('thresholds')
    assert.deepEqual([row?.value, row?.origin], [limit, 'hub'])
  })
}

for (const [kind, program] of [
  ['mosquitto', 'mosquitto'],
  ['nats', 'nats-server'],
] as const) {
  describe(`a hub behind ${kind}`, { skip: missing(program, program), concurrency: 2, timeout: 300_000 }, () => {
    test('takes readings and gives thresholds, and says through which broker', async t => {
      const line = await openLine(t, kind)
      await line.publisher.publish(300)
      await agrees(line, 8)
      const { hub } = await line.hub.status()
      assert.deepEqual(hub?.listen, [])
      assert.deepEqual(
        [hub?.broker?.connected, hub?.gateways.map(({ id, connected }) => [id, connected])],
        [true, [['gw', true]]],
      )
    })

    test('goes on after a cut of either leg, and after the broker was killed: nothing is lost or comes twice', async t => {
      const line = await openLine(t, kind)
      for (const [round, cut] of [line.gatewayLeg, line.hubLeg].entries()) {
        await line.publisher.publish(100)
        cut.cut()
        await line.publisher.publish(200)
        cut.restore()
        await agrees(line, round)
      }
      await line.publisher.publish(100)
      await line.broker.kill()
      await line.publisher.publish(200)
      await eventually(async () => assert.equal((await line.hub.status()).hub?.gateways[0]?.connected, false))
      await line.broker.start()
      await agrees(line, 9)
    })

    test('comes back from a cut of its own leg to gateways that have nothing to say and noticed nothing', async t => {
      const line = await openLine(t, kind)
      await agrees(line, 1)
      line.hubLeg.cut()
      await eventually(async () => assert.equal((await line.hub.status()).hub?.gateways[0]?.connected, false))
      line.hubLeg.restore()
      await agrees(line, 2)
    })

    test('is killed and started again under its gateways', async t => {
      const line = await openLine(t, kind)
      await line.publisher.publish(100)
      await agrees(line, 1)
      await line.hub.kill()
      await line.publisher.publish(200)
      await line.hub.start()
      await agrees(line, 2)
    })
  })
}

describe('the access rules of the page', { skip: missing('mosquitto', 'mosquitto'), timeout: 120_000 }, () => {
  test('let a gateway speak as itself and hear itself alone', async t => {
    const line = await openLine(t, 'mosquitto')
    const others = await line.broker.listen('holdfast/v1/gw/down/#', 'other')
    const own = await line.broker.listen('holdfast/v1/other/down/#', 'other')
    await line.broker.say('holdfast/v1/gw/up/hello', 'as gw', 'other')
    await line.broker.say('holdfast/v1/other/up/hello', 'as itself', 'other')
    // The hub answers what it cannot read, where it may come from this user.
    await eventually(() =>
      assert.deepEqual(
        own.map(({ topic }) => topic),
        ['holdfast/v1/other/down/refused'],
      ),
    )
    await line.publisher.publish(10)
    await agrees(line, 8)
    assert.deepEqual(others, [])
    assert.deepEqual(
      (await line.hub.status()).hub?.gateways.map(({ id }) => id),
      ['gw'],
    )
  })
})
