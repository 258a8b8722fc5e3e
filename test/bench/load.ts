/**
 * A load generator that is not the bottleneck: every packet is encoded before the clock starts, a connection sends as
 * long as its window of unacknowledged messages is open, and PUBACKs are counted by their bytes.
 *
 * Run as a program of its own: `node load.js PORT COUNT CONNECTIONS WINDOW RATE` prints one line of JSON. RATE 0 is
 * flat out; otherwise messages per second in all.
 */
import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import mqttPacket from 'mqtt-packet'

export const devices = 100
export const metrics = ['temperature', 'humidity', 'pressure', 'current'] as const

export type LoadResult = {
  readonly sent: number
  readonly acknowledged: number
  /** Milliseconds since 1970 when the first message was sent. */
  readonly beganAtMs: number
  readonly seconds: number
  readonly payloadBytes: number
  readonly ackMs: { readonly p50: number; readonly p99: number; readonly max: number }
}

/** Each packet has the same length, so that the n-th is found without an index. */
function encodePackets(
  count: number,
  connection: number,
  connections: number,
  startMs: number,
): { packets: Buffer; size: number; payloadBytes: number } {
  const first = encodePacket(0, connection, connections, startMs)
  const packets = Buffer.allocUnsafe(first.packet.length * count)
  for (let index = 0; index < count; index++) {
    const { packet } = encodePacket(index, connection, connections, startMs)
    if (packet.length !== first.packet.length) throw new Error('packets differ in length')
    packet.copy(packets, index * packet.length)
  }
  return { packets, size: first.packet.length, payloadBytes: first.payload.length }
}

function encodePacket(
  index: number,
  connection: number,
  connections: number,
  startMs: number,
): { packet: Buffer; payload: string } {
  const device = String((index * connections + connection) % devices).padStart(3, '0')
  const metric = (metrics[Math.floor(index / devices) % metrics.length] as string).padEnd(11, '_')
  const value = (20 + (index % 1000) / 100).toFixed(2)
  const payload = `{"value":${value},"time":${startMs + index},"unit":"C","status":"ok"}`
  const messageId = (index % 65_535) + 1
  const packet = mqttPacket.generate({
    cmd: 'publish',
    topic: `sensors/device-${device}/${metric}`,
    payload,
    qos: 1,
    messageId,
    retain: false,
    dup: false,
  })
  return { packet, payload }
}

class Publisher {
  readonly #socket: Socket
  readonly #packets: Buffer
  readonly #size: number
  readonly #count: number
  readonly #window: number
  readonly #sentAt: Float64Array
  readonly latencies: Float64Array
  sent = 0
  acknowledged = 0
  #bytes = 0
  #finished: () => void = () => undefined
  readonly done = new Promise<void>(resolve => (this.#finished = resolve))

  constructor(socket: Socket, packets: Buffer, size: number, window: number) {
    this.#socket = socket
    this.#packets = packets
    this.#size = size
    this.#count = packets.length / size
    this.#window = window
    this.#sentAt = new Float64Array(this.#count)
    this.latencies = new Float64Array(this.#count)
    socket.on('data', chunk => this.#acknowledge(chunk.length))
  }

  /** Sends what the window allows, at most `most`. */
  push(most = Number.POSITIVE_INFINITY): void {
    const until = Math.min(this.#count, this.acknowledged + this.#window, this.sent + most)
    if (until <= this.sent) return
    const now = performance.now()
    this.#sentAt.fill(now, this.sent, until)
    this.#socket.write(this.#packets.subarray(this.sent * this.#size, until * this.#size))
    this.sent = until
  }

  isPaced = false

  #acknowledge(bytes: number): void {
    this.#bytes += bytes
    const acknowledged = Math.floor(this.#bytes / 4)
    const now = performance.now()
    for (let index = this.acknowledged; index < acknowledged; index++)
      this.latencies[index] = now - (this.#sentAt[index] as number)
    this.acknowledged = acknowledged
    if (acknowledged === this.#count) this.#finished()
    // Refill in halves: a write for every few acknowledgements would make this program the bottleneck.
    else if (!this.isPaced && this.sent - acknowledged <= this.#window / 2) this.push()
  }
}

async function open(port: number, clientId: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  socket.write(
    mqttPacket.generate({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: true,
      clientId,
      keepalive: 0,
    }),
  )
  await once(socket, 'data') // CONNACK
  return socket
}

async function load(
  port: number,
  count: number,
  connections: number,
  window: number,
  rate: number,
): Promise<LoadResult> {
  const startMs = Date.now()
  const each = Math.floor(count / connections)
  let payloadBytes = 0
  const publishers: Publisher[] = []
  for (let index = 0; index < connections; index++) {
    const encoded = encodePackets(each, index, connections, startMs)
    payloadBytes = encoded.payloadBytes
    publishers.push(
      new Publisher(await open(port, `load-${process.pid}-${index}`), encoded.packets, encoded.size, window),
    )
  }
  const beganAtMs = Date.now()
  const began = performance.now()
  if (rate === 0) for (const publisher of publishers) publisher.push()
  else pace(publishers, rate, began)
  await Promise.all(publishers.map(publisher => publisher.done))
  const seconds = (performance.now() - began) / 1000
  const latencies = Float64Array.from(publishers.flatMap(publisher => [...publisher.latencies])).sort()
  const at = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] as number
  const acknowledged = publishers.reduce((sum, publisher) => sum + publisher.acknowledged, 0)
  return {
    sent: each * connections,
    acknowledged,
    beganAtMs,
    seconds,
    payloadBytes,
    ackMs: { p50: at(0.5), p99: at(0.99), max: at(1) },
  }
}

function pace(publishers: readonly Publisher[], rate: number, began: number): void {
  for (const publisher of publishers) publisher.isPaced = true
  const timer = setInterval(() => {
    const due = (((performance.now() - began) / 1000) * rate) / publishers.length
    for (const publisher of publishers) publisher.push(Math.max(0, Math.floor(due) - publisher.sent))
  }, 5)
  void Promise.all(publishers.map(publisher => publisher.done)).then(() => clearInterval(timer))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [port = 0, count = 0, connections = 1, window = 1, rate = 0] = process.argv.slice(2).map(Number)
  console.log(JSON.stringify(await load(port, count, connections, window, rate)))
  process.exit(0)
}
