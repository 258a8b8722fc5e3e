/** Why a client is refused, in the codes of its version of MQTT. Pure. */
import type { MqttVersion } from './shape.ts'

export const notAuthorized = 0x87

/** CONNACK codes of MQTT 3.1.1, by which the room names them, in MQTT 5 [MQTT-3.2.2-6]. */
const connackReasons: readonly number[] = [0, 0x84, 0x85, 0x88, 0x86, notAuthorized]
const malformed = 0x81
const protocolError = 0x82
const ownFault = 0x83

/** What closes a connection, by its cause; what is not here is a fault of ours, or a quota. */
const disconnectReasons: Readonly<Record<string, number | undefined>> = {
  packet_length: malformed,
  packet_flags: malformed,
  packet_form: malformed,
  qos: malformed,
  packet_type: protocolError,
  packet_protocol: protocolError,
  message_id: protocolError,
  second_connect: protocolError,
  packet_bytes: 0x95,
  publish_denied: notAuthorized,
  keepalive: 0x8d,
  topic_alias: 0x94,
  receive_maximum: 0x93,
  not_durable: ownFault,
  rate: 0x96,
}

export function disconnectReason(cause: string): number {
  return disconnectReasons[cause] ?? (cause.startsWith('topic_') ? 0x90 : 0x97)
}

/** CONNACK that refuses; the code is that of MQTT 3.1.1. */
export function refusalBytes(version: MqttVersion, returnCode: number): Buffer {
  if (version < 5) return Buffer.from([0x20, 2, 0, returnCode])
  return Buffer.from([0x20, 3, 0, connackReasons[returnCode] ?? 0x80, 0])
}

export function disconnectBytes(reason: number): Buffer {
  return Buffer.from([0xe0, 2, reason, 0])
}

/** PUBACK or PUBREC of a publish that is not taken. */
export function deniedBytes(qos: 1 | 2, messageId: number): Buffer {
  return Buffer.from([qos === 1 ? 0x40 : 0x50, 4, messageId >> 8, messageId & 0xff, notAuthorized, 0])
}
