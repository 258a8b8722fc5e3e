/** Where alerting keeps what it knows: its table, its state, its cursors, and the keys of its rows. Pure. */
import { alertKey } from '../../rules/alert/alert.ts'
import type { Json } from '../reading.ts'
import type { Series } from '../store/types.ts'

export const alertsTable = 'alerts'
/** True for the row of an alert that fires, or that waits for somebody to acknowledge it. */
export function isOpenAlert(value: Json): boolean {
  const { state } = (value ?? {}) as { readonly state?: unknown }
  return state === 'firing' || state === 'latched'
}

/** The owner of rule states in the store. */
export const owner = 'alerting'
export const cursorOf = (table: string): string => `alerting/${table}`

/**
 * The key of an alert's row: who judged, then rule, device, metric and time. Where the readings came from a peer its name
 * stands before the device, so that two gateways with a device of the same name never write one row.
 */
export function keyOf(
  here: string,
  rule: string,
  { origin, device, metric }: Pick<Series, 'origin' | 'device' | 'metric'>,
  firedMs: number,
  late = false,
): string {
  const whose = origin === here ? device : `${origin}:${device}`
  return `${here}/${alertKey({ id: rule }, whose, metric, firedMs, late)}`
}
