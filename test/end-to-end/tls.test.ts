/**
 * A hub that knows its gateways by their certificates, as processes of their own: one configuration for all gateways, in
 * which the certificate alone differs; files that are replaced while everything runs; what is not let in.
 */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { after, before, describe, type TestContext, test } from 'node:test'
import { Authority, type Signed } from '../rigs/certificates.ts'
import { eventually, freePort, type Program, Site, storeConfig } from './programs.ts'
import { Publisher } from './publisher.ts'

describe('certificates', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-tls-'))
  let authority: Authority
  let hubPair: Signed
  before(() => {
    authority = new Authority(folder)
    hubPair = authority.sign('hub')
  })
  after(() => rmSync(folder, { recursive: true }))

  async function openHub(site: Site): Promise<{ hub: Program; port: number }> {
    const port = await freePort()
    const hub = site.program('hub', {
      config: `
gateway: { id: hub }
${storeConfig}
hub: { listen: '127.0.0.1:${port}', tls: { cert: tls/own.pem, key: tls/own.key, ca: tls/ca.pem } }
`,
    })
    install(hub, hubPair)
    await hub.start()
    return { hub, port }
  }

  /** Puts a pair and the authority where the configuration looks for them, one after the other. */
  function install(program: Program, pair: Signed, by = authority): void {
    const at = join(program.folder, 'tls')
    mkdirSync(at, { recursive: true })
    for (const [from, to] of [
      [by.cert, 'ca.pem'],
      [pair.cert, 'own.pem'],
      [pair.key, 'own.key'],
    ] as const) {
      copyFileSync(from, join(at, `${to}.new`))
      renameSync(join(at, `${to}.new`), join(at, to))
    }
  }

  /** The same text for each gateway, but for the port of its own broker, which they share a machine for. */
  async function openGateway(site: Site, hubPort: number, name: string, pair: Signed, host = '127.0.0.1') {
    const port = await freePort()
    const gateway = site.program(name, {
      config: `
${storeConfig}
broker: { listen: '127.0.0.1:${port}' }
bridges:
  - name: up
    url: mqtts://${host}:${hubPort}
    keepalive: 5s
    tls: { ca: tls/ca.pem, cert: tls/own.pem, key: tls/own.key }
    publish: [readings]
`,
    })
    install(gateway, pair)
    await gateway.start()
    return { gateway, publisher: new Publisher(port) }
  }

  const talking = (gateway: Program): Promise<void> =>
    eventually(async () => assert.equal((await gateway.bridge()).state, 'talking'))

  test('name three gateways with one configuration: their origins and topics differ by themselves', async (t: TestContext) => {
    const site = new Site(t)
    const { hub, port } = await openHub(site)
    const names = ['cold-1', 'cold-2', 'cold-3']
    for (const name of names) {
      const { gateway, publisher } = await openGateway(site, port, `box-of-${name}`, authority.sign(name))
      await talking(gateway)
      await publisher.publish(1)
      assert.equal((await gateway.status()).gateway.id, name)
    }
    await eventually(async () => assert.equal((await hub.readings()).length, 3))
    assert.deepEqual((await hub.readings()).map(({ origin }) => origin).toSorted(), names)
    const known = (await hub.status()).hub?.gateways.map(({ id }) => id)
    assert.deepEqual(known?.toSorted(), names)
  })

  test('of another gateway, put beside the database of the first, are an error that says what to do', async (t: TestContext) => {
    const site = new Site(t)
    const { gateway } = await openGateway(site, await freePort(), 'gw', authority.sign('gw-1'))
    await gateway.stop()
    install(gateway, authority.sign('gw-2'))
    await assert.rejects(gateway.start(), /database is that of "gw-1".*names this gateway "gw-2"/s)
  })

  test('are replaced at both ends while everything runs: no restart, and no message is lost', async (t: TestContext) => {
    const site = new Site(t)
    const { hub, port } = await openHub(site)
    const { gateway, publisher } = await openGateway(site, port, 'gw', authority.sign('gw-1', { file: 'old' }))
    await talking(gateway)
    await publisher.publish(20)
    install(gateway, authority.sign('gw-1', { file: 'new' }))
    const renewed = authority.sign('hub', { file: 'hub-new' })
    install(hub, renewed)
    const said = (program: Program): boolean =>
      program.heard.some(({ msg }) => /have changed and are in force/.test(msg))
    await publisher.publish(20)
    await eventually(() => assert.ok(said(gateway) && said(hub)))
    await publisher.publish(20)
    await talking(gateway)
    await eventually(async () => assert.equal((await hub.readings()).length, 60))
    assert.deepEqual(
      (await hub.readings()).map(({ id }) => id),
      publisher.acknowledged,
    )
    const shown = await certificateAt(port)
    assert.deepEqual(shown, new X509Certificate(readFileSync(renewed.cert)).serialNumber)
  })

  test('of another authority, of the past, or none at all, are not let in, and the gateway says why', async (t: TestContext) => {
    const site = new Site(t)
    const { hub, port } = await openHub(site)
    const stranger = new Authority(folder, 'stranger').sign('gw-9', { file: 'stranger-gw' })
    const { gateway } = await openGateway(site, port, 'gw', stranger)
    await eventually(async () => {
      assert.match(
        (await gateway.bridge()).reason ?? '',
        /closed by the far side.* before it let us in: does it trust the authority that signed tls\.cert/,
      )
    })
    await gateway.stop()
    const late = await openGateway(site, port, 'late', authority.sign('gw-8', { days: -1 }))
    await eventually(async () => {
      assert.match((await late.gateway.bridge()).reason ?? '', /and is that certificate valid\?/)
    })
    const warnings = late.gateway.heard.filter(({ msg }) => /our certificate has expired on/.test(msg))
    assert.equal(warnings.length, 1)
    const refusals = hub.heard.filter(({ cause }) => cause === 'refused_tls').map(({ error }) => error)
    assert.ok(refusals.includes('its certificate: UNABLE_TO_VERIFY_LEAF_SIGNATURE'), String(refusals))
    const who = hub.heard.find(({ error }) => error === 'its certificate: UNABLE_TO_VERIFY_LEAF_SIGNATURE')
    assert.match(String(who?.['address']), /127\.0\.0\.1$/)
    assert.equal(who?.['name'], 'gw-9')
    assert.equal(await isLetIn(port, {}), false, 'without a certificate')
    await assert.rejects(isLetIn(port, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }))
    assert.deepEqual((await hub.status()).hub?.gateways, [])
  })

  /** The serial number of the certificate that the hub shows now. */
  function certificateAt(port: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connectTls({ host: '127.0.0.1', port, ca: readFileSync(authority.cert) })
      socket.on('error', reject).once('secureConnect', () => {
        resolve(socket.getPeerCertificate().serialNumber)
        socket.destroy()
      })
    })
  }

  /** Whether the hub answers a CONNECT. */
  function isLetIn(port: number, options: object): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const socket = connectTls({ host: '127.0.0.1', port, ca: readFileSync(authority.cert), ...options })
      let isThere = false
      socket.once('secureConnect', () => {
        isThere = true
        socket.write(Buffer.from([0x10, 15, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 30, 0, 3, 0x61, 0x62, 0x63]))
      })
      socket.once('data', () => resolve(true)).once('close', () => resolve(false))
      socket.once('error', error => (isThere ? resolve(false) : reject(error)))
    })
  }

  test('a stranger who opens a connection and says nothing of TLS stops nobody', async (t: TestContext) => {
    const site = new Site(t)
    const { port } = await openHub(site)
    const silent = Array.from({ length: 20 }, () => connectTcp({ host: '127.0.0.1', port }))
    t.after(() => silent.forEach(socket => socket.destroy()))
    for (const socket of silent) socket.on('error', () => undefined).write('GET / HTTP/1.1\r\n\r\n')
    const { gateway } = await openGateway(site, port, 'gw', authority.sign('gw-1'))
    await talking(gateway)
  })
})
