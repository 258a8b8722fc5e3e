/** A client of which the test says every packet, over plain MQTT, TLS or WebSocket. */
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { generate, type Packet, parser } from 'mqtt-packet'
import { createWebSocketStream, WebSocket } from 'ws'
import type { Qos } from './client-kit.ts'

export type Way = {
  readonly kind: 'mqtt' | 'mqtts' | 'ws'
  readonly port: number
  readonly ca: Buffer
  readonly shown?: { readonly cert: Buffer; readonly key: Buffer } | undefined
}

type Connect = Partial<Extract<Packet, { cmd: 'connect' }>>

function wireTo({ kind, port, ca, shown }: Way): Duplex {
  const host = '127.0.0.1'
  if (kind === 'mqtt') return connect({ host, port, noDelay: true })
  if (kind === 'mqtts') return connectTls({ host, port, ca, ...shown })
  return createWebSocketStream(new WebSocket(`ws://${host}:${port}/mqtt`, 'mqtt'))
}

export class Caller {
  readonly heard: { readonly topic: string; readonly payload: string }[] = []
  /** Of CONNACK; undefined where there was none. */
  code: number | undefined
  isClosed = false
  granted: readonly unknown[] = []
  readonly #wire: Duplex
  readonly #seen = new Map<string, number>()
  #moved: () => void = () => undefined

  private constructor(wire: Duplex) {
    this.#wire = wire
    const packets = parser()
    packets.on('packet', packet => this.#take(packet))
    wire.on('data', (chunk: Buffer) => packets.parse(chunk))
    wire.on('error', () => wire.destroy())
    wire.on('end', () => wire.destroy())
    wire.on('close', () => {
      this.isClosed = true
      this.#moved()
    })
  }

  /** Resolves with whoever was answered, or turned away without an answer. */
  static async open(way: Way, options: Connect): Promise<Caller> {
    const caller = new Caller(wireTo(way))
    const usual = { protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 0, clientId: '' } as const
    caller.#send({ cmd: 'connect', ...usual, ...options })
    await caller.#until(() => caller.code !== undefined)
    return caller
  }

  get isIn(): boolean {
    return this.code === 0 && !this.isClosed
  }

  /** True once it is acknowledged, and for QoS 0 once the broker has read it and stayed. */
  async publish(topic: string, payload: string, qos: Qos, retain = false): Promise<boolean> {
    const answer = (['pingresp', 'puback', 'pubcomp'] as const)[qos]
    const before = this.#count(answer)
    this.#send({ cmd: 'publish', topic, payload, qos, retain, dup: false, ...(qos > 0 ? { messageId: 1 } : {}) })
    if (qos === 0) this.#send({ cmd: 'pingreq' })
    await this.#until(() => this.#count(answer) > before)
    return this.#count(answer) > before
  }

  async subscribe(filters: readonly string[]): Promise<boolean[]> {
    const subscriptions = filters.map(topic => ({ topic, qos: 1 as const }))
    this.#send({ cmd: 'subscribe', messageId: 2, subscriptions })
    await this.#until(() => this.#count('suback') > 0)
    return this.granted.map(granted => granted === 1)
  }

  async ping(): Promise<boolean> {
    const before = this.#count('pingresp')
    this.#send({ cmd: 'pingreq' })
    await this.#until(() => this.#count('pingresp') > before)
    return this.#count('pingresp') > before
  }

  /** Goes without a word. */
  cut(): void {
    this.#wire.destroy()
  }

  closed(): Promise<void> {
    return this.#until(() => false)
  }

  #count = (cmd: string): number => this.#seen.get(cmd) ?? 0

  #send(packet: Packet): void {
    if (this.#wire.writable) this.#wire.write(generate(packet))
  }

  /** Until it holds, or the connection is closed. */
  async #until(holds: () => boolean): Promise<void> {
    while (!holds() && !this.isClosed) await new Promise<void>(resolve => (this.#moved = resolve))
  }

  #take(packet: Packet): void {
    this.#seen.set(packet.cmd, this.#count(packet.cmd) + 1)
    if (packet.cmd === 'connack') this.code = packet.returnCode
    if (packet.cmd === 'suback') this.granted = packet.granted
    if (packet.cmd === 'pubrec') this.#send({ cmd: 'pubrel', messageId: packet.messageId ?? 0 })
    if (packet.cmd === 'publish') {
      this.heard.push({ topic: packet.topic, payload: String(packet.payload) })
      if (packet.qos === 1) this.#send({ cmd: 'puback', messageId: packet.messageId ?? 0 })
    }
    this.#moved()
  }
}
