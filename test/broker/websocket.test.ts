/** MQTT over WebSocket: what is let in, and that what holds over a socket holds here. */
import assert from 'node:assert/strict'
import { connect as connectTcp } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { connectAsync } from 'mqtt'
import { generate, type Packet, parser } from 'mqtt-packet'
import { WebSocket } from 'ws'
import type { BrokerLimits } from '../../runtime/broker/limits.ts'
import { connectPacket, openRig, publishPacket, type Rig, until } from './rig.ts'

const timeout = 60_000
const place = { kind: 'ws' as const, host: '127.0.0.1', port: 0 }

type Options = { readonly path?: string; readonly origins?: readonly string[] }

function open(t: TestContext, limits: Partial<BrokerLimits> = {}, { path, origins = [] }: Options = {}): Promise<Rig> {
  return openRig(t, limits, undefined, { listen: [{ ...place, path }], origins })
}

/** A client of which the test decides how packets are cut into messages. */
class Client {
  readonly received: Packet[] = []
  readonly socket: WebSocket
  code: number | undefined

  constructor(socket: WebSocket) {
    this.socket = socket
    const packets = parser()
    packets.on('packet', packet => this.received.push(packet))
    socket.on('message', (data: Buffer) => packets.parse(data))
    socket.on('error', () => undefined)
    socket.on('close', code => {
      this.code = code
    })
  }

  send(...packets: (Packet | Buffer)[]): void {
    this.socket.send(Buffer.concat(packets.map(packet => (Buffer.isBuffer(packet) ? packet : generate(packet)))))
  }

  count(cmd: Packet['cmd']): number {
    return this.received.filter(packet => packet.cmd === cmd).length
  }
}

async function openSocket(t: TestContext, port: number, path = '/mqtt', protocol = 'mqtt'): Promise<Client> {
  const client = new Client(new WebSocket(`ws://127.0.0.1:${port}${path}`, protocol))
  t.after(() => client.socket.terminate())
  await until(() => client.socket.readyState === WebSocket.OPEN || client.code !== undefined)
  return client
}

async function openClient(t: TestContext, port: number, clientId = 'ws'): Promise<Client> {
  const client = await openSocket(t, port)
  client.send(connectPacket({ clientId }))
  await until(() => client.count('connack') === 1)
  return client
}

/** The status with which a request is answered, or 0 if the connection closes without one. */
async function ask(t: TestContext, port: number, text: string): Promise<number> {
  const socket = connectTcp({ host: '127.0.0.1', port })
  t.after(() => socket.destroy())
  let answer = ''
  let isClosed = false
  socket.on('data', chunk => (answer += String(chunk)))
  socket.on('error', () => undefined)
  socket.on('close', () => (isClosed = true))
  socket.write(text)
  await until(() => isClosed)
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0)
}

const upgrade = (path: string, ...headers: string[]): string =>
  [
    `GET ${path} HTTP/1.1`,
    'Host: gw',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
    '\r\n',
  ].join('\r\n')

