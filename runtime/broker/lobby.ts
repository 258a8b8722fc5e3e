/** Holds the connections: lets callers in whom the porter lets in, and sees them out. */
import { Connection } from './connection.ts'
import type { Hall } from './engine.ts'
import type { Porter } from './porter.ts'
import type { Caller } from './wire.ts'

export class Lobby {
  readonly #hall: Hall
  readonly #porter: Porter
  readonly #handle: (connection: Connection) => void
  readonly #connections = new Set<Connection>()
  #open = true

  constructor(hall: Hall, porter: Porter, handle: (connection: Connection) => void) {
    this.#hall = hall
    this.#porter = porter
    this.#handle = handle
  }

  get size(): number {
    return this.#connections.size
  }

  enter(caller: Caller): void {
    const { wire, address, place, kind } = caller
    const cause = this.#open ? this.#porter.enter(place) : undefined
    if (!this.#open || cause !== undefined) {
      if (cause !== undefined)
        this.#hall.tally.warn(`refused_${cause}`, 'A connection was refused: there are too many', { address })
      wire.on('error', () => wire.destroy())
      wire.destroy()
      return
    }
    const connection = new Connection(caller, this.#hall)
    this.#connections.add(connection)
    this.#hall.traffic.came(kind)
    // The wire's own end, not the stream's: until then it takes up a place.
    wire.once('close', () => {
      this.#connections.delete(connection)
      this.#hall.traffic.left(kind)
      this.#porter.left(place)
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
