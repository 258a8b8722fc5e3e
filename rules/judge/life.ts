/**
 * The lives of all alerts of a table: moves states on, keeps their deadlines and their queue for room, counts them, and
 * gathers what they say.
 */
import type { Deadlines, Due } from './deadlines.ts'
import { Deadlines as Queue } from './deadlines.ts'
import { admit, advance, dueMs, end, type Event, type Moment, type Outcome, startState, step } from './evaluate.ts'
import { lateQuietMs } from './limits.ts'
import { ownTime, type Track, type Waiting } from './track.ts'
import type { Judgement, Verdict } from './verdict.ts'

const nothing: readonly Judgement[] = []

export class Life {
  readonly counts = { firing: 0, pending: 0, refused: 0, latched: 0 }
  /** The reading that is judged just now. */
  seq: number | undefined = undefined
  readonly #deadlines: Deadlines<Due>
  readonly #mayFire: () => boolean
  readonly #changed: (track: Track) => void
  readonly #waiting = new Queue<Waiting>()
  #judged: Judgement[] = []

  constructor(deadlines: Deadlines<Due>, mayFire: () => boolean, changed: (track: Track) => void) {
    this.#deadlines = deadlines
    this.#mayFire = mayFire
    this.#changed = changed
  }

  /** A track that was made just now, with the state that was saved for it. */
  begin(track: Track): void {
    this.#count(track, 1)
    this.#queue(track)
    this.#deadlines.set(track, nextDueMs(track))
  }

  meet(track: Track, event: Event, atMs: number, timeMs: number | undefined): void {
    const moment = this.#moment(track, atMs, timeMs, false)
    if (moment) this.#become(track, step(track.state, event, moment))
  }

  /** History: on its own time, in a lane of its own. */
  meetLate(track: Track, event: Event | undefined, arrivalMs: number, timeMs: number): void {
    const moment = this.#moment(track, timeMs, timeMs, true)
    const before = track.late
    if (!moment || (!event && !before)) return
    const state = before?.state ?? startState
    const outcome = event ? step(state, event, moment) : advance(state, moment)
    const lastMs = Math.max(before?.lastMs ?? timeMs, timeMs)
    track.late = { state: outcome.state, lastMs, closesMs: arrivalMs + lateQuietMs }
    this.#say(track, outcome.verdicts)
    this.#noteChange(track)
  }

  /** Something arrived: a silence is counted anew. */
  hear(track: Track, atMs: number): void {
    const { absentMs } = track.inForce
    track.heardMs = atMs
    track.isSilent = false
    // Saved now and then only: the newest reading in the store says it to the millisecond.
    if (!(Math.abs(atMs - track.savedHeardMs) < absentMs / 4)) {
      track.savedHeardMs = atMs
      this.#changed(track)
    }
    // A deadline that is in the heap already comes too early: it is put right when it is reached.
    if (track.place < 0 || track.silentMs < track.dueMs) this.#deadlines.set(track, nextDueMs(track))
  }

  /** A deadline of a track passes: of its state, of its silence, or of its late readings. */
  pass(track: Track, atMs: number): void {
    if (dueMs(track.state) === atMs) {
      const moment = this.#moment(track, atMs, undefined, false)
      if (moment) this.#become(track, advance(track.state, moment))
    } else if (track.silentMs === atMs) {
      track.isSilent = true
      const value = (track.group?.feed ?? track.entry)?.value ?? null
      const violation = { side: null, value, threshold: null, source: null }
      this.meet(track, { kind: 'violates', violation }, atMs, undefined)
      this.#deadlines.set(track, nextDueMs(track))
    } else if (track.late?.closesMs === atMs) {
      const moment = this.#moment(track, track.late.lastMs, undefined, true)
      if (moment) this.#say(track, end(track.late.state, moment, 'no more late readings came').verdicts)
      track.late = undefined
      this.#noteChange(track)
    } else this.#deadlines.set(track, nextDueMs(track))
  }

  /** The end of a track: nobody judges its subject any longer. */
  end(track: Track, atMs: number, reason: string): void {
    const moment = this.#moment(track, atMs, undefined, false)
    if (moment) this.#become(track, end(track.state, moment, reason))
    if (track.late && moment) this.#say(track, end(track.late.state, { ...moment, late: true }, reason).verdicts)
    track.state = startState
    track.heardMs = Number.NaN
    track.late = undefined
    this.#noteChange(track)
  }

  /** Those that wait for room longest fire first. */
  admit(atMs: number): void {
    while (this.#waiting.first && this.#mayFire()) {
      const { track } = this.#waiting.first
      const moment = this.#moment(track, atMs, undefined, false)
      if (!moment) return
      this.#become(track, admit(track.state, moment))
    }
  }

  /** What was said since the last call. */
  take(): readonly Judgement[] {
    if (this.#judged.length === 0) return nothing
    const judged = this.#judged
    this.#judged = []
    return judged
  }

  /** A new state with what was said on the way; where an alert has ended, another may have been waiting for that. */
  #become(track: Track, { state, verdicts }: Outcome): void {
    const wasFiring = isFiring(track)
    if (state !== track.state) {
      this.#count(track, -1)
      track.state = state
      this.#count(track, 1)
      this.#queue(track)
      this.#noteChange(track)
    }
    if (verdicts.length === 0) return
    this.#say(track, verdicts)
    const last = verdicts.at(-1)
    if (last && wasFiring && !isFiring(track)) this.admit(last.atMs)
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

  #noteChange(track: Track): void {
    this.#changed(track)
    this.#deadlines.set(track, nextDueMs(track))
  }

  #count(track: Track, by: number): void {
    const { counts } = this
    const { state } = track
    if (isFiring(track)) counts.firing += by
    else if (state.kind === 'latched' || state.kind === 'returning') counts.latched += by
    else if (state.kind === 'pending') {
      counts.pending += by
      if (state.refused) counts.refused += by
    }
  }

  #moment({ rule }: Track, atMs: number, timeMs: number | undefined, late: boolean): Moment | undefined {
    return rule.kind === 'alert' ? { rule, atMs, timeMs, late, mayFire: this.#mayFire } : undefined
  }

  #say({ rule, subject, entry }: Track, verdicts: readonly Verdict[]): void {
    if (rule.kind !== 'alert') return
    for (const verdict of verdicts) {
      const { atMs, late } = verdict
      const timeMs = verdict.timeMs ?? (late || !entry ? atMs : ownTime(entry, atMs))
      this.#judged.push({ rule, subject, verdict, timeMs, seq: this.seq })
    }
  }
}

/** A track's next deadline of any kind. */
export function nextDueMs(track: Track): number | undefined {
  let next = dueMs(track.state) ?? Number.POSITIVE_INFINITY
  if (track.silentMs < next) next = track.silentMs
  if (track.late && track.late.closesMs < next) next = track.late.closesMs
  return next === Number.POSITIVE_INFINITY ? undefined : next
}

function isFiring({ state }: Track): boolean {
  return state.kind === 'firing' || state.kind === 'clearing'
}
