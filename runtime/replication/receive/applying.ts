/**
 * What a receiver has taken in goes to the disk: rows, the position that they reach, what had to be parked and what will
 * never come, in one transaction [I3]. One for each conversation, because the position is that of a peer and its epoch.
 *
 * Promises: what cannot be applied is parked with its reason and the rest flows; transactions stay whole; a position
 * never passes a gap that is not told with it [I4].
 */
import { HoldfastError, systemCode } from '../../errors.ts'
import { tellGaps } from '../../store/gap-rows.ts'
import type { Change, Seq, TableKind, Urgency } from '../../store/types.ts'
import type { FrameReading, FrameRecord, FrameRow, Gap } from '../wire/frames.ts'
import { groupRows } from '../limits.ts'
import { outdatedBy, park, vet, withoutOutdated } from '../parked/parked.ts'
import { type Piece, type Place, holds, step, union } from '../wire/place.ts'
import type { Continues } from '../wire/protocol.ts'
import { forebearsOwner } from './back.ts'
import { StoredPlace, countOf } from './stored-place.ts'
import type { Doors } from '../stream.ts'
import { isAboutRows, transactionsOf } from '../wire/unfit.ts'

type ApplyingOptions = { readonly table: string; readonly kind: TableKind; readonly label: string }

type From = {
  readonly peer: string
  readonly epoch: string
  /** The stream that this one goes on with. */
  readonly continues?: Continues | undefined
  /** The latest wall time that can be believed: ours, or the far side's if ours is behind. */
  readonly believedMs: () => number
  readonly onParked: (rows: number) => void
}

/** A frame that waits for its commit, and where we stand once it is committed after those before it. */
export type Waiting = {
  readonly rows: readonly FrameRow[]
  readonly gaps: readonly Gap[]
  readonly piece: Piece
  readonly reached: Place
  readonly bytes: number
}

type Step = {
  readonly rows: readonly FrameRow[]
  readonly reached: Place
  readonly unfit: readonly Unfit[]
  readonly gaps: readonly Gap[]
}

type Unfit = { readonly row: FrameRow; readonly reason: string }

const noRows: readonly FrameRow[] = []

export class Applying {
  readonly #options: ApplyingOptions
  readonly #doors: Doors
  readonly #from: From
  readonly #kept: StoredPlace
  /** As far as we have seen it stored. */
  #reached: Seq

  constructor(options: ApplyingOptions, doors: Doors, from: From) {
    this.#options = options
    this.#doors = doors
    this.#from = from
    this.#kept = new StoredPlace(doors.store, from.peer, options.table, from.epoch, from.continues)
    this.#reached = this.position
  }

  /** Committed up to here, of what this peer's epoch sent. */
  get position(): Seq {
    return this.#kept.position
  }

  /** The same, with what came before its turn. */
  get place(): Place {
    return this.#kept.place
  }

  get gaps(): StoredPlace['gaps'] {
    return this.#kept.gaps
  }

  /** In one transaction, or one for each that has to be apart. Rejects if the disk is at fault. */
  async commit(batch: readonly Waiting[]): Promise<void> {
    const rows = batch.length === 1 ? (batch[0] as Waiting).rows : noRows.concat(...batch.map(waiting => waiting.rows))
    const gaps = batch.flatMap(waiting => waiting.gaps)
    const reached = batch.at(-1)?.reached ?? this.place
    try {
      await this.#commit({ rows, reached, unfit: [], gaps }, this.#urgencyOf(rows))
    } catch (error) {
      if (!isAboutRows(error)) throw error
      for (const waiting of batch) await this.#commitApart(waiting)
    }
  }

