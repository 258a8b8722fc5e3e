/**
 * The open periods of all series of one table, and when each of them closes. Pure: entries and a clock in, closed periods
 * out. The same log gives the same periods, however it is read in pieces and however often the state is saved and restored
 * between two entries.
 *
 * A period is that of a reading's own time. It closes when the clock has passed its end and a grace, but not before its
 * first reading has waited as long: so those of a device that brings a day of history at once are gathered too. What comes
 * for a period that has closed opens it again, and it closes once more, with what came late alone. If the clock is set
 * back, what was opened in the time that now lies ahead closes at once.
 *
 * It must never hold more than `openMax` periods: beyond it the ones that were opened first close early.
 */
import type { Json } from '../reading.ts'
import type { ReadingEntry, Series } from '../store/types.ts'
import { timeOf } from '../store/types.ts'
import { type Bucket, addTo, bucketForm, bucketFrom, openBucket } from './bucket.ts'
import { closedEarlyMax, graceMsMax, graceMsMin } from './limits.ts'

export type PeriodOptions = { readonly periodMs: number; readonly openMax: number }

/** Which series, in words: a series has another number after the database was made anew. */
export type SeriesNames = Pick<Series, 'origin' | 'device' | 'metric' | 'unit'>
export type Closed = { readonly names: SeriesNames; readonly bucket: Bucket }

type Track = { readonly key: string; readonly names: SeriesNames; readonly open: Map<string, Bucket> }

export const graceOf = (periodMs: number): number => Math.min(Math.max(periodMs / 10, graceMsMin), graceMsMax)

export class Periods {
  readonly #options: PeriodOptions
  readonly #graceMs: number
  readonly #tracks = new Map<string, Track>()
  /** Found by identity: building a key for each reading would cost more than adding it up. */
  readonly #bySeries = new WeakMap<Series, Track>()
  readonly #unsaved = new Set<string>()
  #open = 0
  /** At least the earliest deadline, and the latest opening: found again when they are passed. */
  #nextDueMs = Number.POSITIVE_INFINITY
  #latestOpenedMs = Number.NEGATIVE_INFINITY
  /** The clock of the last entry of our own, for those of others, whose arrival is by another clock. */
  #clockMs = 0
  #isClockSaved = true

  constructor(options: PeriodOptions, saved: Iterable<readonly [key: string, form: Json]> = []) {
    this.#options = options
    this.#graceMs = graceOf(options.periodMs)
    for (const [key, form] of saved) {
      if (key === clockKey) this.#clockMs = form as number
      else this.#restore(key, form as readonly Json[])
    }
  }

  get openCount(): number {
    return this.#open
  }

  /** When the clock must be looked at again; undefined while nothing is open. */
  get nextDueMs(): number | undefined {
    return this.#open === 0 ? undefined : this.#nextDueMs
  }

