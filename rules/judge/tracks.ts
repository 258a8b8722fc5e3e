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
import type { HistoryNeeds, OtherNeeds } from '../expression/scope.ts'
import { startState } from './evaluate.ts'
import type { Histories } from './histories.ts'
import { inForce, joinNeeds } from './in-force.ts'
import { Lag, type SavedLag } from './lag.ts'
import { lagStepMs } from './limits.ts'
import { Quiet } from './quiet.ts'
import { RuleIndex } from './rule-index.ts'
import { type JudgedSeries } from './reading.ts'
import {
  asSavedTrack,
  partsOfKey,
  type SavedTrack,
  type SeriesEntry,
  Track,
  trackKey,
  type RuleInForce,
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
  readonly #histories: Histories
  readonly #opened: (track: Track) => void
  readonly #index: RuleIndex<RuleInForce>
  readonly #bySeries = new Map<JudgedSeries, SeriesEntry>()
  readonly #byName = new Map<string, SeriesEntry>()
  readonly #byKey = new Map<string, Track>()
  /** By metric: what expressions ask of other series. */
  readonly #asked = new Map<string, { readonly by: RuleInForce; readonly other: OtherNeeds }[]>()
  readonly #lookers = new Map<string, Track[]>()
  readonly #dirty = new Set<Track>()
  readonly #dirtyLags = new Set<SeriesEntry>()

  /** `opened` is told of each track that is made. */
  constructor(rules: readonly Rule[], doors: TrackDoors, histories: Histories, opened: (track: Track) => void) {
    this.#doors = doors
    this.#histories = histories
    this.#opened = opened
    this.rules = rules.map(inForce)
    this.#index = new RuleIndex(this.rules)
    for (const by of this.rules) {
      for (const other of by.others) at(this.#asked, other.metric).push({ by, other })
    }
  }

  /** Opens what has something to say without a reading of its own: not at rest, silent, at moments, or of another series. */
  resume(savedKeys: Iterable<string>, known: Iterable<JudgedSeries>): void {
    const byName = new Map<string, JudgedSeries>()
    for (const series of known) byName.set(trackKey('', series), series)
    const rules = new Map(this.rules.map(rule => [rule.rule.id, rule]))
    for (const key of savedKeys) {
      const parts = partsOfKey(key)
      const rule = rules.get(parts.rule)
      if (!rule || rule.match.table !== parts.table) continue
      const saved = asSavedTrack(this.#doors.saved(key))
      if (saved?.fingerprint !== rule.rule.fingerprint || (saved.state.kind === 'ok' && !saved.late)) continue
      const series = byName.get(trackKey('', parts))
      if (series && rule.rule.per === 'series') this.of(series)
      this.track(rule, series ?? { ...parts, unit: undefined })
    }
    const index = new RuleIndex(this.rules.filter(({ speaksUnasked, others }) => speaksUnasked || others.length > 0))
    for (const series of byName.values()) if (index.matching(series).length > 0) this.of(series)
    for (const rule of this.rules) if (rule.speaksUnasked) this.#openNamed(rule)
  }

  /** What is known of a series. */
  of(series: JudgedSeries): SeriesEntry {
    return this.#bySeries.get(series) ?? this.#meet(series)
  }

  named(origin: string, device: string, metric: string): SeriesEntry | undefined {
    const table = this.rules[0]?.match.table ?? ''
    return this.#byName.get(trackKey('', { table, origin, device, metric }))
  }

  atKey(key: string): Track | undefined {
    return this.#byKey.get(key)
  }

  /** How far a series lies behind its arrivals, also of one that was not met yet. */
  lagOf(series: JudgedSeries): Lag {
    const known = this.#bySeries.get(series)
    if (known?.lag) return known.lag
    const name = trackKey('', series)
    return this.#byName.get(name)?.lag ?? new Lag(this.#savedLag(name))
  }

  /** The track of a rule and a subject, with the state that was saved for it. */
  track(rule: RuleInForce, subject: JudgedSeries): Track {
    const key = trackKey(rule.rule.id, subject)
    const known = this.#byKey.get(key)
    if (known) return known
    const track = new Track(rule, subject, key)
    const saved = asSavedTrack(this.#doors.saved(key))
    if (saved?.fingerprint === rule.rule.fingerprint) {
      track.state = saved.state
      track.late = saved.late
      track.heardMs = track.savedHeardMs = saved.heardMs ?? Number.NaN
    }
    if (rule.needs && rule.rule.per !== 'series') track.group = this.#histories.keep(rule.needs, { track })
    this.#byKey.set(key, track)
    rule.tracks.add(track)
    rule.ordered = undefined
    for (const { device, metric } of rule.others) {
      // Of all devices together "the same device" is that of each reading: there nobody can be told.
      if (device === undefined && isManyDevices(rule.rule)) continue
      const other = { ...subject, device: device ?? subject.device, metric, unit: undefined }
      insert(at(this.#lookers, trackKey('', other)), track)
      this.#entryOf(other)
    }
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
      if (entry.series.device !== device || !entry.isMet) continue
      const before = entry.tracks
      this.#watch(entry)
      for (const track of before) {
        if (track.rule.per !== 'series' || entry.tracks.includes(track)) continue
        this.#byKey.delete(track.key)
        track.inForce.tracks.delete(track)
        track.inForce.ordered = undefined
        for (const lookers of this.#lookers.values())
          if (lookers.includes(track)) lookers.splice(lookers.indexOf(track), 1)
        left.push(track)
      }
    }
    return left
  }

  changed(track: Track): void {
    this.#dirty.add(track)
    if (track.entry) track.entry.quiet.isStale = true
  }

  lagChanged(entry: SeriesEntry): void {
    this.#dirtyLags.add(entry)
  }

  /** What has changed since the last call. */
  takeUnsaved(): Unsaved[] {
    const unsaved: Unsaved[] = []
    for (const track of this.#dirty) unsaved.push({ key: track.key, value: savedOf(track) })
    for (const { name, lag } of this.#dirtyLags) if (lag) unsaved.push({ key: name, value: lag.save() })
    this.#dirty.clear()
    this.#dirtyLags.clear()
    return unsaved
  }

  #meet(series: JudgedSeries): SeriesEntry {
    const entry = this.#entryOf(series)
    this.#bySeries.set(series, entry)
    if (entry.isMet) return entry
    entry.isMet = true
    entry.series = series
    this.#watch(entry)
    return entry
  }

  #entryOf(series: JudgedSeries): SeriesEntry {
    const name = trackKey('', series)
    const known = this.#byName.get(name)
    if (known) return known
    const unheard = { value: undefined, arrivalMs: Number.NaN, timeMs: Number.NaN }
    const limits = { toleranceMs: 0, lateAfterMs: lateAfterMsDefault, history: undefined }
    const lookers = this.#asked.has(series.metric) ? at(this.#lookers, name) : noTracks
    const entry: SeriesEntry = {
      name,
      series,
      isMet: false,
      tracks: noTracks,
      quiet: new Quiet(),
      groups: noTracks,
      lookers,
      lag: undefined,
      ...limits,
      ...unheard,
    }
    this.#byName.set(name, entry)
    this.#remember(entry)
    return entry
  }

  /** The tracks of a series, and what is to be remembered for them. */
  #watch(entry: SeriesEntry): void {
    const { series } = entry
    entry.tracks = this.#index
      .matching(series)
      .filter(({ match }) => this.#hasLabels(match, series.device))
      .map(rule => this.track(rule, this.#subjectOf(rule.rule, series)))
    for (const { rule, inForce } of entry.tracks) {
      const others = isManyDevices(rule) ? inForce.others : []
      for (const { device, metric } of others)
        if (device === undefined) this.#entryOf({ ...series, metric, unit: undefined })
    }
    entry.quiet.isStale = true
    entry.groups = entry.tracks.filter(({ group }) => group !== undefined)
    const lateness = entry.tracks.map(({ rule }) => rule.lateAfterMs)
    entry.toleranceMs = Math.max(Math.min(lateAfterMsDefault, ...lateness), lagStepMs)
    entry.lateAfterMs = lateness.length > 0 ? Math.max(...lateness) : lateAfterMsDefault
    for (const track of entry.tracks) if (track.rule.per === 'series') track.entry = entry
    this.#remember(entry)
  }

  #remember(entry: SeriesEntry): void {
    const { device, metric } = entry.series
    const needs = entry.tracks.flatMap(({ rule, inForce: { needs } }) =>
      rule.per === 'series' && needs ? [needs] : [],
    )
    const asked: HistoryNeeds[] = (this.#asked.get(metric) ?? []).flatMap(({ by, other }) =>
      (other.device === undefined ? matchesPattern(by.match.device, device) : other.device === device) ? [other] : [],
    )
    const all = [...needs, ...asked]
    if (entry.tracks.length > 0 || all.length > 0) entry.lag ??= new Lag(this.#savedLag(entry.name))
    this.#histories.drop(entry.history)
    entry.history = all.length > 0 ? this.#histories.keep(joinNeeds(all), { entry }) : undefined
  }

  #savedLag(name: string): SavedLag | undefined {
    return this.#doors.saved(name) as unknown as SavedLag | undefined
  }

  #subjectOf({ per, match }: Rule, series: JudgedSeries): JudgedSeries {
    if (per === 'series') return series
    const { table, origin, device, metric, unit } = series
    const one = { table, metric: match.metric, unit: match.metric === metric ? unit : undefined }
    return per === 'device' ? { ...one, origin, device } : { ...one, origin: this.#doors.origin, device: match.device }
  }

  /** A subject that is written out in its rule is there from the beginning. */
  #openNamed(rule: RuleInForce): void {
    const { per, match } = rule.rule
    const { table, device, metric } = match
    const isNamed = per === 'all' || (!device.includes('*') && (per === 'device' || !metric.includes('*')))
    if (!isNamed || (per !== 'all' && !this.#hasLabels(match, device))) return
    this.track(rule, { table, origin: this.#doors.origin, device, metric, unit: undefined }).isNamed = true
  }

  #hasLabels({ labels: wanted }: RuleInForce['match'], device: string): boolean {
    const names = Object.keys(wanted)
    if (names.length === 0) return true
    const labels = this.#doors.labelsOf(device)
    return names.every(name => Object.hasOwn(labels, name) && matchesPattern(wanted[name] ?? '', labels[name] ?? ''))
  }
}

function isManyDevices({ per, match }: Rule): boolean {
  return per === 'all' && match.device.includes('*')
}

const noTracks: readonly Track[] = []

function at<Item>(lists: Map<string, Item[]>, key: string): Item[] {
  const known = lists.get(key) ?? []
  lists.set(key, known)
  return known
}

/** In the order of rules and keys: who came first must not matter after a restart. */
function insert(tracks: Track[], track: Track): void {
  let [low, high] = [0, tracks.length]
  while (low < high) {
    const middle = (low + high) >> 1
    const other = tracks[middle]
    const isBefore = other && (other.rank < track.rank || (other.rank === track.rank && other.key < track.key))
    if (isBefore) low = middle + 1
    else high = middle
  }
  if (tracks[low] !== track) tracks.splice(low, 0, track)
}

function savedOf({ rule, state, late, heardMs }: Track): Json | undefined {
  const isHeard = !Number.isNaN(heardMs)
  if (state === startState && !late && !isHeard) return undefined
  const saved: SavedTrack = {
    fingerprint: rule.fingerprint,
    state,
    ...(late && { late }),
    ...(isHeard && { heardMs }),
  }
  return saved
}
