/**
 * Reading files of a card that may not give all of them, and writing files so that a cut leaves the old or the new one.
 * A file that another user must give us, or that does not exist, throws; a place that the card cannot read is zeros.
 */
import { closeSync, fstatSync, fsyncSync, openSync, readSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { systemCode } from '../../errors.ts'
import { syncPath } from '../folder.ts'
import type { ReadAt } from './table-file.ts'

/** What a card reads or does not read as one. */
const pieceBytes = 4096

export type FoundFile = {
  readonly bytes: Buffer
  /** How many bytes the card did not give. */
  readonly unreadable: number
}

export function readFound(path: string): FoundFile {
  return withFile(path, (descriptor, length) => {
    const bytes = Buffer.alloc(length)
    let unreadable = 0
    for (let at = 0; at < length; at += 1 << 20) {
      const end = Math.min(length, at + (1 << 20))
      if (tryRead(descriptor, bytes, at, end)) continue
      for (let piece = at; piece < end; piece += pieceBytes) {
        const pieceEnd = Math.min(end, piece + pieceBytes)
        if (!tryRead(descriptor, bytes, piece, pieceEnd)) unreadable += pieceEnd - piece
      }
    }
    return { bytes, unreadable }
  })
}

/** Reads pieces of one file while `use` runs; what cannot be read is shorter than asked for. */
export function withReader<T>(path: string, use: (read: ReadAt, length: number) => T): T {
  return withFile(path, (descriptor, length) => {
    const read: ReadAt = (offset, bytes) => {
      if (offset < 0 || offset + bytes > length) return Buffer.alloc(0)
      const buffer = Buffer.allocUnsafe(bytes)
      return tryRead(descriptor, buffer, offset, offset + bytes, 0) ? buffer : Buffer.alloc(0)
    }
    return use(read, length)
  })
}

/** Replaces a file as a whole, durably. */
export function writeWhole(path: string, bytes: Buffer): void {
  const aside = `${path}.mend`
  writeSynced(aside, bytes)
  renameSync(aside, path)
  syncPath(dirname(path))
}

export function writeSynced(path: string, bytes: Buffer): void {
  const descriptor = openSync(path, 'w', 0o640)
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function withFile<T>(path: string, use: (descriptor: number, length: number) => T): T {
  const descriptor = openSync(path, 'r')
  try {
    return use(descriptor, fstatSync(descriptor).size)
  } finally {
    closeSync(descriptor)
  }
}

/** False if the card fails; of `bytes` from `start` on, or from the same place as in the file. */
function tryRead(descriptor: number, bytes: Buffer, start: number, end: number, into = start): boolean {
  try {
    for (let at = start; at < end; ) {
      const count = readSync(descriptor, bytes, into + at - start, end - at, at)
      if (count === 0) return false
      at += count
    }
    return true
  } catch (error) {
    if (systemCode(error) !== 'EIO') throw error
    return false
  }
}
