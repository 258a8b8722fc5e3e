/**
 * A track is one rule judging one series: the state that evaluate.ts moves on, and what of it is not saved yet. Tracks
 * are made when a series is first seen and read their state from the store, so a restart goes on where it was.
 */
import {
  type Lookup,
  type RuleState,
  type Verdict,
  advance,
  dueMs,
  startState,
  step,
} from '../../rules/judge/evaluate.ts'
import { ruleFor, rulesFor } from '../../rules/match.ts'
import type { AlertRule, Rule } from '../../rules/rule.ts'
import type { Json } from '../reading.ts'
import { type ReadingEntry, type Seq, type Series, timeOf } from '../store/types.ts'

export type Track = {
  readonly rule: AlertRule
  readonly series: Series
  /** Where its state is saved. */
  readonly key: string
  state: RuleState
  /** The newest reading judged: tells the series' own clock at a deadline. */
  last: { readonly atMs: number; readonly timeMs: number } | undefined
}

/** A verdict, the track that came to it, and the series' own time of it. */
export type Judgement = {
  readonly track: Track
  readonly verdict: Verdict
  readonly timeMs: number
  /** The reading that led to it: what the log holds after it is not part of the story. Undefined for a timer. */
  readonly seq: Seq | undefined
}

type Saved = { readonly fingerprint: string; readonly state: RuleState }

/** A reading this far behind its series' newest and behind its own arrival is history filled in: it pages nobody. */
const lateMs = 60_000
/** A device that says it is earlier than this has no clock yet: that says nothing about when it measured. */
const clockSetMs = Date.UTC(2020, 0, 1)

export class Tracks {
  readonly #rules: readonly Rule[]
  readonly #saved: (key: string) => Json | undefined
  readonly #bySeries = new Map<Series, readonly Track[]>()
  readonly #byKey = new Map<string, Track>()
  readonly #newest = new Map<Series, number>()
  readonly #due = new Set<Track>()
  readonly #dirty = new Set<Track>()
  late = 0

  /** `saved` gives the state that was stored under a key. */
  constructor(rules: readonly Rule[], saved: (key: string) => Json | undefined) {
    this.#rules = rules
    this.#saved = saved
  }

  /** True if only the newest time of its series before it can tell whether this reading is late, and nobody knows that yet. */
  mustKnowNewest(entry: ReadingEntry): boolean {
    return !this.#newest.has(entry.series) && entry.arrivalMs - timeOf(entry) > lateMs
  }

  knowNewest(series: Series, newestMs: number): void {
    this.#newest.set(series, newestMs)
  }

  /** Judges one reading by every rule that its series matches. */
  judge(entry: ReadingEntry, lookup: Lookup): readonly Judgement[] {
    const tracks = this.#bySeries.get(entry.series) ?? this.#open(entry.series)
    if (tracks.length === 0 || this.#isLate(entry)) return []
    const { device, metric } = entry.series
    const timeMs = timeOf(entry)
    const observation = { device, metric, value: entry.value, atMs: entry.arrivalMs, timeMs: entry.deviceTimeMs }
    const judged: Judgement[] = []
    for (const track of tracks) {
      const { state, verdicts } = step(track.rule, track.state, observation, lookup)
      for (const verdict of verdicts)
        judged.push({ track, verdict, timeMs: verdict.timeMs ?? ownTime(track, verdict.atMs), seq: entry.seq })
      track.last = { atMs: entry.arrivalMs, timeMs }
      this.#move(track, state)
    }
    return judged
  }

  /** Deadlines that have passed by now. */
  advance(nowMs: number): readonly Judgement[] {
    const judged: Judgement[] = []
    for (const track of this.#due) {
      const { state, verdicts } = advance(track.rule, track.state, nowMs)
      for (const verdict of verdicts) {
        judged.push({ track, verdict, timeMs: ownTime(track, verdict.atMs), seq: undefined })
      }
      this.#move(track, state)
    }
    return judged
  }

  /** The next deadline of any track. */
  nextDueMs(): number | undefined {
    let next: number | undefined
    for (const { state } of this.#due) {
      const due = dueMs(state)
      if (due !== undefined && (next === undefined || due < next)) next = due
    }
    return next
  }

  /** Opens the tracks whose saved state is not at rest, without waiting for a reading: a deadline needs none. */
  resume(keys: Iterable<string>, series: Iterable<Series>): void {
    const awake = new Set<string>()
    for (const key of keys) {
      const saved = this.#saved(key) as unknown as Saved | undefined
      if (saved && saved.state.kind !== 'ok') awake.add(key.slice(key.indexOf('\0')))
    }
    if (awake.size === 0) return
    for (const each of series) if (awake.has(trackKey('', each))) this.#open(each)
  }

  /** States that have changed since the last call, to be saved together with what they caused. */
  takeUnsaved(): { readonly key: string; readonly value: Json | undefined }[] {
    const unsaved = [...this.#dirty].map(({ key, rule, state }) => {
      const saved: Saved = { fingerprint: rule.fingerprint, state }
      return { key, value: state === startState ? undefined : saved }
    })
    this.#dirty.clear()
    return unsaved
  }

