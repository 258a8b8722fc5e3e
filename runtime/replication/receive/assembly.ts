/** Puts a transaction together that came in parts. One at a time, in order, bounded; anything else starts over. */
import type { Frame, FrameRow } from '../wire/frames.ts'
import { transactionBytesMax, waitingRowsMax } from '../limits.ts'

export class Assembly {
  #of: Pick<Frame, 'run' | 'after' | 'last' | 'parts'> | undefined
  #rows: FrameRow[] = []
  #bytes = 0
  #next = 0

  /** The frame's rows, those of the whole transaction with its last part, or undefined while parts are missing. */
  add(frame: Frame, bytes: number): readonly FrameRow[] | undefined {
    if (frame.parts === 1) {
      this.clear()
      return frame.rows
    }
    if (frame.part === 0) {
      this.clear()
      this.#of = frame
    }
    const of = this.#of
    const isSame =
      of?.run === frame.run && of.after === frame.after && of.last === frame.last && of.parts === frame.parts
    // Measured with some room: an honest sender counts rows, not envelopes.
    const isTooMuch =
      this.#bytes + bytes > transactionBytesMax * 1.25 || this.#rows.length + frame.rows.length > waitingRowsMax
    if (!isSame || frame.part !== this.#next || isTooMuch) {
      this.clear()
      return undefined
    }
    this.#rows.push(...frame.rows)
    this.#bytes += bytes
    this.#next++
    if (this.#next < frame.parts) return undefined
    const rows = this.#rows
    this.clear()
    return rows
  }

  clear(): void {
    this.#of = undefined
    this.#rows = []
    this.#bytes = 0
    this.#next = 0
  }
}
