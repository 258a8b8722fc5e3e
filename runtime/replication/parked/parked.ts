/**
 * Rows that can't be delivered or applied. They never hold up the rest: each is kept with its reason in the table
 * `parked`, bounded, for a person to look at, to try again or to drop (parked-rows.ts), and counted always. The table
 * never goes anywhere.
 *
 *   key    <from or to>:<far side>/<table>/<epoch>/<seq>
 *   value  {reason, stream, table, epoch, seq, stamp, origin, parked_ms, and what it takes to try it again}
 *
 * Only reads the store; the changes ride in the caller's commit. What finds no room any more is told to the caller, who
 * must tell it as a gap: nothing is left out without a word [I4].
 */
import { isTooFarAhead } from '../../clock/hybrid.ts'
import { deviceTimeMsEnd, nameBytesMax, readingIdBytesMax } from '../../limits.ts'
import type { Json } from '../../reading.ts'
import type { Stamp } from '../../stamp.ts'
import type { Change, Seq } from '../../store/types.ts'
import { encodedBytes } from '../wire/codec.ts'
import { parkedDepthMax, parkedMax, parkedPerStreamMax, parkedValueBytesMax } from '../limits.ts'
import type { StoreDoor } from '../store-door.ts'

export const parkedTable = 'parked'

type ParkedRow = {
  readonly seq: Seq
  readonly stamp: Stamp
  readonly origin: string
  readonly value: Json | undefined
} & (
  | { readonly key: string }
  | {
      readonly device: string
      readonly metric: string
      readonly unit: string | undefined
      readonly id: string | undefined
      readonly boot?: string | undefined
      readonly arrivalMs: number
      readonly deviceTimeMs: number | undefined
    }
)

export type ParkingStream = {
  readonly way: 'from' | 'to'
  /** The peer, or the bridge. */
  readonly farSide: string
  readonly table: string
  readonly epoch: string
}

export type Parking = { readonly row: ParkedRow; readonly reason: string }

export type Parked = {
  readonly changes: readonly Change[]
  /** For these there is no room. */
  readonly unkept: readonly Parking[]
}

/**
 * The changes that keep these rows; what is kept already is left as it is. Of a row of ours that cannot be sent only the
 * newest version stays: sent again, it is the row as it stands then, and one for each version would be the same many times.
 */
export async function park(
  store: StoreDoor,
  { way, farSide, table, epoch }: ParkingStream,
  parkings: readonly Parking[],
  nowMs: number,
): Promise<Parked> {
  if (parkings.length === 0) return { changes: [], unkept: [] }
  if (!store.tables.has(parkedTable)) return { changes: [], unkept: parkings }
  const prefix = `${way}:${farSide}/${table}/`
  const { fresh, replaced } = way === 'to' ? await newestOnly(store, prefix, epoch, parkings) : asTheyAre(parkings)
  let room = (await roomFor(store, prefix)) + replaced.length
  const changes: Change[] = [...replaced]
  const unkept: Parking[] = []
  for (const parking of fresh) {
    const { row, reason } = parking
    const key = `${prefix}${epoch}/${row.seq}`
    if (store.latest(parkedTable, key) !== undefined) continue
    if (room-- <= 0) {
      unkept.push(parking)
      continue
    }
    const { seq, stamp, origin } = row
    const value = { reason, stream: `${way} ${farSide}`, table, epoch, seq, stamp, origin, parked_ms: nowMs }
    changes.push({ kind: 'put', table: parkedTable, key, value: { ...value, ...content(row) } })
  }
  return { changes, unkept }
}

type Fresh = { readonly fresh: readonly Parking[]; readonly replaced: readonly Change[] }

const asTheyAre = (parkings: readonly Parking[]): Fresh => ({ fresh: parkings, replaced: [] })

/** Leaves out versions of a row of which a newer one is parked, and forgets those that these replace. */
async function newestOnly(
  store: StoreDoor,
  prefix: string,
  epoch: string,
  parkings: readonly Parking[],
): Promise<Fresh> {
  const newest = new Map<string, Seq>()
  for (const { row } of parkings) {
    if ('key' in row && row.seq > (newest.get(row.key) ?? 0)) newest.set(row.key, row.seq)
  }
  if (newest.size === 0) return asTheyAre(parkings)
  const replaced: Change[] = []
  for await (const { key: parkedKey, value } of store.rows(parkedTable, { prefix, limit: parkedPerStreamMax })) {
    const { key, seq, epoch: parkedEpoch } = value as { readonly [name: string]: Json | undefined }
    const newer = typeof key === 'string' ? newest.get(key) : undefined
    if (typeof key !== 'string' || newer === undefined || typeof seq !== 'number') continue
    if (parkedEpoch === epoch && seq >= newer) newest.set(key, seq as Seq)
    else replaced.push({ kind: 'delete', table: parkedTable, key: parkedKey })
  }
  const isNewest = ({ row }: Parking): boolean => !('key' in row) || newest.get(row.key) === row.seq
  return { fresh: parkings.filter(isNewest), replaced }
}

