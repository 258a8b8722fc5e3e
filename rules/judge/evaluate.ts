/**
 * One rule judging one subject (a series, a device, or all that it matches): a pure state machine. Time comes in as
 * arguments; the same events give the same verdicts whether deadlines are noticed by a timer, by the next reading, or
 * after a restart ([I8]: nothing else is read).
 *
 *        ┌────────────violates, for: 0s─────────┐
 *        │                                      ▼
 *      ( ok ) ──violates──▶ ( pending ) ──due──▶ ( firing ) ──clears──▶ ( clearing )
 *        ▲ ▲                    │                  │    ▲                 │     │
 *        │ └─no longer violates─┘                  │    └────violates─────┘     │
 *        ├───────────clears, keep_firing_for: 0s───┴─────────────due────────────┤
 *        │                                                                      │ latch: true, and nobody has
 *        │                                                                      ▼ acknowledged it yet
 *        └──────────────────────acked──────────────────────────────────── ( latched ) ◀──▶ ( returning ) ──due──▶ firing
 *
 *   into firing: `fired`, or `refired` from latched or returning       into ok, from where an alert stood: `resolved`
 *   into latched, from firing or clearing: `latched`                   acked while it fires: `acknowledged`
 *
 * What can happen (an event); where limit is above (below is its mirror) and clear defaults to the limit:
 *
 *   violates    value > limit; with above and below: outside the band; an expression is true; a silence is too long
 *   good        clear < value <= limit: no violation, and not yet far enough back to end one
 *   clears      value <= clear; for a band: inside it; an expression is not true; something was heard again
 *   unknown     a limit is a row that is missing or holds no number, and has no default; an expression has no answer
 *   unfit       the value is a text or an object: not compared (true counts as 1, false as 0)
 *   due         the deadline of the state passes
 *   acked       somebody has acknowledged the alert
 *
 *              violates            good           clears                unknown  unfit  due                  acked
 *   ok         pending, or fired   stay           stay                  stay     stay   -                    -
 *   pending    stay, newest value  ok             ok                    ok       stay   fired at since + for -
 *   firing     stay                stay           clearing, or its end  stay     stay   -                    acknowledged
 *   clearing   firing, no verdict  newest value   newest value          stay     stay   end at clear + keep  acknowledged
 *   latched    returning, refired  stay           stay                  stay     stay   -                    resolved
 *   returning  stay, newest value  latched        latched               latched  stay   refired              resolved, pending
 *   (end: resolved; or, with `latch: true` and not acknowledged yet, latched)
 *
 * Decisions that are not obvious:
 * - What is unknown ends a hold, for nobody can say any longer that it is violated; but it ends no alert that fires, for
 *   an alarm must never fall silent because a row was deleted. In a band one known limit is enough to violate; both must
 *   be known to clear.
 * - Once cleared, only a new violation ends `clearing`: `good` does not (as in a Schmitt trigger).
 * - A value that changes from above the band to below it goes on violating: one hold, one alert.
 * - A deadline that passes carries the value last seen and no device time. A deadline and a reading in the same
 *   millisecond: the deadline comes first.
 * - Times never run backwards within a subject: an arrival before the last change counts as being at that change, and two
 *   alerts of one subject never begin in the same millisecond (their keys would be one).
 * - Where too many alerts fire already, a hold that is due stays pending (`refused`) and fires, at the time of that
 *   moment, when there is room (`admit`). What was violated no longer by then never fires.
 * - More than `flapping.changes` firings within a time: the last of them is an alert that flaps. It ends only after it was
 *   clear for as long, and counting begins anew.
 * - A late reading belongs to history: there nobody latches, flaps, or waits for room.
 */
import type { Value } from '../../runtime/reading.ts'
import type { AlertRule } from '../rule.ts'
import { flappingChangesMax } from './limits.ts'
import type { Acknowledgement, Verdict, VerdictKind, Violation } from './verdict.ts'

