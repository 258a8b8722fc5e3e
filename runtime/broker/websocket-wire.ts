/**
 * A WebSocket as a wire: MQTT is what its binary messages hold one after the other, however it is cut into them
 * [MQTT-6.0.0-2]. To the connection behind it, it is a socket.
 *
 * Promises: what is not read stays with the client, because a pause reaches the socket; a client that does not read
 * what it is sent is felt by `write`, and is sent no answers to its pings; a stranger, who has not said CONNECT, makes us
 * hold no more than a CONNECT and one chunk, though a message is put together before it is seen; many small messages
 * cost no more than their bytes.
 * It never emits an 'error'.
 */
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'

export type WebSocketDoors = {
  /** What a client may send before it is welcome. */
  readonly strangerBytesMax: number
  /** The client broke a rule; its connection is being closed. */
  readonly onFault: (cause: string) => void
}

/** Messages of one chunk are put together from so many on: each would cost hundreds of bytes beside its own. */
const gatheredMax = 64
/** Pings are answered while no more than this waits to be sent. */
const pongBytesMax = 16 * 1024
const farewellMs = 1_000
const closeCodes = { normal: 1000, unacceptableData: 1003 }

export class WebSocketWire extends Duplex {
  readonly #socket: WebSocket
  readonly #below: Socket
  readonly #doors: WebSocketDoors
  #gathered: Buffer[] = []
  #isTurnAsked = false
  /** What has come, less the frames that were seen whole. */
  #unseenBytes = 0
  #isStranger = true
  #isGentle = false
  /** Nothing more is read. */
  #isOver = false

  constructor(socket: WebSocket, below: Socket, doors: WebSocketDoors) {
    // Next to nothing is held here for reading: what is not wanted yet is not read from the socket.
    super({ readableHighWaterMark: 1, autoDestroy: false })
    this.#socket = socket
    this.#below = below
    this.#doors = doors
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#message(data, isBinary))
    socket.on('ping', data => this.#ping(data))
    socket.on('error', error => this.#fault(causeOf(error)))
    socket.on('close', () => this.#end())
    below.on('data', (chunk: Buffer) => {
      this.#unseenBytes += chunk.length
      this.#inTurn()
    })
  }

  /** It has said who it is: the frame guard alone judges what it sends from now on. */
  welcomed(): void {
    this.#isStranger = false
  }

  override pause(): this {
    this.#socket.pause()
    return super.pause()
  }

  override resume(): this {
    this.#socket.resume()
    return super.resume()
  }

  /** Sends what was written, and a close frame, and closes. */
  destroySoon(): void {
    this.#isGentle = true
    this.end(() => this.destroy())
  }

  override _read(): void {
    if (!this.isPaused()) this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return callback()
    this.#socket.send(chunk, { binary: true }, () => callback())
  }

  override _writev(chunks: readonly { chunk: Buffer }[], callback: () => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'binary', callback)
  }

  override _final(callback: () => void): void {
    this.#socket.close(closeCodes.normal)
    callback()
  }

  override _destroy(_error: Error | null, callback: (error: null) => void): void {
    this.#isOver = true
    const below = this.#below
    if (below.closed) return callback(null)
    below.once('close', () => callback(null))
    if (!this.#isGentle) return this.#socket.terminate()
    below.destroySoon()
    setTimeout(() => below.destroy(), farewellMs).unref()
  }

  #message(data: Buffer, isBinary: boolean): void {
    if (this.#isOver) return
    if (!isBinary) {
      this.#socket.close(closeCodes.unacceptableData) // [MQTT-6.0.0-1]
      return this.#fault('websocket_text')
    }
    this.#saw(data)
    if (data.length === 0) return
    if (this.#gathered.push(data) >= gatheredMax) this.#gathered = [Buffer.concat(this.#gathered)]
    this.#inTurn()
  }

  /** A chunk of the socket becomes one of ours, once its messages are taken out of it. */
  #inTurn(): void {
    if (this.#isTurnAsked) return
    this.#isTurnAsked = true
    process.nextTick(() => {
      this.#isTurnAsked = false
      this.#deliver()
      this.#weigh()
    })
  }

  #deliver(): void {
    const gathered = this.#gathered
    if (gathered.length === 0 || this.#isOver) return
    this.#gathered = []
    const [first] = gathered
    const bytes = gathered.length === 1 && first !== undefined ? own(first) : Buffer.concat(gathered)
    if (!this.push(bytes)) this.#socket.pause()
  }

  /** A message whose end has not come is held by the WebSocket, where the frame guard does not see it [A2]. */
  #weigh(): void {
    if (!this.#isStranger || this.#isOver || this.isPaused()) return
    if (this.#unseenBytes > this.#doors.strangerBytesMax) this.#fault('connect_bytes')
  }

  #saw({ length }: Buffer): void {
    // Two bytes, the length where it is greater, and the mask of a client.
    const headerBytes = length < 126 ? 6 : length < 65_536 ? 8 : 14
    this.#unseenBytes -= headerBytes + length
  }

  /** One who does not read what it is sent could otherwise fill our memory with answers. */
  #ping(data: Buffer): void {
    this.#saw(data)
    if (this.#below.writableLength <= pongBytesMax) this.#socket.pong(data, false, () => undefined)
  }

  #end(): void {
    this.#deliver()
    if (this.#isOver) return
    this.#isOver = true
    this.push(null)
  }

  #fault(cause: string): void {
    if (this.#isOver) return
    this.#doors.onFault(cause)
    this.#isGentle = true // a frame that says why is on its way
    this.destroy()
  }
}

/** What is left of a chunk of which most is something else; a slice would keep all of it. */
function own(bytes: Buffer): Buffer {
  if (bytes.length * 2 > bytes.buffer.byteLength) return bytes
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}

function causeOf(error: Error & { code?: string }): string {
  return error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' ? 'websocket_bytes' : 'websocket_frame'
}
