/** One device that publishes when it is told to, and knows what was acknowledged. A lost connection is made again. */
import { Connection } from '../../firmware-sim/connection.ts'
import { createOutbox } from '../../firmware-sim/outbox.ts'

type Reading = { readonly id: string; readonly payload: string }

const windowMax = 200
const retryMs = 50

export class Publisher {
  readonly device: string
  /** Ids in the order of their acknowledgement, which is the order in which they were published. */
  readonly acknowledged: string[] = []
  readonly #url: string
  #published = 0

  constructor(port: number, device = 'freezer-1', host = '127.0.0.1') {
    this.#url = `mqtt://${host}:${port}`
    this.device = device
  }

  /** Publishes so many readings with QoS 1; resolves when the last of them is acknowledged. */
  async publish(count: number, valueOf: (index: number) => number = () => 5): Promise<void> {
    const outbox = createOutbox<Reading>({ windowMax, outboxMax: count })
    for (let index = 0; index < count; index++) {
      const id = `${this.device}-${++this.#published}`
      outbox.put({ id, payload: JSON.stringify({ value: valueOf(index), id }) })
    }
    while (outbox.size() > 0) {
      await this.#send(outbox)
      outbox.connectionLost(() => true)
      if (outbox.size() > 0) await new Promise(resolve => setTimeout(resolve, retryMs))
    }
  }

  /** One connection, until everything is acknowledged or it breaks. */
  #send(outbox: ReturnType<typeof createOutbox<Reading>>): Promise<void> {
    return new Promise(resolve => {
      const sendMore = (): void => {
        for (let reading = outbox.take(); reading; reading = outbox.take()) {
          const { id, payload } = reading
          const sent = reading
          connection.publish(`sensors/${this.device}/temperature`, payload, 1, () => {
            outbox.delivered(sent)
            this.acknowledged.push(id)
            if (outbox.size() === 0) connection.leave()
            else sendMore()
          })
        }
      }
      const connection = new Connection(this.#url, this.device, { onOpen: sendMore, onClosed: () => resolve() })
    })
  }
}
