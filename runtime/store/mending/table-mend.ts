/**
 * A damaged table file, mended so that LevelDB reads what is whole of it, and nothing else. The file keeps its number and
 * its size, so that the MANIFEST stays true and no other file needs to be touched:
 *
 *   a damaged block          is made an empty one, in its place
 *   a damaged filter         is left out: it only made looks quicker
 *   index or footer damaged  blocks are found again by their checksums, and a new index is made
 *   missing, zeros           an empty table
 *
 * Pure: bytes in, bytes out. Nothing that is not under a whole checksum is taken over.
 */
import { crc32c, masked, step } from './crc32c.ts'
import { userKey } from './manifest.ts'
import { writeVarint } from './snappy.ts'
import {
  type Handle,
  type IndexEntry,
  type ReadAt,
  checkTable,
  footerBytes,
  footerOf,
  readBlock,
  readEntries,
  readIndex,
  trailerBytes,
} from './table-file.ts'

/** Keys between these two are lost: after the first, up to the second; undefined is unknown. */
export type LostKeys = { readonly after: Buffer | undefined; readonly upTo: Buffer | undefined }

export type MendedTable = {
  readonly bytes: Buffer
  readonly lost: readonly LostKeys[]
  readonly blocksKept: number
  readonly blocksLost: number
}

/** What is known of the file from elsewhere. */
export type TableBounds = { readonly bytes: number; readonly smallest?: Buffer; readonly largest?: Buffer }

/** A block is looked for in so many bytes where its beginning is not known; longer ones are of large rows. */
const searchBytes = 256 * 1024
/** Steps of such a search in one file: about a second of a small board. */
const searchStepsMax = 200_000_000

export function mendTable(found: Buffer, bounds: TableBounds): MendedTable {
  const read: ReadAt = (offset, bytes) => found.subarray(offset, offset + bytes)
  const isComplete = found.length >= bounds.bytes
  const check = isComplete ? checkTable(read, bounds.bytes, true) : undefined
  if (check?.index !== undefined && check.metaindex !== undefined && fits(check.metaindex, bounds.bytes)) {
    const bytes = Buffer.from(found.subarray(0, bounds.bytes))
    if (!check.isFilterWhole) emptyBlock(bytes, check.metaindex)
    return withoutBad(bytes, check.index, check.bad, bounds)
  }
  const blocks = findBlocks(found)
  const index = isComplete ? indexAmong(read, blocks) : undefined
  return index === undefined ? rebuilt(read, blocks, bounds) : underNewFooter(read, index, bounds)
}

/** In place: what was damaged is an empty block now. */
function withoutBad(
  bytes: Buffer,
  index: readonly IndexEntry[],
  bad: readonly number[],
  bounds: TableBounds,
): MendedTable {
  const lost: LostKeys[] = []
  for (const at of bad) {
    const { upTo, handle } = index[at] as IndexEntry
    emptyBlock(bytes, handle)
    const after = index[at - 1]?.upTo
    lost.push({ after: after ? userKey(after) : beforeKey(bounds.smallest), upTo: userKey(upTo) })
  }
  return { bytes, lost: joined(lost), blocksKept: index.length - bad.length, blocksLost: bad.length }
}

/** The index is whole, the footer is not. The filter makes room for what the footer must name besides. */
function underNewFooter(read: ReadAt, { entries, at }: FoundIndex, bounds: TableBounds): MendedTable {
  const last = entries.at(-1)?.handle
  const meta = { offset: last ? last.offset + last.size + trailerBytes : 0, size: 4 }
  if (meta.offset + meta.size + trailerBytes > at.offset)
    return rebuilt(read, findBlocks(read(0, bounds.bytes)), bounds)
  const bytes = Buffer.from(read(0, bounds.bytes))
  emptyBlock(bytes, meta)
  footerOf(meta, at, writeVarint).copy(bytes, bounds.bytes - footerBytes)
  const bad = [...entries.keys()].filter(each => readBlock(read, (entries[each] as IndexEntry).handle) === undefined)
  return withoutBad(bytes, entries, bad, bounds)
}

