/**
 * The newest entries of one table's log, in memory: a follower that keeps up never reads the disk. Bounded by entries
 * and by their size on disk; what falls out is read from its log block again.
 */
import { type Entry, type Seq, asSeq } from './types.ts'

/** 16,384 readings are about 3 MB of objects: some seconds of a busy gateway. */
const entriesMax = 16_384
/** Records can be large (an alert with its snippet), so bytes bound them. */
const bytesMax = 4 << 20

type Block = { readonly first: Seq; readonly entries: readonly Entry[]; readonly bytes: number }

export class Tail {
  #blocks: Block[] = []
  #entries = 0
  #bytes = 0

  push(entries: readonly Entry[], bytes: number): void {
    const first = (entries[0] as Entry).seq
    this.#blocks.push({ first, entries, bytes })
    this.#entries += entries.length
    this.#bytes += bytes
    let drop = 0
    while (this.#blocks.length - drop > 1 && (this.#entries > entriesMax || this.#bytes > bytesMax)) {
      const block = this.#blocks[drop++] as Block
      this.#entries -= block.entries.length
      this.#bytes -= block.bytes
    }
    if (drop > 0) this.#blocks.splice(0, drop)
  }

  /** Up to `limit` entries after `after`, or undefined if the first of them is no longer here. */
  read(after: Seq, limit: number): Entry[] | undefined {
    const blocks = this.#blocks
    if (blocks.length === 0 || after + 1 < (blocks[0] as Block).first) return undefined
    const found: Entry[] = []
    for (let index = this.#blockOf(asSeq(after + 1)); index < blocks.length && found.length < limit; index++) {
      const { first, entries } = blocks[index] as Block
      const start = Math.max(0, after + 1 - first)
      const end = wholeTransactions(entries, start, limit - found.length)
      for (let at = start; at < end; at++) found.push(entries[at] as Entry)
    }
    return found
  }

  /** Forgets what was trimmed, so that memory and disk tell the same. */
  dropThrough(seq: Seq): void {
    while (this.#blocks.length > 0 && ((this.#blocks[0] as Block).entries.at(-1) as Entry).seq <= seq) {
      const block = this.#blocks.shift() as Block
      this.#entries -= block.entries.length
      this.#bytes -= block.bytes
    }
  }

  #blockOf(seq: Seq): number {
    let low = 0
    let high = this.#blocks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#blocks[middle] as Block).first <= seq) low = middle
      else high = middle - 1
    }
    return low
  }
}

/** The end of at most `limit` entries from `start`, moved on so that no transaction is cut in two. */
export function wholeTransactions(entries: readonly Entry[], start: number, limit: number): number {
  let end = Math.min(entries.length, start + limit)
  while (end > start && end < entries.length && (entries[end] as Entry).joined) end++
  return end
}
