/** A real aedes on a real socket that writes down what it acknowledges. `ackAfterMs` leaves messages on their way. */
import assert from 'node:assert/strict'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { Aedes } from 'aedes'

export type Received = { client: string; topic: string; text: string; qos: number }

export type RecordingBroker = {
  url: string
  port: number
  received: Received[]
  close: () => Promise<void>
}

export async function openBroker(options: { port?: number; ackAfterMs?: number } = {}): Promise<RecordingBroker> {
  const received: Received[] = []
  const sockets = new Set<Socket>()
  const aedes = await Aedes.createBroker({
    authorizePublish: (client, packet, callback) => {
      const accept = (): void => {
        if (closed) return
        received.push({
          client: client?.id ?? '',
          topic: packet.topic,
          text: packet.payload.toString('latin1'),
          qos: packet.qos,
        })
        callback(null)
      }
      if (options.ackAfterMs === undefined) accept()
      else setTimeout(accept, options.ackAfterMs)
    },
  })
  let closed = false
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    aedes.handle(socket)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `mqtt://127.0.0.1:${port}`,
    port,
    received,
    close: async () => {
      assert.equal(closed, false)
      closed = true
      for (const socket of sockets) socket.destroy()
      await new Promise<void>(resolve => server.close(() => resolve()))
      await new Promise<void>(resolve => aedes.close(() => resolve()))
    },
  }
}
