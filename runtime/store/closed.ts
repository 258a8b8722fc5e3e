/**
 * Databases that no gateway has open: read for a backup, or made anew from one.
 *
 * Promises: nobody else has the folder meanwhile [L8]; a database appears under its name only when it is durable as a
 * whole [L2, L3], and never in the place of another.
 */
import { existsSync, realpathSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { HoldfastError, messageOf, systemCode } from '../errors.ts'
import { makeFolder, syncFolder, syncPath } from './folder.ts'
import { levelOptions } from './home.ts'
import { takeLock } from './lock.ts'
import { type Facts, type Pairs, factsOf, snapshotOf } from './snapshot.ts'

export const hasDatabase = (path: string): boolean => existsSync(join(resolve(path), 'db'))

export type Closed = {
  readonly facts: Facts
  readonly pairs: AsyncIterable<Pairs>
  readonly close: () => Promise<void>
}

/** Throws STORE_LOCKED if somebody has it, NOT_FOUND if there is none, STORE_DAMAGED if it cannot be read as it is. */
export async function openClosed(path: string): Promise<Closed> {
  const database = join(resolve(path), 'db')
  if (!hasDatabase(path)) {
    throw new HoldfastError(
      'NOT_FOUND',
      `there is no database in ${resolve(path)}`,
      'name the folder that store.path names',
    )
  }
  const lock = await takeLock(realpathSync(path))
  const level = new ClassicLevel<Buffer, Buffer>(database, levelOptions)
  const close = async (): Promise<void> => {
    await level.close()
    await lock.release()
  }
  try {
    await level.open({ createIfMissing: false })
    const facts = factsOf(key => level.getSync(key))
    if (facts === undefined) throw new HoldfastError('NOT_FOUND', `the database in ${resolve(path)} is empty`)
    return { facts, pairs: snapshotOf(level), close }
  } catch (error) {
    await close()
    if (error instanceof HoldfastError) throw error
    const cause = (error as { cause?: unknown }).cause ?? error
    const hint = 'start the gateway once, which repairs it, or look at it with "holdfast doctor"'
    throw new HoldfastError(
      'STORE_DAMAGED',
      `the database in ${resolve(path)} cannot be opened: ${messageOf(cause)}`,
      hint,
      error,
    )
  }
}

export type Pair = readonly [key: Buffer, sealed: Buffer]

/** Written to a new database at once. */
const batchBytes = 1 << 20

/** A database that is being made: aside until `finish`. */
export class NewDatabase {
  readonly #folder: string
  readonly #aside: string
  readonly #level: ClassicLevel<Buffer, Buffer>
  readonly #release: () => Promise<void>
  #batch: Pair[] = []
  #bytes = 0

  /** Throws FOLDER_TAKEN if there is a database in that folder already. */
  static async create(path: string): Promise<NewDatabase> {
    const folder = resolve(path)
    mustBeFree(folder)
    makeFolder(folder)
    const lock = await takeLock(realpathSync(folder))
    const aside = join(folder, 'db.new')
    try {
      rmSync(aside, { recursive: true, force: true })
      const level = new ClassicLevel<Buffer, Buffer>(aside, levelOptions)
      await level.open()
      return new NewDatabase(folder, aside, level, () => lock.release())
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  private constructor(
    folder: string,
    aside: string,
    level: ClassicLevel<Buffer, Buffer>,
    release: () => Promise<void>,
  ) {
    this.#folder = folder
    this.#aside = aside
    this.#level = level
    this.#release = release
  }

  get(key: Buffer): Buffer | undefined {
    return this.#level.getSync(key)
  }

  /** Adds a value as it lay in another database. Unsynced: only `finish` makes it durable, all of it. */
  async put(key: Buffer, sealed: Buffer): Promise<void> {
    this.#batch.push([key, sealed])
    this.#bytes += key.length + sealed.length
    if (this.#bytes >= batchBytes) await this.flush()
  }

  async flush(): Promise<void> {
    const batch = this.#level.batch()
    for (const [key, sealed] of this.#batch) batch.put(key, sealed)
    this.#batch = []
    this.#bytes = 0
    await batch.write()
  }

  /** All that is in it now, read from the disk. */
  async *pairs(): AsyncGenerator<Pairs> {
    await this.flush()
    yield* snapshotOf(this.#level)
  }

  /** Durable, and under its name. */
  async finish(): Promise<void> {
    await this.flush()
    await this.#level.close()
    syncFolder(this.#aside)
    const database = join(this.#folder, 'db')
    if (existsSync(database)) throw taken(this.#folder)
    // What another database knew of itself.
    rmSync(join(this.#folder, 'card.json'), { force: true })
    renameSync(this.#aside, database)
    syncPath(this.#folder)
    await this.#release()
  }

  async abandon(): Promise<void> {
    await this.#level.close()
    rmSync(this.#aside, { recursive: true, force: true })
    await this.#release()
  }
}

/** Throws FOLDER_TAKEN if there is a database in that folder. */
export function mustBeFree(folder: string): void {
  if (hasDatabase(folder)) throw taken(resolve(folder))
}

const taken = (folder: string): HoldfastError =>
  new HoldfastError(
    'FOLDER_TAKEN',
    `there is a database in ${folder} already, and nothing is restored over another`,
    'name a new folder with --to, or move the old one away',
  )

/** Disk full and the like, in a sentence. */
export function whyNotWritten(error: unknown): string {
  const cause = (error as { cause?: unknown } | null)?.cause ?? error
  return systemCode(cause) === 'ENOSPC' || /no space left/i.test(messageOf(cause))
    ? 'the disk is full'
    : messageOf(cause)
}
