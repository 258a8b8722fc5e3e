/**
 * A growing byte writer and a bounded reader: the alphabet in which rows are laid out on disk.
 *
 *   varint   seven bits a byte, least significant first, high bit set on all but the last; 0 to 2^53
 *   signed   the same with the sign in bit 6 of the first byte
 *   text     varint of its UTF-8 length, then the bytes
 *
 * The reader throws `RangeError` on anything that runs past the end: a block is whole or it is damaged.
 */

/** A writer that is used again keeps so much. */
const keptBytesMax = 1 << 20

export class ByteWriter {
  #buffer: Buffer
  #length = 0

  constructor(capacity = 1024) {
    this.#buffer = Buffer.allocUnsafeSlow(capacity)
  }

  get length(): number {
    return this.#length
  }

  /** A copy of what was written since the last reset. */
  take(): Buffer {
    const taken = Buffer.allocUnsafeSlow(this.#length)
    this.#buffer.copy(taken, 0, 0, this.#length)
    this.#length = 0
    return taken
  }

  /** The same without a copy: good until something is written again. */
  lend(): Buffer {
    const lent = this.#buffer.subarray(0, this.#length)
    this.#length = 0
    return lent
  }

  /** Forgets what was written, after something went wrong too; and memory that one large block took. */
  clear(): void {
    this.#length = 0
    if (this.#buffer.length > keptBytesMax) this.#buffer = Buffer.allocUnsafeSlow(1024)
  }

  byte(value: number): void {
    this.#ensure(1)
    this.#buffer[this.#length++] = value
  }

  varint(value: number): void {
    this.#ensure(8)
    const buffer = this.#buffer
    let rest = value
    while (rest >= 0x10000000) {
      buffer[this.#length++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    while (rest >= 128) {
      buffer[this.#length++] = (rest & 127) | 128
      rest >>>= 7
    }
    buffer[this.#length++] = rest
  }

  signed(value: number): void {
    const sign = value < 0 ? 64 : 0
    const magnitude = Math.abs(value)
    if (magnitude < 64) return this.byte(magnitude | sign)
    this.byte((magnitude % 64) | sign | 128)
    this.varint(Math.floor(magnitude / 64))
  }

  double(value: number): void {
    this.#ensure(8)
    this.#buffer.writeDoubleLE(value, this.#length)
    this.#length += 8
  }

  /** Four bytes: for numbers that lose nothing by it. */
  single(value: number): void {
    this.#ensure(4)
    this.#buffer.writeFloatLE(value, this.#length)
    this.#length += 4
  }

  text(value: string): void {
    // Three bytes a UTF-16 unit is the most UTF-8 can take.
    if (value.length < 42) {
      this.#ensure(1 + value.length * 3)
      const written = this.#buffer.write(value, this.#length + 1, 'utf8')
      this.#buffer[this.#length] = written
      this.#length += 1 + written
    } else {
      this.bytes(Buffer.from(value, 'utf8'))
    }
  }

  bytes(value: Uint8Array): void {
    this.varint(value.length)
    this.raw(value)
  }

  /** Bytes as they are, without a length before them. */
  raw(value: Uint8Array): void {
    this.#ensure(value.length)
    this.#buffer.set(value, this.#length)
    this.#length += value.length
  }

  #ensure(count: number): void {
    if (this.#length + count <= this.#buffer.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#length + count))
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#buffer = grown
  }
}

export class ByteReader {
  readonly #buffer: Buffer
  #at: number
  readonly #end: number

  constructor(buffer: Buffer, start = 0, end = buffer.length) {
    this.#buffer = buffer
    this.#at = start
    this.#end = end
  }

  get done(): boolean {
    return this.#at >= this.#end
  }

  byte(): number {
    if (this.#at >= this.#end) throw new RangeError('block ends too early')
    return this.#buffer[this.#at++] as number
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (let count = 0; count < 8; count++) {
      const byte = this.byte()
      value += (byte & 127) * scale
      if (byte < 128) return value
      scale *= 128
    }
    throw new RangeError('number too long')
  }

  signed(): number {
    const first = this.byte()
    let magnitude = first & 63
    if (first & 128) magnitude += this.varint() * 64
    return first & 64 ? -magnitude : magnitude
  }

  double(): number {
    return this.#buffer.readDoubleLE(this.skip(8))
  }

  single(): number {
    return this.#buffer.readFloatLE(this.skip(4))
  }

  text(): string {
    const length = this.varint()
    const start = this.skip(length)
    return this.#buffer.toString('utf8', start, start + length)
  }

  bytes(): Buffer {
    const length = this.varint()
    const start = this.skip(length)
    return this.#buffer.subarray(start, start + length)
  }

  /** What is read from, for who reads bytes as they are: where `skip` says. */
  get buffer(): Buffer {
    return this.#buffer
  }

  /** Passes over so many bytes; returns where they begin. */
  skip(count: number): number {
    const start = this.#at
    if (count > this.#end - start) throw new RangeError('block ends too early')
    this.#at = start + count
    return start
  }
}
