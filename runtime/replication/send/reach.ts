/**
 * How far the entries of a stream can have gone: a position of the far side beyond it means that our database is an older
 * copy, or has lost its end, and that its numbers mean other entries over there.
 *
 * A process knows it from the head at its start. But between the return of an older copy and the first word of the far
 * side there may be many starts, and the log may have grown past that position meanwhile: then the head of the last
 * start says nothing. So the head of the first start since we last met the far side is kept on the disk, and forgotten
 * there before anything is sent: what is sent may be beyond it.
 */
import { messageOf } from '../../errors.ts'
import { type Change, type Seq, asSeq } from '../../store/types.ts'
import type { StoreDoor } from '../store-door.ts'
import type { Doors } from '../stream.ts'

const reachOwner = 'reach'
/** Of streams of a restored database: how far they reach is known, not guessed. */
const restoredOwner = 'reach-restored'

type Stream = { readonly cursor: string; readonly head: Seq }

/** What a process that starts writes down of its streams, unless an earlier one has met nobody since it did so. */
export const marksAtStart = (store: StoreDoor, streams: readonly Stream[]): Change[] =>
  streams
    .filter(({ cursor }) => store.state(reachOwner, cursor) === undefined)
    .map(({ cursor, head }) => ({ kind: 'state', owner: reachOwner, key: cursor, value: head }))

/** How far a stream of a restored database reached: to the head, unless it was restored before and has met nobody since. */
export function reachOf(store: StoreDoor, cursor: string, head: Seq): Seq {
  const kept = store.state(reachOwner, cursor)
  const isKnown = store.state(restoredOwner, cursor) === true && typeof kept === 'number'
  return isKnown && kept < head ? asSeq(kept) : head
}

/** The far side was met, or the stream is another one now: nothing is known of its reach. */
const forgetReach = (cursor: string): Change[] =>
  [reachOwner, restoredOwner].map(owner => ({ kind: 'state', owner, key: cursor, value: undefined }))

/** `undefined` forgets it. */
export const reachChanges = (cursor: string, head: Seq | undefined): Change[] =>
  head === undefined
    ? forgetReach(cursor)
    : [
        { kind: 'state', owner: reachOwner, key: cursor, value: head },
        { kind: 'state', owner: restoredOwner, key: cursor, value: true },
      ]

export class Reach {
  readonly #cursor: string
  readonly #doors: Doors
  #most: Seq
  /** False while something is on the disk, or on its way there, that what is sent would make untrue. */
  #isMet: boolean

  constructor(cursor: string, head: Seq, doors: Doors) {
    this.#cursor = cursor
    this.#doors = doors
    const kept = doors.store.state(reachOwner, cursor)
    this.#isMet = kept === undefined
    this.#most = typeof kept === 'number' && kept < head ? asSeq(kept) : head
  }

  /** Nothing after this can have reached the far side. */
  get most(): Seq {
    return this.#most
  }

  /** Rides with the next commit: it need not be on the disk before the entries that it is about. */
  mark(): void {
    const { store, log } = this.#doors
    const marks = marksAtStart(store, [{ cursor: this.#cursor, head: this.#most }])
    if (marks.length === 0) return
    this.#isMet = false
    store.commit(marks, 'lazy').catch((error: unknown) => {
      log.debug({ cursor: this.#cursor, reason: messageOf(error) }, 'the reach of a stream was not saved')
    })
  }

  /** The far side has told its position, and it fits: `then` is run when something may be sent, at once as a rule. */
  meet(then: () => void): void {
    if (this.#isMet) return then()
    const { store, log } = this.#doors
    store.commit(forgetReach(this.#cursor), 'now').then(
      () => {
        this.#isMet = true
        then()
      },
      (error: unknown) => {
        // The sender asks for the position again, and so comes here again.
        log.debug({ cursor: this.#cursor, reason: messageOf(error) }, 'nothing can be sent before this is saved')
      },
    )
  }

  sent(seq: Seq): void {
    if (seq > this.#most) this.#most = seq
  }

  /** The log ends before it: its end is lost. */
  cutBackTo(head: Seq): void {
    this.#most = head
  }
}
