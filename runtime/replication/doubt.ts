/**
 * What could not be read by the far side? Something after a position was refused: it is sent again one transaction at a
 * time, and the one that is refused even alone is told as a gap. If one after the other is refused, it is not the rows.
 */
import { crc32 } from 'node:zlib'
import type { Seq } from '../store/types.ts'
import { unreadableInARowMax } from './limits.ts'

type Suspicion = {
  readonly at: Seq
  readonly reason: string
  /** The checksums of the single transaction after `at`, once it is on its way. */
  readonly sums: ReadonlySet<number>
  readonly isProven: boolean
}

export class Doubt {
  #suspicion: Suspicion | undefined
  #inARow = 0
  #lastWithRows: number = Number.POSITIVE_INFINITY

  /** A new conversation: what was suspected is sent as usual. */
  end(): void {
    this.#suspicion = undefined
  }

  /** One transaction at a time, until it is found. */
  get isSearching(): boolean {
    return this.#suspicion !== undefined
  }

  /** Why the transaction after `sent` can't be read even alone, if that is so. */
  reasonAfter(sent: Seq): string | undefined {
    return this.#suspicion?.isProven === true && this.#suspicion.at === sent ? this.#suspicion.reason : undefined
  }

  /** A frame after `after` goes out. */
  sent(after: Seq, last: Seq, hasRows: boolean, payloads: readonly Buffer[]): void {
    if (hasRows) this.#lastWithRows = last
    if (this.#suspicion?.at !== after) return
    this.#suspicion = { ...this.#suspicion, sums: new Set(payloads.map(payload => crc32(payload))) }
  }

  confirmed(seq: Seq): void {
    if (this.#suspicion !== undefined && seq > this.#suspicion.at) this.#suspicion = undefined
    if (seq >= this.#lastWithRows) this.#inARow = 0
  }

  /** What to do about an answer that something after `at` can't be read. */
  raise(at: Seq, reason: string, sum: number): 'nothing' | 'search' | 'stop' {
    // Late answers about larger frames prove nothing about the single transaction that is on its way now.
    if (this.#suspicion?.at === at && !this.#suspicion.sums.has(sum)) return 'nothing'
    const isProven = this.#suspicion?.at === at
    if (isProven && ++this.#inARow > unreadableInARowMax) return 'stop'
    this.#suspicion = { at, reason, sums: new Set(), isProven }
    this.#lastWithRows = Number.POSITIVE_INFINITY
    return 'search'
  }
}
