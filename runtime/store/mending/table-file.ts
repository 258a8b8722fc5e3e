/**
 * LevelDB's table files (`.ldb`): blocks of entries, each under a checksum, an index of them, and a footer.
 *
 *   block…  [filter block]  metaindex block  index block  footer
 *   each block: bytes, kind (0 plain, 1 snappy), masked CRC-32C of both        footer: two handles, padding, magic (48 bytes)
 *   an entry of a block: varint shared, varint unshared, varint length of the value, key's rest, value; restarts at the end
 *
 * LevelDB as we get it does not look at these checksums, and a garbled block can make it abort the whole process (an
 * assertion): so whoever opens a database looks here first. Reads through a door, changes nothing.
 */
import { crc32c, masked } from './crc32c.ts'
import { unsnappy, varintAt } from './snappy.ts'

export const footerBytes = 48
export const trailerBytes = 5
const magic = Buffer.from([0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb])

export type Handle = { readonly offset: number; readonly size: number }
export type IndexEntry = { readonly upTo: Buffer; readonly handle: Handle }
/** Reads bytes of a file; fewer where it is shorter. */
export type ReadAt = (offset: number, bytes: number) => Buffer

export type TableCheck = {
  /** The index, if footer and index are whole. */
  readonly index: readonly IndexEntry[] | undefined
  readonly metaindex: Handle | undefined
  readonly isFilterWhole: boolean
  /** Of the index, those whose blocks are damaged; empty where only the ends were looked at. */
  readonly bad: readonly number[]
}

export const isTableWhole = ({ index, isFilterWhole, bad }: TableCheck): boolean =>
  index !== undefined && isFilterWhole && bad.length === 0

/** Looks at a table file of `bytes` bytes: its ends only, or every block of it. */
export function checkTable(read: ReadAt, bytes: number, isThorough: boolean): TableCheck {
  const none = { index: undefined, metaindex: undefined, isFilterWhole: false, bad: [] }
  const handles = readFooter(read(bytes - footerBytes, footerBytes))
  if (handles === undefined) return none
  const index = readIndex(readBlock(read, handles.index))
  if (index === undefined) return none
  const bad: number[] = []
  if (isThorough) {
    for (const [at, { handle }] of index.entries()) if (readBlock(read, handle) === undefined) bad.push(at)
  }
  return { index, metaindex: handles.metaindex, isFilterWhole: isFilterWhole(read, handles.metaindex), bad }
}

export function readFooter(footer: Buffer): { readonly metaindex: Handle; readonly index: Handle } | undefined {
  if (footer.length < footerBytes || !footer.subarray(footerBytes - 8).equals(magic)) return undefined
  const metaindex = handleAt(footer, 0)
  const index = metaindex && handleAt(footer, metaindex.end)
  return metaindex && index && { metaindex: metaindex.handle, index: index.handle }
}

/** The contents of a block, or undefined if they are not what was written. */
export function readBlock(read: ReadAt, { offset, size }: Handle): Buffer | undefined {
  const stored = read(offset, size + trailerBytes)
  if (stored.length < size + trailerBytes) return undefined
  if (masked(crc32c(stored, 0, size + 1)) !== stored.readUInt32LE(size + 1)) return undefined
  return stored[size] === 0
    ? stored.subarray(0, size)
    : stored[size] === 1
      ? unsnappy(stored.subarray(0, size))
      : undefined
}

/** The entries of a block with their keys as LevelDB stores them, or undefined if it is none. */
export function readEntries(block: Buffer): [key: Buffer, value: Buffer][] | undefined {
  if (block.length < 4) return undefined
  const restarts = block.readUInt32LE(block.length - 4)
  const end = block.length - 4 * (restarts + 1)
  if (end < 0) return undefined
  const entries: [Buffer, Buffer][] = []
  let key = Buffer.alloc(0)
  // LevelDB takes such a block for an empty one.
  if (restarts === 0) return entries
  for (let at = 0; at < end; ) {
    const [shared, a] = varintAt(block, at)
    const [unshared, b] = varintAt(block, a)
    const [length, c] = varintAt(block, b)
    if (a === 0 || b === 0 || c === 0 || shared > key.length || c + unshared + length > end) return undefined
    key = Buffer.concat([key.subarray(0, shared), block.subarray(c, c + unshared)])
    entries.push([key, block.subarray(c + unshared, c + unshared + length)])
    at = c + unshared + length
  }
  return entries
}

export function readIndex(block: Buffer | undefined): IndexEntry[] | undefined {
  const entries = block && readEntries(block)
  const index: IndexEntry[] = []
  for (const [upTo, value] of entries ?? []) {
    const found = handleAt(value, 0)
    if (found === undefined || found.end !== value.length || upTo.length < 8) return undefined
    index.push({ upTo, handle: found.handle })
  }
  return entries && index
}

function isFilterWhole(read: ReadAt, metaindex: Handle): boolean {
  const block = readBlock(read, metaindex)
  const entries = block && readEntries(block)
  return (
    entries?.every(([, value]) => {
      const filter = handleAt(value, 0)
      return filter !== undefined && readBlock(read, filter.handle) !== undefined
    }) ?? false
  )
}

function handleAt(bytes: Buffer, at: number): { readonly handle: Handle; readonly end: number } | undefined {
  const [offset, middle] = varintAt(bytes, at)
  const [size, end] = middle === 0 ? [0, 0] : varintAt(bytes, middle)
  // A block that cannot be held in memory is damage.
  return end === 0 || size > 1 << 30 ? undefined : { handle: { offset, size }, end }
}

export const footerOf = (metaindex: Handle, index: Handle, write: (number: number) => Buffer): Buffer => {
  const footer = Buffer.alloc(footerBytes)
  Buffer.concat([metaindex.offset, metaindex.size, index.offset, index.size].map(write)).copy(footer)
  magic.copy(footer, footerBytes - 8)
  return footer
}
