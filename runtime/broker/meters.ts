/**
 * How fast each client may send: packets and bytes a second, with a burst of both. A client that is faster is read from
 * more slowly, so that TCP slows it down; nothing of it is dropped.
 *
 * A meter belongs to the client's id and not to its connection: whoever connects again goes on where it was. It is
 * forgotten once it is full again.
 */
import type { BrokerLimits } from './limits.ts'
import { Bucket } from './rate.ts'
import { Remembered } from './remembered.ts'
import type { Tally } from './tally.ts'

type MeterLimits = Pick<
  BrokerLimits,
  | 'publishesPerSecondMax'
  | 'publishBurstMax'
  | 'publishBytesPerSecondMax'
  | 'publishBurstBytesMax'
  | 'clientsRememberedMax'
>

/** A client that was held so long, with no pause of as much, is too fast, and not just catching up. */
const tooFastForMs = 30_000

export class Meters {
  readonly #limits: MeterLimits
  readonly #tally: Tally
  readonly #monotonicMs: () => number
  readonly #byClient: Remembered<Meter>

  constructor(limits: MeterLimits, tally: Tally, monotonicMs: () => number) {
    this.#limits = limits
    this.#tally = tally
    this.#monotonicMs = monotonicMs
    this.#byClient = new Remembered(limits.clientsRememberedMax)
  }

  of(client: string): Meter {
    const known = this.#byClient.get(client)
    const meter = known ?? new Meter(client, this.#limits, this.#tally, this.#monotonicMs)
    if (!known) this.#byClient.set(client, meter)
    return meter
  }

  sweep(): void {
    this.#byClient.sweep(meter => meter.isFull)
  }
}

export class Meter {
  readonly #client: string
  readonly #tally: Tally
  readonly #monotonicMs: () => number
  readonly #packets: Bucket
  readonly #bytes: Bucket
  #heldSinceMs = 0
  #heldAtMs = Number.NEGATIVE_INFINITY
  #isTold = false

  constructor(client: string, limits: MeterLimits, tally: Tally, monotonicMs: () => number) {
    this.#client = client
    this.#tally = tally
    this.#monotonicMs = monotonicMs
    const nowMs = monotonicMs()
    this.#packets = new Bucket({ perSecond: limits.publishesPerSecondMax, burst: limits.publishBurstMax }, nowMs)
    this.#bytes = new Bucket({ perSecond: limits.publishBytesPerSecondMax, burst: limits.publishBurstBytesMax }, nowMs)
  }

  take(bytes: number): void {
    this.#packets.take(1)
    this.#bytes.take(bytes)
  }

  /** How long nothing of the client should be read; 0 if it may go on. */
  get waitMs(): number {
    return Math.max(this.#packets.waitMs(this.#monotonicMs), this.#bytes.waitMs(this.#monotonicMs))
  }

  /** Told when a wait begins. */
  held(): void {
    const nowMs = this.#monotonicMs()
    const cause = this.#packets.waitMs(this.#monotonicMs) > 0 ? 'held_publish_rate' : 'held_publish_rate_bytes'
    if (nowMs - this.#heldAtMs > tooFastForMs) {
      this.#heldSinceMs = nowMs
      this.#isTold = false
      this.#tally.note(cause, 'A client waits: it has used up what it may send at once', { client: this.#client })
    } else this.#tally.add(cause)
    this.#heldAtMs = nowMs
    if (this.#isTold || nowMs - this.#heldSinceMs < tooFastForMs) return
    this.#isTold = true
    this.#tally.warn(
      'publish_rate_exceeded',
      'A client has been publishing faster than it may for some time: it is made to wait, and nothing of it is dropped',
      { client: this.#client },
    )
  }

  get isFull(): boolean {
    const nowMs = this.#monotonicMs()
    return this.#packets.isFull(nowMs) && this.#bytes.isFull(nowMs)
  }
}
