/**
 * The slices of a window: totals by slice of time, ascending, those in which nothing was measured left out. Bounded by its
 * owner; grows as slices come. Whole blocks of slices, aligned to absolute time as the slices are, are joined once and
 * remembered, so that a window that moves by one slice joins some twenty rows and not a hundred and twenty; which rows are
 * joined in which order follows from what is there alone, never from what was asked before.
 */
import { addToRow, clearRow, columns, get, joinRows, ownColumn } from './totals.ts'

/** The slices of a window, and half as many again for moments before and after the present one. */
export const slicesMax = 192
const slicesPerBlock = 12
/** More than the blocks of a whole window, so that these keep their places. */
const blocksKept = 16

export class Slices {
  #rows = new Float64Array(4 * columns)
  #length = 0
  /** Blocks by number modulo their places: the totals, and which block it is (NaN for none). */
  #blocks: Float64Array | undefined
  readonly #blockSlices = new Uint8Array(blocksKept)

  get length(): number {
    return this.#length
  }

  clear(): void {
    this.#length = 0
    this.#blocks?.fill(Number.NaN)
  }

  indexAt(position: number): number {
    return get(this.#rows, position * columns + ownColumn)
  }

  /** How many slices have an index up to this one. */
  positionAfter(index: number): number {
    if (this.#length === 0 || this.indexAt(this.#length - 1) <= index) return this.#length
    let low = 0
    let high = this.#length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.indexAt(middle) <= index) low = middle + 1
      else high = middle
    }
    return low
  }

  insert(position: number, index: number): void {
    const begin = position * columns
    if ((this.#length + 1) * columns > this.#rows.length) {
      const grown = new Float64Array(Math.min(this.#rows.length * 2, Math.max(slicesMax, this.#length + 1) * columns))
      grown.set(this.#rows)
      this.#rows = grown
    }
    this.#rows.copyWithin(begin + columns, begin, this.#length * columns)
    clearRow(this.#rows, begin)
    this.#rows[begin + ownColumn] = index
    this.#length++
    this.#forgetBlock(index)
  }

  removeFirst(count: number): void {
    for (let position = 0; position < count; position++) this.#forgetBlock(this.indexAt(position))
    this.#rows.copyWithin(0, count * columns, this.#length * columns)
    this.#length -= count
  }

  removeLast(): void {
    this.#length--
    this.#forgetBlock(this.indexAt(this.#length))
  }

  add(position: number, value: number | undefined, timeMs: number): void {
    addToRow(this.#rows, position * columns, value, timeMs)
    this.#forgetBlock(this.indexAt(position))
  }

  joinOne(into: Float64Array, position: number): void {
    joinRows(into, 0, this.#rows, position * columns)
  }

  /** Joins the slices from `begin` up to, not with, `end`. Those of a block that is whole between `after` and `open` as one. */
  join(into: Float64Array, begin: number, end: number, after: number, open: number): void {
    let position = begin
    while (position < end) {
      const block = Math.floor(this.indexAt(position) / slicesPerBlock)
      const isWhole = block * slicesPerBlock > after && (block + 1) * slicesPerBlock <= open
      position += isWhole ? this.#joinBlock(into, position, block) : this.#joinSlice(into, position)
    }
  }

  #joinSlice(into: Float64Array, position: number): number {
    this.joinOne(into, position)
    return 1
  }

  /** How many slices it has, of which the first is at this position. */
  #joinBlock(into: Float64Array, position: number, block: number): number {
    const blocks = (this.#blocks ??= new Float64Array(blocksKept * columns).fill(Number.NaN))
    const place = placeOf(block)
    const at = place * columns
    if (get(blocks, at + ownColumn) !== block) {
      clearRow(blocks, at)
      blocks[at + ownColumn] = block
      let next = position
      const beyond = (block + 1) * slicesPerBlock
      for (; next < this.#length && this.indexAt(next) < beyond; next++)
        joinRows(blocks, at, this.#rows, next * columns)
      this.#blockSlices[place] = next - position
    }
    joinRows(into, 0, blocks, at)
    return this.#blockSlices[place] ?? 1
  }

  #forgetBlock(index: number): void {
    const block = Math.floor(index / slicesPerBlock)
    const at = placeOf(block) * columns + ownColumn
    if (this.#blocks?.[at] === block) this.#blocks[at] = Number.NaN
  }
}

function placeOf(block: number): number {
  const place = block % blocksKept
  return place < 0 ? place + blocksKept : place
}
