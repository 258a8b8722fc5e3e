/**
 * What the machine itself says of its disk: bytes that this process has written, and bytes that are free.
 *
 * Must never invent: where the machine does not say, the answer is undefined. (/proc/self/io is Linux's.)
 */
import { readFileSync, statfsSync } from 'node:fs'

/** What the store asks of the machine, for its own account of what it wears down. */
export type MachineDisk = {
  /** Since the process began. Never less than before. */
  readonly writtenBytes: () => number | undefined
  readonly freeBytes: () => number | undefined
}

/** The disk under a folder. */
export function machineDisk(folder: string, ioFile = '/proc/self/io'): MachineDisk {
  let most = 0
  return {
    writtenBytes() {
      const bytes = parseWrittenBytes(readIf(ioFile))
      if (bytes === undefined) return undefined
      // What is removed before it came to the disk is taken off again, which may be later than it was told.
      most = Math.max(most, bytes)
      return most
    },
    freeBytes() {
      try {
        const { bavail, bsize } = statfsSync(folder)
        return bavail * bsize
      } catch {
        return undefined
      }
    },
  }
}

/**
 * Pages that the process has caused to be written, less those that were dropped before they were: 4 KiB for each that an
 * append touches. The journal of the file system is not in it: the kernel writes that.
 */
export function parseWrittenBytes(io: string): number | undefined {
  const [written, cancelled] = ['write_bytes', 'cancelled_write_bytes'].map(name => {
    const digits = new RegExp(`^${name}: (\\d+)$`, 'm').exec(io)?.[1]
    return digits === undefined ? undefined : Number(digits)
  })
  return written === undefined || cancelled === undefined ? undefined : Math.max(0, written - cancelled)
}

function readIf(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}
