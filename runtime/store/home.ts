/**
 * The folder a store lives in, and how its LevelDB is opened so that no power cut leaves it unopenable:
 *
 *   <path>/db           the database
 *   <path>/db.new       one being created; renamed to `db` only when it is durable as a whole [L2]; stray ones are dropped
 *   <path>/quarantine   what was damaged, with a report each (mending/quarantine.ts) [L4]
 *   <path>/before-format-2   a copy from before a change of format, for some weeks (old-copy.ts)
 *   <path>/ballast      space held for bad days [L7]
 *
 * The files are looked at before LevelDB is (mending/): it does not check its own sums, and a garbled block makes it end
 * the whole process.
 *
 * What it must never do: open a path that another owner has [L8], or hand out a database whose names are not durable [L3].
 */
import { existsSync, realpathSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type ChainedBatch, ClassicLevel } from 'classic-level'
import { HoldfastError, messageOf, systemCode } from '../errors.ts'
import type { Log } from '../log.ts'
import { Ballast } from './ballast.ts'
import { FolderWatch, makeFolder, syncFolder, syncPath } from './folder.ts'
import { type Lock, takeLock } from './lock.ts'
import { LogRoom, roomBytes } from './log-room.ts'
import { type Card, CardFile, type CardFacts } from './mending/card.ts'
import type { Damage } from './mending/folder-mend.ts'
import { Infirmary } from './mending/infirmary.ts'
import { type Kept, Quarantine } from './mending/quarantine.ts'
import { Verification } from './mending/verification.ts'
import { dropOldCopy, dropOldCopyInTime, keepOldCopy } from './old-copy.ts'

/** What the store asks of LevelDB; memory-level offers the same, but for what is about files. */
export type Level = Pick<ClassicLevel<Buffer, Buffer>, 'getSync' | 'iterator' | 'snapshot' | 'clear' | 'close'> & {
  batch(): ChainedBatch<ClassicLevel<Buffer, Buffer>, Buffer, Buffer>
  approximateSize?(start: Buffer, end: Buffer): Promise<number>
  compactRange?(start: Buffer, end: Buffer): Promise<void>
}

export type Opened = {
  readonly level: Level
  /** True if files had to be mended: what is kept beside the data is counted anew. */
  readonly repaired: boolean
  /** What was wrong with them. */
  readonly damages?: readonly Damage[]
  /** What the last run wrote down beside the database. */
  readonly card?: Card | undefined
}

/** The door to the disk: the store sees a database, whether space is short, and nothing of the files. */
export type Home = {
  /**
   * Opens the database, creating or repairing it; `repaired` tells that the second was needed. With `isThorough` every
   * block is looked at, not only what an opening depends on.
   */
  open(isThorough?: boolean): Promise<Opened>
  /**
   * Makes the names of new files durable: called after each write, before anyone is told of it, and while nothing else is
   * being written. `bytes` is about how much that was.
   */
  settle(bytes: number): void
  /** Keeps the closed database as it is now, beside itself; false if there is no room for it (old-copy.ts). */
  keepOldCopy?(): boolean
  /** Removes that copy. */
  dropOldCopy?(reason: string): boolean
  /** True while new readings must be refused because the disk is nearly full. */
  isFull(): boolean
  /** Lets go of the folder. The database must be closed. */
  close(): Promise<void>
  /** Writes beside the database what it could not tell if it were damaged. */
  keepCard?(facts: CardFacts, isClean: boolean): void
  /** Puts what is damaged where people can look at it; returns the name of that place. */
  putAside?(files: readonly Kept[], report: object): string
  quarantined?(): { readonly folders: number; readonly bytes: number }
  /** Reads every block while the database is open; tells how many files are damaged, and mends them when it opens again. */
  verify?(progress?: (doneBytes: number, allBytes: number) => void): Promise<number>
}

/** LevelDB's memory table: 4 MB was the best of the sizes measured; larger ones stall longer and are no faster. */
export const levelOptions = {
  keyEncoding: 'buffer',
  valueEncoding: 'buffer',
  writeBufferSize: 4 << 20,
  cacheSize: 16 << 20,
} as const

export async function openHome(
  path: string,
  ballastBytes: number,
  now: () => number,
  log: Log,
  logRoomBytes: number = roomBytes,
): Promise<Home> {
  const folder = claimFolder(path)
  const lock = await takeLock(folder)
  return new DiskHome(folder, lock, new Ballast(join(folder, 'ballast'), ballastBytes), now, log, logRoomBytes)
}

function claimFolder(path: string): string {
  try {
    makeFolder(resolve(path))
    return realpathSync(path)
  } catch (error) {
    const what = `the store's folder ${resolve(path)} cannot be created or written`
    throw new HoldfastError(
      'FOLDER_UNWRITABLE',
      what,
      'give its owner write permission, or set store.path to another folder',
      error,
    )
  }
}

class DiskHome implements Home {
  readonly #folder: string
  readonly #database: string
  readonly #lock: Lock
  readonly #ballast: Ballast
  readonly #now: () => number
  readonly #log: Log
  readonly #room: LogRoom
  #watch: FolderWatch | undefined
  readonly #card: CardFile
  readonly #quarantine: Quarantine
  readonly #verification: Verification
  #full = false
  #isBlind = false

  constructor(folder: string, lock: Lock, ballast: Ballast, now: () => number, log: Log, logRoomBytes: number) {
    this.#folder = folder
    this.#database = join(folder, 'db')
    this.#lock = lock
    this.#ballast = ballast
    this.#now = now
    this.#room = new LogRoom(this.#database, log, logRoomBytes)
    this.#log = log
    this.#card = new CardFile(folder)
    this.#quarantine = new Quarantine(folder, now)
    this.#verification = new Verification(this.#database)
  }