/** JSON all through and bounded. `step` and `advance` return the same object while nothing has changed. */
export type RuleState =
  /** No new hold begins before `floorMs`. `recent` is when alerts fired lately, where flapping is looked for. */
  | { readonly kind: 'ok'; readonly floorMs?: number; readonly recent?: readonly number[] }
  | {
      readonly kind: 'pending'
      readonly violation: Violation
      readonly sinceMs: number
      readonly dueMs: number
      readonly recent?: readonly number[]
      /** It was due, and there was no room. */
      readonly refused?: true
    }
  | { readonly kind: 'firing'; readonly episode: Episode; readonly floorMs: number }
  | {
      readonly kind: 'clearing'
      readonly episode: Episode
      /** The value last seen while good. */
      readonly value: Value | null
      readonly clearMs: number
      readonly dueMs: number
    }
  | { readonly kind: 'latched'; readonly episode: Episode; readonly floorMs: number }
  | {
      readonly kind: 'returning'
      readonly episode: Episode
      readonly violation: Violation
      readonly sinceMs: number
      readonly dueMs: number
    }

/** One alert from its first violation on; (rule, device, metric, firedMs) is its identity. */
export type Episode = {
  readonly violation: Violation
  readonly sinceMs: number
  readonly firedMs: number
  readonly flapping?: true
  readonly acked?: Acknowledgement
  readonly recent?: readonly number[]
}

export type Outcome = { readonly state: RuleState; readonly verdicts: readonly Verdict[] }

/** The state of a subject that a rule has not judged yet. */
export const startState: RuleState = { kind: 'ok' }

export type Event =
  | { readonly kind: 'violates'; readonly violation: Violation }
  | { readonly kind: 'good'; readonly value: Value | null }
  | { readonly kind: 'clears'; readonly value: Value | null }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'unfit' }
  | { readonly kind: 'due' }
  | { readonly kind: 'acked'; readonly by: string }

/** Whose verdict it is, and when: arrival, which holds run on; own time for what came late. */
export type Moment = {
  readonly rule: AlertRule
  readonly atMs: number
  /** Device time, if any: carried into the verdict, never used for a decision. */
  readonly timeMs: number | undefined
  readonly late: boolean
  /** Whether there is room for one more alert. */
  readonly mayFire: () => boolean
}

/** Something happened to a subject. A deadline that has passed before it comes first. */
export function step(state: RuleState, event: Event, moment: Moment): Outcome {
  const passed = advance(state, moment)
  const next = cellOf(passed.state, event)(moment, passed.state, event)
  return passed.verdicts.length === 0 ? next : { state: next.state, verdicts: [...passed.verdicts, ...next.verdicts] }
}

/** The deadline that has passed by the moment, if one has. */
export function advance(state: RuleState, moment: Moment): Outcome {
  const due = dueMs(state)
  if (due === undefined || moment.atMs < due) return stay(state)
  return cellOf(state, passing)({ ...moment, atMs: due, timeMs: undefined }, state, passing)
}

/** There is room again for an alert that was refused: it fires now. */
export function admit(state: RuleState, moment: Moment): Outcome {
  if (state.kind !== 'pending' || !state.refused) return stay(state)
  return fire({ ...moment, atMs: Math.max(moment.atMs, state.dueMs) }, state)
}

/** The end of an alert for another reason than its readings; a hold is forgotten. */
export function end(state: RuleState, moment: Moment, reason: string): Outcome {
  if (!('episode' in state)) return { state: startState, verdicts: [] }
  const { episode } = state
  const atMs = Math.max(moment.atMs, episode.firedMs)
  return { state: startState, verdicts: [verdict('resolved', { ...moment, atMs }, episode, null, reason)] }
}

/** The next moment at which `advance` would say something, for the caller's timer. */
export function dueMs(state: RuleState): number | undefined {
  switch (state.kind) {
    case 'pending':
      return state.refused ? undefined : state.dueMs
    case 'clearing':
    case 'returning':
      return state.dueMs
    default:
      return undefined
  }
}

const passing: Event = { kind: 'due' }

