/** Listeners of several kinds at one broker, met by real clients over real TLS. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { connectAsync, type IClientOptions } from 'mqtt'
import type { BrokerTls } from '../../runtime/broker/listen.ts'
import { Authority, type Signed } from '../rigs/certificates.ts'
import { access, openRig, until } from './rig.ts'

const timeout = 20_000

describe('listeners over TLS', { timeout }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-listeners-'))
  let authority: Authority
  let own: Signed
  before(() => {
    authority = new Authority(folder)
    own = authority.sign('gateway')
  })
  after(() => rmSync(folder, { recursive: true }))

  type Login = { readonly user: string | undefined; readonly certificate: string | undefined }

  async function open(t: TestContext, clientCertificates: BrokerTls['clientCertificates']) {
    let pair = own
    const changed = new Set<() => void>()
    const tls: BrokerTls = {
      clientCertificates,
      material: () => ({
        cert: readFileSync(pair.cert),
        key: readFileSync(pair.key),
        ca: clientCertificates === 'none' ? undefined : readFileSync(authority.cert),
      }),
      onChange: run => {
        changed.add(run)
        return () => changed.delete(run)
      },
    }
    const logins: Login[] = []
    const noted = access(({ user, certificateName }) => {
      logins.push({ user, certificate: certificateName })
      return {}
    })
    const listen = [
      { host: '127.0.0.1', port: 0 },
      { kind: 'mqtts' as const, host: '127.0.0.1', port: 0 },
      { kind: 'mqtts' as const, host: '::1', port: 0 },
      { kind: 'wss' as const, host: '127.0.0.1', port: 0, path: '/mqtt' },
    ]
    const rig = await openRig(t, {}, noted, { listen, tls })
    const [plain, secure, secureSix, web] = rig.broker.addresses().map(({ port }) => port)
    const replace = (by: Signed): void => {
      pair = by
      for (const run of changed) run()
    }
    return { ...rig, logins, replace, plain, secure, secureSix, web }
  }

  async function connect(t: TestContext, url: string, { cert, key }: Partial<Signed> = {}, more: IClientOptions = {}) {
    const pair = cert && key ? { cert: readFileSync(cert), key: readFileSync(key) } : {}
    const options = { ca: readFileSync(authority.cert), ...pair, ...more }
    const client = await connectAsync(url, options, false)
    t.after(() => client.end(true))
    return client
  }

  test('take the same messages as those without, over IPv4 and IPv6', async t => {
    const { broker, intake, plain, secure, secureSix, web } = await open(t, 'none')
    assert.deepEqual(
      broker.addresses().map(({ kind, host }) => `${kind} ${host}`),
      ['mqtt 127.0.0.1', 'mqtts 127.0.0.1', 'mqtts ::1', 'wss 127.0.0.1'],
    )
    const listener = await connect(t, `mqtt://127.0.0.1:${plain}`)
    const heard: string[] = []
    listener.on('message', (_topic, payload) => heard.push(String(payload)))
    await listener.subscribeAsync('sensors/#', { qos: 1 })
    const name = { servername: 'localhost' }
    const urls = [
      `mqtt://127.0.0.1:${plain}`,
      `mqtts://127.0.0.1:${secure}`,
      `mqtts://[::1]:${secureSix}`,
      `wss://127.0.0.1:${web}/mqtt`,
    ]
    for (const url of urls) {
      const client = await connect(t, url, {}, name)
      await client.publishAsync('sensors/a/t', new URL(url).host, { qos: 1 })
    }
    const sent = urls.map(url => new URL(url).host)
    assert.deepEqual(intake.payloads, sent)
    await until(() => heard.length === urls.length)
    assert.deepEqual(heard, sent)
  })

  test('that require a certificate let nobody in without one of theirs, and know others by its name', async t => {
    const { broker, logins, secure, web } = await open(t, 'required')
    const stranger = new Authority(folder, 'stranger').sign('pump-2')
    const known = authority.sign('pump-1')
    for (const url of [`mqtts://127.0.0.1:${secure}`, `wss://127.0.0.1:${web}/mqtt`]) {
      await assert.rejects(connect(t, url))
      await assert.rejects(connect(t, url, stranger))
      await connect(t, url, known, { clientId: url.slice(0, 3) })
    }
    assert.deepEqual(
      logins,
      [0, 1].map(() => ({ user: undefined, certificate: 'pump-1' })),
    )
    assert.deepEqual(broker.connected(), ['mqt', 'wss'])
    assert.equal(broker.counters()['refused_tls'], 4)
  })

  test('where it is optional take a user without one, and refuse one that nobody vouches for', async t => {
    const { broker, logins, secure } = await open(t, 'optional')
    const url = `mqtts://127.0.0.1:${secure}`
    await connect(t, url, {}, { username: 'anna', password: 'x' })
    await connect(t, url, authority.sign('pump-1'))
    await assert.rejects(connect(t, url, new Authority(folder, 'other').sign('pump-1', { file: 'forged' })))
    assert.deepEqual(logins, [
      { user: 'anna', certificate: undefined },
      { user: undefined, certificate: 'pump-1' },
    ])
    assert.equal(broker.counters()['refused_tls'], 1)
  })

  test('that ask for no certificate know nobody by one', async t => {
    const { logins, secure } = await open(t, 'none')
    await connect(t, `mqtts://127.0.0.1:${secure}`, authority.sign('pump-1'))
    assert.deepEqual(logins, [{ user: undefined, certificate: undefined }])
  })

  test('show the new certificate to whoever comes after it was replaced, and keep those who are there', async t => {
    const { broker, secure, replace } = await open(t, 'none')
    const url = `mqtts://127.0.0.1:${secure}`
    await connect(t, url, {}, { clientId: 'before' })
    const newer = new Authority(folder, 'newer')
    replace(newer.sign('gateway', { file: 'gateway-2' }))
    await assert.rejects(connect(t, url))
    await connect(t, url, {}, { ca: readFileSync(newer.cert), clientId: 'after' })
    assert.deepEqual(broker.connected(), ['before', 'after'])
  })
})
