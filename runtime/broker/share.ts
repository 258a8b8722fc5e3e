/**
 * One connection's share of the gate: what it had accepted and is not done, counted with what that keeps in memory.
 * A payload is a slice of the chunk that it came in, so as long as one publish of a chunk is pending, the whole chunk
 * is; all publishes of one scan therefore share one charge, which is given back when the last of them is done.
 */
import type { Gate } from './gate.ts'

/** What an accepted publish costs besides its bytes: its objects, measured near 400 bytes. */
const publishOverheadBytes = 400

export type Charge = { bytes: number; frameBytes: number; heldBytes: number; open: number; buffer: Buffer | undefined }

export class Share {
  readonly #gate: Gate
  readonly #bytesMax: number
  readonly #onRelief: () => void
  #bytes = 0
  #current: Charge | undefined

  constructor(gate: Gate, bytesMax: number, onRelief: () => void) {
    this.#gate = gate
    this.#bytesMax = bytesMax
    this.#onRelief = onRelief
  }

  get full(): boolean {
    return this.#bytes > this.#bytesMax
  }

  get isHalfEmpty(): boolean {
    return this.#bytes * 2 <= this.#bytesMax
  }

  /** A publish of `frameBytes`, a slice of `buffer`, was accepted. */
  charge(buffer: Buffer, frameBytes: number): Charge {
    const charge = (this.#current ??= { bytes: 0, frameBytes: 0, heldBytes: 0, open: 0, buffer: undefined })
    charge.open += 1
    charge.frameBytes += frameBytes
    if (charge.buffer !== buffer) {
      charge.buffer = buffer
      charge.heldBytes += buffer.length
    }
    this.#take(charge, frameBytes + publishOverheadBytes)
    return charge
  }

  release(charge: Charge): void {
    charge.open -= 1
    if (charge.open === 0 && charge !== this.#current) this.#give(charge)
  }

  /** The scan is over: what follows is a charge of its own. True if this one took anything. */
  endScan(): boolean {
    const charge = this.#current
    if (charge === undefined) return false
    this.#current = undefined
    charge.buffer = undefined
    if (charge.open === 0) this.#give(charge)
    else this.#take(charge, Math.max(0, charge.heldBytes - charge.frameBytes))
    return true
  }

  #take(charge: Charge, bytes: number): void {
    charge.bytes += bytes
    this.#bytes += bytes
    this.#gate.take(bytes)
  }

  #give(charge: Charge): void {
    this.#bytes -= charge.bytes
    this.#gate.give(charge.bytes)
    this.#onRelief()
  }
}
