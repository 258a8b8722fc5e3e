/**
 * What could not be read by the far side? A refusal names the checksum of what came, and that tells two things apart:
 *
 *   a sum that we have sent   it came as it went: something in that frame can't be read. The run of transactions under
 *                             doubt is halved until one is left; refused alone too, it is told as a gap.
 *   any other sum             it was bent on the way: it is sent again as it was, and after that in smaller pieces.
 *
 * Promises: only a transaction that was refused alone, and as it was sent, is ever told as a gap; that is found after
 * about log2(n) frames. If one after the other is refused, it is not the rows: the stream stops.
 */
import { crc32 } from 'node:zlib'
import type { Seq } from '../../store/types.ts'
import { bentInARowMax, rememberedSumsMax, unreadableInARowMax } from '../limits.ts'

/** A frame that went out. */
type Sent = {
  readonly after: Seq
  readonly last: Seq
  /** Those with rows in it. */
  readonly transactions: number
  /** How many were allowed. */
  readonly limit: number
}

type Outgoing = Pick<Sent, 'after' | 'last' | 'transactions'> & { readonly payloads: readonly Buffer[] }

type Search = {
  /** What can't be read is at or before this position. */
  readonly last: Seq
  /** Transactions that are under doubt. */
  readonly left: number
  /** After one that can't be read often comes another: that one is tried first. */
  readonly isNextFirst: boolean
}

export class Doubt {
  #search: Search | undefined
  #proven: { readonly after: Seq; readonly last: Seq; readonly reason: string } | undefined
  /** What was sent lately, by the checksums of its payloads; the live part is nothing that we search. */
  readonly #sums = new Map<number, Sent | 'live'>()
  #newest: Sent | undefined
  #inARow = 0
  #bentInARow = 0
  #lastWithRows: number = Number.POSITIVE_INFINITY

  /** A new conversation: what was suspected is sent as usual. */
  end(): void {
    this.#search = undefined
    this.#proven = undefined
    this.#newest = undefined
    this.#bentInARow = 0
    this.#sums.clear()
  }

  /** One frame at a time, until it is found. */
  get isSearching(): boolean {
    return this.#search !== undefined || this.#proven !== undefined
  }

  /** So many transactions may be in the next frame. */
  get limit(): number {
    if (this.#proven !== undefined || this.#search?.isNextFirst === true) return 1
    return this.#search === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(this.#search.left / 2))
  }

  /** Why the transaction after `sent` can't be read even alone, if that is so. */
  reasonAfter(sent: Seq): string | undefined {
    const proven = this.#proven
    return proven !== undefined && sent >= proven.after && sent < proven.last ? proven.reason : undefined
  }

  sent({ payloads, ...frame }: Outgoing): void {
    if (frame.transactions > 0) this.#lastWithRows = frame.last
    this.#newest = { ...frame, limit: this.limit }
    this.#remember(payloads, this.#newest)
  }

  sentLive(payloads: readonly Buffer[]): void {
    this.#remember(payloads, 'live')
  }

  #remember(payloads: readonly Buffer[], sent: Sent | 'live'): void {
    for (const payload of payloads) {
      const sum = crc32(payload)
      this.#sums.delete(sum)
      this.#sums.set(sum, sent)
    }
    for (const sum of this.#sums.keys()) {
      if (this.#sums.size <= rememberedSumsMax) return
      this.#sums.delete(sum)
    }
  }

  /** The far side has committed more. */
  confirmed(seq: Seq): void {
    this.#bentInARow = 0
    if (seq >= this.#lastWithRows) this.#inARow = 0
    if (this.#proven !== undefined && seq >= this.#proven.last) this.#proven = undefined
    const search = this.#search
    if (search === undefined) return
    if (seq >= search.last) {
      this.#search = undefined
    } else if (this.#newest !== undefined && seq >= this.#newest.last) {
      this.#search = { ...search, left: search.left - this.#newest.transactions, isNextFirst: false }
      this.#newest = undefined
    }
  }

  /** Was it the live part that could not be read? Then it is searched for in its turn. */
  isLive(sum: number): boolean {
    return this.#sums.get(sum) === 'live'
  }

  /** What to do about an answer that a frame with this checksum can't be read; the far side has read up to `at`. */
  raise(at: Seq, reason: string, sum: number): 'nothing' | 'again' | 'in-order' | 'stop' {
    const sent = this.#sums.get(sum)
    if (sent === undefined) return this.#bent(at)
    if (sent === 'live') return 'nothing'
    // An answer that is late, or about a frame behind another one that is lost: that comes again in its turn.
    if (at < sent.after || at >= sent.last) return 'nothing'
    if (sent.limit === 1 && sent.transactions <= 1) return this.#refusedAlone(sent, reason)
    // Late answers about larger frames tell nothing new.
    if (this.#proven !== undefined) return 'nothing'
    if (this.#search !== undefined && sent !== this.#newest && sent.last >= this.#search.last) return 'nothing'
    this.#doubt(sent, this.#inARow > 0 && this.#search === undefined)
    return 'in-order'
  }

  #refusedAlone(sent: Sent, reason: string): 'nothing' | 'in-order' | 'stop' {
    if (sent.transactions > 0 && this.#proven?.last === sent.last) return 'nothing'
    if (++this.#inARow > unreadableInARowMax) return 'stop'
    this.#lastWithRows = Number.POSITIVE_INFINITY
    if (sent.transactions > 0) {
      this.#search = undefined
      this.#proven = { after: sent.after, last: sent.last, reason }
    }
    return 'in-order'
  }

  /** By accident, it seems: the same again. If that does not help, in pieces, of which fewer are hit; then at leisure. */
  #bent(at: Seq): 'nothing' | 'again' | 'in-order' {
    if (++this.#bentInARow > bentInARowMax) return 'nothing'
    if (this.#bentInARow === 1) return 'again'
    const newest = this.#newest
    if (newest !== undefined && newest.after === at && this.#proven === undefined) this.#doubt(newest, false)
    return 'in-order'
  }

  #doubt({ last, transactions }: Sent, isNextFirst: boolean): void {
    this.#search = { last, left: transactions, isNextFirst }
    this.#lastWithRows = Number.POSITIVE_INFINITY
  }
}
