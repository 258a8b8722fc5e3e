/**
 * One attempt to connect: the socket, TLS on it where the url says so, and an MQTT client that tries once. What the far
 * side shows is always verified: there is no way to turn that off.
 */
import { isIP, connect as connectTcp, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { type IClientOptions, MqttClient } from 'mqtt'
import { messageOf } from '../../errors.ts'
import type { Carrier, PublishAnswer } from './outbox.ts'
import type { MqttVersion } from './version-choice.ts'

export type TlsOptions = {
  readonly ca: Buffer | undefined
  readonly cert: Buffer | undefined
  readonly key: Buffer | undefined
  readonly servername: string | undefined
}

export type DialOptions = {
  readonly url: string
  readonly clientId: string
  readonly username: string | undefined
  readonly password: string | undefined
  readonly keepaliveMs: number
  readonly tls: TlsOptions | undefined
  readonly version: MqttVersion
  /** Left out: the broker keeps nothing of us. */
  readonly session?: SessionOptions
}

/** A session that the broker keeps while we are away, and what it may send at once (MQTT 5 only). */
export type SessionOptions = {
  readonly expiryMs: number
  readonly receiveMaximum: number
  readonly packetBytesMax: number
}

/** From the first packet to CONNACK, the look-up of the name included: a black hole answers never. */
export const connectTimeoutMs = 10_000

/**
 * `onSocketError` hears of the socket what mqtt.js keeps to itself; `through` may put something between the two. Throws
 * if the options make no connection.
 */
export function dial(
  options: DialOptions,
  onSocketError: (error: Error) => void,
  through: (socket: Socket) => Duplex = socket => socket,
): MqttClient {
  const { clientId, username, password, keepaliveMs, version, session } = options
  const mqttOptions: IClientOptions = {
    protocolVersion: version,
    clean: session === undefined,
    ...(session === undefined || version === 4 ? {} : { properties: propertiesOf(session) }),
    clientId,
    keepalive: Math.max(1, Math.round(keepaliveMs / 1000)),
    connectTimeout: connectTimeoutMs,
    // One attempt per client: the back-off with jitter is ours (failures M2).
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  }
  const socket = openSocket(options)
  socket.on('error', onSocketError)
  const stream = through(socket)
  return new MqttClient(() => stream, mqttOptions)
}

function propertiesOf({ expiryMs, receiveMaximum, packetBytesMax }: SessionOptions) {
  return {
    sessionExpiryInterval: Math.ceil(expiryMs / 1_000),
    receiveMaximum,
    maximumPacketSize: packetBytesMax,
  }
}

function openSocket({ url, tls }: DialOptions): Socket {
  const { protocol, hostname, port } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  if (protocol === 'mqtt:') return connectTcp({ host, port: Number(port || 1883), noDelay: true })
  const servername = tls?.servername ?? (isIP(host) === 0 ? host : undefined)
  return connectTls({
    host,
    port: Number(port || 8883),
    minVersion: 'TLSv1.2',
    ...(servername === undefined ? {} : { servername }),
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls?.key === undefined ? {} : { key: tls.key }),
  })
}

/** What an outbox sends with. */
export function carrierOf(client: MqttClient): Carrier {
  return (topic, payload, onAnswer) => {
    client.publish(topic, payload, { qos: 1 }, error => onAnswer(answerOf(error)))
  }
}

function answerOf(error: Error | null | undefined): PublishAnswer {
  if (!error) return { isTaken: true }
  const { code } = error as Error & { code?: unknown }
  return { isTaken: false, code: typeof code === 'number' ? code : undefined, reason: messageOf(error) }
}
