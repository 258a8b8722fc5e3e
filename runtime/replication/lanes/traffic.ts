/**
 * What one conversation has on the road (road.ts), and by what sign it knows that a frame has left it:
 *
 *   the next hop took it   where the transport tells: a broker's PUBACK, at the end that dials
 *   the far side heard it  an answer with the frame's sum, given before the commit, at the end that is dialled
 *   the far side has it    the confirmed position, which also waits for a disk: an older far side tells nothing else
 *
 * Promises: whatever is lost, nothing stays on the road that its sender no longer waits for, so that no lane waits for
 * ever. Ends with its conversation.
 */
import { crc32 } from 'node:zlib'
import { messageOverheadBytes } from '../limits.ts'
import { type Load, arrived, emptyRoad, handedOver, hasRoom, released } from './road.ts'

type Cargo = { readonly table: string; readonly sum: number; readonly bytes: number; readonly load: Load }

export type Gone = () => void

export class Traffic {
  readonly #monotonicMs: () => number
  readonly #begunAtMs: number
  #quietMs: number | undefined
  #road = emptyRoad
  /** What only an answer tells of, in the order in which it was handed over. */
  #cargo: readonly Cargo[] = []
  #isHeard = false

  /** Without `quietMs`, what a small message takes there and back is how long the first answer takes. */
  constructor(quietMs: number | undefined, monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs
    this.#begunAtMs = monotonicMs()
    this.#quietMs = quietMs
  }

  get hasRoom(): boolean {
    return hasRoom(this.#road)
  }

  get frameBytesMax(): number {
    return this.#road.frameBytesMax
  }

  /** A frame that the transport will tell of, by calling what is returned. */
  handedOver(payload: Buffer): Gone {
    const load = this.#load(payload)
    return () => {
      this.#road = arrived(this.#road, load, this.#quietMs ?? 0, this.#monotonicMs())
    }
  }

  /** A frame that nobody but the far side will tell of. */
  sent(table: string, payload: Buffer): void {
    const load = this.#load(payload)
    this.#cargo = [...this.#cargo, { table, sum: crc32(payload), bytes: payload.length, load }]
  }

  #load(payload: Buffer): Load {
    const { road, load } = handedOver(this.#road, payload.length + messageOverheadBytes, this.#monotonicMs())
    this.#road = road
    return load
  }

  /** An answer came, if only to say where the far side stands. */
  answered(): void {
    this.#quietMs ??= this.#monotonicMs() - this.#begunAtMs
  }

  /** The far side has heard this frame of the table: what went before it has come too, or never will. */
  heard(table: string, sum: number): void {
    const index = this.#cargo.findIndex(one => one.table === table && one.sum === sum)
    if (index < 0) return
    this.#isHeard = true
    const nowMs = this.#monotonicMs()
    for (const [at, { load }] of this.#cargo.slice(0, index + 1).entries())
      this.#road = at < index ? released(this.#road, load) : arrived(this.#road, load, this.#quietMs ?? 0, nowMs)
    this.#cargo = this.#cargo.slice(index + 1)
  }

  /** So many bytes of this table still wait for their answer: what was handed over before them has left the road. */
  waitingFor(table: string, bytes: number): void {
    let beyond = this.#cargo.reduce((sum, one) => sum + (one.table === table ? one.bytes : 0), 0) - bytes
    this.#cargo = this.#cargo.filter(one => {
      if (one.table !== table || beyond < one.bytes) return true
      beyond -= one.bytes
      this.#confirmed(one.load)
      return false
    })
  }

  /** An answer that waited for a disk says nothing of the size of a frame, and of the road only if no other comes. */
  #confirmed(load: Load): void {
    const { frameBytesMax } = this.#road
    this.#road = this.#isHeard
      ? released(this.#road, load)
      : { ...arrived(this.#road, load, this.#quietMs ?? 0, this.#monotonicMs()), frameBytesMax }
  }

  /** The far side has everything: nothing is on the road, whatever the next hop told or did not tell. */
  clear(): void {
    this.#road = { ...this.#road, bytes: 0 }
    this.#cargo = []
  }
}