type StateOf<Kind> = Extract<RuleState, { kind: Kind }>
type EventOf<Kind> = Extract<Event, { kind: Kind }>
type Table = {
  readonly [S in RuleState['kind']]: {
    readonly [E in Event['kind']]: (moment: Moment, state: StateOf<S>, event: EventOf<E>) => Outcome
  }
}

/** The table of the header: a cell for every state and event, or this does not compile. */
const table: Table = {
  ok: {
    violates: (moment, state, { violation }) => {
      const hold = begin(moment, violation, state.floorMs ?? 0)
      return holdOrFire(moment, state.recent ? { ...hold, recent: state.recent } : hold)
    },
    good: keep,
    clears: keep,
    unknown: keep,
    unfit: keep,
    due: keep,
    acked: keep,
  },
  pending: {
    violates: (_, state, { violation }) => stay({ ...state, violation }),
    good: endHold,
    clears: endHold,
    unknown: endHold,
    unfit: keep,
    due: fireOrWait,
    acked: keep,
  },
  firing: {
    violates: keep,
    good: keep,
    clears: beginToClear,
    unknown: keep,
    unfit: keep,
    due: keep,
    acked: acknowledge,
  },
  clearing: {
    violates: (moment, { episode, clearMs }) =>
      stay({ kind: 'firing', episode, floorMs: Math.max(moment.atMs, clearMs) }),
    good: (_, state, { value }) => stay({ ...state, value }),
    clears: (_, state, { value }) => stay({ ...state, value }),
    unknown: keep,
    unfit: keep,
    due: (moment, { episode, value }) => close(moment, episode, value),
    acked: acknowledge,
  },
  latched: {
    violates: (moment, { episode, floorMs }, { violation }) => {
      const { sinceMs, dueMs } = begin(moment, violation, floorMs)
      const returning: StateOf<'returning'> = { kind: 'returning', episode, violation, sinceMs, dueMs }
      return dueMs === sinceMs ? refire({ ...moment, atMs: sinceMs }, returning) : stay(returning)
    },
    good: keep,
    clears: keep,
    unknown: keep,
    unfit: keep,
    due: keep,
    acked: (moment, { episode, floorMs }, { by }) => {
      const atMs = Math.max(moment.atMs, floorMs)
      return resolve({ ...moment, atMs }, { ...episode, acked: { by, atMs } }, null)
    },
  },
  returning: {
    violates: (_, state, { violation }) => stay({ ...state, violation }),
    good: backToLatched,
    clears: backToLatched,
    unknown: backToLatched,
    unfit: keep,
    due: refire,
    acked: (moment, { episode, violation, sinceMs, dueMs }, { by }) => {
      const atMs = Math.max(moment.atMs, sinceMs)
      const { verdicts } = resolve({ ...moment, atMs }, { ...episode, acked: { by, atMs } }, null)
      const { recent } = episode
      return { state: { kind: 'pending', violation, sinceMs, dueMs, ...(recent && { recent }) }, verdicts }
    },
  },
}

function cellOf(state: RuleState, event: Event): (moment: Moment, state: RuleState, event: Event) => Outcome {
  // The table's cell for this state and event takes exactly these two; the types of a lookup cannot say so.
  return table[state.kind][event.kind] as (moment: Moment, state: RuleState, event: Event) => Outcome
}

function stay(state: RuleState): Outcome {
  return { state, verdicts: [] }
}

function keep(_: Moment, state: RuleState): Outcome {
  return stay(state)
}

function begin(moment: Moment, violation: Violation, floorMs: number): StateOf<'pending'> {
  const sinceMs = Math.max(moment.atMs, floorMs)
  return { kind: 'pending', violation, sinceMs, dueMs: sinceMs + moment.rule.forMs }
}

function holdOrFire(moment: Moment, state: StateOf<'pending'>): Outcome {
  return state.dueMs === state.sinceMs ? fireOrWait({ ...moment, atMs: state.sinceMs }, state) : stay(state)
}

function endHold(moment: Moment, { sinceMs, recent }: StateOf<'pending'>): Outcome {
  return stay({ kind: 'ok', floorMs: Math.max(moment.atMs, sinceMs), ...(recent && { recent }) })
}

