/**
 * Cuts a stream of chunks into MQTT frames, and refuses a bad one at its fixed header, before anything is held for it.
 *
 *   frame = type and flags (1 byte) | remaining length (1 to 4 bytes) | body
 *
 * Promises: at most one incomplete frame is held per connection, and its memory grows with what has arrived, not
 * with what was announced [A2, F7]. A frame that lies whole in a chunk is not copied. Bytes once handed out are never
 * written again, so slices of them may outlive the chunk. Never throws.
 */
import type { BrokerLimits } from './limits.ts'

export const frameTypes = {
  connect: 1,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  unsubscribe: 10,
  pingreq: 12,
  disconnect: 14,
} as const

/** Is it something that a client does of its own accord, and not its answer to what it was sent? */
export function isAsking(type: number): boolean {
  return type === frameTypes.publish || (type >= frameTypes.subscribe && type <= frameTypes.pingreq)
}

export type FrameFault = 'packet_bytes' | 'connect_bytes' | 'packet_length' | 'packet_type' | 'packet_flags' | 'qos'

const empty = Buffer.alloc(0)
const headerBytesMax = 5
const growthBytes = 4_096

export class Frames {
  /** Of MQTT, once CONNECT has told it. */
  version: 3 | 4 | 5 = 4
  /** The frame that `next` found: `buffer[start..end)`, its body from `body`. */
  buffer: Buffer = empty
  start = 0
  body = 0
  end = 0
  type = 0
  flags = 0
  fault: FrameFault | undefined = undefined

  readonly #limits: BrokerLimits
  #chunk: Buffer = empty
  #at = 0
  #partial: Buffer = empty
  #have = 0
  /** Length of the frame in `#partial`; 0 while its header is incomplete. */
  #total = 0

  constructor(limits: BrokerLimits) {
    this.#limits = limits
  }

  add(chunk: Buffer): void {
    this.#chunk = this.#at < this.#chunk.length ? Buffer.concat([this.#chunk.subarray(this.#at), chunk]) : chunk
    this.#at = 0
  }

  /** Bytes held for later: the incomplete frame and what was not looked at yet. */
  get heldBytes(): number {
    return this.#partial.length + this.#chunk.length - this.#at
  }

  /** True if a whole frame was found; false if more bytes are needed, or if `fault` says why not. */
  next(): boolean {
    if (this.#have > 0) return this.#complete()
    const chunk = this.#chunk
    const start = this.#at
    if (start >= chunk.length) {
      this.#chunk = empty
      this.#at = 0
      return false
    }
    const total = this.#measure(chunk, start, chunk.length)
    if (this.fault !== undefined) return false
    if (total === 0 || start + total > chunk.length) {
      this.#total = total
      this.#keep(chunk, start, chunk.length)
      this.#chunk = empty
      this.#at = 0
      return false
    }
    this.#at = start + total
    this.#show(chunk, start, start + total)
    return true
  }

  /** Fills the incomplete frame from the chunk. */
  #complete(): boolean {
    while (this.#total === 0) {
      if (this.#at >= this.#chunk.length) return false
      this.#keep(this.#chunk, this.#at, this.#at + 1)
      this.#at += 1
      this.#total = this.#measure(this.#partial, 0, this.#have)
      if (this.fault !== undefined) return false
    }
    const take = Math.min(this.#total - this.#have, this.#chunk.length - this.#at)
    this.#keep(this.#chunk, this.#at, this.#at + take)
    this.#at += take
    if (this.#have < this.#total) return false
    const frame = this.#partial
    const total = this.#total
    this.#partial = empty
    this.#have = 0
    this.#total = 0
    this.#measure(frame, 0, total)
    this.#show(frame, 0, total)
    return true
  }

  #keep(from: Buffer, start: number, end: number): void {
    const needed = this.#have + end - start
    if (needed > this.#partial.length) {
      const room = Math.max(needed, Math.min(this.#total || headerBytesMax, Math.max(growthBytes, needed * 2)))
      const larger = Buffer.allocUnsafeSlow(room)
      this.#partial.copy(larger, 0, 0, this.#have)
      this.#partial = larger
    }
    from.copy(this.#partial, this.#have, start, end)
    this.#have = needed
  }

  #show(buffer: Buffer, start: number, end: number): void {
    this.buffer = buffer
    this.start = start
    this.end = end
  }

  /** Length of the frame at `start`, 0 if its header is not whole yet. Sets type, flags, body, and fault if it is bad. */
  #measure(buffer: Buffer, start: number, end: number): number {
    const first = buffer[start] ?? 0
    let remaining = 0
    for (let i = 0; ; i++) {
      if (i === 4) {
        this.fault = 'packet_length' // a fifth length byte does not exist
        return 0
      }
      if (start + 1 + i >= end) return 0
      const byte = buffer[start + 1 + i] ?? 0
      remaining += (byte & 0x7f) * 128 ** i
      if (byte < 0x80) {
        this.body = start + 2 + i
        break
      }
    }
    this.type = first >> 4
    this.flags = first & 0x0f
    this.fault = headerFault(this.type, this.flags, remaining, this.#limits, this.version)
    return this.body - start + remaining
  }
}

/** What the fixed header alone tells. Lengths that MQTT fixes are held to the byte: nothing may trail [A8]. */
export function headerFault(
  type: number,
  flags: number,
  remaining: number,
  limits: Pick<BrokerLimits, 'packetBytesMax' | 'connectBytesMax' | 'controlBytesMax'>,
  version: 3 | 4 | 5 = 4,
): FrameFault | undefined {
  switch (type) {
    case frameTypes.publish:
      if ((flags & 0x06) === 0x06) return 'qos' // [MQTT-3.3.1-4]
      if ((flags & 0x0e) === 0x08) return 'packet_flags' // [MQTT-3.3.1-2]
      return remaining + headerBytesMax > limits.packetBytesMax ? 'packet_bytes' : undefined
    case frameTypes.connect:
      if (flags !== 0) return 'packet_flags'
      return remaining > limits.connectBytesMax ? 'connect_bytes' : remaining < 10 ? 'packet_length' : undefined
    case frameTypes.subscribe:
    case frameTypes.unsubscribe:
      if (flags !== 2) return 'packet_flags' // [MQTT-3.8.1-1, MQTT-3.10.1-1]
      return remaining > limits.controlBytesMax ? 'packet_bytes' : remaining < 5 ? 'packet_length' : undefined
    case frameTypes.puback:
    case frameTypes.pubrec:
    case frameTypes.pubcomp:
      return flags !== 0 ? 'packet_flags' : lengthFault(remaining, 2, version, limits)
    case frameTypes.pubrel:
      return flags !== 2 ? 'packet_flags' : lengthFault(remaining, 2, version, limits)
    case frameTypes.pingreq:
      return flags !== 0 ? 'packet_flags' : remaining !== 0 ? 'packet_length' : undefined
    case frameTypes.disconnect:
      return flags !== 0 ? 'packet_flags' : lengthFault(remaining, 0, version, limits)
    default:
      return 'packet_type' // reserved, or only a server may send it
  }
}

/** MQTT 5 lets a reason and properties follow. */
function lengthFault(
  remaining: number,
  wanted: number,
  version: 3 | 4 | 5,
  { controlBytesMax }: Pick<BrokerLimits, 'controlBytesMax'>,
): FrameFault | undefined {
  if (version < 5) return remaining === wanted ? undefined : 'packet_length'
  return remaining < wanted ? 'packet_length' : remaining > controlBytesMax ? 'packet_bytes' : undefined
}
