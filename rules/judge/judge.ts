/**
 * The rules of one table at work: readings in the order of their log and moments of time go in, verdicts come out. Pure:
 * the same readings, rows and saved states give the same verdicts, in whatever portions they come and wherever it was
 * stopped and begun again [I8].
 *
 *   const judge = new Judge(rules, doors)    rules of one table; doors: rows, labels, saved states, room for alerts
 *   judge.resume(nowMs, savedKeys, series)   opens what has something to say without a reading; once, before all else
 *   judge.cold(reading or nowMs)             histories that must be filled before it is judged: for each
 *   judge.fill(need, readings)                 those of its readings that stand before this place in the log, in its order;
 *                                            then `cold` is asked again, up to `fillsMax` times
 *   judge.judge(reading)                     in the order of the log; what was due before it comes first
 *   judge.advance(nowMs)                     deadlines, silences and moments up to then, in order of time
 *   judge.nextDueMs()                        when to call advance again
 *   judge.acknowledge(alert, by, atMs)       an alert by the fields of its row
 *   judge.relabel(device, nowMs)             the labels of a device are others
 *   judge.takeRecorded()                     new readings that recording rules made, and
 *   judge.takeUnsaved()                        states: both for the commit with the cursor and with what was said
 *   judge.counts(), judge.late               for the status
 *
 * Times are arrivals at this gateway. Readings whose series come from a peer carry that peer's clock: only readings of our
 * own make time pass. How far it has passed is saved where rules have moments: those are made up for after a restart.
 *
 * A reading that violates nothing costs one look-up of its series and two comparisons for each rule (quiet.ts), and makes
 * no object.
 */
import type { Value } from '../../runtime/reading.ts'
import type { RecordRule, Rule } from '../rule.ts'
import { Answers } from './answers.ts'
import { Deadlines, type Due } from './deadlines.ts'
import { Histories, type Need } from './histories.ts'
import { orderedTracks } from './in-force.ts'
import { Life, nextDueMs } from './life.ts'
import type { JudgeCounts, Judgement } from './verdict.ts'
import { clockBackMs } from './limits.ts'
import { meaningOf } from './meaning.ts'
import { Schedule, schedulesOf } from './moments.ts'
import { comparable, type Lookup } from './threshold.ts'
import { type JudgedReading, type JudgedSeries, timeOf } from './reading.ts'
import { type SeriesEntry, Track, trackKey } from './track.ts'
import { type TrackDoors, Tracks, type Unsaved } from './tracks.ts'

export type JudgeDoors = TrackDoors & {
  readonly lookup: Lookup
  /** Another number whenever rows that `lookup` answers may be others; without it they are asked with each reading. */
  readonly rowsVersion?: () => number
  /** Whether one more alert may fire; asked each time anew. */
  readonly mayFire: () => boolean
}

/** An alert as its row names it. */
export type AlertName = Omit<JudgedSeries, 'unit' | 'table'> & { readonly rule: string; readonly firedMs: number }

/** A reading that a rule has made. */
export type Recorded = {
  readonly rule: RecordRule
  readonly table: string
  readonly device: string
  readonly metric: string
  readonly value: Value
  /** The subject's own time: of the reading it was made of, or the moment. */
  readonly timeMs: number
  readonly atMs: number
}

export class Judge {
  readonly #doors: JudgeDoors
  readonly #table: string
  readonly #tracks: Tracks
  readonly #histories: Histories
  readonly #answers: Answers
  readonly #life: Life
  readonly #deadlines = new Deadlines<Due>()
  readonly #schedules: readonly Schedule[]
  #recorded: Recorded[] = []
  /** Moments are judged up to here. */
  #passedMs = Number.NaN
  #savedPassedMs = Number.NaN
  /** Readings that were late for a rule of theirs. */
  late = 0
  /** Rules asked about a reading. */
  evaluations = 0

