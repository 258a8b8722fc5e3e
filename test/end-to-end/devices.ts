/**
 * Devices that publish a seeded walk of temperatures and believe a reading delivered at its acknowledgement only. What
 * had no answer when the connection ended goes again on the next one, oldest first, as it was.
 */
import { Connection } from '../../firmware-sim/connection.ts'
import { createOutbox } from '../../firmware-sim/outbox.ts'
import { type Random, randomOf } from '../rigs/random.ts'

/** How the gateway may tell a reading that comes again: by its id, its device time, or both. */
export type Identity = 'id' | 'time' | 'both'

export type DeviceOptions = {
  readonly name: string
  readonly port: number
  readonly seed: number
  readonly qos: 1 | 2
  readonly identity: Identity
  /** Values wander about a little below it. */
  readonly limit: number
}

type Reading = { readonly key: string; readonly value: number; readonly payload: string }

/** Unacknowledged at once, and kept in all: a full device measures no more, so that nothing is ever dropped. */
const windowMax = 20
const keptMax = 200
const everyMs = 40
const burstMax = 3
const retryMs = 50

export class Device {
  readonly name: string
  readonly qos: 1 | 2
  /** Keys of the readings that were acknowledged, in the order in which they were; `keyOf` finds them in the table. */
  readonly acknowledged: string[] = []
  /** Keys of all readings that were ever measured, in order, with their values. */
  readonly measured = new Map<string, number>()
  readonly #options: DeviceOptions
  readonly #random: Random
  readonly #outbox = createOutbox<Reading>({ windowMax, outboxMax: keptMax })
  readonly #ticker: NodeJS.Timeout
  #connection: Connection | undefined
  #isUp = false
  #isLeaving = false
  #isMeasuring = true
  #value: number
  #lastMs = 0
  #wasAbove = false
  #waiting: (() => void)[] = []

  constructor(options: DeviceOptions) {
    this.name = options.name
    this.qos = options.qos
    this.#options = options
    this.#random = randomOf(options.seed)
    this.#value = options.limit
    this.#ticker = setInterval(() => this.#tick(), everyMs)
    this.#connect()
  }

  /** Measures nothing more; what is on its way goes on. */
  stopMeasuring(): void {
    this.#isMeasuring = false
  }

  get isIdle(): boolean {
    return this.#outbox.size() === 0
  }

  /** Resolves when the next reading is acknowledged that rises above the limit: right now, its alert is on its way. */
  crossing(): Promise<void> {
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  close(): void {
    clearInterval(this.#ticker)
    this.#isLeaving = true
    this.#connection?.cut()
  }

  #tick(): void {
    if (this.#isMeasuring) for (let left = this.#random.below(burstMax + 1); left > 0; left--) this.#measure()
    this.#send()
  }

  /** Values pull towards the limits of the rule, so that they cross them often. */
  #measure(): void {
    if (!this.#outbox.hasRoom()) return
    const { identity, limit } = this.#options
    this.#value += (this.#random.next() - 0.5) * 1.2 + (limit - 0.5 - this.#value) * 0.15
    const value = Math.round(this.#value * 100) / 100
    this.#lastMs = Math.max(Date.now(), this.#lastMs + 1)
    const number = this.measured.size + 1
    const id = identity === 'time' ? {} : { id: `${this.name}-${number}` }
    const time = identity === 'id' ? {} : { time: this.#lastMs }
    const key = id.id ?? String(this.#lastMs)
    this.measured.set(key, value)
    this.#outbox.put({ key, value, payload: JSON.stringify({ value, ...id, ...time }) })
  }

  #connect(): void {
    this.#connection = new Connection(`mqtt://127.0.0.1:${this.#options.port}`, this.name, {
      onOpen: () => {
        this.#isUp = true
        this.#send()
      },
      onClosed: () => {
        this.#isUp = false
        this.#outbox.connectionLost(() => true)
        if (!this.#isLeaving) setTimeout(() => this.#connect(), retryMs)
      },
    })
  }

  #send(): void {
    while (this.#isUp) {
      const reading = this.#outbox.take()
      if (!reading) return
      this.#connection?.publish(`sensors/${this.name}/temperature`, reading.payload, this.qos, () => {
        this.#outbox.delivered(reading)
        this.#acknowledged(reading)
        this.#send()
      })
    }
  }

  #acknowledged({ key, value }: Reading): void {
    this.acknowledged.push(key)
    const isAbove = value > this.#options.limit
    if (isAbove && !this.#wasAbove) for (const resolve of this.#waiting.splice(0)) resolve()
    this.#wasAbove = isAbove
  }
}

/** By what a stored reading is recognised: its id, or its device time where it has none. */
export function keyOf({ id, device_time_ms }: { id: string | null; device_time_ms: number | null }): string {
  return id ?? String(device_time_ms)
}
