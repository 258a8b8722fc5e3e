/** PUBLISH and PUBREL as bytes, for the client's version of MQTT. Pure. */
import type { Qos } from './publish.ts'

/** A PUBLISH on its way to a client. */
export type Outgoing = {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: Qos
  readonly retain: boolean
  readonly dup: boolean
  /** With QoS 0 there is none [MQTT-2.3.1-5]. */
  readonly messageId: number
}

/** One buffer: a copy of the payload is far cheaper than a write of its own. */
export function encodePublish({ topic, payload, qos, retain, dup, messageId }: Outgoing): Buffer {
  const topicBytes = Buffer.byteLength(topic)
  const remaining = 2 + topicBytes + (qos > 0 ? 2 : 0) + payload.length
  const bytes = Buffer.allocUnsafe(1 + lengthBytes(remaining) + remaining)
  bytes[0] = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0)
  let at = writeLength(bytes, 1, remaining)
  at = bytes.writeUInt16BE(topicBytes, at)
  at += bytes.write(topic, at)
  if (qos > 0) at = bytes.writeUInt16BE(messageId, at)
  payload.copy(bytes, at)
  return bytes
}

export function encodePubrel(messageId: number): Buffer {
  return Buffer.from([0x62, 2, messageId >> 8, messageId & 0xff])
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
