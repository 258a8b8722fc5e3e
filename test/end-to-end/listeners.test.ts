/**
 * A gateway with listeners of every kind, and what people have to reach them: mosquitto_pub over TLS, Python's paho over
 * WebSocket with and without TLS, mqtt.js; and a certificate that is replaced while it runs.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { connectAsync } from 'mqtt'
import { Authority } from '../rigs/certificates.ts'
import { missing } from '../rigs/mosquitto.ts'
import { missingPaho, python } from '../rigs/paho.ts'
import { eventually, freePort, type Program, Site, storeConfig } from './programs.ts'

const run = promisify(execFile)

const publishWithPaho = `
import sys
import paho.mqtt.client as mqtt
port, path, ca, value = sys.argv[1:]
client = mqtt.Client(transport='websockets')
client.ws_set_options(path=path)
if ca: client.tls_set(ca)
client.connect('127.0.0.1', int(port))
client.loop_start()
client.publish('sensors/paho/t', value, qos=2).wait_for_publish(10)
client.disconnect()
`

describe('listeners of every kind', { timeout: 120_000, skip: missing('mosquitto_pub', 'mosquitto-clients') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-listeners-'))
  let authority: Authority
  before(() => {
    authority = new Authority(folder)
  })
  after(() => rmSync(folder, { recursive: true }))

  async function open(t: TestContext): Promise<{ gateway: Program; ports: readonly number[] }> {
    const ports = [await freePort(), await freePort(), await freePort(), await freePort()] as const
    const [plain, secure, web, secureWeb] = ports
    const { cert, key } = authority.sign('gateway')
    const gateway = new Site(t).program('gateway', {
      config: `
gateway: { id: gw }
${storeConfig}
broker:
  listen:
    - 127.0.0.1:${plain}
    - mqtts://127.0.0.1:${secure}
    - ws://127.0.0.1:${web}
    - wss://127.0.0.1:${secureWeb}/devices
  tls: { cert: ${cert}, key: ${key} }
`,
    })
    await gateway.start()
    return { gateway, ports }
  }

  const valuesOf = async (gateway: Program) => (await gateway.readings()).map(({ value }) => value)

  test('take readings from mosquitto_pub over TLS and mqtt.js over WebSocket, and are told by kind', async t => {
    const { gateway, ports } = await open(t)
    const [plain = 0, secure = 0, web = 0, secureWeb = 0] = ports
    const publish = (...args: string[]) =>
      run('mosquitto_pub', ['-h', '127.0.0.1', '-q', '1', '-t', 'sensors/a/t', ...args])
    await publish('-p', String(plain), '-m', '1')
    await publish('-p', String(secure), '--cafile', authority.cert, '-m', '2')
    const ca = readFileSync(authority.cert)
    const page = await connectAsync(`ws://127.0.0.1:${web}/mqtt`, {}, false)
    t.after(() => page.end(true))
    await page.publishAsync('sensors/a/t', '3', { qos: 1 })
    const securePage = await connectAsync(`wss://127.0.0.1:${secureWeb}/devices`, { ca }, false)
    t.after(() => securePage.end(true))
    await securePage.publishAsync('sensors/a/t', '4', { qos: 2 })
    assert.deepEqual(await valuesOf(gateway), [1, 2, 3, 4])

    const listen = [
      `mqtt://127.0.0.1:${plain}`,
      `mqtts://127.0.0.1:${secure}`,
      `ws://127.0.0.1:${web}`,
      `wss://127.0.0.1:${secureWeb}/devices`,
    ]
    assert.deepEqual(gateway.heard.find(({ msg }) => msg === 'ready')?.['broker'], listen)
    await eventually(async () => {
      const { broker } = await gateway.status()
      assert.deepEqual(broker?.listen, listen)
      assert.deepEqual(broker.connections, { mqtt: 0, mqtts: 0, ws: 1, wss: 1 })
    })
  })

  test('take readings from paho over WebSocket, plain and over TLS', { skip: missingPaho() }, async t => {
    const { gateway, ports } = await open(t)
    const [, , web, secureWeb] = ports
    await run(python, ['-c', publishWithPaho, String(web), '/mqtt', '', '5'])
    await run(python, ['-c', publishWithPaho, String(secureWeb), '/devices', authority.cert, '6'])
    assert.deepEqual(await valuesOf(gateway), [5, 6])
  })

  test('show the certificate that lies in the files now, and say so', async t => {
    const { gateway, ports } = await open(t)
    const url = `mqtts://127.0.0.1:${ports[1]}`
    const newer = new Authority(folder, 'newer')
    const { cert, key } = newer.sign('gateway', { file: 'replaced' })
    for (const [from, to] of [
      [cert, 'gateway.pem'],
      [key, 'gateway.key'],
    ] as const) {
      copyFileSync(from, join(folder, 'aside'))
      renameSync(join(folder, 'aside'), join(folder, to))
    }
    const client = await eventually(() => connectAsync(url, { ca: readFileSync(newer.cert) }, false))
    client.end(true)
    assert.ok(gateway.heard.some(({ msg }) => msg.includes('have changed and are in force')))
    const { warnings = [] } = (await gateway.status()).broker ?? {}
    assert.deepEqual(
      warnings.filter(text => text.includes('certificate')),
      [],
    )
  })
})
