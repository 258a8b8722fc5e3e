/**
 * The account of what is written to the disk: an SD card wears out by it. Two counts stand side by side, since the start
 * and by day, over restarts too: what the system says that this process has written, and the bytes that the store has
 * given to its database (before LevelDB's log, tables and compaction make more of them).
 *
 * Promises: saving the account costs no write of its own; it rides in a commit that is written anyway, now and then, and
 * when the store closes. A kill loses some minutes of it, and nothing else. Must never guess: what the machine does not
 * say is null.
 */
import type { Json } from '../reading.ts'
import { Durations, type DurationCounts } from './durations.ts'
import type { Urgency } from './types.ts'

export type WearDoors = {
  /** By the wall clock: days are days of UTC. A clock that is wrong makes days of its own, which fall out in time. */
  readonly now: () => number
  readonly monotonicMs: () => number
  /** Bytes that this process has written since it began, if the machine says. */
  readonly processBytes: () => number | undefined
}

export type Written = {
  /** Null where the system does not say, or did not for a part of the time. */
  readonly processBytes: number | null
  readonly storeBytes: number
  readonly readings: number
  readonly commits: number
}

export type WearStatus = {
  /** Since the store was opened, and for how long that is. */
  readonly sinceStart: Written
  readonly sinceStartMs: number
  /** Days of UTC, the newest last: as many as are kept, today among them. `dayMs` is when it began. */
  readonly days: readonly (Written & { readonly dayMs: number })[]
  /** Of the life of this database. */
  readonly total: Written
  /** Groups written, by the most urgent commit of each. */
  readonly commitsBy: Readonly<Record<Urgency, number>>
  /** How long each write and its sync took. */
  readonly writeDurations: DurationCounts
}

type Tally = { processBytes: number | null; storeBytes: number; readings: number; commits: number }
type Saved = { readonly total: Tally; readonly days: readonly (readonly [number, Tally])[] }

const dayLengthMs = 86_400_000
/** Today, and a whole week before it. */
const daysKept = 8
/** 200 bytes every ten minutes are 30 kB a day. */
const saveEveryMs = 600_000

export class Wear {
  readonly #doors: WearDoors
  readonly #startedMs: number
  readonly #start = emptyTally()
  readonly #total: Tally
  readonly #days: Map<number, Tally>
  readonly #commitsBy: Record<Urgency, number> = { interval: 0, now: 0, lazy: 0 }
  readonly #durations = new Durations()
  #seenBytes: number | undefined
  #savedMs: number
  #isSaved = true

  constructor(saved: Json | undefined, doors: WearDoors) {
    this.#doors = doors
    this.#startedMs = doors.monotonicMs()
    this.#savedMs = this.#startedMs
    this.#seenBytes = doors.processBytes()
    const { total = emptyTally(), days = [] } = (saved ?? {}) as Partial<Saved>
    this.#total = { ...total }
    this.#days = new Map(days.map(([day, tally]) => [day, { ...tally }]))
    // What the process wrote to come so far, opening the database above all, is wear as well.
    if (this.#seenBytes !== undefined) this.#charge(this.#seenBytes, [this.#today(), this.#total])
  }

  /** A group was written. */
  wrote(storeBytes: number, readings: number, urgency: Urgency, tookMs: number): void {
    this.#isSaved = false
    this.#commitsBy[urgency]++
    this.#durations.add(tookMs)
    for (const tally of [this.#start, this.#today(), this.#total]) {
      tally.storeBytes += storeBytes
      tally.readings += readings
      tally.commits++
    }
  }

  /** What to save with the group that is being written, if it is time. */
  due(): Json | undefined {
    const nowMs = this.#doors.monotonicMs()
    if (nowMs - this.#savedMs < saveEveryMs) return undefined
    this.#savedMs = nowMs
    return this.#toSave()
  }

  /** What to save before the database closes; undefined if nothing was written since. */
  last(): Json | undefined {
    return this.#isSaved ? undefined : this.#toSave()
  }

  status(): WearStatus {
    this.#sample()
    this.#today()
    const days = [...this.#days].toSorted(([a], [b]) => a - b)
    return {
      sinceStart: { ...this.#start },
      sinceStartMs: this.#doors.monotonicMs() - this.#startedMs,
      days: days.map(([day, tally]) => ({ ...tally, dayMs: day * dayLengthMs })),
      total: { ...this.#total },
      commitsBy: { ...this.#commitsBy },
      writeDurations: this.#durations.counts(),
    }
  }

  #toSave(): Json {
    this.#sample()
    this.#isSaved = true
    return { total: { ...this.#total }, days: [...this.#days].map(([day, tally]) => [day, { ...tally }]) }
  }

  /** Charges what the process has written since the last look to today. */
  #sample(): void {
    const bytes = this.#doors.processBytes()
    const written = bytes === undefined || this.#seenBytes === undefined ? undefined : bytes - this.#seenBytes
    this.#seenBytes = bytes
    this.#charge(written, [this.#start, this.#today(), this.#total])
  }

  #charge(bytes: number | undefined, tallies: readonly Tally[]): void {
    for (const tally of tallies) {
      if (bytes === undefined) tally.processBytes = null
      else if (tally.processBytes !== null) tally.processBytes += bytes
    }
  }

  #today(): Tally {
    const day = Math.floor(this.#doors.now() / dayLengthMs)
    const known = this.#days.get(day)
    if (known !== undefined) return known
    const fresh = emptyTally()
    this.#days.set(day, fresh)
    // Those that were written first, whatever a clock called them.
    if (this.#days.size > daysKept) this.#days.delete(this.#days.keys().next().value as number)
    return fresh
  }
}

const emptyTally = (): Tally => ({ processBytes: 0, storeBytes: 0, readings: 0, commits: 0 })
