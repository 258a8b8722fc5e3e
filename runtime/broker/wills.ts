/**
 * Wills of the clients that are connected, and of those that were when the process ended: such a will is published a
 * while after the start, unless its client is back by then. They are written when there is time, a moment after CONNECT.
 */
import { encodeMessage, keyOf, propertiesForm, propertiesOf } from './forms.ts'
import { type Ledger, forget, put } from './ledger.ts'
import type { StoredPacket } from './retained.ts'
import type { ShelvedMessage } from './shelved.ts'

/** `cmd` is missing in what a CONNECT holds. */
export type Will = StoredPacket & { readonly clientId: string; readonly brokerId: string }

export class Wills {
  readonly #ledger: Ledger
  readonly #wills = new Map<string, Will>()

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  get count(): number {
    return this.#wills.size
  }

  put(clientId: string, packet: StoredPacket, brokerId: string): void {
    // The very object: aedes tells by it that a publish is a will.
    const will: Will = Object.assign(packet, { clientId, brokerId })
    this.#wills.set(clientId, will)
    if (!this.#ledger.isKept) return
    const { topic, qos, retain, payload, properties } = will
    const head = { topic, qos, retain, brokerId, ...propertiesForm(properties) }
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
    const { topic, qos, retain = false, brokerId = '' } = head
    const properties = propertiesOf(head)
    this.#wills.set(clientId, { cmd: 'publish', topic, qos, retain, payload, brokerId, clientId, properties })
  }

  /** All, or those of brokers that are not `living`. */
  *of(living: Readonly<Record<string, unknown>> | undefined, own: string): Generator<Will> {
    for (const will of this.#wills.values()) {
      // A clock that jumps makes aedes believe that its own broker is dead: its clients are not.
      if (living === undefined || (will.brokerId !== own && living[will.brokerId] === undefined)) yield will
    }
  }
}
