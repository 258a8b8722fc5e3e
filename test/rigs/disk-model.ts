/**
 * What a disk may hold after a power cut, worked out from a recording.
 *
 * Promises: a state it builds is one that the named rules allow, and nothing that was durable by these rules is ever
 * missing from it. It knows nothing of the store.
 *
 *   data rules    keep  every write reached the disk
 *                 lose  only what was synced
 *                 torn  a part of the un-synced writes, the last of them cut in two
 *                 zero  the file has its full length, but un-synced bytes are zero from some point on
 *                 junk  the same, with random bytes
 *   name rules    ext4  syncing a file or folder commits every earlier create, rename and unlink (its journal is one); and the
 *                       journal may have been written once more just before the cut (half of the states)
 *                 posix only syncing a folder makes the names in it durable: all that the standard promises
 */
import type { Operation } from './recording.ts'
import type { Random } from './random.ts'

export const dataRules = ['keep', 'lose', 'torn', 'zero', 'junk'] as const
export const nameRules = ['ext4', 'posix'] as const
export type DataRule = (typeof dataRules)[number]
export type NameRule = (typeof nameRules)[number]

type Entries = ReadonlyMap<string, Node>
type Folder = { kind: 'folder'; now: Entries; committed: Entries; synced: Entries }
type Change =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: 'cut'; readonly length: number }
type File = { kind: 'file'; durable: Bytes; pending: Change[]; fresh: boolean }
type Node = File | Folder
/** What a sync that has begun will make durable when it ends. */
type Sync = { readonly count: number; readonly names: readonly (readonly [Folder, Entries])[] }

export type DiskModel = {
  apply(operation: Operation): void
  /** The files by relative path; folders end with a slash. */
  stateAfterCut(data: DataRule, names: NameRule, random: Random): ReadonlyMap<string, Buffer>
}

export function openDiskModel(): DiskModel {
  const root = newFolder()
  const byInode = new Map<number, Node>()
  const folders = new Set<Folder>([root])
  const syncs = new Map<number, Sync>()

  const parentOf = (path: string): readonly [Folder, string] => {
    const names = path.split('/')
    const last = names.pop() as string
    let folder = root
    for (const name of names) {
      const next = folder.now.get(name)
      if (next?.kind !== 'folder') throw new Error(`the recording speaks of ${path}, but its folder was never made`)
      folder = next
    }
    return [folder, last]
  }
  const setName = (path: string, node: Node | undefined): void => {
    const [folder, name] = parentOf(path)
    const entries = new Map(folder.now)
    if (node) entries.set(name, node)
    else entries.delete(name)
    folder.now = entries
  }
  const nodeOf = (inode: number, path: string): Node => {
    const node = path === '.' ? root : byInode.get(inode)
    if (!node) throw new Error(`${path} was there before the recording began: start with an empty folder`)
    return node
  }
  const fileOf = (inode: number, path: string): File => {
    const node = nodeOf(inode, path)
    if (node.kind !== 'file') throw new Error(`${path} is a folder and was written to`)
    return node
  }

  const apply = (operation: Operation): void => {
    switch (operation.kind) {
      case 'create': {
        const file: File = { kind: 'file', durable: newBytes(), pending: [], fresh: true }
        byInode.set(operation.inode, file)
        setName(operation.path, file)
        break
      }
      case 'make-folder': {
        if (operation.path === '.') break
        const folder = newFolder()
        folders.add(folder)
        byInode.set(operation.inode, folder)
        setName(operation.path, folder)
        break
      }
      case 'write':
        fileOf(operation.inode, operation.path).pending.push({
          kind: 'write',
          offset: operation.offset,
          bytes: operation.bytes,
        })
        break
      case 'truncate':
        fileOf(operation.inode, operation.path).pending.push({ kind: 'cut', length: operation.length })
        break
      case 'rename': {
        const [folder, name] = parentOf(operation.path)
        const node = folder.now.get(name)
        if (!node) throw new Error(`${operation.path} was renamed, but was never made`)
        setName(operation.path, undefined)
        setName(operation.to, node)
        break
      }
      case 'unlink':
      case 'remove-folder':
        setName(operation.path, undefined)
        break
      case 'sync-begin': {
        const node = nodeOf(operation.inode, operation.path)
        syncs.set(operation.inode, {
          count: node.kind === 'file' ? node.pending.length : 0,
          names: [...folders].map(folder => [folder, folder.now] as const),
        })
        break
      }
      case 'sync-file': {
        const file = fileOf(operation.inode, operation.path)
        const sync = syncs.get(operation.inode)
        // Syncing a file that has nothing new does not make ext4 write its journal.
        if (sync && (sync.count > 0 || file.fresh)) commitNames(sync)
        file.fresh = false
        for (const change of file.pending.splice(0, sync?.count ?? 0)) applyChange(file.durable, change)
        break
      }
      case 'sync-folder': {
        const folder = nodeOf(operation.inode, operation.path)
        const sync = syncs.get(operation.inode)
        const names = sync?.names.find(([each]) => each === folder)?.[1]
        if (folder.kind !== 'folder' || !sync || !names) break
        if (names !== folder.committed) commitNames(sync)
        folder.synced = names
        break
      }
      case 'note':
        break
    }
  }

  return {
    apply,
    stateAfterCut(data, names, random) {
      const journalJustWritten = names === 'ext4' && (data === 'keep' || random.next() < 0.5)
      const entriesOf = (folder: Folder): Entries =>
        names === 'posix' ? folder.synced : journalJustWritten ? folder.now : folder.committed
      const state = new Map<string, Buffer>()
      const walk = (folder: Folder, prefix: string): void => {
        for (const [name, node] of entriesOf(folder)) {
          if (node.kind === 'file') state.set(prefix + name, contentAfterCut(node, data, random))
          else {
            state.set(`${prefix}${name}/`, Buffer.alloc(0))
            walk(node, `${prefix}${name}/`)
          }
        }
      }
      walk(root, '')
      return state
    },
  }
}

