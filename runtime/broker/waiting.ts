/**
 * Those who have connected and not asked yet to be let in. Nobody else counts them, and one address must not be able to
 * take all their places.
 */
export class Waiting {
  readonly #countMax: number
  readonly #perAddressMax: number
  readonly #byAddress = new Map<string, number>()
  #count = 0

  constructor(limits: { readonly connectionsMax: number; readonly connectionsPerAddressMax: number }) {
    this.#countMax = limits.connectionsMax
    this.#perAddressMax = limits.connectionsPerAddressMax
  }

  /** False: there is no room. Else `leave` must be called once. */
  enter(address: string): boolean {
    const fromThere = this.#byAddress.get(address) ?? 0
    if (this.#count >= this.#countMax || fromThere >= this.#perAddressMax) return false
    this.#count += 1
    this.#byAddress.set(address, fromThere + 1)
    return true
  }

  leave(address: string): void {
    this.#count -= 1
    const left = (this.#byAddress.get(address) ?? 1) - 1
    if (left > 0) this.#byAddress.set(address, left)
    else this.#byAddress.delete(address)
  }
}
