/**
 * One rule judging one series: a pure state machine. Time comes in as arguments; the same observations give the same
 * verdicts whether deadlines are noticed by a timer, by the next reading, or after a restart ([I8]: nothing else is read).
 *
 *        ┌────────────violates, for: 0s─────────┐
 *        │                                      ▼
 *      ( ok ) ──violates──▶ ( pending ) ──due──▶ ( firing ) ──clears──▶ ( clearing )
 *        ▲ ▲                    │                  │    ▲                 │     │
 *        │ └─no longer violates─┘                  │    └────violates─────┘     │
 *        └───────────clears, keep_firing_for: 0s───┴─────────────due────────────┘
 *
 *   into firing: verdict `fired`            from firing or clearing into ok: verdict `resolved`
 *
 * What a reading can be (an event), where limit is above (below is its mirror) and clear defaults to the limit:
 *
 *   violates    value > limit; with above and below: outside the band
 *   good        clear < value <= limit: no violation, and not yet far enough back to end one
 *   clears      value <= clear; for a band: inside it
 *   unlimited   a limit is a row that is missing or holds no number, and has no default
 *   unfit       the value is a text or an object: not compared (true counts as 1, false as 0)
 *
 *             violates              good                clears                 unlimited  unfit  deadline passes
 *   ok        pending, or fired     stay                stay                   stay       stay   -
 *   pending   stay, newest value    ok                  ok                     ok         stay   fired at since + for
 *   firing    stay                  stay                clearing, or resolved  stay       stay   -
 *   clearing  firing, no verdict    stay, newest value  stay, newest value     stay       stay   resolved at clear + keep
 *
 * Decisions that are not obvious:
 * - A limit that is gone (unlimited) ends a hold, for nobody can say any longer that it is violated; but it ends no alert
 *   that fires, for an alarm must never fall silent because a row was deleted. In a band one known limit is enough to
 *   violate; both must be known to clear.
 * - A clear limit out of a row that is missing, or on the wrong side of the limit, counts as the limit itself.
 * - Once cleared, only a new violation ends `clearing`: `good` does not (as in a Schmitt trigger).
 * - A value that changes from above the band to below it goes on violating: one hold, one alert.
 * - A deadline that passes carries the value last seen and no device time. A deadline and a reading in the same
 *   millisecond: the deadline comes first.
 * - Times never run backwards within a series: an arrival before the last change counts as being at that change, and two
 *   alerts of one series never begin in the same millisecond (their keys would be one).
 */
import type { Json, Value } from '../../runtime/reading.ts'
import { fillPlaceholders } from '../match.ts'
import type { AlertRule, Limit } from '../rule.ts'

/** A row of a records table as it is now; the caller decides where it comes from. */
export type Lookup = (table: string, key: string) => { readonly value: Json; readonly stamp: number } | undefined

export type Observation = {
  readonly device: string
  readonly metric: string
  readonly value: Value
  /** Arrival: the time that holds run on. */
  readonly atMs: number
  /** Device time, if any: carried into the verdict, never used for a decision. */
  readonly timeMs: number | undefined
}

export type Side = 'above' | 'below'
export type LimitSource =
  | 'literal'
  | 'default'
  | { readonly table: string; readonly key: string; readonly stamp: number }

/** A violation as it was seen: the value, and the limit that it broke. */
export type Violation = {
  readonly side: Side
  readonly value: number
  readonly threshold: number
  readonly source: LimitSource
}

/** JSON all through, a few hundred bytes. `step` and `advance` return the same object while nothing has changed. */
export type RuleState =
  /** No new hold begins before `floorMs`. */
  | { readonly kind: 'ok'; readonly floorMs?: number }
  | { readonly kind: 'pending'; readonly violation: Violation; readonly sinceMs: number; readonly dueMs: number }
  | { readonly kind: 'firing'; readonly episode: Episode; readonly floorMs: number }
  | {
      readonly kind: 'clearing'
      readonly episode: Episode
      /** The value last seen while good. */
      readonly value: number
      readonly clearMs: number
      readonly dueMs: number
    }

