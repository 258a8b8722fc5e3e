/**
 * The form in which LevelDB writes its `.log` and MANIFEST files: blocks of 32 KB with fragments, each
 *
 *   masked CRC-32C of what follows the length (4), length (2), kind (1: whole 2: first 3: middle 4: last), bytes
 *
 * LevelDB passes over a damaged fragment and whatever follows it in its block, hundreds of commits, without a word. Here
 * only what is damaged is left out, and told. Pure.
 */
import { crc32c, masked } from './crc32c.ts'

const blockBytes = 32_768
const headerBytes = 7
const zeros = Buffer.alloc(4096)
const whole = 1
const first = 2
const middle = 3
const last = 4

export type Stretch = { readonly offset: number; readonly bytes: number }

export type FramedLog = {
  readonly records: readonly Buffer[]
  /** Damaged stretches with something whole after them. */
  readonly damaged: readonly Stretch[]
  /** What stands at the end and is not whole: a write that a cut interrupted, or damage; nobody can tell by itself. */
  readonly torn: Stretch | undefined
  /** Where the last whole record ends. Zeros behind it are room that was made for more. */
  readonly end: number
}

export function readFramedLog(bytes: Buffer): FramedLog {
  const file = withoutRoom(bytes)
  const records: Buffer[] = []
  const damaged: Stretch[] = []
  let bad: { offset: number; end: number } | undefined
  let open: { offset: number; parts: Buffer[] } | undefined
  let at = 0
  let end = 0
  const spoil = (offset: number, end: number): void => {
    bad = bad === undefined ? { offset, end } : { offset: Math.min(bad.offset, offset), end: Math.max(bad.end, end) }
  }
  const dropOpen = (end: number): void => {
    if (open !== undefined) spoil(open.offset, end)
    open = undefined
  }
  const take = (record: Buffer, upTo: number): void => {
    if (bad !== undefined) damaged.push({ offset: bad.offset, bytes: bad.end - bad.offset })
    bad = undefined
    records.push(record)
    end = upTo
  }
  while (at < file.length) {
    const left = blockBytes - (at % blockBytes)
    if (left < headerBytes) {
      at += left
      continue
    }
    const found = fragmentAt(file, at)
    if (found === undefined) {
      if (isZeros(file, at)) break
      const next = nextFragment(file, at)
      dropOpen(at)
      spoil(at, next)
      at = next
      continue
    }
    const { kind, bytes } = found
    if (kind === whole) {
      dropOpen(at)
      take(bytes, found.end)
    } else if (kind === first) {
      dropOpen(at)
      open = { offset: at, parts: [bytes] }
    } else if (open === undefined) spoil(at, found.end)
    else if (kind === middle) open.parts.push(bytes)
    else {
      const record = Buffer.concat([...open.parts, bytes])
      open = undefined
      take(record, found.end)
    }
    at = found.end
  }
  dropOpen(file.length)
  return { records, damaged, torn: bad && { offset: bad.offset, bytes: file.length - bad.offset }, end }
}

const isZeros = (file: Buffer, from: number): boolean => file.subarray(from).every(byte => byte === 0)

/** A record may end in zeros, so some of them are left. */
function withoutRoom(file: Buffer): Buffer {
  let end = file.length
  while (end >= zeros.length && file.subarray(end - zeros.length, end).equals(zeros)) end -= zeros.length
  return file.subarray(0, Math.min(file.length, end + zeros.length))
}

/** Writes records anew, as LevelDB would. */
export function writeFramedLog(records: readonly Buffer[]): Buffer {
  const out: Buffer[] = []
  let at = 0
  const push = (bytes: Buffer): void => {
    out.push(bytes)
    at += bytes.length
  }
  for (const record of records) {
    for (let from = 0, isBegin = true; isBegin || from < record.length; isBegin = false) {
      if (blockBytes - (at % blockBytes) < headerBytes) push(Buffer.alloc(blockBytes - (at % blockBytes)))
      const end = Math.min(record.length, from + blockBytes - (at % blockBytes) - headerBytes)
      const isEnd = end === record.length
      push(fragment(isBegin ? (isEnd ? whole : first) : isEnd ? last : middle, record.subarray(from, end)))
      from = end
    }
  }
  return Buffer.concat(out)
}

function fragment(kind: number, bytes: Buffer): Buffer {
  const made = Buffer.alloc(headerBytes + bytes.length)
  made.writeUInt16LE(bytes.length, 4)
  made[6] = kind
  bytes.copy(made, headerBytes)
  made.writeUInt32LE(masked(crc32c(made, 6)), 0)
  return made
}

function fragmentAt(file: Buffer, at: number): { kind: number; bytes: Buffer; end: number } | undefined {
  if (at + headerBytes > file.length) return undefined
  const length = file.readUInt16LE(at + 4)
  const kind = file[at + 6] as number
  const end = at + headerBytes + length
  const blockEnd = at - (at % blockBytes) + blockBytes
  if (kind < whole || kind > last || end > file.length || end > blockEnd) return undefined
  if (masked(crc32c(file, at + 6, end)) !== file.readUInt32LE(at)) return undefined
  return { kind, bytes: file.subarray(at + headerBytes, end), end }
}

/** Where the next fragment begins whose sum fits: by the length that this one tells, else anywhere in the block. */
function nextFragment(file: Buffer, at: number): number {
  const blockEnd = Math.min(file.length, at - (at % blockBytes) + blockBytes)
  if (at + headerBytes <= file.length) {
    const told = at + headerBytes + file.readUInt16LE(at + 4)
    if (told < blockEnd && fragmentAt(file, told) !== undefined) return told
  }
  for (let from = at + 1; from + headerBytes <= blockEnd; from++) {
    if (fragmentAt(file, from) !== undefined) return from
  }
  return blockEnd
}
