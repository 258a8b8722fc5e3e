/**
 * Where a log ends, for whoever has read further: a log that has lost its end may have grown past what was read before
 * anybody looks, and then its numbers mean other entries.
 */
import type { Seq } from '../../store/types.ts'
import type { StoreDoor } from '../store-door.ts'

export class LogEnd {
  readonly #store: StoreDoor
  readonly #table: string
  #times: number

  constructor(store: StoreDoor, table: string) {
    this.#store = store
    this.#table = table
    this.#times = store.lostEnds.of(table).times
  }

  /** Where it ends; once after each loss, where it ended then. */
  look(): Seq {
    const { times, head } = this.#store.lostEnds.of(this.#table)
    const isLost = times > this.#times
    this.#times = times
    return isLost ? head : this.#store.head(this.#table)
  }
}
