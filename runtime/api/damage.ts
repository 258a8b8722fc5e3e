/**
 * The health of the store over the control surface, below /api/v1.
 *
 *   POST doctor   begins to read every file of the store, beside the work of others
 *   GET  doctor   how far that has come, and what was found: {verifying, done_bytes, all_bytes, verified_ms, damage, reports}
 */
import type { Hono } from 'hono'
import type { HealthStatus } from '../store/health.ts'
import { type DamageReport, damageOwner } from '../store/mending/report.ts'
import type { Store } from '../store/store.ts'
import { jsonResponse } from './faults.ts'

/** What became of a store whose card has damaged it, since the start. */
export type DamageSection = {
  readonly mended: number
  /** Entries of logs that are lost by it, at least: rows of `gaps` say which. */
  readonly entries_lost: number
  /** What was put aside. */
  readonly quarantine_folders: number
  readonly quarantine_bytes: number
  /** When every file was read last; null if not since the start. */
  readonly verified_ms: number | null
  readonly is_verifying: boolean
}

export type DoctorAnswer = {
  readonly verifying: boolean
  readonly done_bytes: number
  readonly all_bytes: number
  readonly damage: DamageSection
  /** The newest few, oldest first, over restarts too. */
  readonly reports: readonly DamageReport[]
}

export function damageSection({ reports, entriesLost, quarantine, ...health }: HealthStatus): DamageSection {
  return {
    mended: reports,
    entries_lost: entriesLost,
    quarantine_folders: quarantine.folders,
    quarantine_bytes: quarantine.bytes,
    verified_ms: health.verifiedMs ?? null,
    is_verifying: health.isVerifying,
  }
}

export function doctorRoutes(app: Hono, base: string, store: Store): void {
  let progress = { done_bytes: 0, all_bytes: 0 }
  const answer = (): DoctorAnswer => {
    const damage = damageSection(store.health.status())
    const reports = [...store.states(damageOwner).values()] as unknown as readonly DamageReport[]
    return { verifying: damage.is_verifying, ...progress, damage, reports }
  }
  app.post(`${base}/doctor`, () => {
    progress = { done_bytes: 0, all_bytes: 0 }
    void store.health.verify((done_bytes, all_bytes) => {
      progress = { done_bytes, all_bytes }
    })
    return jsonResponse(answer())
  })
  app.get(`${base}/doctor`, () => jsonResponse(answer()))
}
