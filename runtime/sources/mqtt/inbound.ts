/**
 * Cuts what a broker sends into MQTT packets, and takes apart those that carry messages. Pure: chunks in, packets out.
 *
 *   packet  = type and flags (1 byte) | remaining length (1 to 4) | body
 *   PUBLISH = topic (2 + n) | packet id (2; QoS 1 and 2) | properties (MQTT 5) | payload
 *
 * Promises: holds at most one incomplete packet, and of a message that is too large no more than its head: the rest is
 * passed over as it arrives, so that it can be answered and does not come again for ever. Payloads are copies of their
 * own. Bytes that are no MQTT end in a fault, never in a throw.
 */
import { isUtf8 } from 'node:buffer'
import { controlBytesMax } from '../limits.ts'

export type Qos = 0 | 1 | 2

export type Inbound =
  | {
      readonly kind: 'message'
      readonly topic: string
      readonly payload: Buffer
      readonly qos: Qos
      /** Sent before, says the broker [MQTT-3.3.1-1]. */
      readonly isRepeat: boolean
      /** It was kept by the broker and comes because we have subscribed [MQTT-3.3.1-8]. */
      readonly isRetained: boolean
      /** 0 with QoS 0. */
      readonly id: number
    }
  | {
      readonly kind: 'too-large'
      readonly topic: string
      readonly qos: Qos
      readonly id: number
      readonly bytes: number
    }
  /** PUBREL: the broker knows that we have the message of QoS 2, and will use its id again. */
  | { readonly kind: 'release'; readonly id: number }
  /** Any other packet, whole. */
  | { readonly kind: 'other'; readonly bytes: Buffer }
  | { readonly kind: 'fault'; readonly reason: string }

const publishType = 3
const pubrelType = 6
const headerBytesMax = 5
const none = Buffer.alloc(0)

type Header = { readonly type: number; readonly flags: number; readonly bodyAt: number; readonly total: number }

export class InboundPackets {
  readonly #bytesMax: number
  readonly #hasProperties: boolean
  #held: Buffer = none
  /** Of a message that is too large: what is still to come of it. */
  #toSkip = 0
  #isBroken = false

  constructor(bytesMax: number, version: 4 | 5) {
    this.#bytesMax = bytesMax
    this.#hasProperties = version === 5
  }

  /** All packets that this chunk completes. After a fault nothing more comes. */
  add(chunk: Buffer): Inbound[] {
    if (this.#isBroken) return []
    const skipped = Math.min(this.#toSkip, chunk.length)
    this.#toSkip -= skipped
    const rest = chunk.subarray(skipped)
    this.#held = this.#held.length === 0 ? rest : Buffer.concat([this.#held, rest])
    const packets: Inbound[] = []
    for (let packet = this.#next(); packet !== undefined; packet = this.#next()) {
      packets.push(packet)
      this.#isBroken = packet.kind === 'fault'
      if (this.#isBroken) break
    }
    // What stays is held apart from the chunk, which may be large.
    if (this.#held.length > 0) this.#held = Buffer.from(this.#held)
    return packets
  }

  #next(): Inbound | undefined {
    const header = headerOf(this.#held)
    if (header === undefined) return this.#held.length >= headerBytesMax ? fault('a length that is none') : undefined
    const { type, total } = header
    if (type === publishType && total > this.#bytesMax) return this.#pass(header)
    if (type !== publishType && total > controlBytesMax) return fault(`a packet of ${total} bytes that is no message`)
    if (this.#held.length < total) return undefined
    const packet = this.#held.subarray(0, total)
    this.#held = this.#held.subarray(total)
    if (type === publishType) return messageOf(packet, header, this.#hasProperties)
    if (type !== pubrelType) return { kind: 'other', bytes: Buffer.from(packet) }
    if (total < header.bodyAt + 2) return fault('a release without its id')
    return { kind: 'release', id: packet.readUInt16BE(header.bodyAt) }
  }

  /** A message that is too large is told as soon as its head is there. */
  #pass(header: Header): Inbound | undefined {
    const head = headOf(this.#held, header)
    if (head === undefined) return undefined
    if (head.kind === 'fault') return head
    const { topic, id, qos } = head
    const here = Math.min(this.#held.length, header.total)
    this.#toSkip = header.total - here
    this.#held = this.#held.subarray(here)
    return { kind: 'too-large', topic, qos, id, bytes: header.total }
  }
}

const fault = (reason: string): Inbound & { kind: 'fault' } => ({ kind: 'fault', reason: `the broker sent ${reason}` })

/** Undefined while it is not whole, and if its length has more than four bytes. */
function headerOf(bytes: Buffer): Header | undefined {
  let remaining = 0
  for (let index = 1; index < headerBytesMax; index++) {
    const byte = bytes[index]
    if (byte === undefined) return undefined
    remaining += (byte & 0x7f) * 128 ** (index - 1)
    if (byte >= 0x80) continue
    const first = bytes[0] ?? 0
    return { type: first >> 4, flags: first & 0x0f, bodyAt: index + 1, total: index + 1 + remaining }
  }
  return undefined
}

type Head = {
  readonly kind: 'head'
  readonly topic: string
  readonly qos: Qos
  readonly id: number
  readonly restAt: number
}

/** Undefined while it is not whole. */
function headOf(bytes: Buffer, { flags, bodyAt, total }: Header): Head | (Inbound & { kind: 'fault' }) | undefined {
  const qos = (flags >> 1) & 3
  if (qos !== 0 && qos !== 1 && qos !== 2) return fault('a message of QoS 3')
  if (total < bodyAt + 2) return fault('a message without a topic')
  if (bytes.length < bodyAt + 2) return undefined
  const topicEnd = bodyAt + 2 + bytes.readUInt16BE(bodyAt)
  const restAt = qos === 0 ? topicEnd : topicEnd + 2
  if (restAt > total) return fault('a message that is shorter than its topic')
  if (bytes.length < restAt) return undefined
  const topic = bytes.subarray(bodyAt + 2, topicEnd)
  // We announce no topic aliases, so each message names its topic.
  if (topic.length === 0) return fault('a message without a topic')
  if (!isUtf8(topic)) return fault('a topic that is no UTF-8')
  const id = qos === 0 ? 0 : bytes.readUInt16BE(topicEnd)
  if (qos !== 0 && id === 0) return fault('a message with the id 0')
  return { kind: 'head', topic: topic.toString('utf8'), qos, id, restAt }
}

function messageOf(packet: Buffer, header: Header, hasProperties: boolean): Inbound {
  const head = headOf(packet, header)
  if (head === undefined) return fault('a message that ends in its head')
  if (head.kind === 'fault') return head
  const { topic, qos, id, restAt } = head
  const payloadAt = hasProperties ? endOfProperties(packet, restAt) : restAt
  if (payloadAt === undefined) return fault('a message whose properties have no end')
  const isRepeat = (header.flags & 0x08) !== 0
  const isRetained = (header.flags & 0x01) !== 0
  return { kind: 'message', topic, payload: Buffer.from(packet.subarray(payloadAt)), qos, isRepeat, isRetained, id }
}

function endOfProperties(packet: Buffer, at: number): number | undefined {
  let length = 0
  for (let index = 0; index < 4; index++) {
    const byte = packet[at + index]
    if (byte === undefined) return undefined
    length += (byte & 0x7f) * 128 ** index
    if (byte >= 0x80) continue
    const end = at + index + 1 + length
    return end <= packet.length ? end : undefined
  }
  return undefined
}
