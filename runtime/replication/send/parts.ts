/**
 * What of a stream goes, or went, before its turn: the live part of this conversation, and the ranges that the far side
 * has from conversations before. The sender asks it how far its backlog reaches, and is told when the backlog has met
 * the live part and the stream is one again.
 *
 *   backlog ──> limit  [ held ]  backlog ──> limit  [ live part, growing ──>
 *
 * Only with a far side that knows of it. What can't be read there is searched for in order, so then it is given up.
 */
import { type Entry, type Seq, asSeq } from '../../store/types.ts'
import { liveGapMax, liveLagMin } from '../limits.ts'
import { Live, type LiveOptions } from './live.ts'
import type { Packed } from './packing.ts'
import { type Place, type Range, nowhere, rangesMax } from '../wire/place.ts'
import type { PositionAnswer } from '../wire/protocol.ts'
import type { Doors, Session } from '../stream.ts'
import type { Window } from './window.ts'

export class Parts {
  readonly #options: LiveOptions
  readonly #doors: Doors
  /** Undefined with a far side that takes everything in its turn, or if it shall. */
  #session: Session | undefined
  #far: Place = nowhere
  /** Does the far side take frames before their turn, and shall it get them? */
  isAllowed = false
  #held: readonly Range[] = []
  #live: Live | undefined

  constructor(options: LiveOptions, doors: Doors) {
    this.#options = options
    this.#doors = doors
  }

  get live(): Live | undefined {
    return this.#live
  }

  /** What the far side has beyond its position. */
  get ahead(): readonly Range[] {
    return this.#far.ahead
  }

  /** The conversation has found where the far side stands. */
  begin(far: Place, window: Window, session: Session | undefined): void {
    this.#session = this.isAllowed ? session : undefined
    this.#far = far
    this.#held = far.ahead
    this.#live = undefined
    if (window.scanned < this.#head) this.#begin()
  }

  end(): void {
    this.#session = undefined
    this.#live = undefined
    this.#held = []
    this.#far = nowhere
  }

  /** A stream that has fallen behind within a conversation, because it was held back, gets a live part too. */
  look({ scanned }: Window): void {
    if (this.#live === undefined && this.#head - scanned > liveLagMin && this.#far.ahead.length < rangesMax) {
      this.#begin()
    }
  }

  #begin(): void {
    const session = this.#session
    if (session === undefined) return
    const last = this.#far.ahead.at(-1)
    const isFull = this.#far.ahead.length >= rangesMax
    const goesOn = last !== undefined && (isFull || this.#head - last[1] <= (this.#options.liveGapMax ?? liveGapMax))
    if (goesOn) this.#held = this.#held.filter(([from]) => from !== last[0])
    this.#live = new Live(this.#options, goesOn ? last[0] : this.#head, this.#far, session, this.#doors)
  }

  /** The backlog may read and send up to here; undefined if nothing is before it. */
  limit({ scanned }: Window): Seq | undefined {
    const next = this.#held.filter(([from]) => from >= scanned).map(([from]) => from)
    if (this.#live !== undefined) next.push(this.#live.base)
    return next.length === 0 ? undefined : asSeq(Math.min(...next))
  }

  /** At the beginning of a range that the far side has, the backlog goes on at its end. */
  jumped(window: Window): Window {
    const range = this.#held.find(([from, to]) => window.sent >= from && window.sent < to)
    if (range === undefined || window.scanned > range[1]) return window
    return { ...window, sent: range[1], scanned: range[1] }
  }

  /** The far side tells where it stands. True if its live part has come further. */
  position(answer: PositionAnswer): boolean {
    this.#far = { seq: answer.seq, ahead: answer.ahead }
    return this.#live?.position(answer) ?? false
  }

  /** The window of the whole stream, once the backlog has met the live part. */
  united(window: Window): Window {
    const live = this.#live
    if (live === undefined || window.confirmed < live.base) return window
    this.#live = undefined
    this.#held = []
    // A run that neither had: answers about older ones send it back nowhere. What the live part passed over last is
    // looked at again, because its end may be owed to a far side that was told of it with the backlog.
    const run = Math.max(window.run, live.window.run) + 1
    return { ...live.window, run, floor: window.floor, scanned: live.window.sent }
  }

  /** From here on everything in its turn. */
  giveUp(): void {
    const live = this.#live
    this.#session = undefined
    this.#live = undefined
    if (live !== undefined && live.window.confirmed > live.base) {
      this.#held = [...this.#held, [live.base, live.window.confirmed]]
    }
  }

  /** One frame of the live part, if it has one. */
  async send(frameBytes: number, post: (packed: Packed) => void): Promise<'sent' | 'passed' | 'nothing'> {
    const live = this.#live
    if (live?.isReady !== true) return 'nothing'
    return live.send(frameBytes, packed => {
      if (live === this.#live) post(packed)
    })
  }

  /** Called every second or so: asks about the live part when answers about it stay away. */
  tick(): void {
    const live = this.#live
    if (live?.isStalled !== true) return
    live.slowDown()
    live.ask()
  }

  get #head(): Seq {
    return this.#doors.store.head(this.#options.table)
  }
}

/** The entries up to a position; a gap that reaches beyond it is told up to there. */
export function upTo(entries: readonly Entry[], limit: Seq | undefined): readonly Entry[] {
  if (limit === undefined) return entries
  return entries.flatMap(entry => {
    if (entry.seq <= limit) return [entry]
    if (entry.kind !== 'gap' || entry.firstSeq > limit) return []
    return [{ ...entry, seq: limit, count: Math.min(entry.count, limit - entry.firstSeq + 1) }]
  })
}

/** Only gaps are control: what follows those that stand first goes in its own lane. */
export function gapsFirst(entries: readonly Entry[]): readonly Entry[] {
  const end = entries.findIndex(({ kind }) => kind !== 'gap')
  return end > 0 ? entries.slice(0, end) : entries
}
