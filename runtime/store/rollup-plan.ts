/**
 * The next step of a table's rollups: packed readings that no bucket holds yet are merged into theirs, series by series,
 * range by range, in the order of the log. So late readings are simply in a later range.
 *
 * Promises: a step is one batch of buckets and of the place up to which they go, so each reading counts once, wherever
 * it stops [I3]. A period that is new begins with the oldest readings there are, one that is not wanted any more goes in
 * small steps, and buckets that are too old go by frames. A step is a few thousand readings, or one series of one range.
 * It reads, and writes nothing itself [I2].
 */
import { rangesAfter } from './chunks.ts'
import type { Database } from './database.ts'
import * as keys from './keys.ts'
import type { Put } from './put.ts'
import type { PackedRange } from './ranges.ts'
import { BootMover } from './rollup-boots.ts'
import { frameOf, frameStart } from './rollup-frames.ts'
import {
  type Progress,
  bootNumberMax,
  findBoot,
  nothingDone,
  progressOf,
  progressPut,
  startedPeriods,
  withBoot,
} from './rollup-progress.ts'
import { type Taken, takeReadings } from './rollup-readings.ts'
import { FrameWrites, noBoot } from './rollup-writing.ts'
import type { KnownSeries, Table } from './table.ts'
import { type ChunksChange, type Seq, asSeq } from './types.ts'

/** Taken in at once: some milliseconds of a small board. */
const stepReadings = 8_192
/** Each of them some frames that are read and written again. */
const stepSeries = 64
/** Frames that are removed at once. */
const stepKeys = 1_024

export type RollupSpec = {
  readonly periodsMs: readonly number[]
  /** Buckets that ended before go. Undefined while no age can be told, or where they may get as old as they like. */
  readonly keepFromMs: number | undefined
}

type Period = { readonly periodMs: number; progress: Progress; readonly writes: FrameWrites }

export class RollupPlanner {
  readonly #mover = new BootMover()

