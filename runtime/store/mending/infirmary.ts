/**
 * The stages in which a database that may be damaged is brought to open, each harsher than the one before: what a look
 * finds is mended; if LevelDB still refuses, every block is looked at; then LevelDB's own repair; and at the last what is
 * there is put aside, and a new database begins.
 */
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { checkFolder } from './folder-check.ts'
import { type Damage, mendFolder, putAside, rebuild, sweepStrays } from './folder-mend.ts'
import { Quarantine } from './quarantine.ts'

const all = { lost: undefined, isEndLost: true } as const

export class Infirmary {
  readonly #folder: string
  readonly #quarantine: Quarantine
  readonly #log: Log
  #stage = 0

  constructor(folder: string, now: () => number, log: Log) {
    this.#folder = folder
    this.#quarantine = new Quarantine(dirname(folder), now)
    this.#log = log
  }

  /** Before the first attempt. Where something is wrong, the rest is looked at closely too. */
  async look(isThorough = false): Promise<Damage[]> {
    if (!existsSync(this.#folder)) return []
    let faults = await checkFolder(this.#folder, { isThorough })
    if (faults.length > 0 && !isThorough) faults = await checkFolder(this.#folder, { isThorough: true })
    if (faults.length === 0) {
      sweepStrays(this.#folder)
      return []
    }
    for (const { file, what } of faults) this.#log.error({ file, what }, 'the database is damaged: mending it')
    return mendFolder(this.#folder, faults, this.#quarantine, 'found before opening')
  }

  /** After LevelDB has refused to open, with its reason. Undefined when nothing is left to try. */
  async treat(reason: string): Promise<Damage[] | undefined> {
    this.#stage++
    this.#log.error({ reason, attempt: this.#stage }, 'the database cannot be opened')
    if (this.#stage === 1) return this.look(true)
    if (this.#stage === 2) {
      try {
        await rebuild(this.#folder)
      } catch (error) {
        this.#log.error({ reason: messageOf(error) }, 'the database cannot be repaired')
      }
      return [{ file: '', what: reason, deed: 'LevelDB repaired it', lost: undefined, isEndLost: true }]
    }
    if (this.#stage > 3) return undefined
    putAside(this.#folder)
    return [{ file: '', what: reason, deed: 'it was put aside, and a new database was made', ...all }]
  }
}
