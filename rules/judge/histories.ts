/**
 * What the judge remembers of readings: a feed for each series, and for each group that is judged as one, wherever a rule
 * asks for more than the reading itself. After a restart it remembers nothing: it says what it needs out of the store, and
 * is filled before anybody judges.
 *
 * Windows of a series end at its own time: a device with a slow clock has windows like any other. Those of a group end at
 * the time of arrival, for its devices have no clock in common.
 */
import type { HistoryNeeds } from '../expression/scope.ts'
import { Feed, type Missing } from './feed.ts'
import { lagStepMs } from './limits.ts'
import { type JudgedReading, type JudgedSeries, timeOf } from './reading.ts'
import { type Kept, ownTime, type SeriesEntry, type Track, type RuleInForce } from './track.ts'

/** Readings that have to be known before the next one is judged; those of `device` and `metric` (patterns) it `takes`. */
export type Need = {
  readonly device: string
  readonly metric: string
  readonly takes: (series: JudgedSeries) => boolean
  /** All with an own time from here on; undefined where no window is kept. */
  readonly fromMs: number | undefined
  /** Besides, back from the end of the log: so many that are not late, and what came late since then. */
  readonly newest: number
  readonly isLate: (reading: JudgedReading) => boolean
  readonly nowMs: number
  readonly missing: Missing
  readonly kept: Kept
}

export type HistoryDoors = {
  /** Whether a reading of a series belongs to a group that a rule judges. */
  readonly judges: (rule: RuleInForce, series: JudgedSeries) => boolean
  /** By how much a reading was late when it came. */
  readonly lateBy: (reading: JudgedReading) => number
}

const nothing: readonly Need[] = []

export class Histories {
  readonly #cold = new Set<Kept>()
  readonly #doors: HistoryDoors

  constructor(doors: HistoryDoors) {
    this.#doors = doors
  }

  keep(needs: HistoryNeeds, whose: { readonly entry?: SeriesEntry; readonly track?: Track }): Kept {
    const { entry, track } = whose
    const kept: Kept = { feed: new Feed(needs), hasWindows: needs.windowsMs.length > 0, entry, track }
    this.#cold.add(kept)
    return kept
  }

  drop(kept: Kept | undefined): void {
    if (kept) this.#cold.delete(kept)
  }

  /** What is needed before a reading, or before a moment, is judged. */
  cold(atMs: number, reading: JudgedReading | undefined, entry: SeriesEntry | undefined): readonly Need[] {
    if (entry) {
      this.#recheck(entry.history, atMs, reading)
      for (const { group } of entry.groups) this.#recheck(group, atMs, reading)
    }
    if (this.#cold.size === 0) return nothing
    return [...this.#cold].flatMap(kept => {
      const nowMs = earliestOf(kept, atMs, reading)
      const missing = kept.feed.missing(nowMs)
      if (!missing) this.#cold.delete(kept)
      return missing ? [{ ...this.#whose(kept), ...missing, nowMs, missing, kept }] : []
    })
  }

  /** In the order of their log, each once. Gives when the last of them arrived; -Infinity if there was none. */
  fill({ kept, missing, nowMs, isLate }: Need, readings: Iterable<JudgedReading>): number {
    let heardMs = Number.NEGATIVE_INFINITY
    const { feed, entry, track } = kept
    feed.begin(missing, nowMs)
    // The own time of a series is known by its newest reading: where its windows end is looked at once more.
    if (!entry || !kept.hasWindows) this.#cold.delete(kept)
    for (const reading of readings) {
      const { value, arrivalMs, series } = reading
      if (arrivalMs > heardMs) heardMs = arrivalMs
      if (isLate(reading)) feed.note(value, timeOf(reading), arrivalMs, series.device)
      else {
        feed.add(value, timeOf(reading), arrivalMs, series.device)
        if (track) track.about = series
        if (entry) remember(entry, reading)
      }
    }
    return heardMs
  }

  /** The next reading: of its series, and of the groups that it belongs to. */
  take(entry: SeriesEntry, reading: JudgedReading, lateMs: number): void {
    if (lateMs <= entry.lateAfterMs) remember(entry, reading)
    const { history } = entry
    if (history) put(history, reading, timeOf(reading), lateMs > entry.lateAfterMs)
    for (const { group, rule } of entry.groups) {
      if (group) put(group, reading, reading.arrivalMs, lateMs > rule.lateAfterMs)
    }
  }

  #whose({ entry, track }: Kept): Pick<Need, 'device' | 'metric' | 'takes' | 'isLate'> {
    // Less than that is never late (lag.ts).
    const lateAfterMs = Math.max(entry?.lateAfterMs ?? track?.rule.lateAfterMs ?? 0, lagStepMs)
    const isLate = (reading: JudgedReading): boolean => this.#doors.lateBy(reading) > lateAfterMs
    if (!track) {
      const { origin, device, metric } = entry?.series ?? { origin: '', device: '', metric: '' }
      const takes = (series: JudgedSeries): boolean =>
        series.device === device && series.metric === metric && series.origin === origin
      return { device, metric, takes, isLate }
    }
    const { inForce, subject, rule } = track
    const takes = (series: JudgedSeries): boolean => {
      if (rule.per !== 'all' && (series.origin !== subject.origin || series.device !== subject.device)) return false
      return this.#doors.judges(inForce, series)
    }
    return { device: subject.device, metric: subject.metric, takes, isLate }
  }

  /** Windows may have lost what this moment needs: the clock of a device jumped. */
  #recheck(kept: Kept | undefined, atMs: number, reading: JudgedReading | undefined): void {
    if (kept?.hasWindows && kept.feed.missing(earliestOf(kept, atMs, reading))) this.#cold.add(kept)
  }
}

/** Where the windows of a feed end at a moment. */
export function nowOf({ entry }: Kept, atMs: number, reading?: JudgedReading): number {
  if (!entry) return atMs
  const isOfIt = reading !== undefined && reading.series === entry.series
  const lateMs = isOfIt ? (entry.lag?.foreseeMs(reading, entry.toleranceMs) ?? 0) : 0
  return isOfIt && lateMs <= entry.lateAfterMs ? timeOf(reading) : ownTime(entry, atMs)
}

/** Moments that have passed are judged before the reading. */
function earliestOf(kept: Kept, atMs: number, reading: JudgedReading | undefined): number {
  return Math.min(nowOf(kept, atMs), nowOf(kept, atMs, reading))
}

function put({ feed }: Kept, reading: JudgedReading, nowMs: number, isLate: boolean): void {
  const { value, arrivalMs, series } = reading
  if (isLate) feed.note(value, timeOf(reading), arrivalMs, series.device)
  else {
    feed.moveTo(nowMs)
    feed.add(value, timeOf(reading), arrivalMs, series.device)
  }
}

function remember(entry: SeriesEntry, reading: JudgedReading): void {
  entry.value = reading.value
  entry.arrivalMs = reading.arrivalMs
  entry.timeMs = timeOf(reading)
}
