/**
 * The ballast: a file that does nothing but hold space. LevelDB cannot even be opened on a full disk [L7]; dropping the
 * ballast gives it the room to open and to write what must not wait (alerts, positions) until space returns.
 */
import { closeSync, fsyncSync, openSync, rmSync, statSync, statfsSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { systemCode } from '../errors.ts'
import { syncPath } from './folder.ts'

const chunk = Buffer.alloc(1 << 20)

export class Ballast {
  readonly #path: string
  readonly #bytes: number

  constructor(path: string, bytes: number) {
    this.#path = path
    this.#bytes = bytes
  }

  /** Bytes that this process may still write on the file system. */
  freeBytes(): number {
    const { bavail, bsize } = statfsSync(dirname(this.#path))
    return bavail * bsize
  }

  /** True if so little space is left that new readings must be refused. */
  isScarce(): boolean {
    return this.freeBytes() < this.#bytes
  }

  /** True if there is room for the ballast again and as much beyond it. */
  isRoomy(): boolean {
    return this.freeBytes() + this.#held() >= this.#bytes * 2.5
  }

  /** Fills the file to its size with real blocks. False if the disk has no room for it. */
  take(): boolean {
    if (this.#held() === this.#bytes) return true
    // Somebody has put something else in its place: it is ours.
    if (!(statSync(this.#path, { throwIfNoEntry: false })?.isFile() ?? true)) this.drop()
    const descriptor = openSync(this.#path, 'w', 0o640)
    try {
      for (let written = 0; written < this.#bytes; ) {
        written += writeSync(descriptor, chunk, 0, Math.min(chunk.length, this.#bytes - written))
      }
      fsyncSync(descriptor)
    } catch (error) {
      if (systemCode(error) !== 'ENOSPC') throw error
      this.drop()
      return false
    } finally {
      closeSync(descriptor)
    }
    syncPath(dirname(this.#path))
    return true
  }

  /** Gives the space back. */
  drop(): void {
    rmSync(this.#path, { force: true, recursive: true })
  }

  #held(): number {
    const stat = statSync(this.#path, { throwIfNoEntry: false })
    return stat?.isFile() ? stat.size : 0
  }
}
