/**
 * A TCP proxy that knows where an MQTT packet begins and ends, and loses those that it is told to lose on their way to
 * the client: a broker that forgets an acknowledgement, which TCP alone never does. All else passes unchanged.
 */
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'

/** Packet types of MQTT, by the upper half of their first byte. */
export const pubackType = 4

export type PacketProxy = {
  readonly port: number
  /** Packets that were lost so far. */
  readonly lost: number
  /** Which packets to the client are lost from now on, by their type. */
  lose(which: (type: number) => boolean): void
  close(): Promise<void>
}

export async function openPacketProxy(targetPort: number): Promise<PacketProxy> {
  const sockets = new Set<Socket>()
  let isLost: (type: number) => boolean = () => false
  let lost = 0
  const server = createServer(client => {
    const target = connect(targetPort, '127.0.0.1')
    for (const socket of [client, target]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket))
    }
    client.on('close', () => target.destroy()).on('data', bytes => target.write(bytes))
    target.on('close', () => client.destroy())
    let rest = Buffer.alloc(0)
    target.on('data', bytes => {
      rest = Buffer.concat([rest, bytes])
      for (let size = packetBytes(rest); size !== undefined && size <= rest.length; size = packetBytes(rest)) {
        if (isLost((rest[0] ?? 0) >> 4)) lost++
        else client.write(rest.subarray(0, size))
        rest = rest.subarray(size)
      }
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    get lost() {
      return lost
    },
    lose: which => {
      isLost = which
    },
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise(resolve => server.close(() => resolve()))
    },
  }
}

/** The length of the first packet with its header, or undefined if not even its header is whole. [MQTT-2.2.3] */
function packetBytes(bytes: Buffer): number | undefined {
  let length = 0
  for (let at = 1; at < bytes.length; at++) {
    length += ((bytes[at] ?? 0) & 127) * 128 ** (at - 1)
    if (((bytes[at] ?? 0) & 128) === 0) return at + 1 + length
  }
  return undefined
}
