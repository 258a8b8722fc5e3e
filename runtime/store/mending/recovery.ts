/**
 * What a recovery finds out and will write, while it goes through a database piece by piece. One batch at the end, or
 * nothing.
 */
import type { Level } from '../home.ts'
import type { Put } from '../put.ts'
import type { Card } from './card.ts'
import type { Damage } from './folder-mend.ts'
import type { RawPair } from './raw.ts'
import type { LostKeys } from './table-mend.ts'

/** Entries of a table's log that nobody will ever see again. `count` of them were there at least. */
export type Loss = { readonly table: string; readonly first: number; readonly last: number; readonly count: number }

export type RecoveryDoors = {
  readonly level: Level
  readonly card: Card | undefined
  /** What was wrong with the files. */
  readonly damages: readonly Damage[]
  /** Keys under which something else was read than was written. */
  readonly suspects: readonly Buffer[]
  readonly randomId: () => string
  /** This gateway's id. */
  readonly origin: string
}

export type KnownTable = { readonly id: number; readonly name: string; readonly kind: 'series' | 'records' }

export const reason = 'damaged on disk'

export class Recovery {
  readonly level: Level
  readonly card: Card | undefined
  readonly damages: readonly Damage[]
  readonly origin: string
  readonly puts = new Map<string, Put>()
  readonly losses: Loss[] = []
  readonly notes: string[] = []
  /** Values that are not what was written, for the quarantine. */
  readonly aside: RawPair[] = []
  /** Keys that may have gone, of all files together; undefined if any may have. */
  readonly #lost: readonly LostKeys[] | undefined

  constructor({ level, card, damages, origin }: RecoveryDoors) {
    this.level = level
    this.card = card
    this.damages = damages
    this.origin = origin
    this.#lost = damages.some(({ lost }) => lost === undefined) ? undefined : damages.flatMap(({ lost }) => lost ?? [])
  }

  get isEndLost(): boolean {
    return this.damages.some(({ isEndLost }) => isEndLost)
  }

  put(key: Buffer, value: Buffer | undefined): void {
    this.puts.set(key.toString('latin1'), { key, value })
  }

  /** Takes a damaged value out of the way; what replaces it may be put afterwards. */
  remove(pair: RawPair): void {
    this.aside.push(pair)
    this.put(pair.key, undefined)
  }

  lose(loss: Loss): void {
    if (loss.last >= loss.first) this.losses.push(loss)
  }

  note(text: string): void {
    this.notes.push(text)
  }

  /** True if keys from one to another may have gone. */
  mayHaveLost(from: Buffer, to: Buffer): boolean {
    if (this.#lost === undefined) return true
    return this.#lost.some(
      ({ after, upTo }) =>
        (after === undefined || Buffer.compare(to, after) > 0) &&
        (upTo === undefined || Buffer.compare(from, upTo) <= 0),
    )
  }
}
