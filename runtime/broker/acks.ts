/**
 * The PUBACKs of one connection that are due, gathered so that those of one turn go out in one write. They keep the order
 * in which they came. Whoever calls `later` has seen the commit: nothing here waits for it [MQTT-4.3.2-2].
 */
import { frameTypes } from './frames.ts'

const ackBytes = 4

export class Acks {
  readonly #afterTurn: (task: () => void) => void
  readonly #write: (bytes: Buffer, count: number) => void
  readonly #flush = () => this.flush()
  #messageIds: number[] = []

  constructor(afterTurn: (task: () => void) => void, write: (bytes: Buffer, count: number) => void) {
    this.#afterTurn = afterTurn
    this.#write = write
  }

  later(messageId: number): void {
    if (this.#messageIds.push(messageId) === 1) this.#afterTurn(this.#flush)
  }

  /** Writes what is due now, because something that must come after it is about to be written. */
  flush(): void {
    const messageIds = this.#messageIds
    if (messageIds.length === 0) return
    this.#messageIds = []
    const bytes = Buffer.allocUnsafe(messageIds.length * ackBytes)
    let at = 0
    for (const messageId of messageIds) {
      bytes[at] = frameTypes.puback << 4
      bytes[at + 1] = 2
      bytes[at + 2] = messageId >> 8
      bytes[at + 3] = messageId & 0xff
      at += ackBytes
    }
    this.#write(bytes, messageIds.length)
  }
}