/** One alert from its first violation on; (rule, device, metric, firedMs) is its identity. */
export type Episode = { readonly violation: Violation; readonly sinceMs: number; readonly firedMs: number }

/** What an alert row needs. Side, threshold and source are those that fired, in the resolved verdict too. */
export type Verdict = {
  readonly kind: 'fired' | 'resolved'
  readonly rule: string
  /** When it fired or resolved: for holds exactly the deadline. */
  readonly atMs: number
  /** The value that fired it, or the good value that resolved it. */
  readonly value: number
  /** Device time of the reading that decided; undefined where a deadline did. */
  readonly timeMs: number | undefined
  /** Since when it was violated. */
  readonly sinceMs: number
  readonly firedMs: number
  readonly firedValue: number
  readonly side: Side
  readonly threshold: number
  readonly source: LimitSource
}

export type Outcome = { readonly state: RuleState; readonly verdicts: readonly Verdict[] }

/** The state of a series that a rule has not judged yet. */
export const startState: RuleState = { kind: 'ok' }

/** One reading of one series. Deadlines that have passed before it come first. */
export function step(rule: AlertRule, state: RuleState, observation: Observation, lookup: Lookup): Outcome {
  const passed = advance(rule, state, observation.atMs)
  const event = judge(rule, observation, lookup)
  const moment = { rule, atMs: observation.atMs, timeMs: observation.timeMs }
  // The table's cell for this state and event takes exactly these two; the types of a lookup cannot say so.
  const cell = table[passed.state.kind][event.kind] as (moment: Moment, state: RuleState, event: Event) => Outcome
  const { state: next, verdicts } = cell(moment, passed.state, event)
  return { state: next, verdicts: passed.verdicts.length === 0 ? verdicts : [...passed.verdicts, ...verdicts] }
}

/** The deadline that has passed by `nowMs`, if one has. */
export function advance(rule: AlertRule, state: RuleState, nowMs: number): Outcome {
  const due = dueMs(state)
  if (due === undefined || nowMs < due) return stay(state)
  const deadline: Moment = { rule, atMs: due, timeMs: undefined }
  if (state.kind === 'pending') return fire(deadline, state.violation, state.sinceMs)
  if (state.kind === 'clearing') return resolve(deadline, state.episode, state.value)
  return stay(state)
}

/** The next moment at which `advance` would say something, for the caller's timer. */
export function dueMs(state: RuleState): number | undefined {
  return state.kind === 'pending' || state.kind === 'clearing' ? state.dueMs : undefined
}

type Event =
  | { readonly kind: 'violates'; readonly violation: Violation }
  | { readonly kind: 'good'; readonly value: number }
  | { readonly kind: 'clears'; readonly value: number }
  | { readonly kind: 'unlimited' }
  | { readonly kind: 'unfit' }

type Moment = { readonly rule: AlertRule; readonly atMs: number; readonly timeMs: number | undefined }
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
    violates: (moment, state, { violation }) => begin(moment, violation, state.floorMs ?? 0),
    good: keep,
    clears: keep,
    unlimited: keep,
    unfit: keep,
  },
  pending: {
    violates: (_, state, { violation }) => stay({ ...state, violation }),
    good: endHold,
    clears: endHold,
    unlimited: endHold,
    unfit: keep,
  },
  firing: { violates: keep, good: keep, clears: beginToClear, unlimited: keep, unfit: keep },
  clearing: {
    violates: (moment, { episode, clearMs }) =>
      stay({ kind: 'firing', episode, floorMs: Math.max(moment.atMs, clearMs) }),
    good: (_, state, { value }) => stay({ ...state, value }),
    clears: (_, state, { value }) => stay({ ...state, value }),
    unlimited: keep,
    unfit: keep,
  },
}

function stay(state: RuleState): Outcome {
  return { state, verdicts: [] }
}

function keep(_: Moment, state: RuleState): Outcome {
  return stay(state)
}

function begin(moment: Moment, violation: Violation, floorMs: number): Outcome {
  const sinceMs = Math.max(moment.atMs, floorMs)
  const { forMs } = moment.rule
  if (forMs === 0) return fire({ ...moment, atMs: sinceMs }, violation, sinceMs)
  return stay({ kind: 'pending', violation, sinceMs, dueMs: sinceMs + forMs })
}

