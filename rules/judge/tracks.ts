/**
 * The tracks of one table: made when a series is first seen or a saved state is not at rest, found by the object of their
 * series from then on, and saved when they have changed.
 *
 * A state under another fingerprint belongs to another rule: it is not read. Where a track has nothing to remember, nothing
 * of it is stored.
 */
import type { Json } from '../../runtime/reading.ts'
import { lateAfterMsDefault, type Rule } from '../rule.ts'
import { matchesPattern } from '../match.ts'
import { startState, type RuleState } from './evaluate.ts'
import { Lag, type SavedLag } from './lag.ts'
import { lagStepMs } from './limits.ts'
import { RuleIndex } from './rule-index.ts'
import {
  asSavedTrack,
  type JudgedSeries,
  type RuleInForce,
  type SavedTrack,
  type SeriesEntry,
  Track,
  trackKey,
} from './track.ts'

export type TrackDoors = {
  /** The name of this gateway: what stands for all devices together is its own. */
  readonly origin: string
  /** The state that was saved under a key. */
  readonly saved: (key: string) => Json | undefined
  readonly labelsOf: (device: string) => Readonly<Record<string, string>>
}

export type Unsaved = { readonly key: string; readonly value: Json | undefined }

export class Tracks {
  readonly rules: readonly RuleInForce[]
  readonly #doors: TrackDoors
  readonly #index: RuleIndex<RuleInForce>
  readonly #bySeries = new Map<JudgedSeries, SeriesEntry>()
  readonly #byName = new Map<string, SeriesEntry>()
  readonly #byKey = new Map<string, Track>()
  readonly #dirty = new Set<Track>()
  readonly #dirtyLags = new Map<string, Lag>()
  readonly #opened: (track: Track) => void

  /** `opened` is told of each track that is made. */
  constructor(rules: readonly Rule[], doors: TrackDoors, opened: (track: Track) => void) {
    this.#doors = doors
    this.#opened = opened
    this.rules = rules.map((rule, order) => ({ rule, match: rule.match, order, tracks: new Set() }))
    this.#index = new RuleIndex(this.rules)
  }

  get all(): Iterable<Track> {
    return this.#byKey.values()
  }

  get entries(): Iterable<SeriesEntry> {
    return this.#byName.values()
  }

  /** What is known of a series. */
  of(series: JudgedSeries): SeriesEntry {
    return this.#bySeries.get(series) ?? this.#open(series)
  }

  atKey(key: string): Track | undefined {
    return this.#byKey.get(key)
  }

  /** The track of a rule and a subject, with the state that was saved for it. */
  track(inForce: RuleInForce, subject: JudgedSeries): Track {
    const key = trackKey(inForce.rule.id, subject)
    const known = this.#byKey.get(key)
    if (known) return known
    const track = new Track(inForce, subject, key)
    const saved = asSavedTrack(this.#doors.saved(key))
    if (saved?.fingerprint === inForce.rule.fingerprint) {
      track.state = saved.state
      track.late = saved.late
      track.heardMs = track.savedHeardMs = saved.heardMs ?? Number.NaN
    }
    this.#byKey.set(key, track)
    inForce.tracks.add(track)
    this.#opened(track)
    return track
  }

  /** Whether a rule judges a series, its labels included. */
  judges({ match }: RuleInForce, { device, metric }: JudgedSeries): boolean {
    return (
      matchesPattern(match.device, device) && matchesPattern(match.metric, metric) && this.#hasLabels(match, device)
    )
  }

  /** Another set of labels: the tracks that judge the device no longer. Those of groups stay. */
  relabel(device: string): Track[] {
    const left: Track[] = []
    for (const entry of this.#byName.values()) {
      if (entry.series.device !== device) continue
      const before = entry.tracks
      this.#watch(entry, this.#tracksOf(entry.series))
      for (const track of before) {
        if (track.rule.per !== 'series' || entry.tracks.includes(track)) continue
        this.#byKey.delete(track.key)
        track.inForce.tracks.delete(track)
        left.push(track)
      }
    }
    return left
  }

  changed(track: Track): void {
    this.#dirty.add(track)
  }

  lagChanged({ series, lag }: SeriesEntry): void {
    if (lag) this.#dirtyLags.set(trackKey('', series), lag)
  }

  /** What has changed since the last call. */
  takeUnsaved(): Unsaved[] {
    const unsaved: Unsaved[] = []
    for (const track of this.#dirty) unsaved.push({ key: track.key, value: savedOf(track) })
    for (const [key, lag] of this.#dirtyLags) unsaved.push({ key, value: lag.save() })
    this.#dirty.clear()
    this.#dirtyLags.clear()
    return unsaved
  }

  #open(series: JudgedSeries): SeriesEntry {
    const name = trackKey('', series)
    let entry = this.#byName.get(name)
    if (!entry) {
      const unheard = { value: undefined, arrivalMs: Number.NaN, timeMs: Number.NaN }
      entry = { series, tracks: [], lag: undefined, toleranceMs: 0, ...unheard }
      this.#watch(entry, this.#tracksOf(series))
      this.#byName.set(name, entry)
    }
    this.#bySeries.set(series, entry)
    return entry
  }

  #watch(entry: SeriesEntry, tracks: readonly Track[]): void {
    entry.tracks = tracks
    entry.toleranceMs = toleranceMs(tracks)
    if (tracks.length === 0 || entry.lag) return
    entry.lag = new Lag(this.#doors.saved(trackKey('', entry.series)) as unknown as SavedLag | undefined)
  }

  #tracksOf(series: JudgedSeries): Track[] {
    return this.#index
      .matching(series)
      .filter(({ match }) => this.#hasLabels(match, series.device))
      .map(inForce => this.track(inForce, this.#subjectOf(inForce.rule, series)))
  }

  #subjectOf({ per, match }: Rule, series: JudgedSeries): JudgedSeries {
    if (per === 'series') return series
    const { table, origin, device, metric, unit } = series
    const one = { table, metric: match.metric, unit: match.metric === metric ? unit : undefined }
    return per === 'device' ? { ...one, origin, device } : { ...one, origin: this.#doors.origin, device: match.device }
  }

  #hasLabels({ labels: wanted }: RuleInForce['match'], device: string): boolean {
    const names = Object.keys(wanted)
    if (names.length === 0) return true
    const labels = this.#doors.labelsOf(device)
    return names.every(name => Object.hasOwn(labels, name) && matchesPattern(wanted[name] ?? '', labels[name] ?? ''))
  }
}

function toleranceMs(tracks: readonly Track[]): number {
  const least = tracks.reduce((least, { rule }) => Math.min(least, rule.lateAfterMs), lateAfterMsDefault)
  return Math.max(least, lagStepMs)
}

function savedOf({ rule, state, late, heardMs }: Track): Json | undefined {
  const isHeard = !Number.isNaN(heardMs)
  if (isAtRest(state) && !late && !isHeard) return undefined
  const saved: SavedTrack = {
    fingerprint: rule.fingerprint,
    state,
    ...(late && { late }),
    ...(isHeard && { heardMs }),
  }
  return saved
}

function isAtRest(state: RuleState): boolean {
  return state === startState
}
