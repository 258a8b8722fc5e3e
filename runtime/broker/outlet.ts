/**
 * The way from us to a client's socket. What waits for a client waits in our memory: one that leaves its socket full for
 * longer than the drain timeout is dropped, and so is one for which too much waits [A7].
 */
import type { Wire } from './wire.ts'
import type { Crowd, Reader } from './crowd.ts'
import type { BrokerLimits } from './limits.ts'

const farewellMs = 1_000
/** Less is not worth adding up. */
const lookEveryBytes = 64 * 1024

type Hall = { readonly limits: BrokerLimits; readonly crowd: Crowd }

export class Outlet {
  readonly #reader: Reader
  readonly #socket: Wire
  readonly #limits: BrokerLimits
  readonly #crowd: Crowd
  readonly #onRoom: () => void
  #drainTimer: NodeJS.Timeout | undefined
  #lookAtBytes = lookEveryBytes

  /** `onRoom` is called when the socket was full and is not any more. */
  constructor(reader: Reader, socket: Wire, { limits, crowd }: Hall, onRoom: () => void) {
    this.#reader = reader
    this.#socket = socket
    this.#limits = limits
    this.#crowd = crowd
    this.#onRoom = onRoom
    crowd.join(reader)
  }

  /** `done` is called once the socket takes more. */
  write(bytes: Buffer, done: () => void): void {
    if (this.#socket.write(bytes)) return done()
    this.#socket.once('drain', () => {
      clearTimeout(this.#drainTimer)
      this.#lookAtBytes = lookEveryBytes
      done()
      this.#onRoom()
    })
    this.#drainTimer = setTimeout(() => this.#reader.refuse('slow_reader'), this.#limits.drainTimeoutMs).unref()
  }

  /** More waits than the buffers are for: is it too much? */
  look(): void {
    const { waitingBytes } = this.#reader
    if (waitingBytes > this.#limits.waitingBytesMax) return this.#reader.refuse('waiting_bytes')
    if (waitingBytes < this.#lookAtBytes) return
    this.#lookAtBytes = waitingBytes + lookEveryBytes
    this.#crowd.look()
  }

  /** Closes the socket; what was written, a refusal perhaps, still goes out if the client takes it soon. */
  close(): void {
    clearTimeout(this.#drainTimer)
    this.#crowd.leave(this.#reader)
    const socket = this.#socket
    if (socket.writableLength === 0) {
      socket.destroy()
    } else {
      socket.destroySoon()
      setTimeout(() => socket.destroy(), farewellMs).unref()
    }
  }
}
