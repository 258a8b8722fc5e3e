/**
 * The hub as a client of somebody else's broker: gateways dial that broker, and so does the hub; neither listens. For
 * the broker both are clients among others, so its access rules say who may speak as whom (docs/far-sides.md): with them
 * <gateway> in a topic is who sent it, without them anybody may be anybody.
 *
 * Promises: no frame of entries goes to a connection that has no room for it; when the connection is lost, the hub is
 * told, for every conversation over it is over.
 */
import { provenMs } from '../replication/limits.ts'
import { Link, type LinkOptions, type LinkStatus } from '../replication/link/link.ts'
import type { Time } from '../replication/time.ts'
import type { Log } from '../log.ts'
import type { Transport } from './hub.ts'

export type BrokerTransportOptions = Pick<
  LinkOptions,
  'url' | 'username' | 'password' | 'tls' | 'secrets' | 'clockTrusted'
> & {
  readonly hub: string
}

export type BrokerTransportDoors = { readonly time: Time; readonly random: () => number; readonly log: Log }

/** What the hub wants to hear of its connection. */
export type Listener = { reachable(): void; unreachable(): void; roomCame(): void }

/** The hub has no key for it; half-open is noticed after 45 s. */
const keepaliveMs = 30_000

export class BrokerTransport implements Transport {
  readonly url: string
  readonly #options: BrokerTransportOptions
  readonly #doors: BrokerTransportDoors
  #link: Link | undefined
  #listener: Listener | undefined
  #cancelProof: () => void = () => {}

  constructor(options: BrokerTransportOptions, doors: BrokerTransportDoors) {
    this.url = options.url
    this.#options = options
    this.#doors = doors
  }

  tellOf(listener: Listener): void {
    this.#listener = listener
  }

  /** Dials, and goes on for ever. The one subscription there is. */
  subscribe(filter: string, handler: (topic: string, payload: Buffer) => void): Promise<void> {
    const { hub } = this.#options
    const { time, random, log } = this.#doors
    this.#link = new Link(
      { ...this.#options, name: 'hub', clientId: `${hub}-hub`, filter, keepaliveMs },
      {
        onUp: () => {
          this.#cancelProof = time.after(provenMs, () => this.#link?.settled())
          this.#listener?.reachable()
        },
        onDown: () => {
          this.#cancelProof()
          this.#listener?.unreachable()
        },
        onRoom: () => this.#listener?.roomCame(),
        onMessage: handler,
      },
      time,
      random,
      log,
    )
    this.#link.open()
    return Promise.resolve()
  }

  /** What cannot go now is gone: the streams ask, and send it again. */
  publish(topic: string, payload: Buffer): Promise<void> {
    this.#link?.publish(topic, payload)
    return Promise.resolve()
  }

  hasRoom(): boolean {
    return (this.#link?.room ?? 0) > 0
  }

  payloadBytesMax(topic: string): number {
    return this.#link?.payloadBytesMax(topic) ?? Number.POSITIVE_INFINITY
  }

  status(): LinkStatus | undefined {
    return this.#link?.status()
  }

  async close(): Promise<void> {
    await this.#link?.close()
  }
}
