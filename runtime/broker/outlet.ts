/**
 * The way from us to a client's socket. A client that leaves its socket full for longer than the drain timeout is dropped:
 * what waits for it waits in our memory [A7].
 */
import type { Wire } from './wire.ts'

const farewellMs = 1_000

export type OutletDoors = {
  readonly drainTimeoutMs: number
  /** The socket has room again. */
  readonly onRoom: () => void
  readonly onSlow: () => void
}

export class Outlet {
  readonly #socket: Wire
  readonly #doors: OutletDoors
  #drainTimer: NodeJS.Timeout | undefined

  constructor(socket: Wire, doors: OutletDoors) {
    this.#socket = socket
    this.#doors = doors
  }

  /** `done` is called once the socket takes more. */
  write(bytes: Buffer, done: () => void): void {
    if (this.#socket.write(bytes)) return done()
    this.#socket.once('drain', () => {
      clearTimeout(this.#drainTimer)
      done()
      this.#doors.onRoom()
    })
    this.#drainTimer = setTimeout(this.#doors.onSlow, this.#doors.drainTimeoutMs).unref()
  }

  /** Closes the socket; what was written, a refusal perhaps, still goes out if the client takes it soon. */
  close(): void {
    clearTimeout(this.#drainTimer)
    const socket = this.#socket
    if (socket.writableLength === 0) {
      socket.destroy()
    } else {
      socket.destroySoon()
      setTimeout(() => socket.destroy(), farewellMs).unref()
    }
  }
}
