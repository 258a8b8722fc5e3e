/**
 * What is remembered about strangers, by name: at most so many, and the one that was looked up longest ago makes room.
 * Strangers choose their names, so this is what keeps them from choosing how much memory they take.
 */
export class Remembered<Value> {
  readonly #countMax: number
  readonly #values = new Map<string, Value>()

  constructor(countMax: number) {
    this.#countMax = countMax
  }

  get size(): number {
    return this.#values.size
  }

  get(name: string): Value | undefined {
    const value = this.#values.get(name)
    if (value === undefined) return undefined
    this.#values.delete(name)
    this.#values.set(name, value)
    return value
  }

  set(name: string, value: Value): void {
    this.#values.delete(name)
    if (this.#values.size >= this.#countMax) {
      const [oldest] = this.#values.keys()
      if (oldest !== undefined) this.#values.delete(oldest)
    }
    this.#values.set(name, value)
  }

  /** How many were dropped because `isOver` said so. */
  sweep(isOver: (value: Value) => boolean): number {
    const before = this.#values.size
    for (const [name, value] of this.#values) if (isOver(value)) this.#values.delete(name)
    return before - this.#values.size
  }
}
