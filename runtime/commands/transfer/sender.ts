/**
 * Items to the gateway, batch by batch: one is on its way while the next is gathered.
 *
 * Promises: a line counts as durable only when the gateway has said that its batch is on disk, and all before it.
 */
import type { TableKind } from '../../store/types.ts'
import type { Taken } from '../../transfer/intake.ts'
import type { Item } from '../../transfer/items.ts'
import { bytesPerCommit, itemsPerCommit } from '../../transfer/limits.ts'
import { type GatewayClient, tablePath } from '../gateway-client.ts'

export class Sender {
  readonly #gateway: GatewayClient
  readonly #path: string
  #lines: string[] = []
  #characters = 0
  #lastLine = 0
  #sending: Promise<void> = Promise.resolve()
  stored = 0
  duplicates = 0
  /** All lines up to this one are on disk, or were left out because they are bad. */
  durableLine = 0

  constructor(gateway: GatewayClient, table: string, kind: TableKind) {
    this.#gateway = gateway
    this.#path = tablePath(table, kind === 'series' ? 'readings' : 'rows')
  }

  async add(item: Item, lastLine: number): Promise<void> {
    const text = lineOf(item)
    // Each batch is one commit: never more than the gateway takes for one.
    if (this.#lines.length >= itemsPerCommit || this.#characters + text.length >= bytesPerCommit) await this.#turn()
    this.#lines.push(text)
    this.#characters += text.length
    this.#lastLine = lastLine
  }

  /** Sends what is left, and waits until all of it is on disk. */
  async end(): Promise<void> {
    await this.#turn()
    await this.#sending
  }

  /** Waits until what is on its way has arrived; what was gathered since is dropped. */
  async stop(): Promise<void> {
    this.#lines = []
    await this.#sending
  }

  async #turn(): Promise<void> {
    await this.#sending
    const body = this.#lines.join('')
    const lastLine = this.#lastLine
    this.#lines = []
    this.#characters = 0
    this.#sending = this.#send(body, lastLine)
    // Whoever comes next awaits it and is told.
    this.#sending.catch(() => undefined)
  }

  async #send(body: string, lastLine: number): Promise<void> {
    if (body !== '') {
      const { stored, duplicates } = await this.#gateway.postLines<Taken>(this.#path, body)
      this.stored += stored
      this.duplicates += duplicates
    }
    this.durableLine = lastLine
  }
}

function lineOf(item: Item): string {
  if (!('device' in item)) return `${JSON.stringify(item)}\n`
  const { deviceTimeMs, device, metric, value, unit, id } = item
  // Smaller numbers would be taken for seconds.
  const time = new Date(deviceTimeMs ?? 0).toISOString()
  return `${JSON.stringify({ time, device, metric, value, unit, id })}\n`
}
