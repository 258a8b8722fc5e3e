/**
 * The rules of one table at work: readings in the order of their log and moments of time go in, verdicts come out. Pure:
 * the same readings, rows and saved states give the same verdicts, in whatever portions they come and wherever it was
 * stopped and begun again [I8].
 *
 *   const judge = new Judge(rules, doors)      rules of one table; doors: rows, labels, saved states, room for alerts
 *   judge.resume(nowMs, savedKeys, series)     opens what a deadline may concern without a reading
 *   judge.cold()                               histories that have to be filled first: `fill(need, readings)` for each
 *   judge.judge(reading)                       in the order of the log; what was due before it comes first
 *   judge.advance(nowMs)                       deadlines, silences and moments up to then, in order of time
 *   judge.nextDueMs()                          when to call advance again
 *   judge.acknowledge(alert, by, atMs)         an alert by the fields of its row
 *   judge.relabel(device, nowMs)               the labels of a device are others
 *   judge.takeUnsaved()                        what to save in the commit with the cursor and with what came of it
 *
 * Times are arrivals at this gateway. Readings whose series come from a peer carry that peer's clock: only readings of our
 * own make our deadlines pass.
 *
 * A reading that violates nothing costs one look-up of its series and a comparison for each rule, and makes no object.
 */
import type { Value } from '../../runtime/reading.ts'
import type { Rule } from '../rule.ts'
import { Deadlines } from './deadlines.ts'
import { admit, advance, dueMs, end, type Event, type Moment, type Outcome, startState, step } from './evaluate.ts'
import { lateQuietMs } from './limits.ts'
import { comparable, isViolated, limitKeys, limitsEvent, type Lookup, unfit, unknown } from './threshold.ts'
import {
  asSavedTrack,
  type JudgedReading,
  type JudgedSeries,
  partsOfKey,
  type SeriesEntry,
  timeOf,
  type Track,
  trackKey,
  type Waiting,
} from './track.ts'
import { type TrackDoors, Tracks, type Unsaved } from './tracks.ts'
import type { Verdict } from './verdict.ts'

export type JudgeDoors = TrackDoors & {
  readonly lookup: Lookup
  /** Whether one more alert may fire; asked each time anew. */
  readonly mayFire: () => boolean
}

/** A verdict, whose it is, and the subject's own time of it. */
export type Judgement = {
  readonly rule: Extract<Rule, { kind: 'alert' }>
  readonly subject: JudgedSeries
  readonly verdict: Verdict
  readonly timeMs: number
  /** The reading that led to it: what the log holds after it is not part of the story. Undefined for a timer. */
  readonly seq: number | undefined
}

export type JudgeCounts = {
  readonly firing: number
  readonly pending: number
  /** Of the pending, those that would fire if there were room. */
  readonly refused: number
  readonly latched: number
}

/** An alert as its row names it. */
export type AlertName = Omit<JudgedSeries, 'unit' | 'table'> & { readonly rule: string; readonly firedMs: number }

const none: readonly Judgement[] = []

export class Judge {
  readonly #doors: JudgeDoors
  readonly #table: string
  readonly #tracks: Tracks
  readonly #deadlines = new Deadlines<Track>()
  readonly #waiting = new Deadlines<Waiting>()
  readonly #counts = { firing: 0, pending: 0, refused: 0, latched: 0 }
  #judged: Judgement[] = []
  #seq: number | undefined
  /** Readings that were late for a rule of theirs. */
  late = 0
  /** Rules asked about a reading. */
  evaluations = 0

  constructor(rules: readonly Rule[], doors: JudgeDoors) {
    this.#doors = doors
    this.#table = rules[0]?.match.table ?? ''
    this.#tracks = new Tracks(rules, doors, track => this.#opened(track))
  }

