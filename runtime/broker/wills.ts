/**
 * Wills of the clients that are connected, and of those that were when the process ended: such a will is published a
 * while after the start, unless its client is back by then. They are written when there is time, a moment after CONNECT.
 */
import { encodeMessage, keyOf, propertiesForm, propertiesOf } from './forms.ts'
import { type Ledger, forget, put } from './ledger.ts'
import type { StoredPacket } from './retained.ts'
import type { ShelvedMessage } from './shelved.ts'

/** `cmd` is missing in what a CONNECT holds. */
export type Will = StoredPacket & {
  readonly clientId: string
  readonly brokerId: string
  /** Whose client left it; left out: nobody's in particular. It is judged by what that one may do when it is published [A12]. */
  readonly user?: string
}

export class Wills {
  readonly #ledger: Ledger
  readonly #userOf: (client: string) => string | undefined
  readonly #wills = new Map<string, Will>()

  constructor(ledger: Ledger, userOf: (client: string) => string | undefined = () => undefined) {
    this.#ledger = ledger
    this.#userOf = userOf
  }

  get count(): number {
    return this.#wills.size
  }

  put(clientId: string, packet: StoredPacket, brokerId: string): void {
    // The very object: aedes tells by it that a publish is a will.
    const will: Will = Object.assign(packet, { clientId, brokerId, ...userOf(this.#userOf(clientId)) })
    this.#wills.set(clientId, will)
    if (!this.#ledger.isKept) return
    const { topic, qos, retain, payload, properties, user } = will
    const head = { topic, qos, retain, brokerId, ...propertiesForm(properties), ...userOf(user) }
    this.#ledger.later([put(keyOf.will(clientId), encodeMessage(head, payload))])
  }

  get(clientId: string): Will | undefined {
    return this.#wills.get(clientId)
  }

  delete(clientId: string): Will | undefined {
    const will = this.#wills.get(clientId)
    if (will) this.#ledger.later([forget(keyOf.will(clientId))])
    this.#wills.delete(clientId)
    return will
  }

  /** One that was kept over a restart. */
  restore(clientId: string, { head, payload }: ShelvedMessage): void {
    const { topic, qos, retain = false, brokerId = '', user } = head
    const properties = propertiesOf(head)
    const own = { brokerId, clientId, properties, ...userOf(user) }
    this.#wills.set(clientId, { cmd: 'publish', topic, qos, retain, payload, ...own })
  }

  /** All, or those of brokers that are not `living`. */
  *of(living: Readonly<Record<string, unknown>> | undefined, own: string): Generator<Will> {
    for (const will of this.#wills.values()) {
      // A clock that jumps makes aedes believe that its own broker is dead: its clients are not.
      if (living === undefined || (will.brokerId !== own && living[will.brokerId] === undefined)) yield will
    }
  }
}

const userOf = (user: string | undefined): { readonly user?: string } =>
  user === undefined || user === '' ? {} : { user }
