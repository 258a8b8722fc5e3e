/**
 * What the alerts table must hold, computed from the stored readings alone and written without a look at how the gateway
 * does it. Rule: above the limit it fires, at or below the clear limit it resolves.
 */
import type { ReadingForm } from '../../runtime/api/forms.ts'

/** The part of an alert's row that is judged here. */
export type Alert = {
  readonly device: string
  readonly value: number
  readonly threshold: number
  readonly fired_ms: number
  readonly resolved_ms: number | null
  readonly resolved_value: number | null
  readonly state: 'firing' | 'resolved'
}

/** An alert, and the position of the reading that fired it. */
export type Expected = { readonly alert: Alert; readonly seq: number }

/** Readings in the order of the log; alerts by device, then in the order in which they fired. */
export function alertsOf(readings: readonly ReadingForm[], limit: number, clear: number): Expected[] {
  const alerts: Expected[] = []
  const firing = new Map<string, Expected>()
  const changedMs = new Map<string, number>()
  for (const { seq, device, value, arrival_ms: arrivalMs } of readings) {
    const open = firing.get(device)
    // Within one series time does not run backwards, and two alerts do not begin in one millisecond.
    const atMs = Math.max(arrivalMs, changedMs.get(device) ?? 0)
    if (!open && Number(value) > limit) {
      const fired = { device, value: Number(value), threshold: limit, fired_ms: atMs }
      const alert: Alert = { ...fired, resolved_ms: null, resolved_value: null, state: 'firing' }
      firing.set(device, { alert, seq })
      changedMs.set(device, atMs)
    } else if (open && Number(value) <= clear) {
      const resolved = { resolved_ms: atMs, resolved_value: Number(value), state: 'resolved' } as const
      alerts.push({ alert: { ...open.alert, ...resolved }, seq: open.seq })
      firing.delete(device)
      changedMs.set(device, Math.max(atMs, open.alert.fired_ms + 1))
    }
  }
  return inOrder([...alerts, ...firing.values()], ({ alert }) => alert)
}

export function inOrder<Row>(rows: readonly Row[], alertIn: (row: Row) => Pick<Alert, 'device' | 'fired_ms'>): Row[] {
  return rows.toSorted((one, other) => {
    const [a, b] = [alertIn(one), alertIn(other)]
    return a.device === b.device ? a.fired_ms - b.fired_ms : a.device < b.device ? -1 : 1
  })
}
