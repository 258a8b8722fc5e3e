/**
 * Frames on their way to aedes: those that lie behind one another in a chunk go in one piece, at the end of the scan, and
 * none is copied. Once aedes has enough, `isFull` says so until it reads again.
 */
type Piece = { readonly buffer: Buffer; readonly start: number; end: number }

const nothing: Piece = { buffer: Buffer.alloc(0), start: 0, end: 0 }

export class Passage {
  isFull = false
  readonly #push: (bytes: Buffer) => boolean
  #piece = nothing

  /** `push` returns false once its reader has enough. */
  constructor(push: (bytes: Buffer) => boolean) {
    this.#push = push
  }

  add(buffer: Buffer, start: number, end: number): void {
    if (buffer !== this.#piece.buffer || start !== this.#piece.end) {
      this.flush()
      this.#piece = { buffer, start, end }
    }
    this.#piece.end = end
  }

  flush(): void {
    const { buffer, start, end } = this.#piece
    this.#piece = nothing
    if (end > start) this.pushNow(buffer.subarray(start, end))
  }

  pushNow(bytes: Buffer): void {
    if (!this.#push(bytes)) this.isFull = true
  }
}
