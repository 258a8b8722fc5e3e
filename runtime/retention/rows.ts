/**
 * Holds the rows of one records table to its limits, `max_rows` and `max_age`. Rows beyond them are forgotten: here alone,
 * without a tombstone, so that nobody else loses one [I7]. A deletion that still stands counts as a row.
 *
 * Promises: the oldest by their stamps go first; none goes that a cursor has not passed, or that `mayForget` holds back
 * (an alert that fires); small commits, between those of others, and walks over the table only when its limit may have
 * been reached. What a walk has counted is kept in the store, so that a start costs no walk. An interrupted walk has lost
 * nothing: the next one begins anew.
 */
import type { Store } from '../store/store.ts'
import { type Change, type Seq, asSeq } from '../store/types.ts'
import type { Json } from '../reading.ts'
import { forgottenAtOnce, heldRetrySweeps, idleRetrySweeps, oldestMax, slack } from './limits.ts'
import { Smallest } from './smallest.ts'

export type RowLimit = {
  readonly table: string
  readonly rowsMax: number | undefined
  readonly ageMsMax: number | undefined
}

export type RowDoors = {
  readonly store: Pick<Store, 'upkeep' | 'head' | 'state' | 'commit'>
  /** The wall clock; undefined while it is not to be trusted. */
  readonly trustedMs: () => number | undefined
  /** Every durable cursor of the table has passed up to here. */
  readonly passed: (table: string) => number
  readonly mayForget: (table: string, value: Json) => boolean
  /** A moment for the commits of others. */
  readonly pause: () => Promise<void>
  readonly isClosed: () => boolean
}

/** What the last walk counted. */
type Known = { readonly rows: number; readonly head: number; readonly oldestMs: number }

const owner = 'retention'

export class RowKeeper {
  readonly limit: RowLimit
  readonly #doors: RowDoors
  #known: Known | undefined
  /** Rows that are old enough to go, and were held back. */
  #held = 0
  /** Sweeps until the table may be walked again, and until it is walked for those alone. */
  #rest = 0
  #heldRest = 0
  forgotten = 0

  constructor(limit: RowLimit, doors: RowDoors) {
    this.limit = limit
    this.#doors = doors
    this.#known = knownFrom(doors.store.state(owner, limit.table))
  }

  /** The most rows that there can be: each has a position of its own. */
  get rowsAtMost(): number {
    const head = this.#doors.store.head(this.limit.table)
    const { rows, head: counted } = this.#known ?? { rows: 0, head: 0 }
    return rows + Math.max(0, head - counted)
  }

  get held(): number {
    return this.#held
  }

  /** Once a sweep. Returns how many rows were forgotten. */
  async sweep(): Promise<number> {
    this.#rest = Math.max(0, this.#rest - 1)
    this.#heldRest = Math.max(0, this.#heldRest - 1)
    if (this.#rest > 0 || !this.#isDue()) return 0
    const heldBefore = this.#held
    const { cutoffMs, excess, known } = await this.#choose()
    const forgot = cutoffMs === Number.NEGATIVE_INFINITY ? 0 : await this.#forget(cutoffMs, excess)
    this.forgotten += forgot
    // With more held back than was known, the next walk looks further.
    this.#rest = forgot === 0 && this.#held <= heldBefore ? idleRetrySweeps : 1
    this.#heldRest = heldRetrySweeps
    await this.#remember({ ...known, rows: known.rows - forgot })
    return forgot
  }

  #isDue(): boolean {
    const { rowsMax = Number.POSITIVE_INFINITY, table } = this.limit
    if (this.#doors.store.head(table) === 0) return false
    if ((this.#held > 0 && this.#heldRest === 0) || this.rowsAtMost > rowsMax * (1 + slack)) return true
    const keepFromMs = this.#keepFromMs(1 + slack)
    return keepFromMs !== undefined && (this.#known?.oldestMs ?? 0) < keepFromMs
  }

  #keepFromMs(share: number): number | undefined {
    const { ageMsMax } = this.limit
    const nowMs = ageMsMax === undefined ? undefined : this.#doors.trustedMs()
    return nowMs === undefined || ageMsMax === undefined ? undefined : nowMs - ageMsMax * share
  }

  /** The first walk: how many rows there are, and up to which age they must go. */
  async #choose(): Promise<{ cutoffMs: number; excess: number; known: Known }> {
    const { table, rowsMax = Number.POSITIVE_INFINITY } = this.limit
    const { store } = this.#doors
    const keepFromMs = this.#keepFromMs(1) ?? Number.NEGATIVE_INFINITY
    const head = store.head(table)
    const most = Math.min(oldestMax, Math.max(1, this.rowsAtMost - rowsMax + this.#held))
    const smallest = new Smallest(most)
    let [rows, oldestMs] = [0, Number.POSITIVE_INFINITY]
    for await (const { writtenMs } of store.upkeep.rows(table)) {
      rows++
      smallest.add(writtenMs)
      if (writtenMs >= keepFromMs && writtenMs < oldestMs) oldestMs = writtenMs
    }
    const excess = Math.max(0, rows - rowsMax)
    const oldest = smallest.ascending()
    const byCount =
      excess === 0 ? Number.NEGATIVE_INFINITY : (oldest[Math.min(excess + this.#held, oldest.length) - 1] ?? 0)
    return { cutoffMs: Math.max(byCount, keepFromMs), excess, known: { rows, head, oldestMs } }
  }

  /** The second walk: those old enough that nothing holds. */
  async #forget(cutoffMs: number, excess: number): Promise<number> {
    const { table } = this.limit
    const { store, passed, mayForget, pause, isClosed } = this.#doors
    const keepFromMs = this.#keepFromMs(1) ?? Number.NEGATIVE_INFINITY
    const through = passed(table)
    let [forgot, ofCount, held] = [0, 0, 0]
    let changes: Change[] = []
    for await (const row of store.upkeep.rows(table)) {
      const isOld = row.writtenMs < keepFromMs
      if (!isOld && (row.writtenMs > cutoffMs || ofCount >= excess)) continue
      const value = row.seq > through || row.isDeleted ? undefined : row.value()
      if (row.seq > through || (value !== undefined && !mayForget(table, value))) {
        held++
        continue
      }
      changes.push({ kind: 'forget', table, key: row.key, seq: row.seq })
      forgot++
      ofCount++
      if (changes.length < forgottenAtOnce) continue
      await store.commit(changes)
      changes = []
      await pause()
      if (isClosed()) return forgot
    }
    if (changes.length > 0) await store.commit(changes)
    this.#held = held
    return forgot
  }

  async #remember(known: Known): Promise<void> {
    this.#known = known
    const { rows, head, oldestMs } = known
    const value = { rows, head, oldest_ms: Number.isFinite(oldestMs) ? oldestMs : null }
    await this.#doors.store.commit([{ kind: 'state', owner, key: this.limit.table, value }])
  }
}

function knownFrom(value: Json | undefined): Known | undefined {
  const { rows, head, oldest_ms: oldestMs } = (value ?? {}) as Record<string, unknown>
  if (typeof rows !== 'number' || typeof head !== 'number') return undefined
  return { rows, head, oldestMs: typeof oldestMs === 'number' ? oldestMs : Number.POSITIVE_INFINITY }
}

/** The position that everybody who reads a table has passed: of one that nobody reads, its head. */
export const passedBy = (cursors: Iterable<Seq>, head: Seq): Seq =>
  asSeq([...cursors].reduce((least, seq) => Math.min(least, seq), head as number))