function fireOrWait(moment: Moment, state: StateOf<'pending'>): Outcome {
  if (!moment.late && !moment.mayFire()) return stay({ ...state, refused: true })
  return fire(moment, state)
}

function fire(moment: Moment, { violation, sinceMs, recent = [] }: StateOf<'pending'>): Outcome {
  const firedMs = moment.atMs
  const { flapping } = moment.rule
  let episode: Episode = { violation, sinceMs, firedMs }
  if (flapping && !moment.late) {
    const lately = recent.filter(ms => ms > firedMs - flapping.withinMs)
    const changes = Math.min(flapping.changes, flappingChangesMax)
    episode =
      lately.length >= changes
        ? { ...episode, flapping: true }
        : { ...episode, recent: [...lately, firedMs].slice(-changes) }
  }
  return {
    state: { kind: 'firing', episode, floorMs: firedMs },
    verdicts: [verdict('fired', moment, episode, violation.value)],
  }
}

function refire(moment: Moment, { episode, violation }: StateOf<'returning'>): Outcome {
  return {
    state: { kind: 'firing', episode, floorMs: moment.atMs },
    verdicts: [verdict('refired', moment, episode, violation.value)],
  }
}

function backToLatched(moment: Moment, { episode, sinceMs }: StateOf<'returning'>): Outcome {
  return stay({ kind: 'latched', episode, floorMs: Math.max(moment.atMs, sinceMs) })
}

function beginToClear(moment: Moment, { episode, floorMs }: StateOf<'firing'>, { value }: EventOf<'clears'>): Outcome {
  const clearMs = Math.max(moment.atMs, floorMs)
  const keepMs = keepFiringMs(moment.rule, episode)
  if (keepMs === 0) return close({ ...moment, atMs: clearMs }, episode, value)
  return stay({ kind: 'clearing', episode, value, clearMs, dueMs: clearMs + keepMs })
}

function keepFiringMs({ keepFiringForMs, flapping }: AlertRule, episode: Episode): number {
  return episode.flapping ? Math.max(keepFiringForMs, flapping?.withinMs ?? 0) : keepFiringForMs
}

function close(moment: Moment, episode: Episode, value: Value | null): Outcome {
  if (!moment.rule.latch || moment.late || episode.acked) return resolve(moment, episode, value)
  return {
    state: { kind: 'latched', episode, floorMs: afterFiring(moment, episode) },
    verdicts: [verdict('latched', moment, episode, value)],
  }
}

function resolve(moment: Moment, episode: Episode, value: Value | null): Outcome {
  const { recent } = episode
  return {
    state: { kind: 'ok', floorMs: afterFiring(moment, episode), ...(recent && { recent }) },
    verdicts: [verdict('resolved', moment, episode, value)],
  }
}

/** Not the greater of the two: a clock that was ahead when it fired must not put off the next hold for as long. */
function afterFiring(moment: Moment, episode: Episode): number {
  return moment.atMs === episode.firedMs ? moment.atMs + 1 : moment.atMs
}

function acknowledge(
  moment: Moment,
  state: StateOf<'firing'> | StateOf<'clearing'>,
  { by }: EventOf<'acked'>,
): Outcome {
  if (state.episode.acked) return stay(state)
  const atMs = Math.max(moment.atMs, state.episode.firedMs)
  const episode = { ...state.episode, acked: { by, atMs } }
  return {
    state: { ...state, episode },
    verdicts: [verdict('acknowledged', { ...moment, atMs }, episode, episode.violation.value)],
  }
}

function verdict(
  kind: VerdictKind,
  { rule, atMs, timeMs, late }: Moment,
  { violation, sinceMs, firedMs, flapping, acked }: Episode,
  value: Value | null,
  reason?: string,
): Verdict {
  const { side, threshold, source, value: firedValue, lookedUp = [] } = violation
  const what = { kind, rule: rule.id, atMs, value, timeMs }
  const broken = { firedValue, side, threshold, source, lookedUp }
  return { ...what, sinceMs, firedMs, ...broken, late, flapping: flapping ?? false, acked, reason }
}
