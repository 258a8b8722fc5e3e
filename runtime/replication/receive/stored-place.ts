/**
 * What is kept of one peer's stream: the place that was reached, and how many entries will never come. By the epoch of
 * the peer's database, because the same numbers mean other entries in another. Changes ride in the caller's commit [I3].
 */
import type { Json } from '../../reading.ts'
import type { Change, Seq } from '../../store/types.ts'
import type { Gap } from '../wire/frames.ts'
import { epochsPerPeerMax } from '../limits.ts'
import { type Place, type Range, nowhere, upTo } from '../wire/place.ts'
import type { Continues } from '../wire/protocol.ts'
import type { StoreDoor } from '../store-door.ts'

/** With how many entries will never come, and why the last of them will not. */
type Stored = {
  readonly seq: Seq
  readonly ahead?: readonly Range[]
  readonly atMs: number
  readonly gaps?: number
  readonly lastGap?: string
}

export class StoredPlace {
  readonly #store: StoreDoor
  readonly #owner: string
  readonly #epoch: string
  /** Where the stream stands that this one continues; asked for only until this one has moved. */
  readonly #before: (() => Place) | undefined

  constructor(store: StoreDoor, peer: string, table: string, epoch: string, continues?: Continues) {
    this.#store = store
    this.#owner = `position/${peer}/${table}`
    this.#epoch = epoch
    if (continues === undefined || continues.gateway === peer) return
    const before = new StoredPlace(store, continues.gateway, table, continues.epoch)
    this.#before = () => upTo(before.place, continues.seq)
  }

  get position(): Seq {
    return this.place.seq
  }

  get place(): Place {
    const stored = this.#stored()
    if (stored === undefined) return this.#before?.() ?? nowhere
    return { seq: stored.seq, ahead: stored.ahead ?? [] }
  }

  get gaps(): { readonly gaps: number; readonly lastGap: string | undefined } {
    const stored = this.#stored()
    return { gaps: stored?.gaps ?? 0, lastGap: stored?.lastGap }
  }

  /** The changes that keep a new place; the oldest epochs of the peer are forgotten beyond a few. */
  moved({ seq, ahead }: Place, gaps: readonly Gap[], atMs: number): Change[] {
    const stored = this.#stored()
    const lastGap = gaps.at(-1)?.reason ?? stored?.lastGap
    const lost = (stored?.gaps ?? 0) + countOf(gaps)
    const place: Stored = ahead.length === 0 ? { seq, atMs } : { seq, ahead, atMs }
    const value: Stored = lastGap === undefined ? place : { ...place, gaps: lost, lastGap }
    const owner = this.#owner
    const moved: Change = { kind: 'state', owner, key: this.#epoch, value: value as unknown as Json }
    if (stored !== undefined) return [moved]
    const others = [...this.#store.states(owner)] as unknown as [string, Stored][]
    const oldest = others
      .toSorted(([, a], [, b]) => a.atMs - b.atMs)
      .slice(0, Math.max(0, others.length + 1 - epochsPerPeerMax))
    return [moved, ...oldest.map(([key]): Change => ({ kind: 'state', owner, key, value: undefined }))]
  }

  #stored(): Stored | undefined {
    return this.#store.state(this.#owner, this.#epoch) as Stored | undefined
  }
}

export const countOf = (gaps: readonly Gap[]): number =>
  gaps.reduce((sum, { first, last }) => sum + last - first + 1, 0)
