/**
 * Reads a backup piece by piece, from a file, a pipe or a gateway: the head first, then its records in order.
 *
 * Promises: bounded memory; records are given out as they come, so whoever acts on them must not believe them before
 * `records` has ended without an error: only then are counts and checksum known to be right. Throws BACKUP_UNREADABLE,
 * or what the gateway said that could not finish it.
 */
import { type Hash, createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { type ErrorCode, HoldfastError, unreadableWords } from '../errors.ts'
import {
  type BackupHead,
  type BackupRecord,
  type Counts,
  damaged,
  parseHead,
  parsed,
  sealLength,
  sumLength,
  tags,
} from './container.ts'
import { headBytesMax, keyBytesMax, valueBytesMax } from './limits.ts'

export type Chunks = AsyncIterable<Buffer>

/** A backup in a file, or on standard input if its name is `-`; packed or not. Closes it when it was read, or left. */
export async function* fileChunks(file: string, stdin: Readable): Chunks {
  const source = file === '-' ? stdin : createReadStream(file, { highWaterMark: 256 * 1024 })
  try {
    yield* unpacked(source)
  } catch (error) {
    if (error instanceof HoldfastError) throw error
    if (isOfZlib(error)) throw damaged(nameOf(file), 'it is cut short, or its packing is broken', error)
    throw new HoldfastError('FILE_UNREADABLE', `${nameOf(file)} cannot be read: ${unreadableWords(error)}`, '', error)
  } finally {
    source.destroy()
  }
}

export const nameOf = (file: string): string => (file === '-' ? 'from standard input' : file)

const isOfZlib = (error: unknown): boolean => String((error as { code?: unknown } | null)?.code).startsWith('Z_')

async function* unpacked(source: Chunks): Chunks {
  const iterator = source[Symbol.asyncIterator]()
  let first = Buffer.alloc(0)
  while (first.length < 2) {
    const next = await iterator.next()
    if (next.done === true) break
    first = Buffer.concat([first, next.value])
  }
  const whole = after(first, iterator)
  if (first[0] !== 0x1f || first[1] !== 0x8b) return yield* whole
  const unzip = createGunzip({ chunkSize: 256 * 1024 })
  // What fails before it fails in there too: a pipe that breaks must not look like the end.
  const feeding = feed(unzip, whole)
  try {
    yield* unzip as Chunks
    await feeding
  } finally {
    unzip.destroy()
    await feeding.catch(() => undefined)
  }
}

async function* after(first: Buffer, rest: AsyncIterator<Buffer>): Chunks {
  try {
    if (first.length > 0) yield first
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}

async function feed(unzip: ReturnType<typeof createGunzip>, chunks: Chunks): Promise<void> {
  try {
    for await (const chunk of chunks) {
      if (unzip.destroyed) return
      if (!unzip.write(chunk)) await new Promise<void>(resolve => unzip.once('drain', resolve).once('close', resolve))
    }
    unzip.end()
  } catch (error) {
    unzip.destroy(error as Error)
  }
}

export class BackupReader {
  readonly head: BackupHead
  /** For people: where it comes from. */
  readonly name: string
  readonly #input: Input
  #counts: Counts = { puts: 0, sames: 0 }

  static async open(chunks: AsyncIterable<Uint8Array>, name: string): Promise<BackupReader> {
    const input = new Input(chunks as Chunks, name)
    try {
      const head = parseHead(await input.line(), await input.line(), name)
      return new BackupReader(head, name, input)
    } catch (error) {
      await input.close()
      throw error
    }
  }

  private constructor(head: BackupHead, name: string, input: Input) {
    this.head = head
    this.name = name
    this.#input = input
  }

  get counts(): Counts {
    return this.#counts
  }

  /** Read so far, unpacked. */
  get bytes(): number {
    return this.#input.bytes
  }

  close(): Promise<void> {
    return this.#input.close()
  }

  /** Every record, in the order of keys. What was given out is right once this has ended. */
  async *records(): AsyncGenerator<BackupRecord> {
    const input = this.#input
    let before: Buffer | undefined
    let [puts, sames] = [0, 0]
    try {
      for (;;) {
        const tag = await input.byte()
        if (tag === tags.end) break
        if (tag === tags.failed) throw await this.#lastWords()
        if (tag !== tags.put && tag !== tags.same) throw damaged(this.name, `there is no record of kind ${tag}`)
        const key = await input.take(await input.length(keyBytesMax))
        if (before !== undefined && Buffer.compare(before, key) >= 0)
          throw damaged(this.name, 'its keys are not in order')
        before = key
        const length = await input.length(valueBytesMax)
        if (tag === tags.put) {
          puts++
          yield { kind: 'put', key, value: await input.take(length) }
        } else {
          sames++
          yield { kind: 'same', key, length, seal: await input.take(sealLength) }
        }
      }
      const told = [await input.length(Number.MAX_SAFE_INTEGER), await input.length(Number.MAX_SAFE_INTEGER)]
      const sum = input.sum()
      if (!(await input.take(sumLength)).equals(sum))
        throw damaged(this.name, 'its checksum is not that of its content')
      if (told[0] !== puts || told[1] !== sames) throw damaged(this.name, 'it does not have as many records as it says')
      await input.mustEnd()
      this.#counts = { puts, sames }
    } finally {
      await input.close()
    }
  }

  async #lastWords(): Promise<HoldfastError> {
    const text = (await this.#input.take(await this.#input.length(headBytesMax))).toString()
    const { code, message, hint } = (parsed(text) ?? {}) as Record<string, unknown>
    if (typeof code !== 'string' || typeof message !== 'string') return damaged(this.name, 'it was not finished')
    return new HoldfastError(code as ErrorCode, message, typeof hint === 'string' ? hint : '')
  }
}

/** Bytes in the sizes in which they are asked for, with the sum of all that was taken. */
class Input {
  readonly #chunks: AsyncIterator<Buffer>
  readonly #name: string
  readonly #hash: Hash = createHash('sha256')
  #chunk: Buffer = Buffer.alloc(0)
  #at = 0
  #summedTo = 0
  bytes = 0

  constructor(chunks: Chunks, name: string) {
    this.#chunks = chunks[Symbol.asyncIterator]()
    this.#name = name
  }

  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  /** Of everything that was taken so far. */
  sum(): Buffer {
    this.#addToSum()
    return this.#hash.copy().digest()
  }

  async byte(): Promise<number> {
    if (this.#at < this.#chunk.length) return this.#chunk[this.#at++] as number
    return (await this.take(1))[0] as number
  }

  async length(most: number): Promise<number> {
    let value = 0
    let scale = 1
    for (let count = 0; count < 8; count++) {
      const byte = await this.byte()
      value += (byte & 127) * scale
      if (byte >= 128) {
        scale *= 128
        continue
      }
      if (value <= most) return value
      break
    }
    throw damaged(this.#name, 'a length in it is out of bounds')
  }

  /** So many bytes; a copy only where they lie in several chunks. */
  async take(length: number): Promise<Buffer> {
    if (this.#chunk.length - this.#at < length) await this.#gather(length)
    const taken = this.#chunk.subarray(this.#at, this.#at + length)
    this.#at += length
    return taken
  }

  async line(): Promise<string> {
    const bytes: number[] = []
    for (let byte = await this.byte(); byte !== 0x0a; byte = await this.byte()) {
      bytes.push(byte)
      if (bytes.length > headBytesMax) throw damaged(this.#name, 'it has no head')
    }
    return Buffer.from(bytes).toString()
  }

  async mustEnd(): Promise<void> {
    if (this.#at < this.#chunk.length) throw damaged(this.#name, 'something follows its end')
    for (let next = await this.#chunks.next(); next.done !== true; next = await this.#chunks.next()) {
      if (next.value.length > 0) throw damaged(this.#name, 'something follows its end')
    }
  }

  async #gather(length: number): Promise<void> {
    this.#addToSum()
    const parts = [this.#chunk.subarray(this.#at)]
    let gathered = this.#chunk.length - this.#at
    while (gathered < length) {
      const next = await this.#chunks.next()
      if (next.done === true) throw damaged(this.#name, 'it is cut short')
      this.bytes += next.value.length
      gathered += next.value.length
      parts.push(next.value)
    }
    this.#chunk = parts[0]?.length === 0 && parts.length === 2 ? (parts[1] as Buffer) : Buffer.concat(parts)
    this.#at = 0
    this.#summedTo = 0
  }

  #addToSum(): void {
    this.#hash.update(this.#chunk.subarray(this.#summedTo, this.#at))
    this.#summedTo = this.#at
  }
}
