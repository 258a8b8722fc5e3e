/**
 * A database that is an older copy of itself, or has lost its end: the far side has more of us than we have. Numbers that
 * it knows would be given again to new entries, and it would drop those.
 *
 * Promises: the stream then gets a new epoch. If the far side has told what it has, it goes on after what of that is ours:
 * nothing twice, nothing lost. If nobody could ask it, after what our own cursor knows to be confirmed: rather a few
 * readings twice than new ones lost [I1].
 */
import type { Seq } from '../../store/types.ts'
import type { Bookmark } from './bookmark.ts'
import { LogEnd } from './log-end.ts'
import { type Place, upTo } from '../wire/place.ts'
import type { Reach } from './reach.ts'
import type { Doors } from '../stream.ts'

type Stream = { readonly table: string; readonly label: string }

export class LostEnd {
  readonly #stream: Stream
  readonly #bookmark: Bookmark
  readonly #reach: Reach
  readonly #doors: Doors
  readonly #onRestart: () => void
  readonly #log: LogEnd

  constructor(stream: Stream, bookmark: Bookmark, reach: Reach, doors: Doors, onRestart: () => void) {
    this.#stream = stream
    this.#bookmark = bookmark
    this.#reach = reach
    this.#doors = doors
    this.#onRestart = onRestart
    this.#log = new LogEnd(doors.store, stream.table)
  }

  /** What was sent was on disk: a head before it means that the database was repaired. `scanned` was read of it. */
  notice(scanned: number): void {
    const head = this.#log.look()
    const lost = this.#reach.most
    if (head >= lost) return
    this.#reach.cutBackTo(head)
    if (scanned > head) this.startAnew(lost, undefined)
  }

  /** The far side, or what we have read ourselves, is at a position that this database does not reach. */
  startAnew(position: Seq, far: Place | undefined): void {
    if (this.#bookmark.isRestarting) return
    const { table, label } = this.#stream
    const ours = this.#reach.most
    const kept = far ?? { seq: this.#bookmark.cursor, ahead: [] }
    const there = upTo(kept, ours)
    this.#doors.log.error(
      { table, stream: label, theirs: position, ours, from: there.seq },
      'the far side has entries that this database lost or never had: the stream starts anew after those that both have',
    )
    this.#bookmark.restart(there, this.#onRestart)
  }
}
