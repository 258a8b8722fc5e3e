/**
 * Somebody else's broker over TLS, with certificates at both ends: a gateway that sends its readings there, and a hub
 * that meets its gateways there; and a password that changes while a link is up.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { connectAsync } from 'mqtt'
import { RealBroker } from '../rigs/brokers.ts'
import { Authority, type Signed } from '../rigs/certificates.ts'
import { missing } from '../rigs/mosquitto.ts'
import { eventually, freePort, type Program, Site, storeConfig } from './programs.ts'
import { Publisher } from './publisher.ts'

describe('mosquitto over TLS', { skip: missing('mosquitto', 'mosquitto'), timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-broker-tls-'))
  let authority: Authority
  let brokerPair: Signed
  before(() => {
    authority = new Authority(folder)
    brokerPair = authority.sign('broker')
  })
  after(() => rmSync(folder, { recursive: true }))

  /** It takes nobody without a certificate of our authority, and knows whom it has by its CN. */
  async function openBroker(t: TestContext, access?: string): Promise<RealBroker> {
    const more = [
      `cafile ${authority.cert}`,
      `certfile ${brokerPair.cert}`,
      `keyfile ${brokerPair.key}`,
      'require_certificate true',
      'use_identity_as_username true',
    ].join('\n')
    const broker = await RealBroker.open('mosquitto', access === undefined ? { more } : { more, access })
    t.after(() => broker.close())
    return broker
  }

  const tlsOf = (pair: Signed | undefined): string => {
    const own = pair === undefined ? '' : `, cert: ${pair.cert}, key: ${pair.key}`
    return `{ ca: ${authority.cert}${own} }`
  }

  async function openGateway(site: Site, name: string, bridge: string) {
    const port = await freePort()
    const gateway = site.program(name, {
      config: `
gateway: { id: ${name} }
${storeConfig}
broker: { listen: '127.0.0.1:${port}' }
bridges:
  - { name: up, keepalive: 5s, ${bridge} }
`,
    })
    await gateway.start()
    return { gateway, publisher: new Publisher(port) }
  }

  const talking = (gateway: Program): Promise<void> =>
    eventually(async () => assert.equal((await gateway.bridge()).state, 'talking'))

  test('takes the readings of a gateway that shows its certificate, and no other', async (t: TestContext) => {
    const site = new Site(t)
    const broker = await openBroker(t)
    const { cert, key } = authority.sign('listener')
    const listener = await connectAsync(`mqtts://127.0.0.1:${broker.port}`, {
      ca: readFileSync(authority.cert),
      cert: readFileSync(cert),
      key: readFileSync(key),
    })
    t.after(() => listener.end(true))
    const heard: string[] = []
    listener.on('message', (topic, payload) => heard.push(`${topic} ${String(payload)}`))
    await listener.subscribeAsync('holdfast/#', { qos: 1 })
    const bridge = (pair: Signed | undefined): string =>
      `target: broker, url: 'mqtts://127.0.0.1:${broker.port}', tls: ${tlsOf(pair)}, publish: [readings]`

    const { gateway, publisher } = await openGateway(site, 'gw-1', bridge(authority.sign('gw-1')))
    await talking(gateway)
    await publisher.publish(5)
    await eventually(async () => {
      assert.equal(heard.length, 5)
      assert.equal((await gateway.bridge()).streams[0]?.behind, 0)
    })

    const naked = await openGateway(site, 'gw-2', bridge(undefined))
    const reason = await eventually(async () => (await naked.gateway.bridge()).reason ?? assert.fail('no reason yet'))
    assert.match(reason, /certificate/)
    await naked.publisher.publish(1)
    assert.equal((await naked.gateway.bridge()).streams[0]?.confirmed, 0)
    assert.equal(heard.length, 5)
  })

  test('stands between a hub and its gateways, each known by its certificate', async (t: TestContext) => {
    const site = new Site(t)
    const access = `
pattern write holdfast/v1/%u/up/#
pattern read holdfast/v1/%u/down/#

user hub
topic read holdfast/v1/+/up/#
topic write holdfast/v1/+/down/#
`
    const broker = await openBroker(t, access)
    const url = `mqtts://127.0.0.1:${broker.port}`
    const hub = site.program('hub', {
      config: `gateway: { id: hub }\n${storeConfig}\nhub: { broker: { url: '${url}', tls: ${tlsOf(authority.sign('hub'))} } }\n`,
    })
    await hub.start()
    const bridge = (pair: Signed): string =>
      `url: '${url}', tls: ${tlsOf(pair)}, publish: [readings], subscribe: [thresholds]`
    const { gateway, publisher } = await openGateway(site, 'gw-3', bridge(authority.sign('gw-3')))
    await talking(gateway)
    await publisher.publish(5)
    await hub.put('thresholds', 'limit', 7)
    await eventually(async () => {
      assert.equal((await hub.readings()).length, 5)
      assert.deepEqual(
        (await gateway.rows('thresholds')).map(({ value, origin }) => [value, origin]),
        [[7, 'hub']],
      )
    })
    assert.equal((await hub.status()).hub?.broker?.connected, true)

    // A good certificate of another name: it may not speak as gw-4.
    const posing = await openGateway(site, 'gw-4', bridge(authority.sign('gw-5')))
    await posing.publisher.publish(1)
    await eventually(async () => {
      const { state, reason } = await posing.gateway.bridge()
      assert.notEqual(state, 'talking')
      assert.match(reason ?? '', /holdfast\/v1\/gw-4\/up\/hello/)
    })
    assert.deepEqual(
      (await hub.status()).hub?.gateways.map(({ id }) => id),
      ['gw-3'],
    )
  })

  test('a password that is changed is used at once; one that expired is one clear sentence until then', async (t: TestContext) => {
    const site = new Site(t)
    const known = join(folder, 'known')
    const own = join(folder, 'own')
    writeFileSync(known, '')
    /** What the broker wants from its next start on. */
    const wants = (password: string): unknown => execFileSync('mosquitto_passwd', ['-b', known, 'gw-6', password])
    const has = (password: string): void => {
      writeFileSync(own, `${password}\n`, { mode: 0o600 })
      chmodSync(own, 0o600)
    }
    wants('first')
    has('first')
    const more = `cafile ${authority.cert}\ncertfile ${brokerPair.cert}\nkeyfile ${brokerPair.key}\npassword_file ${known}`
    const broker = await RealBroker.open('mosquitto', { more })
    t.after(() => broker.close())
    const bridge = `target: broker, url: 'mqtts://127.0.0.1:${broker.port}', username: gw-6, password_file: ${own}, tls: ${tlsOf(undefined)}, publish: [readings]`
    const { gateway, publisher } = await openGateway(site, 'gw-6', bridge)
    await talking(gateway)

    wants('second')
    await broker.stop()
    await broker.start()
    await eventually(async () => {
      const { state, reason } = await gateway.bridge()
      assert.equal(state, 'offline')
      assert.match(reason ?? '', /^the broker does not let us in .*check username and password/)
    })
    await publisher.publish(3)
    const refusals = gateway.heard.filter(line => JSON.stringify(line).includes('does not let us in'))
    assert.equal(refusals.length, 1, JSON.stringify(refusals))

    has('second')
    await talking(gateway)
    await eventually(async () => assert.equal((await gateway.bridge()).streams[0]?.behind, 0))

    // While the link is up too: what is in force is what the file says.
    wants('third')
    broker.allow('')
    has('third')
    await eventually(() => {
      assert.equal(gateway.heard.filter(({ msg }) => /have changed and are in force/.test(msg)).length, 2)
    })
    await talking(gateway)
    await publisher.publish(3)
    await eventually(async () => assert.equal((await gateway.bridge()).streams[0]?.behind, 0))
  })
})
