/**
 * The fleet's own memory of what was acknowledged: one JSON line per reading, at its first acknowledgement, never
 * before. Whoever kills a broker compares it with what the broker kept. Lines are in the kernel's hands by the end of
 * the turn in which the ack came in, so killing the fleet loses no line that was due earlier; it promises nothing about
 * power cuts. It only ever appends.
 */
import { closeSync, openSync, writeFileSync } from 'node:fs'
import type { Qos } from './plan.ts'
import type { SensorValue } from './waves.ts'

export type LedgerLine = {
  device: string
  metric: string
  /** As sent; null where the plan sends none. */
  id: string | null
  /** The device's clock, milliseconds since 1970. */
  time: number | null
  value: SensorValue
  qos: Qos
}

export class Ledger {
  readonly #file: number
  readonly #onError: (error: unknown) => void
  #lines: string[] = []
  #broken = false

  /** Throws what `open` throws; later errors go to `onError`, once, and end the writing. */
  constructor(path: string, onError: (error: unknown) => void) {
    this.#file = openSync(path, 'a')
    this.#onError = onError
  }

  write(line: LedgerLine): void {
    this.#lines.push(JSON.stringify(line))
    if (this.#lines.length === 1) setImmediate(() => this.#flush())
  }

  close(): void {
    this.#flush()
    closeSync(this.#file)
  }

  #flush(): void {
    const lines = this.#lines
    this.#lines = []
    if (lines.length === 0 || this.#broken) return
    try {
      writeFileSync(this.#file, `${lines.join('\n')}\n`)
    } catch (error) {
      this.#broken = true
      this.#onError(error)
    }
  }
}
