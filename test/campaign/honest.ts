/**
 * Devices that do nothing wrong: a reading of QoS 1 some times a second, believed delivered at its PUBACK alone, sent again
 * on the next connection until then. How long each took from being measured to its first PUBACK is what an attack may not
 * spoil; a reading that waits for a connection counts with all of its waiting.
 */
import { Connection } from '../../firmware-sim/connection.ts'

export type HonestOptions = {
  readonly url: string
  readonly name: string
  readonly everyMs: number
}

const retryMs = 100
/** A device that is full measures no more: nothing is ever dropped, and what was skipped is counted. */
const waitingMax = 5_000

export class HonestDevice {
  readonly name: string
  /** Ids of readings, in the order of their first PUBACK. */
  readonly acknowledged: string[] = []
  connections = 0
  skipped = 0
  readonly #url: string
  readonly #onAcknowledged: (latencyMs: number) => void
  readonly #waiting = new Map<string, { readonly payload: string; readonly bornMs: number }>()
  readonly #ticker: NodeJS.Timeout
  #connection: Connection | undefined
  #isUp = false
  #isLeaving = false
  #measured = 0

  constructor({ url, name, everyMs }: HonestOptions, onAcknowledged: (latencyMs: number) => void) {
    this.name = name
    this.#url = url
    this.#onAcknowledged = onAcknowledged
    this.#ticker = setInterval(() => this.#measure(), everyMs)
    this.#connect()
  }

  get isIdle(): boolean {
    return this.#waiting.size === 0
  }

  /** How long each reading that is not acknowledged yet has waited. */
  waitedMs(): number[] {
    return [...this.#waiting.values()].map(({ bornMs }) => performance.now() - bornMs)
  }

  stopMeasuring(): void {
    clearInterval(this.#ticker)
  }

  close(): void {
    this.#isLeaving = true
    this.stopMeasuring()
    this.#connection?.cut()
  }

  #measure(): void {
    if (this.#waiting.size >= waitingMax) {
      this.skipped += 1
      return
    }
    const id = `${this.name}-${this.#measured++}`
    const payload = JSON.stringify({ value: this.#measured % 100, id })
    this.#waiting.set(id, { payload, bornMs: performance.now() })
    if (this.#isUp) this.#send(id)
  }

  #send(id: string): void {
    const message = this.#waiting.get(id)
    if (!message) return
    this.#connection?.publish(`sensors/${this.name}/temperature`, message.payload, 1, () => {
      if (!this.#waiting.delete(id)) return
      this.acknowledged.push(id)
      this.#onAcknowledged(performance.now() - message.bornMs)
    })
  }

  #connect(): void {
    if (this.#isLeaving) return
    this.#connection = new Connection(this.#url, this.name, {
      onOpen: () => {
        this.connections += 1
        this.#isUp = true
        for (const id of this.#waiting.keys()) this.#send(id)
      },
      onClosed: () => {
        this.#isUp = false
        setTimeout(() => this.#connect(), retryMs)
      },
    })
  }
}
