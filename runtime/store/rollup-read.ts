/**
 * Answering from the buckets of rollups. What is read of one series is of one moment: its buckets, and the position up to
 * which they hold its readings. Reads only.
 */
import type { BucketKeeper, KeptBuckets, OpenBuckets } from './aggregate.ts'
import type { Bucket, BucketFunction } from './buckets.ts'
import type { Database } from './database.ts'
import * as keys from './keys.ts'
import { isDue } from './rollup-boots.ts'
import { decodeFrame, frameOf, joinBuckets } from './rollup-frames.ts'
import { progressOf, throughOf } from './rollup-progress.ts'
import type { Table } from './table.ts'
import type { Series } from './types.ts'

/** What they do not keep. */
const unknown: ReadonlySet<BucketFunction> = new Set(['stddev'])

type Snapshot = ReturnType<Database['level']['snapshot']>

/** `periodsOf` says which rollups were declared for a table. */
export function rollupKeeper(database: () => Database, periodsOf: (table: string) => readonly number[]): BucketKeeper {
  return (name, fits, functions) => {
    if (functions.some(one => unknown.has(one))) return []
    const table = database().table(name)
    return periodsOf(name)
      .filter(periodMs => fits(periodMs) && progressOf(database(), table, periodMs)?.isGoing === false)
      .toSorted((a, b) => b - a)
      .map(periodMs => keptOf(database(), table, periodMs))
  }
}

const keptOf = (database: Database, table: Table, periodMs: number): KeptBuckets => ({
  lengthMs: periodMs,
  open: series => openBuckets(database, table, periodMs, series),
})

function openBuckets(database: Database, table: Table, periodMs: number, series: Series): OpenBuckets | undefined {
  const snapshot = database.level.snapshot()
  const close = (): Promise<void> => snapshot.close()
  const get = (key: Buffer): Buffer | undefined => {
    const sealed = database.level.getSync(key, { snapshot })
    return sealed && database.checked(key, sealed)
  }
  const progress = progressOf({ get }, table, periodMs)
  const isMoving = progress?.boots.some(boot => boot.origin === series.origin && isDue(database, boot))
  if (progress === undefined || progress.isGoing || isMoving === true) {
    void close()
    return undefined
  }
  return {
    through: throughOf(progress, series),
    fromMs: progress.fromMs,
    read: (fromMs, toMs, signal) => readBuckets(database, table, periodMs, series, { fromMs, toMs, signal, snapshot }),
    close,
  }
}

type Wanted = {
  readonly fromMs: number
  readonly toMs: number
  readonly signal: AbortSignal | undefined
  readonly snapshot: Snapshot
}

/** From frame to frame of the series, passing over those of others. */
async function* readBuckets(
  database: Database,
  table: Table,
  periodMs: number,
  { id }: Series,
  { fromMs, toMs, signal, snapshot }: Wanted,
): AsyncGenerator<Bucket> {
  const keyAt = (frame: number, series: number): Buffer =>
    keys.bucketsKey({ table: table.id, period: periodMs / 1000, frame, series, boot: 0 })
  const [first, last] = [frameOf(fromMs, periodMs), frameOf(toMs - 1, periodMs)]
  const range = { gte: keyAt(first, id), lt: keyAt(last, id + 1), snapshot }
  const iterator = database.level.iterator(range)
  try {
    let held: readonly Bucket[] = []
    let heldFrame = first
    for (let next = await iterator.next(); next !== undefined; ) {
      if (signal?.aborted === true) return
      const [key, sealed] = next
      const { frame, series } = keys.bucketsPlace(key)
      if (frame !== heldFrame || series > id) {
        yield* within(held, fromMs, toMs)
        ;[held, heldFrame] = [[], frame]
      }
      if (series === id) {
        const value = database.checked(key, sealed)
        if (value !== undefined) held = joinBuckets(held, decodeFrame(value, frame, periodMs))
      } else {
        const to = series < id ? frame : frame + 1
        if (to > last) break
        iterator.seek(keyAt(to, id))
      }
      next = await iterator.next()
    }
    yield* within(held, fromMs, toMs)
  } finally {
    await iterator.close()
  }
}

function* within(buckets: readonly Bucket[], fromMs: number, toMs: number): Generator<Bucket> {
  for (const bucket of buckets) if (bucket.startMs >= fromMs && bucket.startMs < toMs) yield bucket
}
