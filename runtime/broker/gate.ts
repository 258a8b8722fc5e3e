/**
 * Bounds the bytes that were accepted and are not done yet, for one connection and for all together.
 * QoS 0 has no back-pressure of its own, so a connection that is over its share is not read from until it drains:
 * TCP then slows the sender down. Nothing is dropped.
 */
import type { BrokerLimits } from './limits.ts'

export type Waiter = { readonly resume: () => void }

export class Gate {
  readonly #bytesMax: number
  readonly #waiting = new Set<Waiter>()
  #bytes = 0
  #peakBytes = 0

  constructor(limits: Pick<BrokerLimits, 'pendingBytesMax'>) {
    this.#bytesMax = limits.pendingBytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  get peakBytes(): number {
    return this.#peakBytes
  }

  get full(): boolean {
    return this.#bytes > this.#bytesMax
  }

  take(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes > this.#peakBytes) this.#peakBytes = this.#bytes
  }

  /** Gives bytes back; at half of the bound everybody who waits may read again. */
  give(bytes: number): void {
    this.#bytes -= bytes
    if (this.#waiting.size === 0 || this.#bytes > this.#bytesMax / 2) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const waiter of waiting) waiter.resume()
  }

  wait(waiter: Waiter): void {
    this.#waiting.add(waiter)
  }

  leave(waiter: Waiter): void {
    this.#waiting.delete(waiter)
  }
}