describe('a WebSocket listener', { timeout }, () => {
  test('refuses once whoever asks many things at once', async t => {
    const { broker, port } = await open(t)
    assert.equal(await ask(t, port, 'GET /x HTTP/1.1\r\nHost: gw\r\n\r\n'.repeat(1_000)), 404)
    assert.equal(broker.counters()['refused_websocket_path'], 1)
  })

  test('speaks MQTT with mqtt.js as any other does: every QoS, both ways, at each usual path', async t => {
    const { broker, intake, port } = await open(t)
    for (const path of ['/', '/mqtt']) {
      const client = await connectAsync(`ws://127.0.0.1:${port}${path}`, { clientId: `at${path}` }, false)
      t.after(() => client.end(true))
      const heard: string[] = []
      client.on('message', (topic, payload) => heard.push(`${topic} ${String(payload)}`))
      await client.subscribeAsync(`between${path}/#`, { qos: 2 })
      for (const qos of [0, 1, 2] as const) {
        await client.publishAsync('sensors/a/t', `${path} ${qos}`, { qos })
        await client.publishAsync(`between${path}/x`, String(qos), { qos })
      }
      await until(() => heard.length === 3)
      assert.deepEqual(
        heard.toSorted(),
        [0, 1, 2].map(qos => `between${path}/x ${qos}`),
      )
    }
    assert.deepEqual(
      intake.payloads,
      ['/', '/mqtt'].flatMap(path => [0, 1, 2].map(qos => `${path} ${qos}`)),
    )
    assert.deepEqual(broker.connected(), ['at/', 'at/mqtt'])
  })

  test('takes packets however they are cut into messages [MQTT-6.0.0-2]', async t => {
    const { intake, port } = await open(t)
    const client = await openSocket(t, port)
    const packets = [connectPacket(), ...[1, 2, 3].map(id => publishPacket('sensors/a/t', `p${id}`, 1, id))]
    for (const byte of Buffer.concat(packets.map(packet => generate(packet)))) client.socket.send(Buffer.from([byte]))
    await until(() => client.count('puback') === 3)
    client.send(...[4, 5].map(id => publishPacket('sensors/a/t', `p${id}`, 1, id)))
    const large = 'x'.repeat(100_000)
    const [head, rest] = [0, 1].map(part =>
      generate(publishPacket('sensors/a/t', large, 1, 6)).subarray(part * 50_000, (part + 1) * 50_000 + part * 1e6),
    )
    client.socket.send(head ?? '', { fin: false })
    client.socket.send(rest ?? '')
    await until(() => client.count('puback') === 6)
    assert.deepEqual(intake.payloads, ['p1', 'p2', 'p3', 'p4', 'p5', large])
  })

  test('closes on a text message, and counts it [MQTT-6.0.0-1]', async t => {
    const { broker, port } = await open(t)
    const client = await openClient(t, port)
    client.socket.send('text')
    await until(() => client.code !== undefined)
    assert.equal(client.code, 1003)
    assert.equal(broker.counters()['refused_websocket_text'], 1)
    await until(() => broker.counters()['connections'] === 0)
  })

  test('publishes the will of one who goes without DISCONNECT, and of no other', async t => {
    const { intake, port } = await open(t)
    for (const [clientId, bye] of [
      ['polite', generate({ cmd: 'disconnect' })],
      ['rude', Buffer.alloc(0)],
    ] as const) {
      const will = { topic: 'sensors/will/t', payload: Buffer.from(clientId), qos: 0 as const, retain: false }
      const client = await openSocket(t, port)
      client.send(connectPacket({ clientId, will }))
      await until(() => client.count('connack') === 1)
      client.send(bye)
      client.socket.close()
      await until(() => client.code !== undefined)
    }
    await until(() => intake.payloads.length > 0)
    assert.deepEqual(intake.payloads, ['rude'])
  })

  test('answers what is no upgrade to its path, closes, and counts why', async t => {
    const { broker, port } = await open(t, { connectTimeoutMs: 300 }, { path: '/broker' })
    const mqtt = 'Sec-WebSocket-Protocol: mqtt'
    const cases: [string, string, number][] = [
      ['path', upgrade('/mqtt', mqtt), 404],
      ['path', 'GET / HTTP/1.1\r\nHost: gw\r\n\r\n', 404],
      ['path', 'CONNECT a:1 HTTP/1.1\r\nHost: gw\r\n\r\n', 404],
      ['upgrade', 'GET /broker?x HTTP/1.1\r\nHost: gw\r\n\r\n', 426],
      ['upgrade', 'POST /broker HTTP/1.1\r\nHost: gw\r\nContent-Length: 1000000\r\n\r\nx', 426],
      ['upgrade', upgrade('/broker', mqtt).replace('Upgrade: websocket', 'Upgrade: h2c'), 426],
      ['protocol', upgrade('/broker'), 400],
      ['protocol', upgrade('/broker', 'Sec-WebSocket-Protocol: amqp, mqttv5'), 400],
      ['handshake', upgrade('/broker', mqtt).replace('Version: 13', 'Version: 7'), 400],
      ['handshake', upgrade('/broker', mqtt).replace('GET', 'PUT'), 400],
      ['request', '\u0010\u0000 not HTTP at all\r\n\r\n', 400],
      ['request', upgrade('/broker', mqtt, `Cookie: ${'x'.repeat(10_000)}`), 431],
      ['timeout', 'GET /broker HTTP/1.1\r\nHost:', 408],
      ['timeout', '', 408],
    ]
    const counts: Record<string, number> = {}
    for (const [cause, text, status] of cases) {
      assert.equal(await ask(t, port, text), status, text)
      counts[cause] = (counts[cause] ?? 0) + 1
      assert.equal(broker.counters()[`refused_websocket_${cause}`], counts[cause], text)
    }
    const good = await openSocket(t, port, '/broker?token=1', 'mqtt')
    assert.equal(good.socket.protocol, 'mqtt')
    const old = new WebSocket(`ws://127.0.0.1:${port}/broker`, ['mqttv3.1', 'x'])
    t.after(() => old.terminate())
    await until(() => old.readyState === WebSocket.OPEN)
    assert.equal(old.protocol, 'mqttv3.1')
    assert.equal(old.extensions, '')
  })

  test('lets pages of its own address and of named origins in, and no other, whatever host they name', async t => {
    const { broker, port } = await open(t, {}, { origins: ['https://panel.lan'] })
    const from = (origin: string) =>
      ask(
        t,
        port,
        upgrade('/', 'Sec-WebSocket-Protocol: mqtt', `Origin: ${origin}`).replace('gw', new URL(origin).host),
      )
    for (const origin of ['http://evil.example', 'http://panel.lan', 'https://panel.lan:8443', 'http://127.0.0.1.x']) {
      assert.equal(await from(origin), 403, origin)
    }
    assert.equal(broker.counters()['refused_websocket_origin'], 4)
    for (const origin of ['https://panel.lan', 'http://127.0.0.1:3000', 'http://localhost']) {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`, 'mqtt', { origin })
      t.after(() => socket.terminate())
      await until(() => socket.readyState === WebSocket.OPEN)
    }
  })

  test('bounds what strangers hold: places, and bytes before CONNECT', async t => {
    const { broker, port } = await open(t, { connectionsPerAddressMax: 2 })
    const waiting = [0, 1].map(() => connectTcp({ host: '127.0.0.1', port }))
    t.after(() => waiting.forEach(socket => socket.destroy()))
    await until(() => waiting.every(socket => !socket.pending))
    assert.equal(await ask(t, port, upgrade('/', 'Sec-WebSocket-Protocol: mqtt')), 503)
    assert.equal(broker.counters()['refused_websocket_waiting'], 1)
    for (const socket of waiting) socket.destroy()
    const stranger = await eventually(() => openSocket(t, port))
    stranger.socket.send(Buffer.alloc(200_000, 0x10), { fin: false })
    await until(() => stranger.code !== undefined)
    assert.ok((broker.counters()['refused_connect_bytes'] ?? 0) >= 1)
    const first = await openClient(t, port, 'one')
    await openClient(t, port, 'two')
    const third = await openSocket(t, port)
    await until(() => third.code !== undefined)
    assert.equal(broker.counters()['refused_connections_per_address'], 1)
    assert.equal(first.code, undefined)
  })

  test('refuses messages beyond the bound, and frames that are none, of those who are in as well', async t => {
    const { broker, port } = await open(t, { packetBytesMax: 70_000 })
    const large = await openClient(t, port, 'large')
    large.socket.send(Buffer.alloc(80_000))
    await until(() => large.code !== undefined)
    assert.equal(large.code, 1009)
    assert.equal(broker.counters()['refused_websocket_bytes'], 1)
    const wrong = await openClient(t, port, 'wrong')
    ;(wrong.socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(Buffer.from([0xff, 0x00]))
    await until(() => wrong.code !== undefined)
    assert.equal(wrong.code, 1002)
    assert.equal(broker.counters()['refused_websocket_frame'], 1)
  })
})

async function eventually<Value>(run: () => Promise<Value & { readonly code: number | undefined }>) {
  for (;;) {
    const value = await run()
    if (value.code === undefined) return value
  }
}

/** What is tested is not how fast one may send. */
const unhurried = { publishBytesPerSecondMax: 1e12, publishesPerSecondMax: 1e12 }

describe('back-pressure over WebSocket', { timeout }, () => {
  test('drops a reader that does not read, and delivers to the others', async t => {
    const plenty = { waitingBytesMax: 1e9, waitingBytesTotalMax: 1e9, publishBurstBytesMax: 1e9 }
    const { broker, port } = await open(t, { drainTimeoutMs: 300, ...plenty, ...unhurried })
    const slow = await openClient(t, port, 'slow')
    const good = await openClient(t, port, 'good')
    for (const client of [slow, good]) {
      client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'big/#', qos: 0 }] })
      await until(() => client.count('suback') === 1)
    }
    slow.socket.pause()
    const sender = await openClient(t, port, 'sender')
    const payload = 'x'.repeat(100_000)
    // Step by step, so that the good one is never slow, however busy the machine is.
    for (let id = 1; id <= 200; id++) {
      sender.send(publishPacket('big/x', payload, 1, id))
      await until(() => good.count('publish') === id)
    }
    // Whichever bound it meets first: how long it does not read, or how much waits for it.
    await until(() => ['slow_reader', 'waiting_bytes'].some(cause => broker.counters()[`refused_${cause}`] === 1))
    await until(() => good.count('publish') === 200 && sender.count('puback') === 200)
    await until(() => broker.connected().join() === 'good,sender')
    await until(() => broker.counters()['connections'] === 2)
  })

  test('does not read a flood that it cannot store yet, and loses none of it', async t => {
    const { broker, intake, port } = await open(t, { ...unhurried, pendingBytesPerConnectionMax: 100_000 })
    intake.held = true
    const client = await openClient(t, port)
    const count = 1_600
    for (let i = 0; i < count; i++) client.send(publishPacket('sensors/a/t', `${i} ${'x'.repeat(10_000)}`))
    await until(() => (broker.counters()['pauses'] ?? 0) > 0)
    // Until nothing moves any more.
    for (let before = -1; before !== client.socket.bufferedAmount; ) {
      before = client.socket.bufferedAmount
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    const { pending_bytes_peak: peak = 0, pending = 0 } = broker.counters()
    // Its share, and the chunk of the socket in which that was passed.
    assert.ok(peak < 100_000 + 2 * 65_536 + 400 * 70, `${peak} bytes`)
    assert.ok(pending < count / 10)
    // The rest of 16 MB is still with the client: what the sockets between us hold is a few.
    assert.ok(client.socket.bufferedAmount > 4e6, `${client.socket.bufferedAmount} bytes are with the client`)
    intake.held = false
    intake.release()
    await until(() => intake.payloads.length === count)
    assert.deepEqual(
      intake.payloads.map(text => Number.parseInt(text, 10)),
      Array.from({ length: count }, (_, i) => i),
    )
  })

  test('answers pings, and holds no answers for one who does not read them', async t => {
    const { port } = await open(t)
    const client = await openClient(t, port)
    let pongs = 0
    client.socket.on('pong', () => pongs++)
    client.socket.ping('there?')
    await until(() => pongs === 1)
    client.socket.pause()
    const before = process.memoryUsage().arrayBuffers
    const data = Buffer.alloc(125)
    for (let round = 0; round < 200; round++) {
      for (let i = 0; i < 500; i++) client.socket.ping(data)
      await until(() => client.socket.bufferedAmount === 0)
    }
    const held = process.memoryUsage().arrayBuffers - before
    assert.ok(held < 5e6, `${held} bytes are held for answers to 12.5 MB of pings`)
    client.socket.resume()
    client.send(publishPacket('sensors/a/t', 'alive', 1, 9))
    await until(() => client.count('puback') === 1)
    assert.ok(pongs < 100_000, `${pongs}`)
  })
})
