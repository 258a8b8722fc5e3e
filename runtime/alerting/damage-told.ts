/**
 * Tells of damage to the store: what is lost becomes rows of `gaps`, and the alert `holdfast.StoreDamaged` says it in numbers.
 *
 * Promises: each report of the store is told once, its rows with the mark that they are told in one commit [I4], whatever
 * the gateway falls over meanwhile. The alert stays until a person has acknowledged it and a reading of every file since
 * has found nothing more: what is lost is lost, and somebody should know, and think of another card.
 */
import type { AlertRow } from '../../rules/alert/alert.ts'
import type { Log } from '../log.ts'
import { messageOf } from '../errors.ts'
import type { Json } from '../reading.ts'
import { tellGaps } from '../store/gap-rows.ts'
import { type DamageReport, damageOwner, lostReason } from '../store/mending/report.ts'
import type { Store } from '../store/store.ts'
import type { Change } from '../store/types.ts'
import { alertsTable } from './names.ts'
import { whenWritable } from './retry.ts'
import { type SelfAlert, type SelfAlerts, selfOwner } from './self-alerts.ts'

const alertName = 'StoreDamaged'
/** Reports of the store are looked for this often: one lookup in memory. */
const lookEveryMs = 5_000
/** Reports that are told are kept for `holdfast doctor`: the newest few [I6]. */
const reportsKept = 8
/** Losses in one text; the rest is in `gaps`. */
const lossesShown = 5

export type DamageDoors = {
  readonly store: Store
  readonly alerts: Pick<SelfAlerts, 'raise' | 'resolve'>
  readonly now: () => number
  readonly log: Log
}

export class DamageTold {
  readonly #doors: DamageDoors
  readonly #stop = new AbortController()
  readonly #timer: NodeJS.Timeout
  #turn: Promise<void> = Promise.resolve()

  constructor(doors: DamageDoors) {
    this.#doors = doors
    this.#timer = setInterval(() => this.look(), lookEveryMs).unref()
    this.look()
  }

  look(): void {
    this.#turn = this.#turn
      .then(() => whenWritable(this.#stop.signal, () => this.#tell()))
      .then(() => this.#maybeResolve())
      .catch((error: unknown) => {
        this.#doors.log.error({ reason: messageOf(error) }, 'damage to the store could not be told')
      })
  }

  async settled(): Promise<void> {
    await this.#turn
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#stop.abort()
    await this.#turn
  }

  async #tell(): Promise<void> {
    const { store, alerts } = this.#doors
    const reports = reportsOf(store)
    const fresh = reports.filter(([, report]) => !report.is_told)
    if (fresh.length === 0) return
    for (const [key, report] of fresh) {
      const told = {
        kind: 'state',
        owner: damageOwner,
        key,
        value: { ...report, is_told: true } as unknown as Json,
      } as const
      await store.commit([...(await this.#gaps(report)), told], 'now')
    }
    const old = reports.slice(0, Math.max(0, reports.length - reportsKept))
    if (old.length > 0) {
      await store.commit(old.map(([key]) => ({ kind: 'state', owner: damageOwner, key, value: undefined }) as const))
    }
    alerts.raise(alertName, alertOf(fresh.map(([, report]) => report)))
  }

  async #gaps({ lost }: DamageReport): Promise<Change[]> {
    const { store, now } = this.#doors
    const changes: Change[] = []
    for (const table of new Set(lost.map(loss => loss.table))) {
      const ranges = lost.filter(loss => loss.table === table && loss.count > 0)
      const log = { who: store.origin, table, epoch: store.epoch }
      changes.push(
        ...(await tellGaps(
          store,
          log,
          ranges.map(range => ({ ...range, reason: lostReason })),
          now(),
        )),
      )
    }
    return changes
  }

  #maybeResolve(): void {
    const { store, alerts } = this.#doors
    const open = store.state(selfOwner, alertName) as { key: string } | undefined
    const row = open && (store.latest(alertsTable, open.key)?.value as AlertRow | undefined)
    if (!row || row.acked_ms === null) return
    const newest = Math.max(...reportsOf(store).map(([, report]) => report.at_ms), row.fired_ms)
    const { verifiedMs, complaint } = {
      verifiedMs: store.health.status().verifiedMs ?? 0,
      complaint: store.health.complaint,
    }
    if (verifiedMs > newest && complaint === undefined) alerts.resolve(alertName)
  }
}

/** Oldest first. */
function reportsOf(store: Pick<Store, 'states'>): [string, DamageReport][] {
  const all = [...store.states(damageOwner)] as unknown as [string, DamageReport][]
  return all.toSorted(([a], [b]) => (a < b ? -1 : 1))
}

function alertOf(reports: readonly DamageReport[]): SelfAlert {
  const lost = reports.flatMap(report => report.lost).filter(({ count }) => count > 0)
  const count = lost.reduce((sum, loss) => sum + loss.count, 0)
  const files = reports.flatMap(report => report.files)
  const values = reports.reduce((sum, report) => sum + report.values, 0)
  const notes = reports.flatMap(report => report.notes)
  const what = [
    ...(files.length > 0 ? [`${files.length} damaged ${files.length === 1 ? 'file' : 'files'}`] : []),
    ...(values > 0 ? [`${values} damaged ${values === 1 ? 'value' : 'values'}`] : []),
  ].join(' and ')
  const loss = count === 0 ? 'no entry of a log is lost' : `at least ${count} entries are lost (holdfast query gaps)`
  return {
    severity: 'critical',
    part: 'store',
    text: `The store was damaged and has mended itself: ${what || 'the end of its log was gone'}; ${loss}.`,
    details: {
      lost: lost.slice(0, lossesShown).map(lossText).join('; '),
      files: files
        .slice(0, lossesShown)
        .map(({ file, what: why, deed }) => `${file || 'the database'}: ${why}; ${deed}`)
        .join('. '),
      notes: notes.slice(0, lossesShown).join('. '),
      to_do:
        'Think of another card: one that loses bytes once does it again. `holdfast doctor` reads every file and says what it finds; acknowledge this alert when you have seen it.',
    },
  }
}

const lossText = ({ table, first, last, count }: DamageReport['lost'][number]): string =>
  `${count} of "${table}", positions ${first} to ${last}`