  /** The clock has come to `nowMs`: what is over closes, at most so many. Called until it closes nothing. */
  advance(nowMs: number, most: number): readonly Closed[] {
    if (nowMs !== this.#clockMs) {
      this.#clockMs = nowMs
      this.#isClockSaved = false
    }
    const isSetBack = (bucket: { readonly openedMs: number }): boolean =>
      bucket.openedMs - nowMs > this.#options.periodMs + this.#graceMs
    if (nowMs < this.#nextDueMs && !isSetBack({ openedMs: this.#latestOpenedMs })) return []
    const closed = this.#close(bucket => this.#dueMs(bucket) <= nowMs || isSetBack(bucket), most)
    if (closed.length < most) this.#lookAgain()
    return closed
  }

  /** Takes a reading in. What closes because there are too many is told. The clock must have been advanced before. */
  take(entry: ReadingEntry): readonly Closed[] {
    const track = this.#trackOf(entry.series)
    const sample = { value: entry.value, timeMs: timeOf(entry), arrivalMs: entry.arrivalMs, stamp: entry.stamp }
    // The device's own time is right whatever our clock was.
    const boot = entry.deviceTimeMs === undefined ? entry.boot : undefined
    const startMs = Math.floor(sample.timeMs / this.#options.periodMs) * this.#options.periodMs
    const name = boot === undefined ? `${startMs}` : `${startMs} ${boot}`
    const bucket = track.open.get(name)
    this.#unsaved.add(track.key)
    if (bucket !== undefined) {
      addTo(bucket, sample)
      return []
    }
    const opened = openBucket(startMs, boot, this.#clockMs, sample)
    this.#hold(track, name, opened)
    return this.#open > this.#options.openMax ? this.#closeEarly() : []
  }

  /** What has changed since it was taken last, to be saved in one commit with the place in the log; undefined forgets. */
  takeUnsaved(): { readonly key: string; readonly form: Json | undefined }[] {
    const forms = [...this.#unsaved].map(key => ({ key, form: this.#formOf(key) }))
    if (!this.#isClockSaved) forms.push({ key: clockKey, form: this.#clockMs })
    this.#unsaved.clear()
    this.#isClockSaved = true
    return forms
  }

  #formOf(key: string): Json | undefined {
    const track = this.#tracks.get(key)
    if (track === undefined) return undefined
    return [...track.open].map(([name, bucket]): Json => [name, bucketForm(bucket)])
  }

  #restore(key: string, form: readonly Json[]): void {
    const [origin = '', device = '', metric = '', unit = ''] = key.split('\0')
    const track = this.#addTrack(key, { origin, device, metric, unit: unit === '' ? undefined : unit })
    for (const each of form) {
      const [name, bucket] = each as [string, Json]
      this.#hold(track, name, bucketFrom(bucket))
    }
  }

  #hold(track: Track, name: string, bucket: Bucket): void {
    track.open.set(name, bucket)
    this.#open++
    this.#nextDueMs = Math.min(this.#nextDueMs, this.#dueMs(bucket))
    this.#latestOpenedMs = Math.max(this.#latestOpenedMs, bucket.openedMs)
  }

  /** A period that lies ahead, by a device whose clock is wrong, is not waited for: it is gathered for one period's length. */
  #dueMs({ startMs, openedMs }: Bucket): number {
    return Math.max(Math.min(startMs, openedMs) + this.#options.periodMs, openedMs) + this.#graceMs
  }

  #trackOf(series: Series): Track {
    const known = this.#bySeries.get(series)
    // One of which nothing was open any more has been let go.
    if (known !== undefined && this.#tracks.get(known.key) === known) return known
    const { origin, device, metric, unit } = series
    const key = [origin, device, metric, unit ?? ''].join('\0')
    const track = this.#tracks.get(key) ?? this.#addTrack(key, { origin, device, metric, unit })
    this.#bySeries.set(series, track)
    return track
  }

  #addTrack(key: string, names: SeriesNames): Track {
    const track = { key, names, open: new Map<string, Bucket>() }
    this.#tracks.set(key, track)
    return track
  }

  #close(isOver: (bucket: Bucket) => boolean, most: number): readonly Closed[] {
    const closed: Closed[] = []
    for (const track of this.#tracks.values()) {
      for (const [name, bucket] of track.open) {
        if (closed.length >= most) return closed
        if (!isOver(bucket)) continue
        track.open.delete(name)
        this.#open--
        this.#unsaved.add(track.key)
        closed.push({ names: track.names, bucket })
      }
      if (track.open.size === 0) this.#tracks.delete(track.key)
    }
    return closed
  }

  #closeEarly(): readonly Closed[] {
    const all = [...this.#tracks.values()].flatMap(({ key, open }) =>
      [...open.values()].map(bucket => ({ key, bucket })),
    )
    const isBefore = (a: { key: string; bucket: Bucket }, b: { key: string; bucket: Bucket }): number =>
      a.bucket.openedMs - b.bucket.openedMs || a.bucket.startMs - b.bucket.startMs || (a.key < b.key ? -1 : 1)
    const share = Math.ceil(Math.min(closedEarlyMax, all.length / 10))
    const oldest = new Set(
      all
        .toSorted(isBefore)
        .slice(0, share)
        .map(({ bucket }) => bucket),
    )
    return this.#close(bucket => oldest.has(bucket), oldest.size)
  }

  #lookAgain(): void {
    this.#nextDueMs = Number.POSITIVE_INFINITY
    this.#latestOpenedMs = Number.NEGATIVE_INFINITY
    for (const { open } of this.#tracks.values()) {
      for (const bucket of open.values()) {
        this.#nextDueMs = Math.min(this.#nextDueMs, this.#dueMs(bucket))
        this.#latestOpenedMs = Math.max(this.#latestOpenedMs, bucket.openedMs)
      }
    }
  }
}

/** No series has it: a device has a name. */
const clockKey = ''