  async open(isThorough = false): Promise<Opened> {
    this.#room.close()
    this.#watch?.close()
    this.#watch = undefined
    if (this.#ballast.isScarce()) this.#giveWay()
    try {
      const opened = await this.#openOrRepair(isThorough || this.#card.isRestless)
      try {
        this.#settleIn(opened.repaired)
      } catch (error) {
        // Left open it would hold LevelDB's lock, and no later try could open it.
        await opened.level.close()
        throw error
      }
      return opened
    } catch (error) {
      // Whatever the reason was, the next try may have the ballast's room.
      if (this.#ballast.isScarce()) this.#giveWay()
      throw this.#explain(error)
    }
  }

  settle(bytes: number): void {
    if (this.#watch?.settle(this.#now())) this.#room.follow()
    this.#room.wrote(bytes)
  }

  /** A disk that cannot even be asked is no reason to fall over: the next write tells what is wrong with it. */
  isFull(): boolean {
    try {
      if (this.#full) {
        if (this.#ballast.isRoomy() && this.#ballast.take()) this.#full = false
      } else if (this.#ballast.isScarce())
        this.#full = !(this.dropOldCopy('the disk is nearly full') && !this.#ballast.isScarce())
      this.#isBlind = false
    } catch (error) {
      if (!this.#isBlind) this.#log.warn({ reason: messageOf(error) }, 'the disk does not say how much space it has')
      this.#isBlind = true
    }
    return this.#full
  }

  async close(): Promise<void> {
    this.#room.close()
    this.#watch?.close()
    this.#watch = undefined
    await this.#lock.release()
  }

  keepOldCopy(): boolean {
    return keepOldCopy(this.#folder, this.#now(), this.#ballast.freeBytes())
  }

  dropOldCopy(reason: string): boolean {
    return dropOldCopy(this.#folder, this.#log, reason)
  }

  keepCard(facts: CardFacts, isClean: boolean): void {
    this.#card.write(facts, isClean)
  }

  putAside(files: readonly Kept[], report: object): string {
    return this.#quarantine.put(files, report)
  }

  quarantined(): { readonly folders: number; readonly bytes: number } {
    return this.#quarantine.status()
  }

  verify(progress?: (doneBytes: number, allBytes: number) => void): Promise<number> {
    return this.#verification.run(progress)
  }

  /** What a database that was just opened needs before anyone may rely on it. */
  #settleIn(repaired: boolean): void {
    if (repaired) syncFolder(this.#database)
    this.#watch = new FolderWatch(this.#database)
    syncPath(this.#database) // Opening wrote a new MANIFEST and CURRENT.
    dropOldCopyInTime(this.#folder, this.#now(), this.#log)
    if (!this.#full && !this.#ballast.take()) this.#giveWay()
  }

  #giveWay(): void {
    this.#full = true
    this.#ballast.drop()
  }

  async #create(): Promise<void> {
    const aside = `${this.#database}.new`
    rmSync(aside, { recursive: true, force: true })
    const level = new ClassicLevel<Buffer, Buffer>(aside, levelOptions)
    await level.open()
    await level.close()
    syncFolder(aside)
    renameSync(aside, this.#database)
    syncPath(this.#folder)
  }

  /** Whatever is wrong with the files, this opens: with what is whole of them, at the worst with nothing. */
  async #openOrRepair(isThorough: boolean): Promise<Opened> {
    const card = this.#card.read()
    const infirmary = new Infirmary(this.#database, this.#quarantine, this.#log)
    const damages = [...(await infirmary.look(card, isThorough || this.#verification.takeBad()))]
    for (;;) {
      if (!existsSync(this.#database)) await this.#create()
      const level = new ClassicLevel<Buffer, Buffer>(this.#database, levelOptions)
      try {
        await level.open({ createIfMissing: false })
        return { level, repaired: damages.length > 0, damages, card }
      } catch (error) {
        if (!isDamage(error)) throw error
        const more = await infirmary.treat(causeOf(error))
        if (more === undefined) throw error
        damages.push(...more)
      }
    }
  }

  #explain(error: unknown): unknown {
    if (levelCode(error) === 'LEVEL_LOCKED') {
      return new HoldfastError(
        'STORE_LOCKED',
        `the store at ${this.#folder} is in use by another program`,
        'stop it, or set store.path to a folder of its own',
        error,
      )
    }
    if (systemCode(error) === 'EACCES' || /permission denied/i.test(causeOf(error))) {
      return new HoldfastError(
        'FOLDER_UNWRITABLE',
        `the store's folder ${this.#folder} cannot be written`,
        'give its owner write permission, or set store.path to another folder',
        error,
      )
    }
    return error
  }
}

function levelCode(error: unknown): string | undefined {
  return systemCode((error as { cause?: unknown } | null)?.cause) ?? systemCode(error)
}

function causeOf(error: unknown): string {
  const cause = (error as { cause?: unknown } | null)?.cause
  return cause === undefined ? messageOf(error) : messageOf(cause)
}

/** Damage is what a repair can mend: not a lock, a missing permission, or a disk that is full or failing now. */
function isDamage(error: unknown): boolean {
  if (levelCode(error) === 'LEVEL_CORRUPTION') return true
  return /corruption|no meta-nextfile|missing files|does not exist|CURRENT file/i.test(causeOf(error))
}
