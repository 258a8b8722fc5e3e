/**
 * How far the rollups of a table are: a fact of each period, written in one batch with the buckets that it speaks of [I3].
 *
 *   fact rollup/<table>/<seconds>   {through, part, fromMs, boots, bootsGiven, isGoing}
 *
 * A range of the log is taken in series by series, in the order of their numbers; so of a series that comes up to `part`
 * the buckets hold that range already. Readings of a boot whose clock could not be trusted stand in buckets of their own,
 * under the time that was assumed, until the true one is known.
 */
import type { Json } from '../reading.ts'
import type { Database } from './database.ts'
import * as keys from './keys.ts'
import type { Put } from './put.ts'
import { decodeJson, encodeJson } from './records.ts'
import type { Table } from './table.ts'
import { type Seq, type Series, asSeq, seqZero } from './types.ts'

/** A boot whose readings wait for their time. */
export type OpenBoot = {
  /** In the keys of its buckets. */
  readonly number: number
  readonly origin: string
  readonly boot: string
  /** The positions and the assumed times that it is known to have readings at. */
  readonly first: Seq
  readonly last: Seq
  readonly fromMs: number
  readonly toMs: number
}

export type Progress = {
  /** Ranges up to this position are taken in. */
  readonly through: Seq
  /** Of the next range, up to `last`, the series up to this number. */
  readonly part: { readonly last: Seq; readonly series: number } | undefined
  /** Buckets that begin earlier were let go. */
  readonly fromMs: number
  readonly boots: readonly OpenBoot[]
  /** The last number that a boot was given. */
  readonly bootsGiven: number
  /** It is being removed: nothing of it counts any more. */
  readonly isGoing: boolean
}

export const nothingDone: Progress = {
  through: seqZero,
  part: undefined,
  fromMs: 0,
  boots: [],
  bootsGiven: 0,
  isGoing: false,
}

/**
 * Boots that were never told the time, each 100 bytes. Beyond it the oldest is not waited for any longer: its readings
 * stay under the time that was assumed, where queries tell them too.
 */
export const openBootsMax = 256
/** The last number that a key can hold. */
export const bootNumberMax = 0xffff

const prefixOf = (table: Table): string => `rollup/${table.id}/`
export const progressKey = (table: Table, periodMs: number): Buffer =>
  keys.factKey(`${prefixOf(table)}${periodMs / 1000}`)

type Source = { get(key: Buffer): Buffer | undefined }

/** As it is on the disk; undefined if it has not begun. */
export function progressOf(source: Source, table: Table, periodMs: number): Progress | undefined {
  const bytes = source.get(progressKey(table, periodMs))
  return bytes && { ...nothingDone, ...(decodeJson(bytes) as Partial<Progress>) }
}

export const progressPut = (table: Table, periodMs: number, progress: Progress | undefined): Put => ({
  key: progressKey(table, periodMs),
  value: progress && encodeJson(progress as unknown as Json),
})

/** The periods of which there is anything, in milliseconds. */
export async function startedPeriods(database: Database, table: Table): Promise<number[]> {
  const prefix = prefixOf(table)
  const periods: number[] = []
  const range = { gte: keys.factKey(prefix), lt: keys.factKey(`${prefix}:`) }
  for await (const [key] of database.scan(range)) periods.push(Number(keys.nameOf(key).slice(prefix.length)) * 1000)
  return periods
}

/** Up to where the buckets of a series hold its readings. */
export const throughOf = ({ through, part }: Progress, { id }: Pick<Series, 'id'>): Seq =>
  part !== undefined && id <= part.series ? part.last : through

export const findBoot = ({ boots }: Progress, origin: string, boot: string): OpenBoot | undefined =>
  boots.find(one => one.origin === origin && one.boot === boot)

/** With readings of a boot noted at these places. A boot that is new gets a number. */
export function withBoot(
  progress: Progress,
  { origin, boot, first, last, fromMs, toMs }: Omit<OpenBoot, 'number'>,
): Progress {
  const known = findBoot(progress, origin, boot)
  if (known !== undefined) {
    const wider: OpenBoot = {
      ...known,
      first: asSeq(Math.min(known.first, first)),
      last: asSeq(Math.max(known.last, last)),
      fromMs: Math.min(known.fromMs, fromMs),
      toMs: Math.max(known.toMs, toMs),
    }
    return { ...progress, boots: progress.boots.map(one => (one === known ? wider : one)) }
  }
  const number = progress.bootsGiven + 1
  const boots = [...progress.boots, { number, origin, boot, first, last, fromMs, toMs }].slice(-openBootsMax)
  return { ...progress, boots, bootsGiven: number }
}