  constructor(rules: readonly Rule[], doors: JudgeDoors) {
    this.#doors = doors
    this.#table = rules[0]?.match.table ?? ''
    this.#histories = new Histories({
      judges: (rule, series) => this.#tracks.judges(rule, series),
      lateBy: reading => this.#tracks.lagOf(reading.series).excessMs(reading),
    })
    this.#tracks = new Tracks(rules, doors, this.#histories, track => this.#life.begin(track))
    this.#life = new Life(this.#deadlines, doors.mayFire, track => this.#tracks.changed(track))
    this.#answers = new Answers(doors, this.#tracks)
    this.#schedules = schedulesOf(this.#tracks.rules)
  }

  /** Opens what a moment or a deadline may concern though no reading comes; time goes on from where it was saved. */
  resume(nowMs: number, savedKeys: Iterable<string>, known: Iterable<JudgedSeries>): void {
    this.#tracks.resume(savedKeys, known)
    for (const { tracks, absentMs } of this.#tracks.rules) {
      if (!Number.isNaN(absentMs))
        for (const track of tracks) if (Number.isNaN(track.heardMs)) this.#life.hear(track, nowMs)
    }
    const saved = this.#doors.saved(this.#timeKey) as { readonly passedMs: number } | undefined
    this.#passFrom(saved?.passedMs ?? nowMs)
    this.#savedPassedMs = saved?.passedMs ?? Number.NaN
  }

  /** What must be filled before this reading, or before this moment, is judged. */
  cold(next: JudgedReading | number): readonly Need[] {
    const reading = typeof next === 'number' ? undefined : next
    const atMs = reading?.arrivalMs ?? (next as number)
    const entry = reading && this.#tracks.of(reading.series)
    return this.#histories.cold(Math.min(atMs, this.#deadlines.first?.dueMs ?? atMs), reading, entry)
  }

  /** In the order of their log, each once; they may be many, and are asked for once. */
  fill(need: Need, readings: Iterable<JudgedReading>): void {
    const heardMs = this.#histories.fill(need, readings)
    const { entry, track } = need.kept
    for (const each of track ? [track] : (entry?.tracks ?? [])) {
      if (heardMs > each.heardMs) this.#life.hear(each, heardMs)
    }
  }

  /** Judges one reading by every rule that its series matches. */
  judge(reading: JudgedReading): readonly Judgement[] {
    const { series, arrivalMs } = reading
    const entry = this.#tracks.of(series)
    this.#life.seq = reading.seq
    if (series.origin === this.#doors.origin) this.#pass(arrivalMs)
    const { lag } = entry
    if (lag === undefined) return this.#life.take()
    const lateMs = lag.meet(reading, entry.toleranceMs)
    if (lag.isDirty) this.#tracks.lagChanged(entry)
    this.#histories.take(entry, reading, lateMs)
    this.evaluations += entry.tracks.length
    let isLate = false
    const { tracks, quiet } = entry
    const { rowsVersion, lookup } = this.#doors
    const number = lateMs === 0 ? comparable(reading.value) : Number.NaN
    // Where nobody can tell whether rows have changed, they are asked each time.
    if (tracks.length > 0) quiet.refresh(tracks, lookup, rowsVersion?.() ?? Number.NaN)
    for (let place = 0; place < tracks.length; place++) {
      if (quiet.covers(place, number)) continue
      const track = tracks[place] as Track
      if (lateMs > track.inForce.rule.lateAfterMs) {
        isLate = true
        this.#judgeLate(track, reading)
      } else this.#judgeReading(track, reading)
    }
    if (isLate) this.late++
    if (entry.lookers.length > 0 && lateMs <= entry.lateAfterMs) this.#tellLookers(entry, arrivalMs)
    return this.#life.take()
  }

  /**
   * What is due by then. With `askedMax` it may stop at a moment before, once rules were asked so often: then something is
   * still due, and it is to be called again, with the same time, before anything else.
   */
  advance(nowMs: number, askedMax = Number.POSITIVE_INFINITY): readonly Judgement[] {
    this.#life.seq = undefined
    if (!this.#pass(nowMs, askedMax)) return this.#life.take()
    // Of a reading that says so nothing follows: what rules record is stored under its moment, after readings that came later.
    if (this.#schedules.length > 0 && nowMs < this.#passedMs - clockBackMs) this.#passFrom(nowMs)
    this.#life.admit(nowMs)
    return this.#life.take()
  }

  /** The next moment at which `advance` has something to do. */
  nextDueMs(): number | undefined {
    for (;;) {
      const { first } = this.#deadlines
      if (!(first instanceof Track)) return first?.dueMs
      const due = nextDueMs(first)
      if (due === first.dueMs) return due
      this.#deadlines.set(first, due)
    }
  }

  /** Somebody has taken note of an alert. Nothing comes of it where that alert is over, or was late. */
  acknowledge(alert: AlertName, by: string, atMs: number): readonly Judgement[] {
    const track = this.#tracks.atKey(trackKey(alert.rule, { ...alert, table: this.#table }))
    if (!track || !('episode' in track.state) || track.state.episode.firedMs !== alert.firedMs) return []
    this.#life.seq = undefined
    this.#life.meet(track, { kind: 'acked', by }, atMs, undefined)
    return this.#life.take()
  }

  /** The labels of a device are others now: a rule that judges it no longer ends its alert. */
  relabel(device: string, nowMs: number): readonly Judgement[] {
    this.#life.seq = undefined
    for (const track of this.#tracks.relabel(device)) {
      this.#life.end(track, nowMs, 'the labels of the device have changed')
    }
    return this.#life.take()
  }

  takeRecorded(): readonly Recorded[] {
    const recorded = this.#recorded
    if (recorded.length > 0) this.#recorded = []
    return recorded
  }

  takeUnsaved(): Unsaved[] {
    const unsaved = this.#tracks.takeUnsaved()
    // Time that nobody waits for is forgotten: a rule that comes later must not make up for it.
    const passedMs = this.#schedules.length > 0 ? this.#passedMs : Number.NaN
    if (!Object.is(passedMs, this.#savedPassedMs)) {
      this.#savedPassedMs = passedMs
      unsaved.push({ key: this.#timeKey, value: Number.isNaN(passedMs) ? undefined : { passedMs } })
    }
    return unsaved
  }

  counts(): JudgeCounts {
    return { ...this.#life.counts }
  }

  get #timeKey(): string {
    return trackKey('', { table: this.#table, origin: this.#doors.origin, device: '', metric: '' })
  }

  #judgeReading(track: Track, reading: JudgedReading): void {
    const { arrivalMs, series } = reading
    track.about = series
    if (track.inForce.byReadings) this.#judgeNow(track, arrivalMs, timeOf(reading), reading.value)
    if (!Number.isNaN(track.inForce.absentMs)) this.#life.hear(track, arrivalMs)
  }

  /** Judges a track by what is known of its subject now. */
  #judgeNow(track: Track, atMs: number, timeMs: number | undefined, value: Value | undefined): void {
    const { rule } = track.inForce
    this.#answers.about(track, atMs, timeMs)
    if (rule.kind === 'record') {
      const own = timeMs ?? atMs
      this.#record(track, rule, rule.expression.evaluate(this.#answers), own, atMs)
      return
    }
    const event = meaningOf(rule, track.limitKeys, track.state, value, this.#answers, this.#doors.lookup)
    if (event) this.#life.meet(track, event, atMs, timeMs)
  }

  #judgeLate(track: Track, reading: JudgedReading): void {
    const { inForce } = track
    const { rule } = inForce
    const timeMs = timeOf(reading)
    if (!Number.isNaN(inForce.absentMs)) {
      this.#life.meet(track, { kind: 'clears', value: reading.value }, reading.arrivalMs, timeMs)
      this.#life.hear(track, reading.arrivalMs)
      return
    }
    if (!inForce.byReadings) return
    this.#answers.aboutLate(reading)
    if (rule.kind === 'record') {
      this.#record(track, rule, rule.expression.evaluate(this.#answers), timeMs, reading.arrivalMs)
      return
    }
    const state = track.late?.state ?? { kind: 'ok' }
    const event = meaningOf(rule, track.limitKeys, state, reading.value, this.#answers, this.#doors.lookup)
    this.#life.meetLate(track, event, reading.arrivalMs, timeMs)
  }

  #record({ subject }: Track, rule: RecordRule, value: Value | undefined, timeMs: number, atMs: number): void {
    if (value === undefined) return
    const { table, metric } = rule
    this.#recorded.push({ rule, table, device: subject.device, metric, value, timeMs, atMs })
  }

  /** Those whose expressions name this series are judged again, as if they had a reading. */
  #tellLookers(entry: SeriesEntry, atMs: number): void {
    for (const track of entry.lookers) {
      const { inForce } = track
      if (inForce.rule.kind === 'alert' && inForce.byReadings && !entry.tracks.includes(track))
        this.#judgeUnasked(track, atMs)
    }
  }

  /** Without a reading of its own. A subject that has never sent any is judged only where its rule writes its name out. */
  #judgeUnasked(track: Track, atMs: number): void {
    const value = (track.group?.feed ?? track.entry)?.value
    if (value === undefined && !track.isNamed) return
    this.#judgeNow(track, atMs, undefined, value)
  }

  /** Time passes: deadlines and moments in their order. False if it stopped before the end. */
  #pass(nowMs: number, askedMax = Number.POSITIVE_INFINITY): boolean {
    let asked = 0
    let momentMs = Number.NaN
    for (;;) {
      const { first } = this.#deadlines
      if (first === undefined || first.dueMs > nowMs) break
      if (first instanceof Schedule) {
        // All that is judged at one moment is judged together: time is saved as passed up to a moment, and with it.
        if (asked >= askedMax && first.dueMs > momentMs) {
          this.#passedMs = momentMs
          return false
        }
        momentMs = first.dueMs
        asked += this.#judgeMoment(first, nowMs)
      } else if (first instanceof Track) {
        const due = nextDueMs(first)
        if (due === first.dueMs) this.#life.pass(first, due)
        else this.#deadlines.set(first, due)
      }
    }
    if (this.#schedules.length > 0 && nowMs > this.#passedMs) this.#passedMs = nowMs
    return true
  }

  /** How many were asked; none where the moment is passed over. */
  #judgeMoment(schedule: Schedule, nowMs: number): number {
    const next = schedule.next(schedule.dueMs)
    if (next !== undefined && next <= nowMs) {
      const first = schedule.firstWorthwhile(nowMs)
      if (first !== schedule.dueMs) {
        this.#deadlines.set(schedule, first)
        return 0
      }
    }
    const atMs = schedule.dueMs
    this.#deadlines.set(schedule, next)
    let asked = 0
    for (const rule of schedule.rules) {
      for (const track of orderedTracks(rule)) this.#judgeUnasked(track, atMs)
      asked += rule.tracks.size
    }
    return asked
  }

  /** Moments follow from here on. */
  #passFrom(atMs: number): void {
    this.#passedMs = atMs
    for (const schedule of this.#schedules) this.#deadlines.set(schedule, schedule.next(atMs))
  }
}
