/** How old the oldest entry is that the far side does not have: looked up from time to time, for the status. */
import { type Stamp, stampMs } from '../../stamp.ts'
import type { Seq } from '../../store/types.ts'
import type { Doors } from '../stream.ts'

export class OldestUnsent {
  readonly #table: string
  readonly #doors: Doors
  #isLooking = false
  #found: { readonly after: Seq; readonly stamp: Stamp } | undefined

  constructor(table: string, doors: Doors) {
    this.#table = table
    this.#doors = doors
  }

  /** Looks at the entry after a position. Rejects if the log can't be read. */
  async look(after: Seq): Promise<void> {
    const { store } = this.#doors
    if (this.#isLooking || this.#found?.after === after || after >= store.head(this.#table)) return
    // One look at a time: while the disk does not answer, they would pile up.
    this.#isLooking = true
    try {
      // A gap has no age: the oldest is what can still be sent.
      const entry = (await store.read(this.#table, after, 1)).find(({ kind }) => kind !== 'gap')
      if (entry !== undefined) this.#found = { after, stamp: entry.stamp }
    } finally {
      this.#isLooking = false
    }
  }

  /** Milliseconds since the entry after a position was written; undefined if that is not known, or there is none. */
  ageMs(after: Seq): number | undefined {
    const { store, time } = this.#doors
    if (this.#found?.after !== after || after >= store.head(this.#table)) return undefined
    return Math.max(0, time.wallMs() - stampMs(this.#found.stamp))
  }
}
