/** The few smallest of many numbers, in memory bounded by how few they are. Pure. */
export class Smallest {
  readonly #most: number
  #kept: number[] = []

  /** Keeps the `most` smallest. */
  constructor(most: number) {
    this.#most = most
  }

  add(number: number): void {
    this.#kept.push(number)
    if (this.#kept.length >= 2 * this.#most) this.#cut()
  }

  /** The smallest that are known, ascending. */
  ascending(): readonly number[] {
    this.#cut()
    return this.#kept
  }

  #cut(): void {
    this.#kept = this.#kept.toSorted((a, b) => a - b).slice(0, this.#most)
  }
}
