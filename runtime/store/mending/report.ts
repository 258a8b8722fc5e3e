/** What is told of damage: kept in the database as the state of `damage`, until the gateway has told everybody. */
import { type Loss, type Recovery, reason } from './recovery.ts'

export const damageOwner = 'damage'
export const lostReason = reason

export type DamageReport = {
  readonly at_ms: number
  readonly files: readonly { readonly file: string; readonly what: string; readonly deed: string }[]
  /** Entries of logs that are lost for good. */
  readonly lost: readonly Loss[]
  readonly notes: readonly string[]
  /** Values that were not what was written. */
  readonly values: number
  /** The folder below `quarantine` where they are. */
  readonly quarantine: string | null
  /** Rows of `gaps` and an alert tell of it. */
  readonly is_told: boolean
}

/** Ranges in one report; beyond it those of one table are told as one [I6]. */
const lossesMax = 100

export function reportOf(recovery: Recovery, nowMs: number): DamageReport {
  return {
    at_ms: nowMs,
    files: recovery.damages.map(({ file, what, deed }) => ({ file, what, deed })),
    lost: bounded(recovery.losses),
    notes: recovery.notes.slice(0, lossesMax),
    values: recovery.aside.length,
    quarantine: null,
    is_told: false,
  }
}

function bounded(losses: readonly Loss[]): readonly Loss[] {
  if (losses.length <= lossesMax) return losses
  const byTable = new Map<string, Loss>()
  for (const { table, first, last, count } of losses) {
    const known = byTable.get(table) ?? { table, first, last, count: 0 }
    byTable.set(table, {
      table,
      first: Math.min(known.first, first),
      last: Math.max(known.last, last),
      count: known.count + count,
    })
  }
  return [...byTable.values()]
}
