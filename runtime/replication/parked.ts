/**
 * Rows that can't be delivered or applied. They never hold up the rest: each is kept with its reason, bounded, for a
 * person to look at, and counted always. Pure but for reading the store; the changes ride in the caller's commit.
 */
import { deviceTimeMsEnd, nameBytesMax, readingIdBytesMax } from '../limits.ts'
import type { Json } from '../reading.ts'
import type { Stamp } from '../stamp.ts'
import { isTooFarAhead } from '../clock/hybrid.ts'
import type { Change, Seq } from '../store/types.ts'
import { encodedBytes } from './codec.ts'
import { parkedMax, parkedValueBytesMax } from './limits.ts'
import type { StoreDoor } from './store-door.ts'

/** The state under which parked rows are kept, until they have a table of their own. */
export const parkedOwner = 'parked'

type ParkedRow = {
  readonly seq: Seq
  readonly stamp: Stamp
  readonly origin: string
  readonly value: Json | undefined
} & ({ readonly key: string } | { readonly device: string; readonly metric: string })

export type Parking = {
  readonly row: ParkedRow
  readonly reason: string
  readonly table: string
  /** Which stream, for a person and as part of the key: `from <peer>`, `to <bridge>`. */
  readonly stream: string
  readonly wallMs: number
}

/** The changes that keep these rows. Those that are kept already, or for which there is no room, are left out. */
export function park(store: StoreDoor, parkings: readonly Parking[]): Change[] {
  const kept = store.states(parkedOwner)
  const changes: Change[] = []
  for (const { row, reason, table, stream, wallMs } of parkings) {
    const key = `${stream}/${table}/${row.seq}`
    if (kept.has(key) || kept.size + changes.length >= parkedMax) continue
    const what = 'key' in row ? { key: row.key } : { device: row.device, metric: row.metric }
    const isSmall = row.value !== undefined && encodedBytes(row.value) <= parkedValueBytesMax
    const value: Json = {
      reason,
      stream,
      table,
      seq: row.seq,
      stamp: row.stamp,
      origin: row.origin,
      parkedAtMs: wallMs,
      ...what,
      ...(isSmall ? { value: row.value } : {}),
    }
    changes.push({ kind: 'state', owner: parkedOwner, key, value })
  }
  return changes
}

type VettedRow = { readonly stamp: Stamp } & (
  | { readonly key: string }
  | {
      readonly device: string
      readonly metric: string
      readonly id: string | undefined
      readonly arrivalMs: number
      readonly deviceTimeMs: number | undefined
    }
)

/** Why a peer's row must not be applied, or undefined if it may. `wallMs` is the latest time that can be believed. */
export function vet(row: VettedRow, wallMs: number, aheadMs?: number): string | undefined {
  if (isTooFarAhead(row.stamp, wallMs, aheadMs)) return 'stamp-too-far-ahead'
  if ('key' in row) return undefined
  if (isLong(row.device, nameBytesMax) || isLong(row.metric, nameBytesMax)) return 'name-too-long'
  if (row.id !== undefined && isLong(row.id, readingIdBytesMax)) return 'id-too-long'
  if (isNonsense(row.arrivalMs) || (row.deviceTimeMs !== undefined && isNonsense(row.deviceTimeMs)))
    return 'time-nonsense'
  return undefined
}

const isLong = (text: string, bytesMax: number): boolean => Buffer.byteLength(text) > bytesMax
const isNonsense = (ms: number): boolean => Math.abs(ms) >= deviceTimeMsEnd
