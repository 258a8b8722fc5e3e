/**
 * Memory for numbers that are worked with and forgotten: making an array anew costs more than packing twenty numbers.
 *
 * What `of` gives is good until it is asked for again, holds what it held, and is never given away.
 */
export class Scratch {
  #numbers = new Float64Array(0)

  of(count: number): Float64Array {
    if (this.#numbers.length < count) this.#numbers = new Float64Array(Math.max(count, this.#numbers.length * 2, 64))
    return this.#numbers.subarray(0, count)
  }
}
