/** The control surface with a desk for alerts on a real store, and alerts to put on it. */
import type { AlertRow } from '../../rules/alert/alert.ts'
import { AlertDesk } from '../../runtime/alerting/desk.ts'
import type { Json } from '../../runtime/reading.ts'
import { alertOf } from '../alerting/notifying.ts'
import { type Surface, nowMs, openSurface } from '../api/surface.ts'
import { specs } from '../store/homes.ts'

const tables = [...specs, { name: 'acks', kind: 'records' }, { name: 'silences', kind: 'records' }] as const

export async function openDesk(): Promise<Surface> {
  let desk: AlertDesk | undefined
  const theDesk = (): AlertDesk => (desk ??= new AlertDesk(surface.store, () => nowMs))
  const surface = await openSurface(
    {
      alerts: {
        list: choice => theDesk().list(choice),
        acknowledge: (...args) => theDesk().acknowledge(...args),
        silences: () => theDesk().silences(),
        silence: (...args) => theDesk().silence(...args),
        unsilence: ids => theDesk().unsilence(ids),
      },
    },
    tables,
  )
  return surface
}

/** Writes the row of an alert that fired so many minutes ago; its key. */
export async function raise({ store }: Surface, fields: Partial<AlertRow>, minutesAgo: number): Promise<string> {
  const firedMs = nowMs - minutesAgo * 60_000
  const row = alertOf({ since_ms: firedMs, fired_ms: firedMs, ...fields })
  const key = `gw-1/${row.rule}/${row.device}/${row.metric}/${firedMs}`
  await store.commit([{ kind: 'put', table: 'alerts', key, value: row as unknown as Json }], 'now')
  return key
}
