/**
 * Room ahead of LevelDB's log. Every commit appends to it and syncs; while a file grows, ext4 must write its journal with
 * each of those syncs (16 KiB here, for a commit of 300 bytes). So the file is made longer beforehand, with zeros that
 * are synced once: a commit then only overwrites, and one page is all that comes to the card.
 *
 *   | what LevelDB has written | zeros ................ | <- end of the file
 *                              ^ it goes on here         ^ more zeros are added here, when they run short
 *
 * LevelDB reads a log up to the first zeros of a block and takes no offence: it was made for logs with room.
 * Must never write where LevelDB may have written: zeros begin at the end of the file, and only while nothing else is being
 * written (the caller is the one writer, between two groups). Nobody depends on the room: where it cannot be made, the log
 * grows as it always did.
 */
import { closeSync, fstatSync, fsyncSync, openSync, readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'

/** What is made at a time. At 50 readings a second the room for some minutes; a slow card takes it in well under a second. */
export const roomBytes = 256 << 10
/** Of commits as large as this the journal is a small part, and zeros would be as much again. */
const commitBytesMax = 8 << 10
/** What a batch and its records add to keys and values; rather too much than too little. */
const overheadBytes = 64
/** How much the newest commit counts in their average. */
const newestShare = 0.1

const pageBytes = 4096
const zeros = Buffer.alloc(pageBytes)

export class LogRoom {
  readonly #folder: string
  readonly #log: Log
  readonly #bytes: number
  #open: { readonly name: string; readonly descriptor: number } | undefined
  /** About where LevelDB goes on, and where the file ended when room was made last. */
  #position = 0
  #end = 0
  #averageBytes = 0

  constructor(folder: string, log: Log, bytes: number) {
    this.#bytes = bytes
    this.#folder = folder
    this.#log = log
  }

  /** After the list of names has changed: LevelDB may have begun another log. */
  follow(): void {
    try {
      const name = readdirSync(this.#folder)
        .filter(each => /^\d+\.log$/.test(each))
        .toSorted((a, b) => Number.parseInt(b, 10) - Number.parseInt(a, 10))[0]
      if (name === this.#open?.name) return
      this.close()
      if (name === undefined) return
      this.#open = { name, descriptor: openSync(join(this.#folder, name), 'r+') }
      this.#end = this.#position = fstatSync(this.#open.descriptor).size
    } catch (error) {
      this.#giveUp(error)
    }
  }

  /** After a group was written, and while no other is. */
  wrote(bytes: number): void {
    this.#position += bytes + overheadBytes
    this.#averageBytes += (bytes - this.#averageBytes) * newestShare
    if (this.#open === undefined || this.#averageBytes > commitBytesMax) return
    // More is made when a quarter is left.
    if (this.#end - this.#position >= this.#bytes / 4) return
    try {
      this.#make(this.#open.descriptor)
    } catch (error) {
      this.#giveUp(error)
    }
  }

  close(): void {
    if (this.#open !== undefined) closeSync(this.#open.descriptor)
    this.#open = undefined
  }

  #make(descriptor: number): void {
    const { size } = fstatSync(descriptor)
    // LevelDB has come to the end of its room unnoticed, and beyond it.
    if (size > this.#end) this.#position = size
    // Page by page: written in one go they are one large page to newer kernels, and each later commit dirties all of it.
    const end = size + this.#bytes
    for (let at = size; at < end; ) {
      const pageEnd = Math.min(end, (Math.floor(at / pageBytes) + 1) * pageBytes)
      at += writeSync(descriptor, zeros, 0, pageEnd - at, at)
    }
    fsyncSync(descriptor)
    this.#end = end
  }

  /** Until the next log. */
  #giveUp(error: unknown): void {
    this.#log.warn(
      { reason: messageOf(error) },
      'no room can be made ahead of the log: more is written for each commit',
    )
    this.close()
  }
}