type Newer = { readonly seq: Seq; readonly stamp: Stamp }

/**
 * A sender whose clock was put right sends its rows again under their right stamps. What it sent under the wrong ones
 * must never be applied any more: once its time has come it would win against everything that was written since.
 */
function putRight(rows: readonly (Newer & ({ readonly key: string } | object))[]): ReadonlyMap<string, Newer> {
  const newest = new Map<string, Newer>()
  for (const row of rows) if ('key' in row) newest.set(row.key, row)
  return newest
}

/** Leaves out what a later row of the same frame has put right. */
export function withoutOutdated(
  parkings: readonly Parking[],
  applied: readonly (Newer & object)[],
): readonly Parking[] {
  if (parkings.length === 0) return parkings
  const newest = putRight(applied)
  return parkings.filter(({ row }) => {
    const newer = 'key' in row ? newest.get(row.key) : undefined
    return newer === undefined || newer.seq < row.seq || newer.stamp >= row.stamp
  })
}

/** The changes that forget the parked rows which these rows of the same stream have put right. */
export async function outdatedBy(
  store: StoreDoor,
  { way, farSide, table, epoch }: ParkingStream,
  applied: readonly (Newer & object)[],
): Promise<Change[]> {
  const newest = putRight(applied)
  if (newest.size === 0 || !store.tables.has(parkedTable)) return []
  const changes: Change[] = []
  const prefix = `${way}:${farSide}/${table}/${epoch}/`
  for await (const { key: parkedKey, value } of store.rows(parkedTable, { prefix, limit: parkedPerStreamMax })) {
    const { key, stamp, seq } = value as { readonly [name: string]: Json | undefined }
    const newer = typeof key === 'string' ? newest.get(key) : undefined
    if (newer === undefined || typeof stamp !== 'number' || typeof seq !== 'number') continue
    if (seq < newer.seq && newer.stamp < stamp) changes.push({ kind: 'delete', table: parkedTable, key: parkedKey })
  }
  return changes
}

/** One far side with a bad clock must not take the place of all others. */
async function roomFor(store: StoreDoor, prefix: string): Promise<number> {
  const own = await countRows(store, prefix, parkedPerStreamMax)
  if (own >= parkedPerStreamMax) return 0
  const all = await countRows(store, '', parkedMax)
  return Math.min(parkedPerStreamMax - own, parkedMax - all)
}

async function countRows(store: StoreDoor, prefix: string, limit: number): Promise<number> {
  let count = 0
  for await (const _row of store.rows(parkedTable, { prefix, limit })) count++
  return count
}

/** What it takes to try it again. A value that is too large or too deep to be kept inside a row is left out, and that said. */
function content(row: ParkedRow): Record<string, Json> {
  const { value } = row
  const isKept = value !== undefined && encodedBytes(value) <= parkedValueBytesMax && !isDeeper(value, parkedDepthMax)
  const kept: Record<string, Json> = value === undefined ? { deleted: true } : isKept ? { value } : { too_large: true }
  if ('key' in row) return { key: row.key, ...kept }
  const { device, metric, unit, id, boot, arrivalMs, deviceTimeMs } = row
  return {
    device,
    metric,
    arrival_ms: arrivalMs,
    ...(unit === undefined ? {} : { unit }),
    ...(id === undefined ? {} : { id }),
    ...(boot === undefined ? {} : { boot }),
    ...(deviceTimeMs === undefined ? {} : { device_time_ms: deviceTimeMs }),
    ...kept,
  }
}

const isDeeper = (value: Json, depthMax: number): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (depthMax === 0 || Object.values(value as object).some((inner: Json) => isDeeper(inner, depthMax - 1)))

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

export const tooFarAhead = 'stamp-too-far-ahead'

/** Why a peer's row must not be applied, or undefined if it may. `wallMs` is the latest time that can be believed. */
export function vet(row: VettedRow, wallMs: number, aheadMs?: number): string | undefined {
  if (isTooFarAhead(row.stamp, wallMs, aheadMs)) return tooFarAhead
  if ('key' in row) return undefined
  if (isLong(row.device, nameBytesMax) || isLong(row.metric, nameBytesMax)) return 'name-too-long'
  if (row.id !== undefined && isLong(row.id, readingIdBytesMax)) return 'id-too-long'
  if (isNonsense(row.arrivalMs) || (row.deviceTimeMs !== undefined && isNonsense(row.deviceTimeMs)))
    return 'time-nonsense'
  return undefined
}

/** Three bytes a UTF-16 unit is the most: hardly any text has to be measured. */
const isLong = (text: string, bytesMax: number): boolean =>
  text.length * 3 > bytesMax && Buffer.byteLength(text) > bytesMax
const isNonsense = (ms: number): boolean => Math.abs(ms) >= deviceTimeMsEnd
