/**
 * The stages in which a database that may be damaged is brought to open, each harsher than the one before: what a look
 * finds is mended; if LevelDB still refuses, every block is looked at; then LevelDB's own repair; and at the last what is
 * there is put aside, and a new database begins.
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import type { Card } from './card.ts'
import { checkFolder } from './folder-check.ts'
import { type Damage, mendFolder, putAside, rebuild, sweepStrays } from './folder-mend.ts'
import type { Quarantine } from './quarantine.ts'

const all = { lost: undefined, isEndLost: true } as const

/**
 * After a stop that was not in peace every block of a database up to this size is read before it is opened: three seconds
 * of a slow card, a fraction of a second where the files are in memory. A larger one is read while it is in use.
 */
const alwaysReadBytesMax = 128 << 20

export class Infirmary {
  readonly #folder: string
  readonly #quarantine: Quarantine
  readonly #log: Log
  #stage = 0

  constructor(folder: string, quarantine: Quarantine, log: Log) {
    this.#folder = folder
    this.#quarantine = quarantine
    this.#log = log
  }

  /** Before the first attempt. Where something is wrong, the rest is looked at closely too. */
  async look(card: Card | undefined, isThorough: boolean | ReadonlySet<string>): Promise<Damage[]> {
    const options = { knownLog: card?.log, isClean: card?.isClean, wasThere: card !== undefined }
    const isSmall = bytesIn(this.#folder) <= alwaysReadBytesMax
    if (isThorough !== true && card?.isClean !== true && isSmall) return this.look(card, true)
    let faults = await checkFolder(this.#folder, { ...options, isThorough })
    const isAsked = typeof isThorough === 'boolean' ? isThorough : isThorough.size > 0
    if (faults.length > 0 && !isAsked) faults = await checkFolder(this.#folder, { ...options, isThorough: true })
    if (faults.length === 0) {
      if (existsSync(this.#folder)) sweepStrays(this.#folder)
      return []
    }
    for (const { file, what } of faults) this.#log.error({ file, what }, 'the database is damaged: mending it')
    return mendFolder(this.#folder, faults, this.#quarantine, 'found before opening')
  }

  /** After LevelDB has refused to open, with its reason. Undefined when nothing is left to try. */
  async treat(reason: string): Promise<Damage[] | undefined> {
    this.#stage++
    this.#log.error({ reason, attempt: this.#stage }, 'the database cannot be opened')
    if (this.#stage === 1) return this.look(undefined, true)
    if (this.#stage === 2) {
      try {
        await rebuild(this.#folder)
      } catch (error) {
        this.#log.error({ reason: messageOf(error) }, 'the database cannot be repaired')
      }
      return [{ file: '', what: reason, deed: 'LevelDB repairs it', lost: undefined, isEndLost: true }]
    }
    if (this.#stage > 3) return undefined
    putAside(this.#folder)
    return [{ file: '', what: reason, deed: 'it is put aside, and a new database is made', ...all }]
  }
}

function bytesIn(folder: string): number {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return 0
  return readdirSync(folder).reduce((sum, name) => {
    return sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0)
  }, 0)
}
