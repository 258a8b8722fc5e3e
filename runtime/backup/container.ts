/**
 * The form of a backup. Unpacked it is two lines that a person can read, then every key of the database in order:
 *
 *   "holdfast backup 1\n"
 *   {"id", "gateway", "epoch", "format", "created_ms", "base", "about_bytes"} "\n"
 *   records   1 varint(key) key varint(value) value      a key and its value, as they lie in the database, seal and all
 *             2 varint(key) key varint(value) seal(4)    a key whose value stands in the base, or in the base of that
 *   end       0 varint(records of kind 1) varint(records of kind 2) sha256(32) of everything before the sum
 *   or        3 varint(text) text                        JSON {code, message, hint}: why it could not be finished
 *
 * A file is this in gzip, or as it is: `zcat FILE | head -2 | strings` tells whose backup it is. Keys ascend, so two
 * backups are compared, and joined, by walking along both. An increment names every key that there was: what it does not
 * name was gone.
 *
 * Promises: a file that was cut short, changed or joined to another is known for it before its end is believed.
 */
import { createHash } from 'node:crypto'
import { HoldfastError } from '../errors.ts'

/** Of this form; a reader refuses a later one. */
const form = 1
const firstLine = 'holdfast backup '

export type BackupHead = {
  readonly id: string
  /** The id of the gateway whose database it is. */
  readonly gateway: string
  /** Of the database. */
  readonly epoch: string
  /** The format number of the database. */
  readonly format: number
  /** By the wall clock of whoever made it. */
  readonly created_ms: number
  /** The id of the backup that an increment continues; null for one that stands alone. */
  readonly base: string | null
  /** About how much is to come, before it is packed; 0 if nobody knows. */
  readonly about_bytes: number
}

export type Put = { readonly kind: 'put'; readonly key: Buffer; readonly value: Buffer }
/** Its value is that of the base, so long and with this seal. */
export type Same = { readonly kind: 'same'; readonly key: Buffer; readonly length: number; readonly seal: Buffer }
export type BackupRecord = Put | Same

export type Counts = { readonly puts: number; readonly sames: number }

export const tags = { end: 0, put: 1, same: 2, failed: 3 } as const
/** The last bytes of every value (store/seal.ts). */
export const sealLength = 4
export const sumLength = 32

export const sealOf = (value: Buffer): Buffer => value.subarray(Math.max(0, value.length - sealLength))

/** Makes the bytes of one backup, piece by piece, in order. */
export class BackupWriter {
  readonly #hash = createHash('sha256')
  #puts = 0
  #sames = 0
  #bytes = 0

  get counts(): Counts {
    return { puts: this.#puts, sames: this.#sames }
  }

  /** Made so far, before they are packed. */
  get bytes(): number {
    return this.#bytes
  }

  head(head: BackupHead): Buffer {
    return this.#summed(Buffer.from(`${firstLine}${form}\n${JSON.stringify(head)}\n`))
  }

  records(records: readonly BackupRecord[]): Buffer {
    const parts: Buffer[] = []
    for (const record of records) {
      if (record.kind === 'put') {
        this.#puts++
        parts.push(named(tags.put, record.key, record.value.length), record.value)
      } else {
        this.#sames++
        parts.push(named(tags.same, record.key, record.length), record.seal)
      }
    }
    return this.#summed(Buffer.concat(parts))
  }

  end(): Buffer {
    const counts = Buffer.concat([Buffer.of(tags.end), varint(this.#puts), varint(this.#sames)])
    this.#hash.update(counts)
    return Buffer.concat([counts, this.#hash.digest()])
  }

  #summed(bytes: Buffer): Buffer {
    this.#hash.update(bytes)
    this.#bytes += bytes.length
    return bytes
  }
}

/** The last words of a backup that cannot be finished. */
export function failedPiece(fault: { readonly code: string; readonly message: string; readonly hint: string }): Buffer {
  const text = Buffer.from(JSON.stringify(fault))
  return Buffer.concat([Buffer.of(tags.failed), varint(text.length), text])
}

function named(tag: number, key: Buffer, valueLength: number): Buffer {
  return Buffer.concat([Buffer.of(tag), varint(key.length), key, varint(valueLength)])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest >= 128) {
    bytes.push((rest % 128) | 128)
    rest = Math.floor(rest / 128)
  }
  bytes.push(rest)
  return Buffer.from(bytes)
}

/** The head from the two lines that a backup begins with. */
export function parseHead(first: string, second: string, name: string): BackupHead {
  if (!first.startsWith(firstLine))
    throw unreadable(`${name} is no backup of Holdfast`, 'name a file that "holdfast backup" has made')
  if (first !== `${firstLine}${form}`) {
    throw unreadable(
      `${name} has a form that this program does not know: ${first.slice(0, 40)}`,
      'use the program that made it, or a newer one',
    )
  }
  const head = parsed(second) as Partial<BackupHead> | null
  const isWhole =
    [head?.id, head?.gateway, head?.epoch].every(text => typeof text === 'string' && text !== '') &&
    [head?.format, head?.created_ms, head?.about_bytes].every(number => Number.isFinite(number)) &&
    (head?.base === null || typeof head?.base === 'string')
  if (!isWhole) throw damaged(name, 'its head cannot be read')
  return head as BackupHead
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return null
  }
}

export const damaged = (name: string, what: string, cause?: unknown): HoldfastError =>
  unreadable(`the backup ${name} is damaged: ${what}`, 'use another backup; nothing of this one was used', cause)

const unreadable = (message: string, hint: string, cause?: unknown): HoldfastError =>
  new HoldfastError('BACKUP_UNREADABLE', message, hint, cause)
