/**
 * A card of the store: `<path>/card.json`, a small file beside the database that says again what the database cannot tell
 * once it is damaged: how far each log had come, the numbers of tables, cursors, the epoch. So positions that others were
 * told of are never given twice, though the end of a log is lost.
 *
 * It is written at each opening, every ten minutes while something has changed, and at a peaceful close (then it is
 * exact); a few kilobytes each. It may be missing, old or damaged: then it says nothing. What it must never do: decide
 * over a database that is whole.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { TableKind } from '../types.ts'
import { readFound, writeWhole } from './files.ts'
import { readFramedLog } from './framed-log.ts'

export type CardTable = { readonly id: number; readonly kind: TableKind; readonly head: number }

/** What the database knows, and the card repeats. */
export type CardFacts = {
  readonly format: number
  readonly epoch: string
  readonly floor: number
  readonly tables: Readonly<Record<string, CardTable>>
  readonly cursors: Readonly<Record<string, number>>
}

export type KnownLog = { readonly number: number; readonly bytes: number }

export type Card = CardFacts & {
  /** True if the store was closed in peace: then this is all that there was. */
  readonly isClean: boolean
  /** The run of the machine, and how often in a row the store was opened in it without coming to rest. */
  readonly boot: string
  readonly starts: number
  /** The log file in use when it was written; of a store that was closed in peace, how far it went. */
  readonly log: KnownLog | undefined
}

/** Written again after so long, where something has changed. */
export const cardEveryMs = 600_000

export class CardFile {
  readonly #path: string
  readonly #database: string
  #starts: number
  #written = ''
  readonly #before: Card | undefined

  /** Reads the card that the last run has left. */
  constructor(folder: string) {
    this.#path = join(folder, 'card.json')
    this.#database = join(folder, 'db')
    this.#before = readCard(this.#path)
    const isSameBoot = this.#before?.boot === bootId()
    this.#starts = this.#before !== undefined && !this.#before.isClean && isSameBoot ? this.#before.starts + 1 : 0
  }

  /** As this run has left it, or else the run before. */
  read(): Card | undefined {
    return readCard(this.#path) ?? this.#before
  }

  /** The second start in a row that follows no end in peace: what ends it may be in the database. */
  get isRestless(): boolean {
    return this.#starts >= 2
  }

  /** It has run for long enough: what comes next is another matter. */
  rest(): void {
    this.#starts = 0
  }

  write(facts: CardFacts, isClean: boolean): void {
    const card: Card = {
      ...facts,
      isClean,
      boot: bootId(),
      starts: this.#starts,
      log: newestLog(this.#database, isClean),
    }
    const text = JSON.stringify(card)
    if (text === this.#written) return
    writeWhole(this.#path, Buffer.from(`${crc32(text).toString(16).padStart(8, '0')} ${text}\n`))
    this.#written = text
  }
}

export function readCard(path: string): Card | undefined {
  try {
    const line = readFileSync(path, 'utf8').trimEnd()
    const text = line.slice(9)
    return crc32(text) === Number.parseInt(line.slice(0, 8), 16) ? (JSON.parse(text) as Card) : undefined
  } catch {
    return undefined
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

function newestLog(database: string, isClean: boolean): KnownLog | undefined {
  const name = readdirSync(database)
    .filter(each => /^\d+\.log$/.test(each))
    .toSorted()
    .at(-1)
  if (name === undefined) return undefined
  const bytes = isClean ? readFramedLog(readFound(join(database, name)).bytes).end : 0
  return { number: Number.parseInt(name, 10), bytes }
}