function endHold(moment: Moment, state: StateOf<'pending'>): Outcome {
  return stay({ kind: 'ok', floorMs: Math.max(moment.atMs, state.sinceMs) })
}

function beginToClear(moment: Moment, state: StateOf<'firing'>, event: EventOf<'clears'>): Outcome {
  const clearMs = Math.max(moment.atMs, state.floorMs)
  const { keepFiringForMs } = moment.rule
  if (keepFiringForMs === 0) return resolve({ ...moment, atMs: clearMs }, state.episode, event.value)
  const clearing = { episode: state.episode, value: event.value, clearMs, dueMs: clearMs + keepFiringForMs }
  return stay({ kind: 'clearing', ...clearing })
}

function fire(moment: Moment, violation: Violation, sinceMs: number): Outcome {
  const episode = { violation, sinceMs, firedMs: moment.atMs }
  return {
    state: { kind: 'firing', episode, floorMs: moment.atMs },
    verdicts: [verdict('fired', moment, episode, violation.value)],
  }
}

function resolve(moment: Moment, episode: Episode, value: number): Outcome {
  return {
    // Not the greater of the two: a clock that was ahead when it fired must not put off the next hold for as long.
    state: { kind: 'ok', floorMs: moment.atMs === episode.firedMs ? moment.atMs + 1 : moment.atMs },
    verdicts: [verdict('resolved', moment, episode, value)],
  }
}

function verdict(kind: Verdict['kind'], { rule, atMs, timeMs }: Moment, episode: Episode, value: number): Verdict {
  const { violation, sinceMs, firedMs } = episode
  const { side, threshold, source, value: firedValue } = violation
  return { kind, rule: rule.id, atMs, value, timeMs, sinceMs, firedMs, firedValue, side, threshold, source }
}

type Known = { readonly value: number; readonly source: LimitSource }

function judge({ condition: limits }: AlertRule, observation: Observation, lookup: Lookup): Event {
  if (limits.kind !== 'limits') return { kind: 'unfit' }
  const value = comparable(observation.value)
  if (value === undefined) return { kind: 'unfit' }
  const above = limits.above && resolveLimit(limits.above, observation, lookup)
  if (above && value > above.value) return violates('above', value, above)
  const below = limits.below && resolveLimit(limits.below, observation, lookup)
  if (below && value < below.value) return violates('below', value, below)
  if ((limits.above && !above) || (limits.below && !below)) return { kind: 'unlimited' }
  const clear = limits.clear && resolveLimit(limits.clear, observation, lookup)
  const stillHigh = clear && above && value > clear.value
  const stillLow = clear && below && value < clear.value
  return { kind: stillHigh || stillLow ? 'good' : 'clears', value }
}

function violates(side: Side, value: number, limit: Known): Event {
  return { kind: 'violates', violation: { side, value, threshold: limit.value, source: limit.source } }
}

function comparable(value: Value): number | undefined {
  return finite(typeof value === 'boolean' ? Number(value) : value)
}

/** `+ 0` turns -0 into 0: JSON knows only one zero, and a state must come back from it as it was. */
function finite(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value + 0 : undefined
}

function resolveLimit(limit: Limit, observation: Observation, lookup: Lookup): Known | undefined {
  if (limit.kind === 'literal') return { value: limit.value + 0, source: 'literal' }
  const key = fillPlaceholders(limit.key, observation)
  const row = lookup(limit.table, key)
  const number = row && finite(fieldOf(row.value, limit.field))
  if (row && number !== undefined) return { value: number, source: { table: limit.table, key, stamp: row.stamp } }
  return limit.default === undefined ? undefined : { value: limit.default + 0, source: 'default' }
}

function fieldOf(row: Json, field: string | undefined): Json | undefined {
  if (field === undefined) return row
  if (typeof row !== 'object' || row === null || !Object.hasOwn(row, field)) return undefined
  return (row as { readonly [key: string]: Json })[field]
}