function commitNames(sync: Sync): void {
  for (const [folder, entries] of sync.names) folder.committed = entries
}

function contentAfterCut(file: File, rule: DataRule, random: Random): Buffer {
  const bytes = newBytes(file.durable)
  // Up to `whole` changes arrived; of the next one the bytes up to `part` did.
  const whole = rule === 'keep' ? file.pending.length : rule === 'lose' ? 0 : random.below(file.pending.length + 1)
  file.pending.forEach((change, index) => {
    if (index < whole) return applyChange(bytes, change)
    if (rule === 'lose') return
    const part = index === whole && change.kind === 'write' ? random.below(change.bytes.length + 1) : 0
    if (rule === 'torn') {
      if (part > 0 && change.kind === 'write') applyChange(bytes, { ...change, bytes: change.bytes.subarray(0, part) })
    } else if (change.kind === 'cut') applyChange(bytes, change)
    else applyChange(bytes, { ...change, bytes: garbled(change.bytes, part, rule === 'junk' ? random : undefined) })
  })
  return bytes.buffer.subarray(0, bytes.length)
}

function garbled(bytes: Buffer, from: number, random: Random | undefined): Buffer {
  const copy = Buffer.from(bytes)
  if (random) for (let i = from; i < copy.length; i++) copy[i] = random.below(256)
  else copy.fill(0, from)
  return copy
}

/** Bytes that grow by doubling, for logs are appended to thousands of times. */
type Bytes = { buffer: Buffer; length: number }

function newBytes(from?: Bytes): Bytes {
  return from
    ? { buffer: Buffer.from(from.buffer.subarray(0, from.length)), length: from.length }
    : { buffer: Buffer.alloc(256), length: 0 }
}

function applyChange(bytes: Bytes, change: Change): void {
  const end = change.kind === 'cut' ? change.length : change.offset + change.bytes.length
  if (end > bytes.buffer.length) {
    const grown = Buffer.alloc(Math.max(end, bytes.buffer.length * 2))
    bytes.buffer.copy(grown, 0, 0, bytes.length)
    bytes.buffer = grown
  }
  if (change.kind === 'cut') {
    bytes.buffer.fill(0, Math.min(end, bytes.length), Math.max(end, bytes.length))
    bytes.length = end
  } else {
    change.bytes.copy(bytes.buffer, change.offset)
    bytes.length = Math.max(bytes.length, end)
  }
}

function newFolder(): Folder {
  const none: Entries = new Map()
  return { kind: 'folder', now: none, committed: none, synced: none }
}