  /** Opens the tracks whose saved state is not at rest, and those whose silence counts: a deadline needs no reading. */
  resume(nowMs: number, savedKeys: Iterable<string>, known: Iterable<JudgedSeries>): void {
    const byName = new Map<string, JudgedSeries>()
    for (const series of known) byName.set(trackKey('', series), series)
    const rules = new Map(this.#tracks.rules.map(inForce => [inForce.rule.id, inForce]))
    for (const key of savedKeys) {
      const inForce = rules.get(partsOfKey(key).rule)
      const saved = inForce && asSavedTrack(this.#doors.saved(key))
      if (!inForce || saved?.fingerprint !== inForce.rule.fingerprint) continue
      const parts = partsOfKey(key)
      if (parts.table !== this.#table || (saved.state.kind === 'ok' && !saved.late)) continue
      this.#tracks.track(inForce, byName.get(key.slice(key.indexOf('\0'))) ?? { ...parts, unit: undefined })
    }
    const silent = this.#tracks.rules.filter(({ rule }) => rule.kind === 'alert' && rule.condition.kind === 'absent')
    for (const inForce of silent) {
      for (const series of byName.values()) if (this.#tracks.judges(inForce, series)) this.#tracks.of(series)
      const { match, per } = inForce.rule
      const isNamed = !match.device.includes('*') && !match.metric.includes('*')
      if (per === 'all' || isNamed || (per === 'device' && !match.device.includes('*'))) {
        this.#tracks.track(inForce, { ...match, origin: this.#doors.origin, unit: undefined })
      }
      for (const track of inForce.tracks) if (Number.isNaN(track.heardMs)) this.#hear(track, nowMs)
    }
  }

  /** Judges one reading by every rule that its series matches. */
  judge(reading: JudgedReading): readonly Judgement[] {
    const { series, arrivalMs, deviceTimeMs } = reading
    const entry = this.#tracks.of(series)
    this.#seq = reading.seq
    const first = this.#deadlines.first
    if (first !== undefined && first.dueMs <= arrivalMs && series.origin === this.#doors.origin)
      this.#advanceTo(arrivalMs)
    const { lag } = entry
    if (lag === undefined) return this.#take()
    const lateMs = lag.meet(arrivalMs, deviceTimeMs, entry.toleranceMs)
    if (lag.isDirty) this.#tracks.lagChanged(entry)
    if (lateMs === 0) {
      entry.value = reading.value
      entry.arrivalMs = arrivalMs
      entry.timeMs = deviceTimeMs ?? arrivalMs
    }
    let isLate = false
    this.evaluations += entry.tracks.length
    for (const track of entry.tracks) {
      if (lateMs > track.rule.lateAfterMs) {
        isLate = true
        this.#judgeLate(track, reading)
      } else if (!this.#isQuiet(track, reading)) this.#judgeTrack(track, reading, entry)
      else track.newest = entry
    }
    if (isLate) this.late++
    return this.#take()
  }

  /** What is due by then. */
  advance(nowMs: number): readonly Judgement[] {
    this.#seq = undefined
    this.#advanceTo(nowMs)
    if (this.#waiting.first) this.#admit(nowMs)
    return this.#take()
  }

  /** The next moment at which `advance` has something to do. */
  nextDueMs(): number | undefined {
    for (;;) {
      const first = this.#deadlines.first
      if (first === undefined) return undefined
      const due = this.#dueOf(first)
      if (due === first.dueMs) return due
      this.#deadlines.set(first, due)
    }
  }

  /** Somebody has taken note of an alert. Nothing comes of it where that alert is over, or was late. */
  acknowledge(alert: AlertName, by: string, atMs: number): readonly Judgement[] {
    const track = this.#tracks.atKey(trackKey(alert.rule, { ...alert, table: this.#table }))
    const { rule, state } = track ?? {}
    if (!track || rule?.kind !== 'alert' || !state || !('episode' in state)) return none
    if (state.episode.firedMs !== alert.firedMs) return none
    this.#seq = undefined
    this.#meet(track, { kind: 'acked', by }, atMs, undefined)
    return this.#take()
  }

  /** The labels of a device are others now: a rule that judges it no longer ends its alert. */
  relabel(device: string, nowMs: number): readonly Judgement[] {
    this.#seq = undefined
    for (const track of this.#tracks.relabel(device)) {
      const moment = this.#moment(track, nowMs, undefined, false)
      if (moment) this.#become(track, end(track.state, moment, 'the labels of the device have changed'), undefined)
      track.heardMs = Number.NaN
      track.late = undefined
      this.#tracks.changed(track)
      this.#deadlines.set(track, undefined)
    }
    return this.#take()
  }

  takeUnsaved(): Unsaved[] {
    return this.#tracks.takeUnsaved()
  }

  counts(): JudgeCounts {
    return { ...this.#counts }
  }

  /** Whether a reading changes nothing for a track: at rest, within its limits, and no silence to be ended. */
  #isQuiet(track: Track, { value }: JudgedReading): boolean {
    const { rule } = track
    if (track.state.kind !== 'ok' || rule.kind !== 'alert') return false
    const { condition } = rule
    if (condition.kind !== 'limits' || condition.of || rule.per !== 'series') return false
    const number = typeof value === 'number' ? value : comparable(value)
    return !isViolated(condition, track.limitKeys, number, this.#doors.lookup)
  }

  #judgeTrack(track: Track, reading: JudgedReading, entry: SeriesEntry): void {
    track.newest = entry
    const event = this.#eventOf(track, reading.value, reading.series)
    if (event) this.#meet(track, event, reading.arrivalMs, timeOf(reading))
    this.#hear(track, reading.arrivalMs)
  }

  /** What a value means to a rule. */
  #eventOf({ rule, limitKeys: keys }: Track, value: Value, series: JudgedSeries): Event | undefined {
    if (rule.kind !== 'alert') return undefined
    const { condition } = rule
    switch (condition.kind) {
      case 'limits':
        if (condition.of) return unknown
        return limitsEvent(condition, keys ?? limitKeys(condition, series), value, this.#doors.lookup)
      case 'expression':
        return unfit
      case 'absent':
        return { kind: 'clears', value }
    }
  }

  /** History: judged on its own time, in a lane of its own. Whatever it says, something was heard. */
  #judgeLate(track: Track, reading: JudgedReading): void {
    if (track.rule.kind === 'alert' && track.rule.condition.kind === 'absent') {
      this.#meet(track, { kind: 'clears', value: reading.value }, reading.arrivalMs, timeOf(reading))
      this.#hear(track, reading.arrivalMs)
      return
    }
    const atMs = timeOf(reading)
    const moment = this.#moment(track, atMs, atMs, true)
    const event = this.#eventOf(track, reading.value, reading.series)
    if (!moment || !event) return
    const before = track.late
    const { state, verdicts } = step(before?.state ?? startState, event, moment)
    const lastMs = Math.max(before?.lastMs ?? atMs, atMs)
    track.late = { state, lastMs, closesMs: reading.arrivalMs + lateQuietMs }
    this.#say(track, verdicts, verdict => verdict.atMs)
    this.#changed(track)
  }

  #closeLate(track: Track): void {
    const { late } = track
    const moment = late && this.#moment(track, late.lastMs, undefined, true)
    if (moment) this.#say(track, end(late.state, moment, 'no more late readings came').verdicts, ({ atMs }) => atMs)
    track.late = undefined
    this.#changed(track)
  }

  #advanceTo(nowMs: number): void {
    for (;;) {
      const track = this.#deadlines.first
      if (track === undefined || track.dueMs > nowMs) return
      const due = this.#dueOf(track)
      if (due !== track.dueMs) this.#deadlines.set(track, due)
      else this.#pass(track, due)
    }
  }

  /** A deadline of a track: of its state, of its silence, or of its late readings. */
  #pass(track: Track, atMs: number): void {
    if (dueMs(track.state) === atMs) {
      const moment = this.#moment(track, atMs, undefined, false)
      if (moment) this.#become(track, advance(track.state, moment), undefined)
    } else if (track.silentMs === atMs) {
      track.isSilent = true
      const value = track.newest?.value ?? null
      const violation = { side: null, value, threshold: null, source: null }
      this.#meet(track, { kind: 'violates', violation }, atMs, undefined)
      this.#changed(track)
    } else this.#closeLate(track)
  }

  #dueOf(track: Track): number | undefined {
    return track.nextMs(dueMs(track.state))
  }

  #hear(track: Track, atMs: number): void {
    const { rule } = track
    if (rule.kind !== 'alert' || rule.condition.kind !== 'absent') return
    track.heardMs = Math.max(atMs, 0)
    track.isSilent = false
    const isFarFromSaved = !(Math.abs(track.heardMs - track.savedHeardMs) < rule.condition.afterMs / 4)
    if (isFarFromSaved) {
      track.savedHeardMs = track.heardMs
      this.#tracks.changed(track)
    }
    // A deadline that is in the heap already comes too early: it is put right when it is reached.
    if (track.place < 0 || track.silentMs < track.dueMs) this.#deadlines.set(track, this.#dueOf(track))
  }

  #meet(track: Track, event: Event, atMs: number, timeMs: number | undefined): void {
    const moment = this.#moment(track, atMs, timeMs, false)
    if (moment) this.#become(track, step(track.state, event, moment), timeMs)
  }

