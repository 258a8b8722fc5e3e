/**
 * Stamps that a wrong clock gave to our own rows, put right once the time is known: the row is written again under the
 * stamp of the moment at which it really was written, and so wins or loses at every peer as it should.
 *
 * Two kinds. Ahead: stamps that lie in a future which trusted time has disproved; such a row is parked by every peer and
 * would win here against all. Behind: stamps of this boot, from when its clock was slow; such a row would lose against
 * older ones. Rows that machines write under keys of their own (alerts, gaps) have no rival, so those are not written
 * again for being behind.
 *
 * Pure but for reading the store; the caller commits.
 */
import { type Stamp, stampZero, stampsPerMs } from '../stamp.ts'
import type { Store } from '../store/store.ts'
import type { Change } from '../store/types.ts'

export type Restamping = {
  /** Stamps that are later than this are disproved. */
  readonly honestMax: Stamp
  /** The true time: no row was written later. */
  readonly now: Stamp
  /** The floor when this boot began: our later stamps are of this boot. */
  readonly bootFloor: Stamp
  /** What the time of this boot needed added. */
  readonly bootMs: number
  /** The same for boots before, as far as anybody can know: as if this one had followed at once. */
  readonly beforeMs: number
  /** Rows of this boot up to this stamp were written while its clock was not trusted. */
  readonly slowUpTo: Stamp | undefined
}

export type Restamped = {
  readonly changes: readonly Change[]
  /** The latest stamp that stays: new ones must be later. */
  readonly latest: Stamp
}

/** Tables whose rows are written once, by a machine, under a key that nobody else writes. */
const unrivalled: ReadonlySet<string> = new Set(['alerts', 'gaps', 'parked', 'clock'])

/** A clock that was slow by less is no reason to write anything again. */
export const slowMs = 1_000

export async function restamp(
  store: Pick<Store, 'tables' | 'origin' | 'rowStamps'>,
  plan: Restamping,
): Promise<Restamped> {
  const changes: Change[] = []
  let latest: Stamp = stampZero
  for (const { name: table, kind } of store.tables.values()) {
    if (kind !== 'records') continue
    for await (const { key, stamp: from, origin } of store.rowStamps(table)) {
      const to = origin === store.origin ? rightStamp(from, plan, unrivalled.has(table)) : from
      if (to !== from) changes.push({ kind: 'repeat', table, key, restamp: { from, to } })
      if (to <= plan.honestMax && to > latest) latest = to
    }
  }
  return { changes, latest }
}

export function rightStamp(stamp: Stamp, plan: Restamping, isUnrivalled: boolean): Stamp {
  const isOfThisBoot = stamp > plan.bootFloor
  const offsetMs = isOfThisBoot ? plan.bootMs : plan.beforeMs
  const isAhead = stamp > plan.honestMax
  const isBehind =
    isOfThisBoot && offsetMs >= slowMs && plan.slowUpTo !== undefined && stamp <= plan.slowUpTo && !isUnrivalled
  if (!isAhead && !isBehind) return stamp
  const moved = (stamp + offsetMs * stampsPerMs) as Stamp
  return moved > plan.now || moved <= 0 ? plan.now : moved
}