  /** Undefined once there is nothing to do. What it returns must be on disk before the next one is asked for. */
  async next(database: Database, table: Table, { periodsMs, keepFromMs }: RollupSpec) {
    const started = await startedPeriods(database, table)
    for (const periodMs of started) {
      const progress = progressOf(database, table, periodMs)
      if (progress?.isGoing === true || !periodsMs.includes(periodMs))
        return changeOf(table, await removed(database, table, periodMs, progress ?? nothingDone))
    }
    const periods: { periodMs: number; progress: Progress }[] = []
    for (const periodMs of periodsMs) {
      const known = progressOf(database, table, periodMs)
      const progress = known ?? nothingDone
      const puts =
        (known === undefined ? await refound(database, table, periodMs) : undefined) ??
        (await aged(database, table, periodMs, progress, keepFromMs)) ??
        (await this.#mover.moved(database, table, periodMs, progress))
      if (puts !== undefined) return changeOf(table, puts)
      periods.push({ periodMs, progress })
    }
    return takenIn(database, table, periods)
  }
}

const changeOf = (table: Table, puts: readonly Put[]): ChunksChange => ({ kind: 'chunks', table: table.name, puts })

/** Where damage has taken the place but not the buckets: these stay, and what is packed from now on is added. */
async function refound(database: Database, table: Table, periodMs: number): Promise<Put[] | undefined> {
  const [first] = await someKeys(database, table, periodMs, 1)
  if (first === undefined) return undefined
  return [progressPut(table, periodMs, { ...nothingDone, through: table.packed, bootsGiven: bootNumberMax })]
}

async function removed(database: Database, table: Table, periodMs: number, progress: Progress): Promise<Put[]> {
  const found = await someKeys(database, table, periodMs, stepKeys)
  const rest = found.length < stepKeys ? undefined : { ...progress, isGoing: true }
  return [...found.map(key => ({ key, value: undefined })), progressPut(table, periodMs, rest)]
}

async function aged(
  database: Database,
  table: Table,
  periodMs: number,
  progress: Progress,
  keepFromMs: number | undefined,
): Promise<Put[] | undefined> {
  if (keepFromMs === undefined || keepFromMs <= 0) return undefined
  const frame = frameOf(keepFromMs, periodMs)
  const old = await someKeys(database, table, periodMs, stepKeys, frame)
  if (old.length === 0) return undefined
  const fromMs = Math.max(progress.fromMs, frameStart(frame, periodMs))
  return [...old.map(key => ({ key, value: undefined })), progressPut(table, periodMs, { ...progress, fromMs })]
}

/** The first keys of a period, of frames before one. */
async function someKeys(
  database: Database,
  table: Table,
  periodMs: number,
  limit: number,
  beforeFrame?: number,
): Promise<Buffer[]> {
  const place = { table: table.id, period: periodMs / 1000, frame: 0, series: 0, boot: 0 }
  const end = beforeFrame === undefined ? { ...place, period: place.period + 1 } : { ...place, frame: beforeFrame }
  const range = { gte: keys.bucketsKey(place), lt: keys.bucketsKey(end), limit, values: false }
  const found: Buffer[] = []
  for await (const [key] of database.blocks(range)) found.push(key)
  return found
}

/** The next series of the next range, into the buckets of all periods that are furthest behind. */
async function takenIn(
  database: Database,
  table: Table,
  all: readonly { readonly periodMs: number; readonly progress: Progress }[],
): Promise<ChunksChange | undefined> {
  const behind = all.filter(({ progress }) => progress.through < table.packed)
  const [least] = behind.toSorted((a, b) => comparePlaces(a.progress, b.progress))
  if (least === undefined) return undefined
  const { through, part } = least.progress
  const periods: Period[] = behind
    .filter(({ progress }) => comparePlaces(progress, least.progress) === 0)
    .map(({ periodMs, progress }) => {
      return { periodMs, progress, writes: new FrameWrites(database, table, periodMs, progress.fromMs) }
    })
  const range = await nextRange(database, table, through)
  // Of what was trimmed meanwhile, or is damaged, there is nothing to take in.
  if (range === undefined || (part !== undefined && range.last !== part.last)) {
    const next = part?.last ?? table.packed
    return changeOf(table, facts(table, periods, { through: next, part: undefined }))
  }
  const puts: Put[] = []
  let [readings, count, done] = [0, 0, part?.series ?? 0]
  let isCut = false
  for (const [series, hours] of placesOf(table, range, done)) {
    if (readings >= stepReadings || count >= stepSeries) {
      isCut = true
      break
    }
    for await (const taken of takeReadings(database, table, series, hours, [through, range.last])) {
      readings += taken.times.length
      for (const period of periods) period.writes.take(taken, bootNumber(period, series, taken))
    }
    for (const { writes } of periods) puts.push(...(await writes.puts(series)))
    done = series.id
    count++
  }
  const place = isCut ? { through, part: { last: range.last, series: done } } : { through: range.last, part: undefined }
  return changeOf(table, [...puts, ...facts(table, periods, place)])
}

async function nextRange(database: Database, table: Table, after: Seq): Promise<PackedRange | undefined> {
  for await (const { range } of rangesAfter(database, table, after)) return range
  return undefined
}

/** The series of a range behind one, by their numbers, each with its hours. */
function placesOf(table: Table, { hours }: PackedRange, behind: number): [KnownSeries, number[]][] {
  const bySeries = new Map<number, number[]>()
  for (const [hour, ids] of hours) {
    for (const id of ids) {
      if (id <= behind) continue
      const known = bySeries.get(id)
      if (known) known.push(hour)
      else bySeries.set(id, [hour])
    }
  }
  return [...bySeries]
    .toSorted(([a], [b]) => a - b)
    .flatMap(([id, of]): [KnownSeries, number[]][] => {
      const series = table.series.byId(id)
      return series === undefined ? [] : [[series, of]]
    })
}

/** Where the readings of an open boot go until its time is known. */
function bootNumber(period: Period, { origin }: KnownSeries, { boot, first, last, times }: Taken): number {
  if (boot === undefined) return noBoot
  const { progress } = period
  if (progress.bootsGiven >= bootNumberMax && findBoot(progress, origin, boot) === undefined) return noBoot
  const [fromMs, toMs] = [times[0] as number, times.at(-1) as number]
  period.progress = withBoot(progress, { origin, boot, first, last, fromMs, toMs })
  return findBoot(period.progress, origin, boot)?.number ?? noBoot
}

const facts = (table: Table, periods: readonly Period[], place: Pick<Progress, 'through' | 'part'>): Put[] =>
  periods.map(({ periodMs, progress }) => progressPut(table, periodMs, { ...progress, ...place }))

function comparePlaces(a: Progress, b: Progress): number {
  return a.through - b.through || asSeq(a.part?.last ?? 0) - (b.part?.last ?? 0) || partOf(a) - partOf(b)
}

const partOf = ({ part }: Progress): number => part?.series ?? -1
