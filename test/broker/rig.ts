/** A real broker on a free port with an intake that a test can hold, and raw MQTT clients. */
import { connect as connectSocket, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { generate, type Packet, parser } from 'mqtt-packet'
import { type Access, type Login, type Visitor, anybody } from '../../runtime/broker/access.ts'
import { type Broker, openBroker } from '../../runtime/broker/broker.ts'
import type { Shelf } from '../../runtime/broker/ledger.ts'
import { type BrokerLimits, defaultBrokerLimits } from '../../runtime/broker/limits.ts'
import type { BrokerTls } from '../../runtime/broker/listen.ts'
import type { ListenAddress } from '../../runtime/broker/listeners.ts'
import type { Intake, Publish } from '../../runtime/broker/publish.ts'
import { type Log, silentLog } from '../../runtime/log.ts'

export type Accepted = { readonly publish: Publish; readonly done: (error?: Error) => void }

/** Readings are topics under `sensors/`. While held, nothing is done until the test says so. */
export class HeldIntake implements Intake {
  readonly accepted: Accepted[] = []
  held = false
  flushes = 0
  #waiting: Accepted[] = []

  readonly wants = (topic: string): boolean => topic.startsWith('sensors/')

  readonly accept = (publish: Publish, done: (error?: Error) => void): void => {
    const accepted = { publish, done }
    this.accepted.push(accepted)
    this.#waiting.push(accepted)
  }

  readonly flush = (): void => {
    this.flushes += 1
    if (!this.held) setImmediate(() => this.release())
  }

  /** One commit of everything that waits. */
  release(error?: Error): void {
    for (const { done } of this.#waiting.splice(0)) done(error)
  }

  get payloads(): string[] {
    return this.accepted.map(({ publish }) => publish.payload.toString())
  }
}

export type Rig = { readonly broker: Broker; readonly intake: HeldIntake; readonly port: number }

/** `MQTT5=1` runs every test on the engine that speaks MQTT 5. */
export const engineFromEnvironment = process.env.MQTT5 === '1'

/** Left out, one listener of plain MQTT. */
export type RigListeners = {
  readonly listen?: readonly ListenAddress[]
  readonly tls?: BrokerTls | undefined
  readonly mqtt5?: boolean
  readonly origins?: readonly string[]
  readonly systemIntervalMs?: number
  readonly shelf?: Shelf
  readonly log?: Log
}

export async function openRig(
  t: TestContext,
  limits: Partial<BrokerLimits> = {},
  access?: Access,
  {
    listen = [{ host: '127.0.0.1', port: 0 }],
    tls,
    origins,
    systemIntervalMs,
    shelf,
    mqtt5 = engineFromEnvironment,
    log = silentLog,
  }: RigListeners = {},
): Promise<Rig> {
  const intake = new HeldIntake()
  const broker = await openBroker({
    access,
    listen,
    tls,
    origins,
    systemIntervalMs,
    shelf,
    limits: { ...defaultBrokerLimits, ...limits },
    mqtt5,
    intake,
    now: () => Date.now(),
    log,
  })
  t.after(async () => {
    intake.held = false
    intake.release()
    await broker.close()
  })
  return { broker, intake, port: broker.addresses()[0]?.port ?? 0 }
}

/** Everybody comes in, and may do what the test says of its client. */
export function access(rights: (login: Login) => Partial<Visitor>): Access {
  return {
    authenticate: login => ({ ...anybody, ...rights(login) }),
    standIn: () => undefined,
  }
}

/** Looks again and again until something holds; the test's own time-out ends a wait in vain. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(resolve => setTimeout(resolve, 2))
}

export class RawClient {
  readonly received: Packet[] = []
  closed = false
  bytesRead = 0
  reads = 0
  readonly socket: Socket
  readonly #version: { readonly protocolVersion: 4 | 5 }

  constructor(socket: Socket, protocolVersion: 4 | 5 = 4) {
    this.socket = socket
    this.#version = { protocolVersion }
    const packets = parser(this.#version)
    packets.on('packet', packet => this.received.push(packet))
    socket.on('data', chunk => {
      this.bytesRead += chunk.length
      this.reads += 1
      packets.parse(chunk)
    })
    socket.on('error', () => socket.destroy())
    socket.on('end', () => socket.end())
    socket.on('close', () => {
      this.closed = true
    })
  }

  send(...packets: (Packet | Buffer)[]): void {
    const bytes = packets.map(packet => (Buffer.isBuffer(packet) ? packet : generate(packet, this.#version)))
    this.socket.write(Buffer.concat(bytes))
  }

  count(cmd: Packet['cmd']): number {
    return this.received.filter(packet => packet.cmd === cmd).length
  }

  /** The first packet of this kind that comes, or has come, after the first `skip`. */
  async next(cmd: Packet['cmd'], skip = 0): Promise<Packet> {
    await until(() => this.count(cmd) > skip || this.closed)
    const packet = this.received.filter(received => received.cmd === cmd)[skip]
    if (!packet) throw new Error(`The connection closed before ${cmd}`)
    return packet
  }

  /** The broker has read and answered everything sent so far that it can answer at once. */
  async ping(): Promise<void> {
    const before = this.count('pingresp')
    this.send({ cmd: 'pingreq' })
    await this.next('pingresp', before)
  }

  messageIds(cmd: Packet['cmd']): (number | undefined)[] {
    return this.received.filter(packet => packet.cmd === cmd).map(packet => packet.messageId)
  }

  payloads(): string[] {
    return this.received.flatMap(packet => (packet.cmd === 'publish' ? [String(packet.payload)] : []))
  }
}

export type ConnectOptions = Partial<Extract<Packet, { cmd: 'connect' }>>

export function connectPacket(options: ConnectOptions = {}): Packet {
  return {
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: true,
    clientId: 'raw',
    keepalive: 0,
    ...options,
  }
}

export async function openSocket(t: TestContext, port: number, protocolVersion: 4 | 5 = 4): Promise<RawClient> {
  const socket = connectSocket({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  t.after(() => socket.destroy())
  const client = new RawClient(socket, protocolVersion)
  await new Promise<void>(resolve => {
    socket.once('connect', () => resolve())
    socket.once('close', () => resolve())
  })
  return client
}

export async function openClient(t: TestContext, port: number, options: ConnectOptions = {}): Promise<RawClient> {
  const client = await openSocket(t, port, options.protocolVersion === 5 ? 5 : 4)
  client.send(connectPacket(options))
  await client.next('connack')
  return client
}

export function publishPacket(
  topic: string,
  payload: string,
  qos: 0 | 1 | 2 = 0,
  messageId?: number,
  retain = false,
): Packet {
  return { cmd: 'publish', topic, payload, qos, retain, dup: false, ...(messageId === undefined ? {} : { messageId }) }
}
