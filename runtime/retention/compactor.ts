/**
 * Giving space back: when the schedule says so and it is worth it, and when the disk is short. What it did last is told
 * with its measures: bytes of the database's folder before and after, and how long it took.
 *
 * Promises: a schedule is gone by only while the time is to be trusted, and whatever the clock did, one look costs the
 * same and runs it once at most (F8). Commits go on meanwhile.
 */
import type { Log } from '../log.ts'
import type { Instants } from '../schedule.ts'
import type { Stretch } from '../store/compaction.ts'
import type { Store } from '../store/store.ts'
import { worthBytes, worthBytesMin, worthShare } from './limits.ts'

export type CompactorDoors = {
  readonly store: Pick<Store, 'upkeep'>
  /** What the files of the database take; undefined where there are none. */
  readonly folderBytes: () => Promise<number | undefined>
  /** Undefined: never. */
  readonly instants: Instants | undefined
  /** The wall clock; undefined while it is not to be trusted. */
  readonly trustedMs: () => number | undefined
  readonly monotonicMs: () => number
  readonly isClosed: () => boolean
  readonly log: Log
}

export type Compaction = {
  readonly why: 'schedule' | 'disk'
  /** Undefined while the time is not to be trusted. */
  readonly atMs: number | undefined
  readonly bytesBefore: number
  readonly bytesAfter: number
  readonly durationMs: number
}

export class Compactor {
  readonly #doors: CompactorDoors
  #lookedMs: number | undefined
  #last: Compaction | undefined

  constructor(doors: CompactorDoors) {
    this.#doors = doors
  }

  get last(): Compaction | undefined {
    return this.#last
  }

  /** Once a sweep: compacts if it is time, and worth it. */
  async look(): Promise<void> {
    const { instants, trustedMs } = this.#doors
    const nowMs = trustedMs()
    if (instants === undefined || nowMs === undefined) return
    const sinceMs = this.#lookedMs
    this.#lookedMs = nowMs
    // At the first look, and after a clock that was set back, it begins to count anew.
    if (sinceMs === undefined || sinceMs >= nowMs || instants.latest(nowMs, sinceMs) === undefined) return
    const stretches = await this.#doors.store.upkeep.emptyStretches()
    if (isWorth(sum(stretches), await this.#doors.folderBytes())) await this.#run(stretches, 'schedule')
  }

  /** Everything in which nothing stands, because the disk is short. Returns by how much the files are smaller. */
  async tidy(): Promise<number> {
    const stretches = await this.#doors.store.upkeep.emptyStretches()
    return stretches.length === 0 ? 0 : this.#run(stretches, 'disk')
  }

  /** What has just been emptied. */
  async compact(stretches: readonly Stretch[]): Promise<void> {
    if (stretches.length > 0) await this.#run(stretches, 'disk')
  }

  async #run(stretches: readonly Stretch[], why: Compaction['why']): Promise<number> {
    const { store, folderBytes, monotonicMs, isClosed, trustedMs, log } = this.#doors
    const [bytesBefore, beganMs] = [(await folderBytes()) ?? 0, monotonicMs()]
    await store.upkeep.compact(stretches, isClosed)
    const bytesAfter = (await folderBytes()) ?? 0
    this.#last = { why, atMs: trustedMs(), bytesBefore, bytesAfter, durationMs: Math.round(monotonicMs() - beganMs) }
    const { durationMs } = this.#last
    log[why === 'schedule' ? 'info' : 'debug'](
      { before_bytes: bytesBefore, after_bytes: bytesAfter, duration_ms: durationMs },
      'the database was compacted',
    )
    return Math.max(0, bytesBefore - bytesAfter)
  }
}

/** Much by itself, or a good part of a small database. */
export function isWorth(emptyBytes: number, folderBytes: number | undefined): boolean {
  if (emptyBytes >= worthBytes) return true
  return emptyBytes >= worthBytesMin && emptyBytes >= worthShare * (folderBytes ?? 0)
}

const sum = (stretches: readonly Stretch[]): number => stretches.reduce((all, { bytes }) => all + bytes, 0)
