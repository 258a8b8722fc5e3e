/**
 * Every block of every file, read while the database is open. Table files never change once they are made; one that is
 * gone meanwhile has been joined into others.
 */
import { existsSync } from 'node:fs'
import { checkFolder } from './folder-check.ts'

export class Verification {
  readonly #folder: string
  #bad: ReadonlySet<string> = new Set()

  constructor(folder: string) {
    this.#folder = folder
  }

  /** How many files are damaged. */
  async run(progress?: (doneBytes: number, allBytes: number) => void): Promise<number> {
    if (!existsSync(this.#folder)) return 0
    const faults = await checkFolder(this.#folder, { isThorough: true, isOpen: true, progress })
    this.#bad = new Set(faults.map(({ file }) => file))
    return faults.length
  }

  /** The files that were damaged at the last run; it is for who mends them now. */
  takeBad(): ReadonlySet<string> {
    const bad = this.#bad
    this.#bad = new Set()
    return bad
  }
}
