/**
 * The live part of a stream that is ahead of itself: a second window over the same log, from where the head was when the
 * backlog was found. Its frames go before those of the backlog, which ends where this begins.
 *
 * Promises: nothing about what the far side applies depends on it: the far side knows what it has (place.ts), and what
 * this loses or sends again is asked for again or dropped there. It is given up with its conversation.
 */
import type { Entry, Seq, TableKind } from '../../store/types.ts'
import { stallMs } from '../limits.ts'
import { encodeAsk } from '../wire/messages.ts'
import { type Packed, packFrame, readCount } from './packing.ts'
import { type Place, endOf } from '../wire/place.ts'
import type { PositionAnswer } from '../wire/protocol.ts'
import type { Choose } from './selection.ts'
import type { Doors, Session } from '../stream.ts'
import { type Window, answered, frameSent, isStalled, openWindow, passedOver, slowed } from './window.ts'

export type LiveOptions = {
  readonly table: string
  readonly kind: TableKind
  readonly selection?: { readonly choose: Choose | undefined } | undefined
  /** So little behind, the range of a conversation before is gone on with. */
  readonly liveGapMax?: number
}

export class Live {
  /** The far side's range of this part begins here. */
  readonly base: Seq
  readonly #options: LiveOptions
  readonly #doors: Doors
  readonly #session: Session
  #window: Window
  #read: readonly Entry[] = []

  /** The far side may have some of it already, from a conversation before. */
  constructor(options: LiveOptions, base: Seq, far: Place, session: Session, doors: Doors) {
    this.#options = options
    this.#doors = doors
    this.#session = session
    this.base = base
    const nowMs = doors.time.monotonicMs()
    const reached = endOf(far, base)
    this.#window = openWindow(1, reached, reached, nowMs)
  }

  get window(): Window {
    return this.#window
  }

  get isCaughtUp(): boolean {
    return this.#window.scanned >= this.#doors.store.head(this.#options.table)
  }

  get isReady(): boolean {
    return !this.isCaughtUp && this.#window.flying.length < this.#window.framesMax
  }

  get isStalled(): boolean {
    return isStalled(this.#window, stallMs, this.#doors.time.monotonicMs())
  }

  /** True if the far side has come further. */
  position({ seq, ahead, base, run, wanted }: PositionAnswer): boolean {
    const before = this.#window
    const isAboutThis = base === this.base
    const answer = {
      run: isAboutThis ? run : 0,
      seq: endOf({ seq, ahead }, this.base),
      wanted: isAboutThis ? wanted : undefined,
    }
    this.#window = answered(before, answer, this.#doors.time.monotonicMs())
    if (this.#window.scanned !== before.scanned) this.#read = []
    return this.#window.confirmed > before.confirmed
  }

  /** The next frame, posted by `post`; undefined if there was nothing to post. Rejects if the log can't be read. */
  async send(frameBytes: number, post: (packed: Packed) => void): Promise<'sent' | 'passed' | 'nothing'> {
    const before = this.#window
    const { table, kind, selection } = this.#options
    const { store, time } = this.#doors
    const { id, peer, far } = this.#session
    const read = this.#read.length > 0 ? this.#read : await store.read(table, before.scanned, readCount(kind, far))
    const window = this.#window
    if (window.scanned !== before.scanned || read.length === 0) return 'nothing'
    const options = {
      after: window.scanned,
      peer,
      frameBytes,
      transactionsMax: Number.POSITIVE_INFINITY,
      unreadable: undefined,
      choose: selection?.choose,
    }
    const place = { session: id, run: window.run, after: window.sent, head: store.head(table), base: this.base }
    const packed = packFrame(kind, read, options, far, place)
    const { cut, payloads } = packed
    this.#read = read.filter(entry => entry.seq > cut.last)
    if (cut.parts.length === 0) {
      this.#window = passedOver(window, cut.last)
      return 'passed'
    }
    const bytes = payloads.reduce((sum, payload) => sum + payload.length, 0)
    this.#window = frameSent(window, { last: cut.last, bytes }, time.monotonicMs())
    post(packed)
    return 'sent'
  }

  /** Where is the far side with it? */
  ask(): void {
    const { id, post } = this.#session
    post('ask', this.#options.table, encodeAsk({ session: id, run: this.#window.run, base: this.base }))
  }

  /** After a silence: one frame at a time, until there is progress again. */
  slowDown(): void {
    this.#window = slowed(this.#window, this.#doors.time.monotonicMs())
  }
}
