/**
 * MQTT clients with sessions, which outlive their connections as a device with a memory of its own does: a publisher and
 * a subscriber, of QoS 1 or 2, that do what the specification asks of them after a lost connection, and no more.
 */
import { type Socket, connect } from 'node:net'
import { type Packet, generate, parser } from 'mqtt-packet'

const windowMax = 20
const retryMs = 40

/** Connects again and again, until it leaves. */
abstract class SessionClient {
  readonly #port: number
  readonly #clientId: string
  #socket: Socket | undefined
  #isWanted = false

  constructor(port: number, clientId: string) {
    this.#port = port
    this.#clientId = clientId
  }

  come(): void {
    this.#isWanted = true
    this.#connect()
  }

  /** Goes without a word; `come` continues the session. */
  leave(): void {
    this.#isWanted = false
    this.#socket?.destroy()
  }

  protected abstract onOpen(): void
  protected abstract onPacket(packet: Packet): void

  protected send(packet: Packet): void {
    if (this.#socket?.writable === true) this.#socket.write(generate(packet))
  }

  #connect(): void {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true })
    this.#socket = socket
    const packets = parser()
    packets.on('packet', packet => {
      if (packet.cmd === 'connack') this.onOpen()
      else this.onPacket(packet)
    })
    socket.on('connect', () =>
      this.send({
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: 4,
        clean: false,
        clientId: this.#clientId,
        keepalive: 0,
      }),
    )
    socket.on('data', chunk => packets.parse(chunk))
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      if (this.#isWanted) setTimeout(() => this.#isWanted && this.#connect(), retryMs)
    })
  }
}

/** Publishes 1, 2, 3 … as long as it is there, to the topics in turn. */
export class SessionPublisher extends SessionClient {
  readonly #topics: readonly string[]
  readonly #qos: 1 | 2
  /** By packet id: the number, and whether PUBREC came. */
  readonly #flying = new Map<number, { readonly number: number; released: boolean }>()
  #last = 0
  #isEnding = false
  acknowledged = 0

  constructor(port: number, clientId: string, qos: 1 | 2, topics: readonly string[]) {
    super(port, clientId)
    this.#qos = qos
    this.#topics = topics
  }

  get published(): number {
    return this.#last
  }

  /** Publishes nothing new. True once all is acknowledged. */
  end(): boolean {
    this.#isEnding = true
    return this.#flying.size === 0
  }

  protected override onOpen(): void {
    for (const [messageId, { number, released }] of this.#flying) {
      if (released) this.send({ cmd: 'pubrel', messageId })
      else this.#publish(messageId, number, true)
    }
    this.#more()
  }

  protected override onPacket(packet: Packet): void {
    const messageId = packet.messageId ?? 0
    const flying = this.#flying.get(messageId)
    if (packet.cmd === 'pubrec') {
      if (flying) flying.released = true
      this.send({ cmd: 'pubrel', messageId })
    } else if (flying && (packet.cmd === 'puback' || packet.cmd === 'pubcomp')) {
      this.#flying.delete(messageId)
      this.acknowledged += 1
      this.#more()
    }
  }

  #more(): void {
    while (!this.#isEnding && this.#flying.size < windowMax) {
      const number = ++this.#last
      const messageId = (number % 60_000) + 1
      this.#flying.set(messageId, { number, released: false })
      this.#publish(messageId, number, false)
    }
  }

  #publish(messageId: number, number: number, dup: boolean): void {
    const topic = this.#topics[number % this.#topics.length] as string
    this.send({ cmd: 'publish', topic, payload: `${number}`, qos: this.#qos, messageId, dup, retain: false })
  }
}

export class SessionSubscriber extends SessionClient {
  readonly #qos: 1 | 2
  readonly #filters: readonly string[]
  readonly #received = new Set<number>()
  isSubscribed = false
  /** What it was given, by topic: of QoS 2 each message once, as it knows packet ids until their PUBREL. */
  readonly heard = new Map<string, number[]>()

  constructor(port: number, clientId: string, qos: 1 | 2, filters: readonly string[]) {
    super(port, clientId)
    this.#qos = qos
    this.#filters = filters
  }

  get count(): number {
    return [...this.heard.values()].reduce((sum, numbers) => sum + numbers.length, 0)
  }

  protected override onOpen(): void {
    if (this.isSubscribed) return
    const subscriptions = this.#filters.map(topic => ({ topic, qos: this.#qos }))
    this.send({ cmd: 'subscribe', messageId: 1, subscriptions })
  }

  protected override onPacket(packet: Packet): void {
    const messageId = packet.messageId ?? 0
    if (packet.cmd === 'suback') this.isSubscribed = true
    else if (packet.cmd === 'pubrel') {
      this.#received.delete(messageId)
      this.send({ cmd: 'pubcomp', messageId })
    } else if (packet.cmd === 'publish') {
      if (packet.qos < 2 || !this.#received.has(messageId)) {
        const numbers = this.heard.get(packet.topic) ?? []
        this.heard.set(packet.topic, numbers)
        numbers.push(Number(packet.payload))
      }
      if (packet.qos === 2) this.#received.add(messageId)
      this.send({ cmd: packet.qos === 2 ? 'pubrec' : 'puback', messageId })
    }
  }
}