  /** A full frame is a group of its own: to let it wait for the interval would be the whole speed of a backlog. */
  #urgencyOf(rows: readonly FrameRow[]): Urgency {
    return this.#options.kind === 'records' || rows.length >= groupRows ? 'now' : 'interval'
  }

  /**
   * Something in it can't be applied: halved until only what is wrong is left over, which is parked with the next
   * commit. Whole transactions, in order. At once, because a group's interval for each of them would add up.
   */
  async #commitApart({ rows, gaps, piece, reached }: Waiting): Promise<void> {
    const reachedWith = (last: Seq): Place => {
      const next = step(this.place, { ...piece, last })
      return next.kind === 'next' ? next.place : this.place
    }
    let unfit: Unfit[] = []
    let untold = gaps
    const commit = async (transactions: readonly FrameRow[][]): Promise<void> => {
      const part = transactions.flat()
      const last = part.at(-1)?.seq
      if (last === undefined) return
      // What the new position passes is told with it: nobody would ever tell it again.
      const told = untold.filter(gap => gap.last <= last)
      try {
        await this.#commit({ rows: part, reached: reachedWith(last), unfit, gaps: told }, 'now')
        unfit = []
        untold = untold.filter(gap => gap.last > last)
      } catch (error) {
        if (!isAboutRows(error)) throw error
        if (transactions.length > 1) {
          const half = Math.ceil(transactions.length / 2)
          await commit(transactions.slice(0, half))
          return commit(transactions.slice(half))
        }
        const reason = systemCode(error) ?? 'refused'
        unfit = [...unfit, ...part.map(row => ({ row, reason }))]
      }
    }
    await commit(transactionsOf(rows))
    await this.#commit({ rows: [], reached, unfit, gaps: untold }, 'now')
  }

  /** A database that was opened again may have lost its end, and with it what we have confirmed: that must come again. */
  #stored(): Place {
    const { place } = this
    const isLost = place.seq < this.#reached
    this.#reached = place.seq
    if (isLost) throw new HoldfastError('STORE_FAILED', 'the database has lost entries that were confirmed')
    return place
  }

  /** One transaction: rows, position, what had to be parked, and what will never come. */
  async #commit({ rows, reached, unfit, gaps }: Step, urgency: Urgency): Promise<void> {
    const { store, time } = this.#doors
    const { table } = this.#options
    const stored = this.#stored()
    const believedMs = this.#from.believedMs()
    const parked = [...unfit]
    const fit: FrameRow[] = []
    for (const row of rows) {
      // A commit that failed may be on disk all the same.
      if (holds(stored, row.seq) || this.#isInherited(row)) continue
      const reason = vet(row, believedMs, this.#doors.clock?.maxAheadMs)
      if (reason === undefined) fit.push(row)
      else parked.push({ row, reason })
    }
    const nowMs = time.wallMs()
    const stream = { way: 'from', farSide: this.#from.peer, table, epoch: this.#from.epoch } as const
    const kept = await park(store, stream, withoutOutdated(parked, fit), nowMs)
    const outdated = await outdatedBy(store, stream, fit)
    const lost = [...gaps, ...kept.unkept.map(({ row, reason }) => ({ first: row.seq, last: row.seq, reason }))]
    const told = await tellGaps(store, { who: this.#from.peer, table, epoch: this.#from.epoch }, lost, nowMs)
    const moved = this.#kept.moved(union(stored, reached), lost, nowMs)
    await store.commit([...this.#applied(fit), ...outdated, ...kept.changes, ...told, ...moved], urgency)
    this.#reached = this.position
    this.#logGaps(lost)
    if (parked.length === 0) return
    this.#from.onParked(parked.length)
    const reason = parked[0]?.reason
    this.#doors.log.warn(
      { table, from: this.#from.peer, rows: parked.length, reason },
      'rows cannot be applied: parked',
    )
  }

  /** A reading of the gateway whose database this was, from before it was ours. */
  #isInherited({ origin, stamp }: FrameRow): boolean {
    if (this.#options.kind === 'records') return false
    const through = this.#doors.store.state(forebearsOwner, origin)
    return typeof through === 'number' && stamp <= through
  }

  #applied(rows: readonly FrameRow[]): Change[] {
    if (rows.length === 0) return []
    const { kind, table } = this.#options
    const via = this.#from.peer
    return kind === 'records'
      ? [{ kind: 'apply-records', table, via, records: rows as readonly FrameRecord[] }]
      : [{ kind: 'apply-readings', table, via, readings: rows as readonly FrameReading[] }]
  }

  #logGaps(gaps: readonly Gap[]): void {
    const entries = countOf(gaps)
    const reason = gaps.at(-1)?.reason
    if (entries > 0) {
      this.#doors.log.warn(
        { table: this.#options.table, from: this.#options.label, entries, reason },
        'entries will not come',
      )
    }
  }
}
