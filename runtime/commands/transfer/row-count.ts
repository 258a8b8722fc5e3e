/** How many items a list has that passes by as bytes, without reading what they mean. Pure. */
import type { ListFormat } from '../../api/notation.ts'

const [quote, newline, brace] = [0x22, 0x0a, 0x7b]

export class RowCount {
  bytes = 0
  readonly #format: ListFormat
  #lines = 0
  #isQuoted = false
  #isLineStart = true

  constructor(format: ListFormat) {
    this.#format = format
  }

  get rows(): number {
    // The head line of CSV is no row.
    return this.#format === 'csv' ? Math.max(0, this.#lines - 1) : this.#lines
  }

  take(bytes: Uint8Array): void {
    this.bytes += bytes.length
    if (this.#format === 'csv') this.#countRecords(bytes)
    else this.#countObjects(bytes)
  }

  /** A line ends a record unless a quote is open; a doubled quote opens and closes. */
  #countRecords(bytes: Uint8Array): void {
    let isQuoted = this.#isQuoted
    for (const byte of bytes) {
      if (byte === quote) isQuoted = !isQuoted
      else if (byte === newline && !isQuoted) this.#lines++
    }
    this.#isQuoted = isQuoted
  }

  /** Each object begins a line of its own. */
  #countObjects(bytes: Uint8Array): void {
    let isLineStart = this.#isLineStart
    for (const byte of bytes) {
      if (isLineStart && byte === brace) this.#lines++
      isLineStart = byte === newline || (isLineStart && byte === 0x20)
    }
    this.#isLineStart = isLineStart
  }
}
