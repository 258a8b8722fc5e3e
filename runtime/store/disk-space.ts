/** How much of a file system is free. */
import { statfs } from 'node:fs/promises'

export type DiskSpace = { readonly freeBytes: number; readonly totalBytes: number }

/** Of the file system that a path is on: what this process may still write, and all of it. */
export async function diskSpace(path: string): Promise<DiskSpace> {
  const { bavail, blocks, bsize } = await statfs(path)
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}
