/**
 * What waits in memory for clients to read it, of all of them together. Beyond the bound the one for which most waits is
 * dropped: a few slow readers must not cost the others their broker [A7].
 */
export type Reader = {
  readonly waitingBytes: number
  readonly refuse: (cause: string) => void
}

export class Crowd {
  readonly #bytesMax: number
  readonly #readers = new Set<Reader>()

  constructor({ waitingBytesTotalMax }: { readonly waitingBytesTotalMax: number }) {
    this.#bytesMax = waitingBytesTotalMax
  }

  join(reader: Reader): void {
    this.#readers.add(reader)
  }

  leave(reader: Reader): void {
    this.#readers.delete(reader)
  }

  get waitingBytes(): number {
    let bytes = 0
    for (const reader of this.#readers) bytes += reader.waitingBytes
    return bytes
  }

  /** Much waits for somebody: is it too much in all? */
  look(): void {
    if (this.waitingBytes <= this.#bytesMax) return
    let most: Reader | undefined
    for (const reader of this.#readers) if (reader.waitingBytes > (most?.waitingBytes ?? 0)) most = reader
    most?.refuse('waiting_bytes_total')
  }
}
