/**
 * Who loses what when readings go: those who read a table by a durable cursor and have not come so far [I4]. What they
 * lose is told in rows of `gaps`, committed with what takes it. It writes nothing itself.
 */
import { aheadOf } from '../store/ahead.ts'
import { type LostRange, tellGaps } from '../store/gap-rows.ts'
import type { Store } from '../store/store.ts'
import { countUpTo } from '../store/search.ts'
import type { Change, Seq } from '../store/types.ts'
import { type Reader, type Stretch, lostTo } from './lost.ts'

export type LossDoors = {
  readonly store: Pick<Store, 'origin' | 'epoch' | 'tables' | 'cursors' | 'state' | 'rows' | 'commit'>
  /** Which table somebody reads by this cursor; undefined for a bridge that was taken out of the configuration. */
  readonly tableOf: (cursor: string) => string | undefined
  readonly wallMs: () => number
}

/** What goes: positions from `first` to `last`, on which so many entries stand. */
export type Going = Stretch & { readonly table: string; readonly rows: number }

export type Lost = { readonly ranges: readonly LostRange[]; readonly count: number }

const nothing: Lost = { ranges: [], count: 0 }

export class Losses {
  readonly #doors: LossDoors

  constructor(doors: LossDoors) {
    this.#doors = doors
  }

  /**
   * Cursors wait for company on their way to the disk: what is confirmed must not be counted as lost. Twice, because a
   * stream saves one cursor at a time: the newest sets out when the one before it has come.
   */
  async settle(): Promise<void> {
    await this.#doors.store.commit([], 'now')
    await this.#doors.store.commit([], 'now')
  }

  /** Of whole stretches. Where some of their positions were empty before, the count is their share of the rest. */
  of({ table, first, last, rows }: Going, reason: string): Lost {
    // Readers of records are told the rows that stand.
    if (this.#doors.store.tables.get(table)?.kind === 'records') return nothing
    const positions = last - first + 1
    const ranges = lostTo(this.#readers(table), { first, last }).map(stretch => {
      const length = stretch.last - stretch.first + 1
      const count = rows < positions ? Math.round((length * rows) / positions) : undefined
      return { ...stretch, count, reason }
    })
    return { ranges, count: sum(ranges) }
  }

  /** Of single positions, in order, between others that stay. */
  ofTaken(table: string, taken: readonly Seq[], reason: string): Lost {
    const [first, last] = [taken[0], taken.at(-1)]
    if (first === undefined || last === undefined) return nothing
    const ranges = lostTo(this.#readers(table), { first, last }).flatMap(stretch => {
      const from = countUpTo(taken, stretch.first - 1)
      const to = countUpTo(taken, stretch.last)
      const [one, other] = [taken[from], taken[to - 1]]
      return from === to || one === undefined || other === undefined
        ? []
        : [{ first: one, last: other, count: to - from, reason }]
    })
    return { ranges, count: sum(ranges) }
  }

  /** The changes that tell of it. */
  told(table: string, { ranges }: Lost): Promise<Change[]> {
    const { store, wallMs } = this.#doors
    return tellGaps(store, { who: store.origin, table, epoch: store.epoch }, ranges, wallMs())
  }

  #readers(table: string): Reader[] {
    const { store, tableOf } = this.#doors
    return [...store.cursors]
      .filter(([name]) => tableOf(name) === table)
      .map(([name, seq]) => ({ seq, ahead: aheadOf(store, name) }))
  }
}

const sum = (ranges: readonly LostRange[]): number =>
  ranges.reduce((all, { first, last, count }) => all + (count ?? last - first + 1), 0)
