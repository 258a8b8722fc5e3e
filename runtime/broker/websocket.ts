/**
 * The door to MQTT over WebSocket: an HTTP server that knows one request, the upgrade to WebSocket on its path, and
 * answers every other with a refusal and closes.
 *
 * Promises: a request is bounded in size and time, so that nobody holds a place without having asked for anything;
 * browser pages of strangers do not get in, whatever name they have made of our address (origins are compared with
 * addresses, which nobody can make up); nothing is compressed, so that no message grows when it is read; each refusal
 * is counted by its cause.
 */
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { messageOf, systemCode } from '../errors.ts'
import type { BrokerLimits } from './limits.ts'
import type { Tally } from './tally.ts'
import { Waiting } from './waiting.ts'
import { WebSocketWire } from './websocket-wire.ts'

export type WebSocketPlace = {
  /** Left out: those that clients ask for if nobody tells them. */
  readonly path: string | undefined
  /** Pages that may connect besides our own, as browsers write them, such as https://panel.lan; `*` is every page. */
  readonly origins: readonly string[]
}

export type WebSocketDoors = {
  readonly limits: BrokerLimits
  readonly tally: Tally
  readonly enter: (wire: WebSocketWire, below: Socket) => void
}

const usualPaths = ['/', '/mqtt']
/** `mqtt` is MQTT 3.1.1 and later [MQTT-6.0.0-3], `mqttv3.1` what came before. */
const subProtocols = ['mqtt', 'mqttv3.1']
/** A request has a path, a dozen headers and perhaps cookies of a page. */
const requestBytesMax = 8 * 1024
/** Packets of small limits come several in a message. */
const messageBytesMin = 64 * 1024
const farewellMs = 1_000

type Refusal = { readonly cause: string; readonly status: number; readonly headers?: string }

export class WebSocketDoor {
  readonly #place: WebSocketPlace
  readonly #doors: WebSocketDoors
  readonly #http: Server
  readonly #sockets: WebSocketServer
  readonly #waiting: Waiting
  /** Ends the wait of one who has not been let in. */
  readonly #ends = new WeakMap<Socket, () => void>()

  constructor(place: WebSocketPlace, doors: WebSocketDoors) {
    this.#place = place
    this.#doors = doors
    this.#waiting = new Waiting(doors.limits)
    this.#http = createServer({ maxHeaderSize: requestBytesMax, keepAlive: false })
    this.#http.on('request', (request: IncomingMessage) => this.#request(request))
    for (const event of ['upgrade', 'connect'] as const) {
      this.#http.on(event, (request: IncomingMessage, socket: Socket, head: Buffer) => {
        this.#upgrade(request, socket, head)
      })
    }
    this.#http.on('clientError', (error: Error, socket: Socket) => this.#garbled(error, socket))
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      autoPong: false,
      skipUTF8Validation: true, // text is refused as such
      maxPayload: Math.max(doors.limits.packetBytesMax, messageBytesMin),
      handleProtocols: offered => subProtocols.find(name => offered.has(name)) ?? false,
    })
    this.#sockets.on('wsClientError', (error: Error, socket) => {
      this.#refuse(socket as Socket, { cause: 'websocket_handshake', status: 400 }, error)
    })
  }

  /** Somebody has connected, and through with TLS where that is spoken. */
  enter(socket: Socket): void {
    const { remoteAddress: address = '' } = socket
    if (!this.#waiting.enter(address)) return this.#refuse(socket, { cause: 'websocket_waiting', status: 503 })
    const waited = (): void => this.#refuse(socket, { cause: 'websocket_timeout', status: 408 })
    const deadline = setTimeout(waited, this.#doors.limits.connectTimeoutMs).unref()
    const end = (): void => {
      if (!this.#ends.delete(socket)) return
      clearTimeout(deadline)
      this.#waiting.leave(address)
    }
    this.#ends.set(socket, end)
    socket.once('close', end)
    this.#http.emit('connection', socket)
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const refusal = this.#refusalOf(request, socket)
    if (refusal !== undefined) return this.#refuse(socket, refusal)
    this.#sockets.handleUpgrade(request, socket, head, (accepted: WebSocket) => {
      this.#ends.get(socket)?.()
      const { limits, tally, enter } = this.#doors
      const wire = new WebSocketWire(accepted, socket, {
        strangerBytesMax: 2 * limits.connectBytesMax,
        onFault: cause =>
          tally.warn(`refused_${cause}`, 'A client was refused and its connection closed', {
            address: socket.remoteAddress,
          }),
      })
      enter(wire, socket)
    })
  }

  #refusalOf({ url = '', headers }: IncomingMessage, socket: Socket): Refusal | undefined {
    const path = url.split('?', 1)[0] ?? ''
    const paths = this.#place.path === undefined ? usualPaths : [this.#place.path]
    if (!paths.includes(path)) return { cause: 'websocket_path', status: 404 }
    if (headers.upgrade?.toLowerCase() !== 'websocket') {
      return { cause: 'websocket_upgrade', status: 426, headers: 'Upgrade: websocket\r\n' }
    }
    if (!this.#isOurs(headers.origin, socket)) return { cause: 'websocket_origin', status: 403 }
    const offered = headers['sec-websocket-protocol']?.split(',').map(name => name.trim()) ?? []
    if (!subProtocols.some(name => offered.includes(name))) return { cause: 'websocket_protocol', status: 400 }
    return undefined
  }

  /**
   * Only browsers send an origin. A page may connect if its origin is named, or if it comes from this very address:
   * not from a name for it, because the owner of a name may have it mean any address (DNS rebinding).
   */
  #isOurs(origin: string | undefined, { localAddress = '' }: Socket): boolean {
    const { origins } = this.#place
    if (origin === undefined || origins.includes('*') || origins.includes(origin)) return true
    const host = URL.canParse(origin) ? new URL(origin).hostname.replace(/^\[|\]$/g, '') : ''
    const here = localAddress.replace(/^::ffff:/, '')
    return host === here || (host === 'localhost' && (here === '127.0.0.1' || here === '::1'))
  }

  /** A request that asks for no upgrade. */
  #request(request: IncomingMessage): void {
    this.#refuse(request.socket, this.#refusalOf(request, request.socket) ?? upgradeFirst)
  }

  #garbled(error: Error, socket: Socket): void {
    // Who is gone has broken no rule.
    if (systemCode(error) === 'ECONNRESET' || !socket.writable) return void socket.destroy()
    const status = systemCode(error) === 'HPE_HEADER_OVERFLOW' ? 431 : 400
    this.#refuse(socket, { cause: 'websocket_request', status }, error)
  }

  #refuse(socket: Socket, { cause, status, headers = '' }: Refusal, error?: Error): void {
    // Once: more requests may lie behind the first.
    if (socket.destroyed || socket.writableEnded) return
    const { remoteAddress: address } = socket
    const why = error === undefined ? {} : { error: messageOf(error) }
    this.#doors.tally.warn(`refused_${cause}`, 'A request was refused: MQTT is not spoken so here', { address, ...why })
    socket.on('error', () => socket.destroy())
    socket.write(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${headers}Connection: close\r\nContent-Length: 0\r\n\r\n`,
    )
    socket.destroySoon()
    setTimeout(() => socket.destroy(), farewellMs).unref()
  }
}

const upgradeFirst: Refusal = { cause: 'websocket_upgrade', status: 426, headers: 'Upgrade: websocket\r\n' }