type FoundIndex = { readonly entries: readonly IndexEntry[]; readonly at: Handle }
type DataBlock = { readonly handle: Handle; readonly first: Buffer; readonly last: Buffer }

/** Every data block stays where it was; behind them an index and a footer of our own. */
function rebuilt(read: ReadAt, blocks: readonly Handle[], bounds: TableBounds): MendedTable {
  const data: DataBlock[] = []
  const lost: LostKeys[] = []
  let end = 0
  for (const handle of blocks) {
    const block = dataBlock(read, handle)
    const before = data.at(-1)
    if (block === undefined || (before !== undefined && !isAfter(block.first, before.last))) continue
    if (handle.offset > end)
      lost.push({ after: before ? userKey(before.last) : beforeKey(bounds.smallest), upTo: userKey(block.first) })
    data.push(block)
    end = handle.offset + handle.size + trailerBytes
  }
  const last = data.at(-1)
  const lastKey = last && userKey(last.last)
  if (lastKey === undefined || bounds.largest === undefined || !lastKey.equals(bounds.largest))
    lost.push({ after: lastKey ?? beforeKey(bounds.smallest), upTo: bounds.largest })
  const index = sealedBlock(indexBlock(data))
  const size = Math.max(bounds.bytes, end + index.length + 4 + trailerBytes + footerBytes)
  const bytes = Buffer.alloc(size)
  read(0, end).copy(bytes)
  const meta = { offset: end, size: 4 }
  emptyBlock(bytes, meta)
  const at = { offset: end + meta.size + trailerBytes, size: index.length - trailerBytes }
  index.copy(bytes, at.offset)
  footerOf(meta, at, writeVarint).copy(bytes, size - footerBytes)
  return { bytes, lost: joined(lost), blocksKept: data.length, blocksLost: lost.length }
}

function dataBlock(read: ReadAt, handle: Handle): DataBlock | undefined {
  const contents = readBlock(read, handle)
  const entries = contents && readEntries(contents)
  const [first, last] = [entries?.[0]?.[0], entries?.at(-1)?.[0]]
  const isData = entries?.every(([key]) => key.length > 8 && (key[key.length - 8] as number) <= 1)
  return first && last && isData ? { handle, first, last } : undefined
}

/** The index that stood in the file, if it is among the blocks: the last one whose values are places of the others. */
function indexAmong(read: ReadAt, blocks: readonly Handle[]): FoundIndex | undefined {
  const last = blocks.at(-1)
  const entries = last && readIndex(readBlock(read, last))
  if (last === undefined || entries === undefined || entries.length === 0) return undefined
  let next = 0
  for (const { handle } of entries) {
    if (handle.offset !== next) return undefined
    next = handle.offset + handle.size + trailerBytes
  }
  return next <= last.offset ? { entries, at: last } : undefined
}

/** The places in which a checksum fits what stands before it, from the beginning on. */
export function findBlocks(bytes: Buffer): Handle[] {
  const found: Handle[] = []
  let at = 0
  let steps = searchStepsMax
  while (at < bytes.length) {
    const end = blockEnd(bytes, at, found.length === 0 && at === 0 ? bytes.length : at + 4 * searchBytes)
    if (end !== undefined) {
      found.push({ offset: at, size: end - trailerBytes - at })
      at = end
      continue
    }
    let next: number | undefined
    for (let from = at + 1; from < bytes.length && steps > 0 && next === undefined; from++) {
      if (!mayBegin(bytes, from)) continue
      steps -= searchBytes
      if (blockEnd(bytes, from, from + searchBytes) !== undefined) next = from
    }
    if (next === undefined) return found
    at = next
  }
  return found
}

