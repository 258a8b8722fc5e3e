/**
 * Which stream goes before which. A lane's frame is sent only if no stream of a lane before it has one to send; what is
 * on its way already can't be overtaken, so that too is bounded (road.ts).
 *
 *   control   what the rest cannot be understood without: corrections of the clock, and what will never come
 *   alerts    never held back by window, rate or budget
 *   records   thresholds and other rows
 *   series    readings
 */
import type { TableKind } from '../../store/types.ts'

export const lanes = ['control', 'alerts', 'records', 'series'] as const
export type Lane = (typeof lanes)[number]

const controlTables: ReadonlySet<string> = new Set(['clock', 'gaps'])

export function laneOf({ table, kind }: { readonly table: string; readonly kind: TableKind }): Lane {
  if (kind === 'series') return 'series'
  if (controlTables.has(table)) return 'control'
  return table === 'alerts' ? 'alerts' : 'records'
}

export const rankOf = (lane: Lane): number => lanes.indexOf(lane)

/** What no window, rate or budget holds back. It is counted all the same. */
export const isNeverHeld = (lane: Lane): boolean => lane === 'control' || lane === 'alerts'
