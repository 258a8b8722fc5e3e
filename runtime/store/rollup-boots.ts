/**
 * The readings of a boot whose true time has come to be known leave the buckets in which they waited, and go where they
 * belong: made again of the readings, series by series. Where some of these have gone meanwhile, the buckets that waited
 * are moved as they are, each to the period of its last reading.
 */
import type { Bucket } from './buckets.ts'
import type { Database } from './database.ts'
import * as keys from './keys.ts'
import type { Put } from './put.ts'
import { hourOf } from './repeats.ts'
import { frameOf } from './rollup-frames.ts'
import { type OpenBoot, type Progress, progressPut, throughOf } from './rollup-progress.ts'
import { takeBoot } from './rollup-readings.ts'
import { FrameWrites, noBoot, storedFrame } from './rollup-writing.ts'
import type { KnownSeries, Table } from './table.ts'
import { asSeq } from './types.ts'

/** Series that are moved at once, each with all its readings of that boot. */
const stepSeries = 4

/** True once the time of a boot is known, while its readings still wait. */
export const isDue = ({ corrections }: Database, { origin, boot }: OpenBoot): boolean =>
  corrections.of(origin).has(boot)

export class BootMover {
  /** The series that have readings in such buckets: looked for once, and again at the end. */
  #waiting: { readonly name: string; ids: readonly number[] } | undefined

  /** The next step, or undefined if no boot is due. */
  async moved(database: Database, table: Table, periodMs: number, progress: Progress): Promise<Put[] | undefined> {
    const boot = progress.boots.find(one => isDue(database, one))
    if (boot === undefined) return undefined
    const name = `${table.id}/${periodMs}/${boot.number}`
    const known = this.#waiting?.name === name ? this.#waiting.ids : []
    const ids = known.length > 0 ? known : await waitingFor(database, table, periodMs, boot)
    this.#waiting = { name, ids: ids.slice(stepSeries) }
    if (ids.length === 0) {
      const boots = progress.boots.filter(one => one !== boot)
      return [progressPut(table, periodMs, { ...progress, boots })]
    }
    const puts: Put[] = []
    for (const id of ids.slice(0, stepSeries)) {
      const series = table.series.byId(id)
      puts.push(...(await moveSeries(database, table, periodMs, progress, boot, series ?? { id })))
    }
    return puts
  }
}

async function moveSeries(
  database: Database,
  table: Table,
  periodMs: number,
  progress: Progress,
  boot: OpenBoot,
  series: KnownSeries | Pick<KnownSeries, 'id'>,
): Promise<Put[]> {
  const puts: Put[] = []
  const waiting: Bucket[] = []
  const place = { table: table.id, period: periodMs / 1000, series: series.id, boot: boot.number }
  for (let frame = frameOf(boot.fromMs, periodMs); frame <= frameOf(boot.toMs, periodMs); frame++) {
    const key = keys.bucketsKey({ ...place, frame })
    const buckets = await storedFrame(database, key, frame, periodMs)
    if (buckets.length > 0) puts.push({ key, value: undefined })
    waiting.push(...buckets)
  }
  if (!('origin' in series)) return puts
  const writes = new FrameWrites(database, table, periodMs, progress.fromMs)
  const last = asSeq(Math.min(boot.last, throughOf(progress, series)))
  let count = 0
  for await (const block of takeBoot(database, table, series, hoursOf(boot), { ...boot, last })) {
    count += block.times.length
    writes.take(block, noBoot)
  }
  if (count >= waiting.reduce((sum, bucket) => sum + bucket.count, 0)) return [...puts, ...(await writes.puts(series))]
  const shift = database.corrections.of(series.origin).get(boot.boot)
  const shifted = new FrameWrites(database, table, periodMs, progress.fromMs)
  for (const bucket of waiting) shifted.add(movedBy(bucket, shift?.offsetMs ?? 0, periodMs), noBoot)
  return [...puts, ...(await shifted.puts(series))]
}

function movedBy(bucket: Bucket, offsetMs: number, periodMs: number): Bucket {
  const [firstMs, lastMs] = [bucket.firstMs + offsetMs, bucket.lastMs + offsetMs]
  return { ...bucket, startMs: Math.floor(lastMs / periodMs) * periodMs, firstMs, lastMs }
}

function* hoursOf({ fromMs, toMs }: OpenBoot): Generator<number> {
  for (let hour = hourOf(fromMs); hour <= hourOf(toMs); hour++) yield hour
}

async function waitingFor(database: Database, table: Table, periodMs: number, boot: OpenBoot): Promise<number[]> {
  const place = { table: table.id, period: periodMs / 1000, series: 0, boot: 0 }
  const range = {
    gte: keys.bucketsKey({ ...place, frame: frameOf(boot.fromMs, periodMs) }),
    lt: keys.bucketsKey({ ...place, frame: frameOf(boot.toMs, periodMs) + 1 }),
    values: false,
  }
  const ids = new Set<number>()
  for await (const [key] of database.blocks(range)) {
    const found = keys.bucketsPlace(key)
    if (found.boot === boot.number) ids.add(found.series)
  }
  return [...ids]
}
