/** Where the broker listens: what is spoken there, and the certificate that goes with it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { BrokerConfig } from '../../runtime/config/config.ts'
import type { ConfigDoors } from '../../runtime/config/doors.ts'
import { loadConfig } from '../../runtime/config/load.ts'
import { formatProblem } from '../../runtime/document.ts'

const doors: ConfigDoors = { environment: {}, hostName: 'pi', readSecret: () => ({ text: '', mode: 0o600 }) }

const load = (text: string) => loadConfig('/etc/holdfast/c.yaml', text, doors)

function broker(text: string): BrokerConfig {
  const loaded = load(`broker: ${text}\n`)
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.problems.map(formatProblem).join('\n'))
  return loaded.config.broker ?? assert.fail('no broker')
}

function problem(text: string): string {
  const loaded = load(`broker: ${text}\n`)
  assert.ok(!loaded.ok, 'nothing was wrong')
  return loaded.problems.map(formatProblem).join('\n')
}

const pair = 'tls: {cert: tls/own.pem, key: /keys/own.key'

describe('a listener of the broker', () => {
  test('is an address, or a URL that says what is spoken there, with its usual port left out', () => {
    const { listen } = broker(
      `{listen: ["0.0.0.0:1885", "mqtt://pi", "MQTTS://[::1]", "mqtts://gw.lan:8884/", "mqtt://[fe80::1]:0"], ${pair}}}`,
    )
    assert.deepEqual(listen, [
      { kind: 'mqtt', host: '0.0.0.0', port: 1885 },
      { kind: 'mqtt', host: 'pi', port: 1883 },
      { kind: 'mqtts', host: '::1', port: 8883 },
      { kind: 'mqtts', host: 'gw.lan', port: 8884 },
      { kind: 'mqtt', host: 'fe80::1', port: 0 },
    ])
  })

  test('is refused with the ways to write it where it is none', () => {
    for (const text of ['1883', 'http://a:1', 'mqtt://', 'mqtt://a:65536', 'mqtt://a b:1', '://a:1']) {
      assert.match(problem(`{listen: "${text}"}`), /write host:port, mqtt:\/\/host:port/, text)
    }
    assert.match(problem('{listen: "mqtt://a:1/x"}'), /nothing stands behind the port of mqtt/)
    assert.match(problem('{listen: "mqtt://u:p@a:1"}'), /leave user and password out of the address/)
    assert.match(problem('{listen: 5}'), /write host:port, mqtt/)
  })

  test('is a WebSocket with its port and perhaps its path', () => {
    const { listen, origins } = broker(
      `{listen: ["ws://0.0.0.0:9001", "wss://[::]:9002/mqtt/v3", "ws://a:1/"], websocket_origins: ["https://panel.lan", "*"], ${pair}}}`,
    )
    assert.deepEqual(listen, [
      { kind: 'ws', host: '0.0.0.0', port: 9001 },
      { kind: 'wss', host: '::', port: 9002, path: '/mqtt/v3' },
      { kind: 'ws', host: 'a', port: 1, path: '/' },
    ])
    assert.deepEqual(origins, ['https://panel.lan', '*'])
    assert.match(problem('{listen: "ws://a"}'), /ws:\/\/host:port\/path/)
    assert.match(problem('{listen: "ws://a:1/x?y"}'), /the path of a WebSocket has neither/)
    assert.match(problem('{listen: "wss://a:1/x"}'), /a listener that speaks TLS needs a certificate/)
    assert.match(problem('{listen: "ws://a:1", websocket_origins: ["panel.lan"]}'), /write an origin as browsers do/)
    assert.match(problem('{listen: "a:1", websocket_origins: ["*"]}'), /no listener is a WebSocket/)
  })

  test('takes an address once, whatever it speaks', () => {
    assert.match(problem(`{listen: ["a:1", "mqtts://a:1"], ${pair}}}`), /a:1 is taken by broker.listen/)
  })
})

describe('the certificate of the listeners', () => {
  test('is a pair of files, and says whether clients must have one too', () => {
    const tls = (more: string) => broker(`{listen: "mqtts://a", ${pair}${more}}}`).tls
    const files = { cert: '/etc/holdfast/tls/own.pem', key: '/keys/own.key' }
    const ca = '/etc/holdfast/ca.pem'
    assert.deepEqual(tls(''), { ...files, ca: undefined, clientCertificates: 'none' })
    assert.deepEqual(tls(', ca: ca.pem'), { ...files, ca, clientCertificates: 'required' })
    assert.deepEqual(tls(', ca: ca.pem, client_certificates: optional'), {
      ...files,
      ca,
      clientCertificates: 'optional',
    })
  })

  test('belongs to a listener that speaks TLS, and such a listener to one', () => {
    assert.match(problem('{listen: ["a:1", "mqtts://a:2"]}'), /:1:26: a listener that speaks TLS needs a certificate/)
    assert.match(problem(`{listen: "a:1", ${pair}}}`), /no listener shows this certificate/)
  })

  test('asks clients for theirs only where somebody vouches for them', () => {
    const ask = (more: string) => problem(`{listen: "mqtts://a", ${pair}, ${more}}}`)
    assert.match(ask('client_certificates: required'), /need an authority that vouches for them/)
    assert.match(ask('client_certificates: optional'), /need an authority that vouches for them/)
    assert.match(ask('ca: x, client_certificates: none'), /has no effect while client_certificates is none/)
  })
})
