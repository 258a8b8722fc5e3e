/**
 * Acknowledgements: rows of the table `acks` under the key of the alert, `{ by, acked_ms, comment }`. They come from a
 * command here or from the cloud, so a row is read with care. Pure.
 */
import type { AlertRow } from '../../rules/alert/alert.ts'
import type { Json } from '../reading.ts'

export const acksTable = 'acks'

export type Ack = { readonly by: string; readonly ackedMs: number }

/** A row that does not say when counts as said now: somebody has looked, and that is what matters. */
export function readAck(value: Json | undefined, nowMs: number): Ack | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const { by, acked_ms: ackedMs } = value as { readonly [key: string]: Json }
  return {
    by: typeof by === 'string' ? by.slice(0, nameCharactersMax) : '',
    ackedMs: typeof ackedMs === 'number' && Number.isFinite(ackedMs) ? ackedMs : nowMs,
  }
}

/** It goes into the row of the alert, where people see it beside the rest. */
const nameCharactersMax = 256

/** The row with its acknowledgement; undefined if it has one already: the first counts. */
export function acknowledged(row: AlertRow, { by, ackedMs }: Ack): AlertRow | undefined {
  return row.acked_ms === null || row.acked_ms === undefined ? { ...row, acked_ms: ackedMs, acked_by: by } : undefined
}
