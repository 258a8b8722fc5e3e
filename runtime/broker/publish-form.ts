/** PUBLISH and PUBREL as bytes, for the client's version of MQTT. Pure. */
import type { Properties } from './properties.ts'
import type { Qos } from './publish.ts'
import type { MqttVersion } from './shape.ts'

/** A PUBLISH on its way to a client. */
export type Outgoing = {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: Qos
  readonly retain: boolean
  readonly dup: boolean
  /** With QoS 0 there is none [MQTT-2.3.1-5]. */
  readonly messageId: number
  /** These two go to clients of MQTT 5 alone. */
  readonly properties: Properties | undefined
  readonly subscriptionIds: readonly number[]
}

const expiryBytes = 5

/** One buffer: a copy of the payload is far cheaper than a write of its own. */
export function encodePublish(message: Outgoing, version: MqttVersion): Buffer {
  const { topic, payload, qos, retain, dup, messageId } = message
  const sectionBytes = version < 5 ? 0 : sectionLength(message)
  const remaining = remainingLength(message, version, sectionBytes)
  const bytes = Buffer.allocUnsafe(1 + lengthBytes(remaining) + remaining)
  bytes[0] = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0)
  let at = writeLength(bytes, 1, remaining)
  const topicAt = at + 2
  const topicBytes = bytes.write(topic, topicAt)
  bytes.writeUInt16BE(topicBytes, at)
  at = topicAt + topicBytes
  if (qos > 0) at = bytes.writeUInt16BE(messageId, at)
  if (version === 5) at = writeSection(bytes, at, message, sectionBytes)
  payload.copy(bytes, at)
  return bytes
}

/** How many bytes `encodePublish` makes. */
export function publishLength(message: Outgoing, version: MqttVersion): number {
  const remaining = remainingLength(message, version, version < 5 ? 0 : sectionLength(message))
  return 1 + lengthBytes(remaining) + remaining
}

export function encodePubrel(messageId: number): Buffer {
  return Buffer.from([0x62, 2, messageId >> 8, messageId & 0xff])
}

function remainingLength({ topic, payload, qos }: Outgoing, version: MqttVersion, sectionBytes: number): number {
  const section = version < 5 ? 0 : lengthBytes(sectionBytes) + sectionBytes
  return 2 + Buffer.byteLength(topic) + (qos > 0 ? 2 : 0) + section + payload.length
}

function sectionLength({ properties, subscriptionIds }: Outgoing): number {
  const ids = subscriptionIds.reduce((bytes, id) => bytes + 1 + lengthBytes(id), 0)
  if (properties === undefined) return ids
  return ids + properties.bytes.length + (properties.expirySeconds === undefined ? 0 : expiryBytes)
}

function writeSection(bytes: Buffer, start: number, { properties, subscriptionIds }: Outgoing, length: number): number {
  let at = writeLength(bytes, start, length)
  if (properties?.expirySeconds !== undefined) {
    bytes[at] = 0x02
    at = bytes.writeUInt32BE(properties.expirySeconds, at + 1)
  }
  if (properties) at += properties.bytes.copy(bytes, at)
  for (const id of subscriptionIds) {
    bytes[at] = 0x0b
    at = writeLength(bytes, at + 1, id)
  }
  return at
}

/** How many bytes MQTT takes to write a length. */
function lengthBytes(value: number): number {
  return value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : 4
}

function writeLength(bytes: Buffer, start: number, value: number): number {
  let at = start
  let rest = value
  while (rest >= 128) {
    bytes[at++] = (rest & 0x7f) | 0x80
    rest >>= 7
  }
  bytes[at++] = rest
  return at
}

/** A PUBLISH of MQTT 5 as it would be without properties: what they say goes another way. */
export function withoutProperties(flags: number, topic: Buffer, messageId: number, payload: Buffer): Buffer {
  const hasId = (flags & 6) !== 0
  const remaining = 2 + topic.length + (hasId ? 2 : 0) + 1 + payload.length
  const bytes = Buffer.allocUnsafe(1 + lengthBytes(remaining) + remaining)
  bytes[0] = 0x30 | flags
  let at = bytes.writeUInt16BE(topic.length, writeLength(bytes, 1, remaining))
  at += topic.copy(bytes, at)
  if (hasId) at = bytes.writeUInt16BE(messageId, at)
  bytes[at] = 0
  payload.copy(bytes, at + 1)
  return bytes
}
