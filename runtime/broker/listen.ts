/**
 * Opens the broker's sockets. An address that cannot be had is told in one sentence, with what to do about it.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { HoldfastError, messageOf, systemCode } from '../errors.ts'

export type Address = { readonly host: string; readonly port: number }

/** A silent peer behind a dead cable is noticed even if it asked for no MQTT keepalive. */
const tcpKeepAliveMs = 60_000

export function listen(address: Address, welcome: (socket: Socket) => void): Promise<Server> {
  // Half-open, so that acknowledgements still reach a client that has ended its own side.
  const server = createServer({
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: tcpKeepAliveMs,
    allowHalfOpen: true,
  })
  return new Promise((resolve, reject) => {
    server.once('error', error => reject(listenError(error, address)))
    server.listen({ host: address.host, port: address.port }, () => {
      server.removeAllListeners('error')
      server.on('connection', welcome)
      resolve(server)
    })
  })
}

export function addressOf(server: Server): Address {
  const { address, port } = server.address() as AddressInfo
  return { host: address, port }
}

export function stopListening(server: Server): void {
  // Not awaited: it ends only with the last connection, and those are closed by their own owner.
  server.close()
}

function listenError(error: unknown, { host, port }: Address): HoldfastError {
  const where = `${host}:${port}`
  switch (systemCode(error)) {
    case 'EADDRINUSE':
      return new HoldfastError(
        'ADDRESS_IN_USE',
        `The MQTT broker cannot listen on ${where}: another program uses port ${port}.`,
        `Stop that program (\`ss -ltnp 'sport = :${port}'\` names it), or give the broker another port in the configuration's listen address.`,
        error,
      )
    case 'EACCES':
      return new HoldfastError(
        'ADDRESS_UNAVAILABLE',
        `The MQTT broker may not listen on ${where}: port ${port} needs rights that this user does not have.`,
        "Give the broker a port above 1023 in the configuration's listen address.",
        error,
      )
    default:
      return new HoldfastError(
        'ADDRESS_UNAVAILABLE',
        `The MQTT broker cannot listen on ${where}: ${messageOf(error)}.`,
        "Give the broker an address of this machine (`ip addr` lists them; 0.0.0.0 means all) in the configuration's listen address.",
        error,
      )
  }
}
