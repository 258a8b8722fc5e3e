/**
 * Reads the fields of an MQTT packet one after the other, and never beyond its end. What does not fit is a fault of the
 * packet, noted once and for good; what is read after it is nothing.
 */
import { isUtf8 } from 'node:buffer'

export class Cursor {
  readonly buffer: Buffer
  readonly end: number
  at: number
  isMalformed = false

  constructor(buffer: Buffer, at: number, end: number) {
    this.buffer = buffer
    this.at = at
    this.end = end
  }

  get left(): number {
    return this.end - this.at
  }

  malformed(): void {
    this.isMalformed = true
    this.at = this.end
  }

  skip(bytes: number): void {
    if (bytes > this.left) this.malformed()
    else this.at += bytes
  }

  byte(): number {
    return this.#number(1)
  }

  u16(): number {
    return this.#number(2)
  }

  u32(): number {
    return this.#number(4)
  }

  /** A number of one to four bytes, in as few as it takes [MQTT-1.5.5-1]. */
  variable(): number {
    let value = 0
    for (let i = 0; i < 4; i++) {
      const byte = this.byte()
      value += (byte & 0x7f) * 128 ** i
      if (byte < 0x80) {
        if (i > 0 && byte === 0) this.malformed()
        return value
      }
    }
    this.malformed()
    return 0
  }

  /** Where the bytes begin; `at` is where they end. */
  binary(): number {
    const length = this.u16()
    const start = this.at
    this.skip(length)
    return start
  }

  /** UTF-8 without U+0000 [MQTT-1.5.3-1, MQTT-1.5.3-2]; isUtf8 knows no surrogates either. */
  text(): number {
    const start = this.binary()
    const bytes = this.buffer.subarray(start, this.at)
    if (!isUtf8(bytes) || bytes.includes(0)) this.malformed()
    return start
  }

  #number(bytes: 1 | 2 | 4): number {
    if (bytes > this.left) {
      this.malformed()
      return 0
    }
    const value = this.buffer.readUIntBE(this.at, bytes)
    this.at += bytes
    return value
  }
}
