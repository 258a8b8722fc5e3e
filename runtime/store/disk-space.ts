/** How much of a file system is free, what folders take of it, and what a store could live without. */
import { lstat, readdir, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from '../errors.ts'

export type DiskSpace = { readonly freeBytes: number; readonly totalBytes: number }

/** Of the file system that a path is on: what this process may still write, and all of it. */
export async function diskSpace(path: string): Promise<DiskSpace> {
  const { bavail, blocks, bsize } = await statfs(path)
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}

/** What the files of a folder and those below it take, or a file; 0 if it is not there. */
export async function pathBytes(path: string): Promise<number> {
  try {
    const found = await lstat(path)
    if (!found.isDirectory()) return found.blocks * blockBytes
    let bytes = 0
    // One after the other: a file that goes meanwhile counts as nothing.
    for (const name of await readdir(path)) bytes += await pathBytes(join(path, name))
    return bytes
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0
    throw error
  }
}

/** What `st_blocks` counts in, whatever the file system's own blocks are. */
const blockBytes = 512

/** Copies that were kept to be safe, by the name they have in the store's folder; what is in a folder goes by its name. */
const spares = [/^before-/, /^db\.damaged-/] as const
const spareFolders = ['quarantine'] as const

/** Removes the oldest thing of a store's folder that it can live without. How large it was; 0 if there is none. */
export async function clearSpare(folder: string): Promise<number> {
  const names = (await readdir(folder)).toSorted()
  for (const spare of spares) {
    const name = names.find(one => spare.test(one))
    if (name !== undefined) return remove(join(folder, name))
  }
  for (const inner of spareFolders) {
    if (!names.includes(inner)) continue
    const [oldest] = (await readdir(join(folder, inner))).toSorted()
    if (oldest !== undefined) return remove(join(folder, inner, oldest))
  }
  return 0
}

async function remove(path: string): Promise<number> {
  const bytes = await pathBytes(path)
  await rm(path, { recursive: true, force: true })
  return Math.max(1, bytes)
}