  counts(): { firing: number; pending: number } {
    let [firing, pending] = [0, 0]
    for (const { state } of this.#byKey.values()) {
      if (state.kind === 'firing' || state.kind === 'clearing') firing++
      else if (state.kind === 'pending') pending++
    }
    return { firing, pending }
  }

  #open(series: Series): readonly Track[] {
    const known = this.#bySeries.get(series)
    if (known) return known
    const tracks = rulesFor(this.#rules, series).flatMap(rule =>
      rule.kind === 'alert' ? [this.#track(rule, series)] : [],
    )
    this.#bySeries.set(series, tracks)
    return tracks
  }

  /** Series that differ only in their unit share a track: a device that is taught a unit does not lose its state. */
  #track(rule: AlertRule, series: Series): Track {
    const key = trackKey(rule.id, series)
    const known = this.#byKey.get(key)
    if (known) return known
    const saved = this.#saved(key) as unknown as Saved | undefined
    const state = saved?.fingerprint === rule.fingerprint ? saved.state : startState
    const track: Track = { rule: ruleFor(rule, series), series, key, state, last: undefined }
    this.#byKey.set(key, track)
    if (dueMs(state) !== undefined) this.#due.add(track)
    return track
  }

  #move(track: Track, state: RuleState): void {
    if (state === track.state) return
    track.state = state
    this.#dirty.add(track)
    if (dueMs(state) === undefined) this.#due.delete(track)
    else this.#due.add(track)
  }

  #isLate(entry: ReadingEntry): boolean {
    const timeMs = timeOf(entry)
    const newest = this.#newest.get(entry.series) ?? Number.NEGATIVE_INFINITY
    if (timeMs >= newest) {
      this.#newest.set(entry.series, timeMs)
      return false
    }
    const isLate = timeMs >= clockSetMs && newest - timeMs > lateMs && entry.arrivalMs - timeMs > lateMs
    if (isLate) this.late++
    return isLate
  }
}

/** What the series' own clock said at an arrival time, going by its newest reading. */
function ownTime(track: Track, atMs: number): number {
  return track.last ? track.last.timeMs + (atMs - track.last.atMs) : atMs
}

/** Rule first, so that all states of one rule lie together; names cannot hold a NUL. */
function trackKey(rule: string, { table, origin, device, metric }: Series): string {
  return [rule, table, origin, device, metric].join('\0')
}

/** The rule and the series that a key was made of. */
export function trackOf(key: string): { rule: string; origin: string; device: string; metric: string } {
  const [rule = '', , origin = '', device = '', metric = ''] = key.split('\0')
  return { rule, origin, device, metric }
}
