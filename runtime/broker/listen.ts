/**
 * Opens the broker's sockets. An address that cannot be had is told in one sentence, with what to do about it.
 */
import { constants } from 'node:crypto'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type Server as TlsServer,
  TLSSocket,
} from 'node:tls'
import { HoldfastError, messageOf, systemCode } from '../errors.ts'
import type { Address, Listener } from './wire.ts'

/** With it the listeners speak TLS. The files may change: new connections are then welcomed with what they hold. */
export type BrokerTls = {
  /**
   * Whether a client must show a certificate that an authority in `ca` has signed. One that it shows must be good, also
   * where it need not show any: nobody shall wonder why they are known by their password alone.
   */
  readonly clientCertificates: 'none' | 'optional' | 'required'
  readonly material: () => { readonly cert: Buffer; readonly key: Buffer; readonly ca: Buffer | undefined }
  readonly onChange: (run: () => void) => () => void
}

/** A silent peer behind a dead cable is noticed even if it asked for no MQTT keepalive. */
const tcpKeepAliveMs = 60_000

/** A stranger who opens a connection and says nothing of TLS holds a place no longer than this. */
const handshakeMs = 10_000

export type ListenOptions = {
  readonly tls: BrokerTls | undefined
  /** Also of connections that are not through with TLS: those nobody else counts. */
  readonly connectionsMax: number
  /** `name`: the common name of the certificate that it has shown, which nobody vouches for. */
  readonly onTlsError: (error: Error, address: string, name?: string) => void
}

export function listen(address: Address, options: ListenOptions, welcome: (socket: Socket) => void): Promise<Server> {
  // Half-open, so that acknowledgements still reach a client that has ended its own side.
  const socketOptions = {
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: tcpKeepAliveMs,
    allowHalfOpen: true,
  }
  const { tls } = options
  const server = tls === undefined ? createServer(socketOptions) : createTls(tls, socketOptions, options)
  return new Promise((resolve, reject) => {
    server.once('error', error => reject(listenError(error, address)))
    server.listen({ host: address.host, port: address.port }, () => {
      server.removeAllListeners('error')
      if (tls === undefined) server.on('connection', welcome)
      else server.on('secureConnection', (socket: TLSSocket) => welcomeVouched(socket, options, welcome))
      resolve(server)
    })
  })
}

function createTls(tls: BrokerTls, socketOptions: object, { connectionsMax, onTlsError }: ListenOptions): TlsServer {
  const { clientCertificates } = tls
  const server = createTlsServer({
    ...socketOptions,
    ...contextOf(tls),
    handshakeTimeout: handshakeMs,
    requestCert: clientCertificates !== 'none',
    rejectUnauthorized: clientCertificates === 'required',
  })
  server.maxConnections = connectionsMax
  const faces = new Faces()
  server.on('keylog', (_line, socket) => faces.look(socket))
  server.on('tlsClientError', (error, socket) => {
    // Node ends a connection over its certificate without an alert; why stands here alone.
    const why: unknown = socket.authorizationError
    const told = typeof why === 'string' ? new Error(`its certificate: ${why}`) : error
    onTlsError(told, socket.remoteAddress ?? '', faces.nameOf(socket))
  })
  server.once(
    'close',
    tls.onChange(() => server.setSecureContext(contextOf(tls))),
  )
  return server
}

/** Where certificates are optional, Node lets in whoever shows one that nobody vouches for. */
function welcomeVouched(
  socket: TLSSocket,
  { tls, onTlsError }: ListenOptions,
  welcome: (socket: Socket) => void,
): void {
  const { CN } = socket.getPeerCertificate().subject ?? {}
  if (tls?.clientCertificates !== 'optional' || socket.authorized || !hasCertificate(socket)) return welcome(socket)
  const name = typeof CN === 'string' ? CN.slice(0, nameCharsTold) : undefined
  onTlsError(new Error(`its certificate: ${String(socket.authorizationError)}`), socket.remoteAddress ?? '', name)
  socket.on('error', () => socket.destroy())
  socket.destroy()
}

const hasCertificate = (socket: TLSSocket): boolean => Object.keys(socket.getPeerCertificate()).length > 0

/**
 * Who a connection is, noted while it is open: of one that Node has ended over its certificate nothing is known any more.
 * The first that a server hears of a connection is that it has keys; they are of no interest here.
 */
class Faces {
  readonly #names = new WeakMap<TLSSocket, string | undefined>()

  look(socket: TLSSocket): void {
    // Asked for once, the socket remembers it.
    if (socket.remoteAddress === undefined || this.#names.has(socket)) return
    this.#names.set(socket, undefined)
    socket.prependOnceListener('secure', () => {
      const { CN } = socket.getPeerCertificate().subject ?? {}
      if (typeof CN === 'string') this.#names.set(socket, CN.slice(0, nameCharsTold))
    })
  }

  nameOf(socket: TLSSocket): string | undefined {
    return this.#names.get(socket)
  }
}

/** Nobody vouches for the name of a certificate that is refused: no more of it is told than an id may have. */
const nameCharsTold = 64

/** No session tickets: a client that comes again shows its certificate again, to the authorities of today. */
function contextOf(tls: BrokerTls): SecureContextOptions {
  const { cert, key, ca } = tls.material()
  return {
    cert,
    key,
    ...(ca === undefined ? {} : { ca }),
    minVersion: 'TLSv1.2',
    secureOptions: constants.SSL_OP_NO_TICKET,
  }
}

/** The name in the certificate that the client has shown and an authority of ours has signed. */
export function certificateNameOf(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined
  const { CN } = socket.getPeerCertificate().subject ?? {}
  return typeof CN === 'string' ? CN : undefined
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

/** As the configuration writes it. */
export function urlOf({ kind, host, port, path = '' }: Listener): string {
  return `${kind}://${host.includes(':') ? `[${host}]` : host}:${port}${path}`
}
