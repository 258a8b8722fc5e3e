/** Lets callers in while there is room, in all and for their address. */
import { Connection } from './connection.ts'
import type { Hall } from './engine.ts'
import type { Caller } from './wire.ts'

export class Lobby {
  readonly #hall: Hall
  readonly #handle: (connection: Connection) => void
  readonly #connections = new Set<Connection>()
  readonly #byAddress = new Map<string, number>()
  #open = true

  constructor(hall: Hall, handle: (connection: Connection) => void) {
    this.#hall = hall
    this.#handle = handle
  }

  get size(): number {
    return this.#connections.size
  }

  enter(caller: Caller): void {
    const { wire, address } = caller
    const fromThere = this.#byAddress.get(address) ?? 0
    const { connectionsMax, connectionsPerAddressMax } = this.#hall.limits
    const isFull = this.#connections.size >= connectionsMax
    if (!this.#open || isFull || fromThere >= connectionsPerAddressMax) {
      const cause = isFull ? 'refused_connections' : 'refused_connections_per_address'
      if (this.#open) this.#hall.tally.warn(cause, 'A connection was refused: there are too many', { address })
      wire.on('error', () => wire.destroy())
      wire.destroy()
      return
    }
    const connection = new Connection(caller, this.#hall)
    this.#connections.add(connection)
    this.#byAddress.set(address, fromThere + 1)
    // The wire's own end, not the stream's: until then it takes up a place.
    wire.once('close', () => {
      this.#connections.delete(connection)
      const left = (this.#byAddress.get(address) ?? 1) - 1
      if (left > 0) this.#byAddress.set(address, left)
      else this.#byAddress.delete(address)
    })
    this.#handle(connection)
  }

  /** Nothing more is read or let in. */
  shut(): void {
    this.#open = false
    for (const connection of this.#connections) connection.shut()
  }

  clear(): void {
    for (const connection of this.#connections) connection.destroy()
  }
}