  /** A new state with what was said on the way; where an alert has ended, another may have been waiting for that. */
  #become(track: Track, { state, verdicts }: Outcome, timeMs: number | undefined): void {
    const isRoom = this.#move(track, state)
    if (verdicts.length === 0) return
    this.#say(track, verdicts, verdict => verdict.timeMs ?? timeMs ?? ownTime(track, verdict.atMs))
    const last = verdicts.at(-1)
    if (isRoom && last && this.#waiting.first) this.#admit(last.atMs)
  }

  /** Those that wait for room longest fire first. */
  #admit(atMs: number): void {
    while (this.#doors.mayFire()) {
      const waiting = this.#waiting.first
      const moment = waiting && this.#moment(waiting.track, atMs, undefined, false)
      if (!moment) return
      this.#become(waiting.track, admit(waiting.track.state, moment), undefined)
    }
  }

  /** True if an alert fires no longer. */
  #move(track: Track, state: Track['state']): boolean {
    const before = track.state
    if (state === before) return false
    track.state = state
    this.#count(before, -1)
    this.#count(state, 1)
    this.#queue(track)
    this.#changed(track)
    return isFiring(before) && !isFiring(state)
  }

  #opened(track: Track): void {
    this.#count(track.state, 1)
    this.#queue(track)
    this.#deadlines.set(track, this.#dueOf(track))
  }

  #queue(track: Track): void {
    const { state } = track
    if (state.kind === 'pending' && state.refused) {
      if (track.waiting) return
      track.waiting = { track, rank: track.rank, key: track.key, dueMs: 0, place: -1 }
      this.#waiting.set(track.waiting, state.dueMs)
    } else if (track.waiting) {
      this.#waiting.set(track.waiting, undefined)
      track.waiting = undefined
    }
  }

  #changed(track: Track): void {
    this.#tracks.changed(track)
    this.#deadlines.set(track, this.#dueOf(track))
  }

  #count(state: Track['state'], by: number): void {
    const counts = this.#counts
    if (isFiring(state)) counts.firing += by
    else if (state.kind === 'latched' || state.kind === 'returning') counts.latched += by
    else if (state.kind === 'pending') {
      counts.pending += by
      if (state.refused) counts.refused += by
    }
  }

  #moment({ rule }: Track, atMs: number, timeMs: number | undefined, late: boolean): Moment | undefined {
    return rule.kind === 'alert' ? { rule, atMs, timeMs, late, mayFire: this.#doors.mayFire } : undefined
  }

  #say({ rule, subject }: Track, verdicts: readonly Verdict[], timeOfVerdict: (verdict: Verdict) => number): void {
    if (rule.kind !== 'alert') return
    for (const verdict of verdicts)
      this.#judged.push({ rule, subject, verdict, timeMs: timeOfVerdict(verdict), seq: this.#seq })
  }

  #take(): readonly Judgement[] {
    if (this.#judged.length === 0) return none
    const judged = this.#judged
    this.#judged = []
    return judged
  }
}

function isFiring({ kind }: Track['state']): boolean {
  return kind === 'firing' || kind === 'clearing'
}

/** What the subject's own clock said at an arrival time, going by its newest reading. */
function ownTime({ newest }: Track, atMs: number): number {
  if (!newest) return atMs
  if (!Number.isNaN(newest.arrivalMs)) return newest.timeMs + (atMs - newest.arrivalMs)
  return atMs - Math.max(0, newest.lag?.leastMs ?? 0)
}
