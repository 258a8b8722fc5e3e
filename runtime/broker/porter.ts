/**
 * Who may open a connection now: there is room for so many, in all and for each address, and so many may come in a second.
 * As many as there is room for may come at once, and never fewer than in some seconds, so a house that comes back after
 * a power cut is not turned away. What one address asks for beyond its own rate is not taken from what all others may.
 */
import type { BrokerLimits } from './limits.ts'
import { Bucket, type Rate } from './rate.ts'
import { Remembered } from './remembered.ts'

export type PorterLimits = Pick<
  BrokerLimits,
  | 'connectionsMax'
  | 'connectionsPerAddressMax'
  | 'connectsPerSecondMax'
  | 'connectsPerSecondPerAddressMax'
  | 'addressesRememberedMax'
>

/** However few there is room for, a client that loses its connection may come back at once. */
const burstSeconds = 10

const rateOf = (perSecond: number, room: number): Rate => ({
  perSecond,
  burst: Math.max(room, perSecond * burstSeconds),
})

export class Porter {
  readonly #limits: PorterLimits
  readonly #monotonicMs: () => number
  readonly #present = new Map<string, number>()
  readonly #all: Bucket
  readonly #byAddress: Remembered<Bucket>
  #count = 0

  constructor(limits: PorterLimits, monotonicMs: () => number) {
    this.#limits = limits
    this.#monotonicMs = monotonicMs
    this.#all = new Bucket(rateOf(limits.connectsPerSecondMax, limits.connectionsMax), monotonicMs())
    this.#byAddress = new Remembered(limits.addressesRememberedMax)
  }

  /** Why not; undefined if it was let in, and then `left` must be called when it has gone. */
  enter(address: string): string | undefined {
    const { connectionsMax, connectionsPerAddressMax } = this.#limits
    const fromThere = this.#present.get(address) ?? 0
    if (this.#count >= connectionsMax) return 'connections'
    if (fromThere >= connectionsPerAddressMax) return 'connections_per_address'
    const nowMs = this.#monotonicMs()
    if (!this.#bucketOf(address, nowMs).tryTake(1, nowMs)) return 'connect_rate_per_address'
    if (!this.#all.tryTake(1, nowMs)) return 'connect_rate'
    this.#count += 1
    this.#present.set(address, fromThere + 1)
    return undefined
  }

  left(address: string): void {
    this.#count -= 1
    const fromThere = (this.#present.get(address) ?? 1) - 1
    if (fromThere > 0) this.#present.set(address, fromThere)
    else this.#present.delete(address)
  }

  /** Forgets those of whom nothing need be known. */
  sweep(): void {
    const nowMs = this.#monotonicMs()
    this.#byAddress.sweep(bucket => bucket.isFull(nowMs))
  }

  #bucketOf(address: string, nowMs: number): Bucket {
    const { connectsPerSecondPerAddressMax, connectionsPerAddressMax } = this.#limits
    const known = this.#byAddress.get(address)
    const bucket = known ?? new Bucket(rateOf(connectsPerSecondPerAddressMax, connectionsPerAddressMax), nowMs)
    if (!known) this.#byAddress.set(address, bucket)
    return bucket
  }
}
