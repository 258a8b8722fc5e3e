/**
 * A broker that does what a script says with each message: for what no real one does on demand. It speaks just enough of
 * MQTT to be connected to and published to (QoS 1), in version 5 or 3.1.1 alone.
 */
import { type AddressInfo, type Socket, createServer } from 'node:net'

/** Take it, take it and hang up, hang up without a word, say nothing, or refuse it with a reason code of MQTT 5. */
export type Verdict = 'take' | 'take-and-close' | 'close' | 'silence' | number

export type ScriptedBroker = {
  readonly port: number
  /** Every message that was published, in order, with what was done. */
  readonly seen: { readonly topic: string; readonly payload: string; readonly verdict: Verdict }[]
  /** Connections that were made. */
  readonly connections: number
  /** Ends every connection; new ones are welcome. */
  hangUp(): void
  close(): Promise<void>
}

export async function openScriptedBroker(
  version: 4 | 5,
  judge: (topic: string, payload: string) => Verdict,
): Promise<ScriptedBroker> {
  const seen: { topic: string; payload: string; verdict: Verdict }[] = []
  const sockets = new Set<Socket>()
  let connections = 0

  const published = (socket: Socket, body: Buffer): void => {
    const topicEnd = 2 + body.readUInt16BE(0)
    const id = body.subarray(topicEnd, topicEnd + 2)
    // MQTT 5 has properties before the payload; ours has none: one byte.
    const payload = String(body.subarray(topicEnd + 2 + (version === 5 ? 1 : 0)))
    const topic = String(body.subarray(2, topicEnd))
    const verdict = judge(topic, payload)
    seen.push({ topic, payload, verdict })
    if (typeof verdict === 'number') socket.write(Buffer.from([0x40, 4, ...id, verdict, 0]))
    if (verdict === 'take' || verdict === 'take-and-close') socket.write(Buffer.from([0x40, 2, ...id]))
    if (verdict === 'close' || verdict === 'take-and-close') socket.end()
  }

  const packet = (socket: Socket, type: number, body: Buffer): void => {
    if (type === 1) {
      // The level of the protocol comes after its name, "MQTT".
      const isSpoken = body[6] === version
      if (!isSpoken) return void socket.end(Buffer.from(version === 5 ? [0x20, 3, 0, 0x84, 0] : [0x20, 2, 0, 1]))
      connections++
      socket.write(Buffer.from(version === 5 ? [0x20, 3, 0, 0, 0] : [0x20, 2, 0, 0]))
    }
    if (type === 3 && socket.writable) published(socket, body)
    if (type === 12) socket.write(Buffer.from([0xd0, 0]))
  }

  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined)
    let rest = Buffer.alloc(0)
    socket.on('data', bytes => {
      rest = Buffer.concat([rest, bytes])
      for (let found = nextPacket(rest); found !== undefined; found = nextPacket(rest)) {
        rest = found.rest
        packet(socket, found.type, found.body)
      }
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    get connections() {
      return connections
    },
    hangUp() {
      for (const socket of sockets) socket.destroy()
    },
    close() {
      for (const socket of sockets) socket.destroy()
      return new Promise(resolve => server.close(() => resolve()))
    },
  }
}

/** The first whole packet in the bytes: its type, what follows its header, and what comes after it. */
function nextPacket(bytes: Buffer): { type: number; body: Buffer; rest: Buffer<ArrayBuffer> } | undefined {
  let length = 0
  for (let at = 1; at < bytes.length && at < 5; at++) {
    const byte = bytes[at] ?? 0
    length += (byte & 0x7f) * 128 ** (at - 1)
    if (byte >= 0x80) continue
    const end = at + 1 + length
    if (bytes.length < end) return undefined
    return { type: (bytes[0] ?? 0) >> 4, body: bytes.subarray(at + 1, end), rest: Buffer.from(bytes.subarray(end)) }
  }
  return undefined
}
