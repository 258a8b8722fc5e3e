/**
 * Making names durable. A file's data is safe after its own sync; its name only after a sync of the folder it stands in
 * (POSIX promises no more, whatever ext4 does today) [L3, L13].
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { systemCode } from '../errors.ts'

export function syncPath(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Syncs every file of a folder, then the folder itself. What is removed meanwhile needs no sync. */
export function syncFolder(folder: string): void {
  for (const name of readdirSync(folder)) {
    try {
      syncPath(join(folder, name))
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error
    }
  }
  syncPath(folder)
}

/** Creates a folder and those above it, each one's name durable before the next. */
export function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o750 })
  } catch (error) {
    if (systemCode(error) === 'EEXIST' && statSync(folder).isDirectory()) return
    if (systemCode(error) !== 'ENOENT') throw error
    makeFolder(dirname(folder))
    mkdirSync(folder, { mode: 0o750 })
  }
  syncPath(dirname(folder))
}

/** File systems stamp changes with the kernel's tick; within this time two changes can carry the same stamp. */
const tickMs = 20

/**
 * Syncs a folder when its list of names has changed since the last sync: LevelDB makes a new `.log` in the middle of a
 * write and never syncs its name. One `stat` a commit tells whether it did.
 */
export class FolderWatch {
  readonly #folder: string
  readonly #descriptor: number
  #syncedAt: bigint | undefined

  constructor(folder: string) {
    this.#folder = folder
    this.#descriptor = openSync(folder, 'r')
  }

  /** True if a sync was needed. `nowMs` is the wall clock, which is also what stamps the folder. */
  settle(nowMs: number): boolean {
    const changedAt = statSync(this.#folder, { bigint: true }).mtimeNs
    if (changedAt === this.#syncedAt) return false
    fsyncSync(this.#descriptor)
    const settled = Math.abs(nowMs - Number(changedAt / 1_000_000n)) > tickMs
    this.#syncedAt = settled ? changedAt : undefined
    return true
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}
