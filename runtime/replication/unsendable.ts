/**
 * Entries that can't travel to the far side are told there as a gap; here they are kept for a person to look at. The
 * stream does not wait for that: it must flow though the disk is full, and then they are in the log line alone.
 */
import { messageOf } from '../errors.ts'
import type { Cut } from './cut.ts'
import { park } from './parked.ts'
import type { Doors } from './stream.ts'

/** Returns how many were not parked before. */
export function parkUnsendable(
  unsendable: Cut['parked'],
  { table, label }: { readonly table: string; readonly label: string },
  { store, time, log }: Doors,
): number {
  if (unsendable.length === 0) return 0
  const changes = park(
    store,
    unsendable.map(({ entry, reason }) => ({
      row: entry.kind === 'record' ? entry : { ...entry, ...entry.series },
      reason,
      table,
      stream: `to ${label}`,
      wallMs: time.wallMs(),
    })),
  )
  if (changes.length === 0) return 0
  log.warn({ table, stream: label, rows: changes.length, reason: unsendable[0]?.reason }, 'rows cannot be sent: parked')
  store.commit(changes, 'lazy').catch((error: unknown) => {
    log.warn({ table, reason: messageOf(error) }, 'parked rows could not be kept')
  })
  return changes.length
}
