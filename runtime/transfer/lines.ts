/**
 * Bytes as numbered lines. Promises: a line is never longer than the bound, and one that would be, or that is no UTF-8, is a
 * fault of its own: what follows it is read all the same. Pure.
 */
import { isUtf8 } from 'node:buffer'

export type Line = { readonly line: number; readonly text: string } | { readonly line: number; readonly fault: string }

const newline = 0x0a

export class LineSplitter {
  readonly #bytesMax: number
  #line = 0
  /** The beginning of a line whose end has not come. */
  #begun: Buffer[] = []
  #begunBytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** The lines that end in these bytes. */
  take(bytes: Buffer): readonly Line[] {
    const end = bytes.lastIndexOf(newline)
    if (end < 0) return this.#begin(bytes)
    const lines: Line[] = []
    let from = 0
    if (this.#begunBytes > 0) {
      from = bytes.indexOf(newline) + 1
      this.#begin(bytes.subarray(0, from - 1))
      lines.push(this.#finish())
    }
    if (end >= from) this.#split(bytes.subarray(from, end), lines)
    this.#begin(bytes.subarray(end + 1))
    return lines
  }

  /** The last line, if the bytes did not end with the end of one. */
  end(): readonly Line[] {
    return this.#begunBytes > 0 ? [this.#finish()] : []
  }

  /** Keeps the beginning of a line; of one that is too long nothing but its length. */
  #begin(bytes: Buffer): readonly Line[] {
    this.#begunBytes += bytes.length
    if (this.#begunBytes > this.#bytesMax) this.#begun = []
    else if (bytes.length > 0) this.#begun.push(bytes)
    return []
  }

  #finish(): Line {
    const line =
      this.#begunBytes > this.#bytesMax ? this.#tooLong() : this.#lineOf(Buffer.concat(this.#begun, this.#begunBytes))
    this.#begun = []
    this.#begunBytes = 0
    return line
  }

  #split(bytes: Buffer, lines: Line[]): void {
    if (isUtf8(bytes)) {
      for (const text of bytes.toString().split('\n')) {
        const isLong = text.length * 3 > this.#bytesMax && Buffer.byteLength(text) > this.#bytesMax
        lines.push(isLong ? this.#tooLong() : this.#textLine(text))
      }
      return
    }
    for (let from = 0; from <= bytes.length; ) {
      const found = bytes.indexOf(newline, from)
      const end = found < 0 ? bytes.length : found
      lines.push(end - from > this.#bytesMax ? this.#tooLong() : this.#lineOf(bytes.subarray(from, end)))
      from = end + 1
    }
  }

  #lineOf(bytes: Buffer): Line {
    // Decoding would put U+FFFD in place of wrong bytes, and two different names could become one.
    return isUtf8(bytes) ? this.#textLine(bytes.toString()) : { line: ++this.#line, fault: 'it is not UTF-8' }
  }

  #textLine(text: string): Line {
    this.#line++
    // What some programs write at the beginning of a file to say that it is UTF-8.
    return { line: this.#line, text: this.#line === 1 ? text.replace(/^\ufeff/, '') : text }
  }

  #tooLong(): Line {
    return { line: ++this.#line, fault: `it has more than ${this.#bytesMax / 1024} KiB` }
  }
}
