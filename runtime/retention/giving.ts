/**
 * What the store gives when the disk is short: readings thinned and dropped, the oldest first, and the space that they
 * leave. The tables of the first rank go before others are touched, whole; of one rank the largest gives first.
 *
 * Promises: each step is one small commit with the rows in `gaps` that tell what somebody loses by it [I4], and others
 * commit between two. Before it says how much was given, the space is given back as far as it can be. Records are never
 * touched, and of readings only those that are packed.
 */
import type { Store } from '../store/store.ts'
import { type ThinPlace, thinBeginning } from '../store/thin.ts'
import type { Compactor } from './compactor.ts'
import { giveStepBytes } from './limits.ts'
import type { Losses } from './losses.ts'

/** `first`: dropped before anything is thinned. `last`: gives when no other table has anything left. */
export type Rank = 'first' | 'usual' | 'last'

export type GivingDoors = {
  readonly store: Pick<Store, 'tables' | 'upkeep' | 'bytes' | 'firstSeq' | 'commit'>
  readonly losses: Losses
  readonly compactor: Pick<Compactor, 'compact'>
  readonly rankOf: (table: string) => Rank
  readonly pause: () => Promise<void>
  readonly isClosed: () => boolean
}

/** Readings of one table, since the start; `lost` are those among them that somebody had not had. */
export type Given = { readonly thinned: number; readonly dropped: number; readonly lost: number }

type Step = { readonly bytes: number; readonly keys: readonly Buffer[] }

const none: Given = { thinned: 0, dropped: 0, lost: 0 }

export class Giving {
  readonly #doors: GivingDoors
  readonly #given = new Map<string, Given>()
  readonly #places = new Map<string, ThinPlace>()

  constructor(doors: GivingDoors) {
    this.#doors = doors
  }

  of(table: string): Given {
    return this.#given.get(table) ?? none
  }

  /** About so many bytes, by taking every second reading. 0 once everything is as thin as it may be. */
  async thin(bytes: number): Promise<number> {
    const gave = await this.#give(bytes, table =>
      this.#doors.rankOf(table) === 'first' ? this.#dropStep(table) : this.#thinStep(table),
    )
    if (gave === 0) this.#places.clear()
    return gave
  }

  /** About so many bytes, by dropping the oldest. 0 once nothing that is packed is left. */
  drop(bytes: number): Promise<number> {
    return this.#give(bytes, table => this.#dropStep(table))
  }

  async #give(bytesMax: number, stepOf: (table: string) => Promise<Step | undefined>): Promise<number> {
    const { losses, pause, isClosed, compactor, store } = this.#doors
    await losses.settle()
    const left = this.#tables()
    const keys = new Map<string, Buffer[]>()
    let gave = 0
    while (gave < bytesMax && left.length > 0 && !isClosed()) {
      const table = left[0] as string
      const step = await stepOf(table)
      if (step === undefined) left.shift()
      else {
        // A step is something, though what was rewritten may be no smaller: only where none is left has a table nothing.
        gave += Math.max(1, step.bytes)
        keys.set(table, [...(keys.get(table) ?? []), ...step.keys])
        await pause()
      }
    }
    for (const [table, gone] of keys) await compactor.compact(await store.upkeep.stretchesOf(table, gone))
    return gave
  }

  /** In the order in which they give. */
  #tables(): string[] {
    const { store, rankOf } = this.#doors
    const ranks: readonly Rank[] = ['first', 'usual', 'last']
    return [...store.tables.values()]
      .filter(({ kind }) => kind === 'series')
      .map(({ name }) => ({ name, rank: ranks.indexOf(rankOf(name)), bytes: store.bytes(name) }))
      .toSorted((a, b) => a.rank - b.rank || b.bytes - a.bytes)
      .map(({ name }) => name)
  }

  async #thinStep(table: string): Promise<Step | undefined> {
    const { store, losses } = this.#doors
    const { step, place } = await store.upkeep.planThin(table, this.#places.get(table) ?? thinBeginning)
    if (step === undefined) {
      this.#places.set(table, place)
      return undefined
    }
    const { change, taken, bytes } = step
    const lost = losses.ofTaken(table, taken, 'thinned')
    let isDone = false
    const done = (): void => void (isDone = true)
    await store.commit([{ ...change, along: await losses.told(table, lost), done }])
    // Joined or packed meanwhile, it was passed over: it is planned anew from the same place.
    if (!isDone) return { bytes: 0, keys: [] }
    this.#places.set(table, place)
    this.#note(table, { thinned: taken.length, dropped: 0, lost: lost.count })
    return { bytes, keys: change.puts.map(({ key }) => key) }
  }

  async #dropStep(table: string): Promise<Step | undefined> {
    const { store, losses } = this.#doors
    const trim = await store.upkeep.planDrop(table, giveStepBytes, 'disk')
    if (trim === undefined) return undefined
    const { first, through, rows, keys, bytes, packedBytes } = trim
    const lost = losses.of({ table, first, last: through, rows }, 'disk')
    await store.commit([trim, ...(await losses.told(table, lost))])
    if (store.firstSeq(table) <= through) return { bytes: 0, keys: [] }
    this.#note(table, { thinned: 0, dropped: rows, lost: lost.count })
    return { bytes: bytes + packedBytes, keys }
  }

  #note(table: string, { thinned, dropped, lost }: Given): void {
    const before = this.of(table)
    this.#given.set(table, {
      thinned: before.thinned + thinned,
      dropped: before.dropped + dropped,
      lost: before.lost + lost,
    })
  }
}
