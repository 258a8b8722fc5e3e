/**
 * What a sender has told as gaps: counted once for the status, however often a frame goes again. What is missing though
 * nobody trimmed it (a damaged block, rows that can't travel) also gets its row in `gaps` here, so that the side that
 * lost it shows it too; of what was trimmed, the trim has told already.
 */
import { messageOf } from '../../errors.ts'
import { tellGaps } from '../../store/gap-rows.ts'
import { type Seq, type TableKind, asSeq, seqZero } from '../../store/types.ts'
import type { Gap } from '../wire/frames.ts'
import { Noted } from '../noted.ts'
import { type Place, lacking } from '../wire/place.ts'
import type { Doors } from '../stream.ts'

type Stream = { readonly table: string; readonly kind: TableKind; readonly label: string }

export class SentGaps {
  readonly #stream: Stream
  readonly #doors: Doors
  readonly #noted = new Noted()
  #count = 0
  #last: string | undefined
  /** One commit at a time: the next one joins its rows to what the one before has written. */
  #telling: Promise<void> = Promise.resolve()

  constructor(stream: Stream, doors: Doors) {
    this.#stream = stream
    this.#doors = doors
  }

  /** Told, and to be told: what is trimmed of what the far side does not have will never reach it. */
  status(far: Place): { readonly gaps: number; readonly lastGap: string | undefined } {
    const untold = this.#noted.untold(this.#trimmed, far)
    return { gaps: this.#count + untold, lastGap: this.#last }
  }

  /** Entries that may still go: neither there already, nor trimmed. */
  waiting(far: Place): number {
    const range = { first: asSeq(this.#trimmed + 1), last: this.#doors.store.head(this.#stream.table) }
    return lacking(far, range).reduce((sum, { first, last }) => sum + last - first + 1, 0)
  }

  /** Of a records log the rows that stand go instead, so nothing of it is gone. */
  get #trimmed(): Seq {
    const { table, kind } = this.#stream
    return kind === 'series' ? asSeq(this.#doors.store.firstSeq(table) - 1) : seqZero
  }

  /** Called with the gaps of every frame that goes out. */
  note(gaps: readonly Gap[], epoch: string): void {
    const fresh = gaps.flatMap(gap => this.#noted.fresh(gap).map(range => ({ ...gap, ...range })))
    for (const { first, last, reason } of fresh) {
      this.#count += last - first + 1
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
