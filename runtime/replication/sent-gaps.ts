/**
 * What a sender has told as gaps: counted once for the status, however often a frame goes again. What is missing though
 * nobody trimmed it (a damaged block, rows that can't travel) also gets its row in `gaps` here, so that the side that
 * lost it shows it too; of what was trimmed, the trim has told already.
 */
import { messageOf } from '../errors.ts'
import { tellGaps } from '../store/gap-rows.ts'
import type { Seq, TableKind } from '../store/types.ts'
import type { Gap } from './frames.ts'
import type { Doors } from './stream.ts'

type Stream = { readonly table: string; readonly kind: TableKind; readonly label: string }

export class SentGaps {
  readonly #stream: Stream
  readonly #doors: Doors
  #through = 0
  #count = 0
  #last: string | undefined
  /** One commit at a time: the next one joins its rows to what the one before has written. */
  #telling: Promise<void> = Promise.resolve()

  constructor(stream: Stream, doors: Doors) {
    this.#stream = stream
    this.#doors = doors
  }

  /** Told, and to be told: what is trimmed after a position that the far side has will never reach it. */
  status(after: Seq): { readonly gaps: number; readonly lastGap: string | undefined } {
    const { table, kind } = this.#stream
    const trimmed = kind === 'series' ? this.#doors.store.firstSeq(table) - 1 : 0
    const untold = Math.max(0, trimmed - Math.max(after, this.#through))
    return { gaps: this.#count + untold, lastGap: this.#last }
  }

  /** Called with the gaps of every frame that goes out. */
  note(gaps: readonly Gap[], epoch: string): void {
    const fresh = gaps.filter(gap => gap.last > this.#through)
    for (const { first, last, reason } of fresh) {
      this.#count += last - Math.max(first - 1, this.#through)
      this.#through = last
      this.#last = reason
    }
    const trimmed: Seq = this.#doors.store.firstSeq(this.#stream.table)
    const untold = fresh.filter(gap => gap.last >= trimmed)
    if (untold.length > 0) this.#telling = this.#telling.then(() => this.#tell(untold, epoch))
  }

  async #tell(gaps: readonly Gap[], epoch: string): Promise<void> {
    const { store, time, log } = this.#doors
    const { table, label } = this.#stream
    try {
      const changes = await tellGaps(store, { who: `to:${label}`, table, epoch }, gaps, time.wallMs())
      if (changes.length > 0) await store.commit(changes, 'lazy')
    } catch (error) {
      // The far side is told all the same, and keeps it.
      log.warn({ table, stream: label, reason: messageOf(error), gaps }, 'gaps could not be noted')
    }
  }
}
