/** Buckets on their way into the frames of one period: gathered by series and frame, then merged with what is there. */
import { cut } from './aggregate.ts'
import type { Bucket } from './buckets.ts'
import type { ColumnBlock } from './columns.ts'
import type { Database } from './database.ts'
import { bucketsKey } from './keys.ts'
import type { Put } from './put.ts'
import { decodeFrame, encodeFrame, frameOf, isKeepable, joinBuckets } from './rollup-frames.ts'
import type { KnownSeries, Table } from './table.ts'

/** The number of no boot: readings whose time is known. */
export const noBoot = 0

export class FrameWrites {
  readonly #database: Database
  readonly #table: Table
  readonly #periodMs: number
  readonly #fromMs: number
  /** By boot and frame, of the series that is being gathered. */
  readonly #boots = new Map<number, Map<number, readonly Bucket[]>>()

  /** What begins before `fromMs` is passed over: it was let go. */
  constructor(database: Database, table: Table, periodMs: number, fromMs: number) {
    this.#database = database
    this.#table = table
    this.#periodMs = periodMs
    this.#fromMs = fromMs
  }

  /** Readings sorted by time. */
  take(block: Pick<ColumnBlock, 'times' | 'values'>, boot: number): void {
    const periodMs = this.#periodMs
    const startOf = (timeMs: number): number => Math.floor(timeMs / periodMs) * periodMs
    const intervals = { startOf, next: (startMs: number) => startMs + periodMs }
    for (const bucket of cut(block, intervals)) this.add(bucket, boot)
  }

  add(bucket: Bucket, boot: number): void {
    const { startMs } = bucket
    if (startMs < this.#fromMs || !isKeepable(startMs, this.#periodMs)) return
    const frame = frameOf(startMs, this.#periodMs)
    let frames = this.#boots.get(boot)
    if (frames === undefined) this.#boots.set(boot, (frames = new Map()))
    frames.set(frame, joinBuckets(frames.get(frame) ?? [], [bucket]))
  }

  /** All of it, merged with what is stored. The next series begins afresh. */
  async puts({ id }: Pick<KnownSeries, 'id'>): Promise<Put[]> {
    const puts: Put[] = []
    const periodMs = this.#periodMs
    for (const [boot, frames] of this.#boots) {
      for (const [frame, buckets] of frames) {
        const place = { table: this.#table.id, period: periodMs / 1000, frame, series: id, boot }
        const key = bucketsKey(place)
        const stored = await storedFrame(this.#database, key, frame, periodMs)
        puts.push({ key, value: encodeFrame(joinBuckets(stored, buckets), frame, periodMs) })
      }
    }
    this.#boots.clear()
    return puts
  }
}

/** What is stored of one frame; read beside the event loop, because many may be wanted at once. */
export async function storedFrame(
  database: Database,
  key: Buffer,
  frame: number,
  periodMs: number,
): Promise<readonly Bucket[]> {
  for await (const [, value] of database.scan({ gte: key, lt: Buffer.concat([key, Buffer.alloc(1)]), limit: 1 }))
    return decodeFrame(value, frame, periodMs)
  return []
}
