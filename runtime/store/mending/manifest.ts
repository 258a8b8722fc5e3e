/**
 * LevelDB's MANIFEST: a log of edits that tell which table files make up the database, and from which `.log` on its
 * newest writes stand. Read without LevelDB, because LevelDB does not open what we want to look at. Pure.
 */
import { readFramedLog } from './framed-log.ts'
import { varintAt } from './snappy.ts'

export type TableFile = {
  readonly number: number
  readonly level: number
  readonly bytes: number
  /** The first and last key in it, as the store knows keys. */
  readonly smallest: Buffer
  readonly largest: Buffer
}

export type Manifest = {
  readonly files: ReadonlyMap<number, TableFile>
  /** Writes in `.log` files from this number on are in no table file. */
  readonly logNumber: number
  readonly prevLogNumber: number
  readonly nextFile: number
  /** How many edits were whole, and how many bytes of the file they take. */
  readonly edits: number
  readonly isWhole: boolean
  /** True if whole edits stand after damaged ones: then what was read is not what was written. */
  readonly isHoled: boolean
}

/** The edits up to the first that is not whole; undefined if there is none. */
export function readManifest(file: Buffer): Manifest | undefined {
  const { records, damaged, torn } = readFramedLog(file)
  const files = new Map<number, TableFile>()
  const known = { logNumber: 0, prevLogNumber: 0, nextFile: 0 }
  let edits = 0
  for (const record of records) {
    if (!applyEdit(record, files, known)) break
    edits++
  }
  if (edits === 0 || known.nextFile === 0) return undefined
  const isHoled = damaged.length > 0 || edits < records.length
  return { files, ...known, edits, isWhole: !isHoled && torn === undefined, isHoled }
}

function applyEdit(
  edit: Buffer,
  files: Map<number, TableFile>,
  known: { logNumber: number; prevLogNumber: number; nextFile: number },
): boolean {
  const read = new EditReader(edit)
  while (!read.done) {
    switch (read.number()) {
      case 1:
        read.slice()
        break
      case 2:
        known.logNumber = read.number()
        break
      case 3:
        known.nextFile = read.number()
        break
      case 4:
        read.number()
        break
      case 5:
        read.number()
        read.slice()
        break
      case 6:
        read.number()
        files.delete(read.number())
        break
      case 7: {
        const [level, number, bytes] = [read.number(), read.number(), read.number()]
        const [smallest, largest] = [userKey(read.slice()), userKey(read.slice())]
        if (read.isWhole) files.set(number, { number, level, bytes, smallest, largest })
        break
      }
      case 9:
        known.prevLogNumber = read.number()
        break
      default:
        return false
    }
  }
  return read.isWhole
}

/** Reads numbers and slices; after what is not whole it is done. */
class EditReader {
  readonly #edit: Buffer
  #at = 0
  isWhole = true

  constructor(edit: Buffer) {
    this.#edit = edit
  }

  get done(): boolean {
    return !this.isWhole || this.#at >= this.#edit.length
  }

  number(): number {
    const [value, end] = varintAt(this.#edit, this.#at)
    if (end === 0) this.isWhole = false
    this.#at = end
    return value
  }

  slice(): Buffer {
    const length = this.number()
    const bytes = this.#edit.subarray(this.#at, this.#at + length)
    if (bytes.length < length) this.isWhole = false
    this.#at += length
    return bytes
  }
}

/** LevelDB puts eight bytes of its own behind each key. */
export const userKey = (internal: Buffer): Buffer => internal.subarray(0, Math.max(0, internal.length - 8))