/** Where the block that begins at `from` ends with its trailer. */
function blockEnd(bytes: Buffer, from: number, most: number): number | undefined {
  let crc = 0xffffffff
  const end = Math.min(bytes.length - 4, most)
  for (let at = from; at < end; at++) {
    const byte = bytes[at] as number
    crc = step(crc, byte)
    if (byte > 1 || at - from < 4) continue
    if (masked((crc ^ 0xffffffff) >>> 0) === bytes.readUInt32LE(at + 1)) return at + trailerBytes
  }
  return undefined
}

/**
 * The first key of a block shares nothing, and has eight bytes at least; in a compressed block a length comes before it,
 * and a literal that begins with it.
 */
function mayBegin(bytes: Buffer, at: number): boolean {
  if (bytes[at] === 0) return (bytes[at + 1] ?? 0) >= 8
  for (let length = 1; length <= 3; length++) {
    if ((bytes[at + length - 1] as number) >= 128) continue
    const tag = bytes[at + length] ?? 3
    const skip = tag >>> 2 >= 60 ? (tag >>> 2) - 59 : 0
    const key = at + length + 1 + skip
    return (tag & 3) === 0 && bytes[key] === 0 && (bytes[key + 1] ?? 0) >= 8
  }
  return false
}

/** Of `size` zeros, which are no entries and no restarts. */
function emptyBlock(bytes: Buffer, { offset, size }: Handle): void {
  bytes.fill(0, offset, offset + size + 1)
  bytes.writeUInt32LE(masked(crc32c(bytes, offset, offset + size + 1)), offset + size + 1)
}

function sealedBlock(contents: Buffer): Buffer {
  const block = Buffer.alloc(contents.length + trailerBytes)
  contents.copy(block)
  block.writeUInt32LE(masked(crc32c(block, 0, contents.length + 1)), contents.length + 1)
  return block
}

/** Keys are written by what they do not share with the one before, sixteen in a run: smaller than LevelDB's own. */
function indexBlock(data: readonly DataBlock[]): Buffer {
  if (data.length === 0) return Buffer.alloc(4)
  const out: Buffer[] = []
  const restarts: number[] = []
  let length = 0
  let before = Buffer.alloc(0)
  for (const [at, { handle, last }] of data.entries()) {
    if (at % 16 === 0) {
      restarts.push(length)
      before = Buffer.alloc(0)
    }
    let shared = 0
    while (shared < Math.min(before.length, last.length) && before[shared] === last[shared]) shared++
    const value = Buffer.concat([writeVarint(handle.offset), writeVarint(handle.size)])
    const numbers = [shared, last.length - shared, value.length].map(writeVarint)
    const entry = Buffer.concat([...numbers, last.subarray(shared), value])
    out.push(entry)
    length += entry.length
    before = Buffer.from(last)
  }
  const tail = Buffer.alloc(4 * (restarts.length + 1))
  for (const [at, restart] of [...restarts, restarts.length].entries()) tail.writeUInt32LE(restart, 4 * at)
  return Buffer.concat([...out, tail])
}

const fits = ({ offset, size }: Handle, bytes: number): boolean => offset + size + trailerBytes <= bytes - footerBytes

/** In LevelDB's order: by key, then the newer first. */
const isAfter = (key: Buffer, before: Buffer): boolean => Buffer.compare(userKey(key), userKey(before)) >= 0

/** A key that nothing of ours is before, but that stands before this one. */
const beforeKey = (key: Buffer | undefined): Buffer | undefined =>
  key === undefined || key.length === 0 ? key : key.subarray(0, key.length - 1)

/** Neighbours are one. */
function joined(lost: readonly LostKeys[]): LostKeys[] {
  const all: LostKeys[] = []
  for (const one of lost) {
    const before = all.at(-1)
    if (before?.upTo !== undefined && one.after?.equals(before.upTo))
      all[all.length - 1] = { after: before.after, upTo: one.upTo }
    else all.push(one)
  }
  return all
}
