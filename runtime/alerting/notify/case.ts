/**
 * What was told and done about one alert, and what is still to do: the state that the notifier keeps with its cursor, so
 * that a restart neither forgets nor repeats. Pure: a state and a moment in, the next state out.
 *
 *          row fires            acknowledged          over            acknowledged, or over
 *   (none) ────────> firing ──────────────> acknowledged ──> latched ─────────────────────> resolved
 *                      └── told again every `renotify` ──┘
 *
 * `phase` is what the row says, `told` what was said last; where they differ there is something to tell. An alert that is
 * silenced is not told, but its end is, if its beginning was: a lamp that was switched on must not stay on.
 */
import type { AlertRow } from '../../../rules/alert/alert.ts'
import type { AlertRule, Occasion } from '../../../rules/rule.ts'
import { jobsPerAlertMax, retryFirstMs, triesMax } from './limits.ts'

export type Phase = 'firing' | 'acknowledged' | 'latched' | 'resolved'

/** One action of the rule that waits to be done. */
export type Job = {
  /** Which of the rule's actions. */
  readonly action: number
  readonly on: Occasion
  readonly tries: number
  readonly dueMs: number
}

/** Plain JSON: it is kept as it is. */
export type Case = {
  readonly rule: string
  readonly phase: Phase
  readonly told: Phase | null
  readonly firstToldMs: number | null
  readonly toldMs: number | null
  /** How often it was told that it fires. */
  readonly notifications: number
  /** Its group by the labels of `group_by`; null where nothing is grouped. */
  readonly group: Readonly<Record<string, string>> | null
  /** What its group has heard of it: nothing, how it is, or how it was. */
  readonly grouped: 'no' | 'told' | 'changed'
  /** In order: one after the other is done. */
  readonly jobs: readonly Job[]
  /** When an action with `repeat` was last put among the jobs, by its number. */
  readonly repeats: Readonly<Record<string, number>>
}

/** The little that is known of an alert that is over: that it is. */
export type Ended = { readonly endedMs: number }

export function phaseOf(row: Pick<AlertRow, 'state' | 'acked_ms'>): Phase {
  if (row.state !== 'firing') return row.state
  return typeof row.acked_ms === 'number' ? 'acknowledged' : 'firing'
}

/** The case after its row was read; without a case it is a new one. */
export function noticed(
  before: Case | undefined,
  row: AlertRow,
  group: Case['group'],
  rule: AlertRule | undefined,
  nowMs: number,
): Case {
  const phase = phaseOf(row)
  const isOver = phase === 'resolved'
  const wasOver = before === undefined || before.phase === 'resolved'
  // Of one that is over when it is first read, the beginning was told by somebody before us, or it is told by its end.
  const fresh = before ?? { ...newCase(row.rule, group), ...(isOver && { told: 'firing' as const }) }
  const occasions: Occasion[] = isOver ? (before?.phase === 'resolved' ? [] : ['resolved']) : wasOver ? ['firing'] : []
  return occasions.reduce((state, on) => withJobs(state, rule, on, nowMs), { ...fresh, phase })
}

function newCase(rule: string, group: Case['group']): Case {
  const nothing = { told: null, firstToldMs: null, toldMs: null, notifications: 0, grouped: 'no' } as const
  return { rule, phase: 'firing', ...nothing, group, jobs: [], repeats: {} }
}

/** A case as the announcer of earlier versions left it: told as it stands, nothing to do. */
export function adopted(row: AlertRow, group: Case['group']): Case {
  const phase = phaseOf(row)
  return {
    ...newCase(row.rule, group),
    phase,
    told: phase,
    firstToldMs: row.fired_ms,
    toldMs: row.fired_ms,
    notifications: 1,
  }
}

/** When something is to be told next: now (0) where row and telling differ; undefined for never. */
export function tellDueMs(state: Case, renotifyMs: number | undefined): number | undefined {
  if (state.told !== state.phase) return state.phase === 'resolved' && state.told === null ? undefined : 0
  if (state.phase !== 'firing' || renotifyMs === undefined || state.toldMs === null) return undefined
  return state.toldMs + renotifyMs
}

export function wasTold(state: Case, nowMs: number): Case {
  return {
    ...state,
    told: state.phase,
    firstToldMs: state.firstToldMs ?? nowMs,
    toldMs: nowMs,
    notifications: state.notifications + Number(state.phase === 'firing'),
    grouped: state.grouped === 'told' ? 'changed' : state.grouped,
  }
}

export function groupWasTold(state: Case): Case {
  return { ...state, grouped: 'told' }
}

/** Whether its group speaks of it: it was told, and its end was not told to the group yet. */
export function isInGroup({ group, told, grouped }: Case): boolean {
  if (group === null || told === null) return false
  // What began and ended before the group was told is no news for it.
  return told === 'resolved' ? grouped === 'changed' : true
}

/** Nothing more will be told or done. */
export function isFinished(state: Case): boolean {
  const isTold = state.told === 'resolved' || state.told === null
  return state.phase === 'resolved' && isTold && state.jobs.length === 0 && !isInGroup(state)
}

/** With the rule's actions for an occasion among its jobs. */
function withJobs(state: Case, rule: AlertRule | undefined, on: Occasion, nowMs: number): Case {
  const numbers = (rule?.actions ?? []).flatMap((action, number) => (action.on.includes(on) ? [number] : []))
  const jobs = numbers.map((action): Job => ({ action, on, tries: 0, dueMs: nowMs }))
  const repeats = on === 'firing' ? Object.fromEntries(numbers.map(number => [number, nowMs])) : {}
  return { ...state, jobs: [...state.jobs, ...jobs].slice(-jobsPerAlertMax), repeats }
}

/** When an action is to be repeated next, and which. */
export function repeatDue(state: Case, rule: AlertRule | undefined): { action: number; dueMs: number } | undefined {
  if (state.phase !== 'firing' && state.phase !== 'acknowledged') return undefined
  let next: { action: number; dueMs: number } | undefined
  for (const [action, { on, repeatMs }] of (rule?.actions ?? []).entries()) {
    const lastMs = state.repeats[action]
    if (repeatMs === undefined || lastMs === undefined || !on.includes('firing')) continue
    if (next === undefined || lastMs + repeatMs < next.dueMs) next = { action, dueMs: lastMs + repeatMs }
  }
  return next
}

/** One repetition more, unless the one before it still waits. */
export function repeated(state: Case, action: number, nowMs: number): Case {
  const waits = state.jobs.some(job => job.action === action && job.on === 'firing')
  const job: Job = { action, on: 'firing', tries: 0, dueMs: nowMs }
  return {
    ...state,
    jobs: waits ? state.jobs : [...state.jobs, job],
    repeats: { ...state.repeats, [action]: nowMs },
  }
}

export function jobDone(state: Case): Case {
  return { ...state, jobs: state.jobs.slice(1) }
}

/** The first job once it has failed: it waits for another try, or, after the last one, is gone. */
export function jobFailed(state: Case, nowMs: number): Case {
  const [job, ...rest] = state.jobs
  if (!job) return state
  const tries = job.tries + 1
  if (tries >= triesMax) return { ...state, jobs: rest }
  return { ...state, jobs: [{ ...job, tries, dueMs: nowMs + retryFirstMs * 2 ** job.tries }, ...rest] }
}

/** The first job waits for something that passes by itself, which is not held against it. */
export function jobPutOff(state: Case, nowMs: number): Case {
  const [job, ...rest] = state.jobs
  return job ? { ...state, jobs: [{ ...job, dueMs: nowMs + retryFirstMs }, ...rest] } : state
}

/** A clock that was set back must not keep anybody waiting for as long: nothing was told or done later than now. */
export function notLaterThan(state: Case, nowMs: number): Case {
  const late = (ms: number | null): boolean => ms !== null && ms > nowMs
  const repeats = Object.entries(state.repeats)
  const isJobFar = state.jobs.some(({ dueMs }) => dueMs > nowMs + retryFirstMs * 2 ** triesMax)
  if (!late(state.toldMs) && !late(state.firstToldMs) && !repeats.some(([, ms]) => late(ms)) && !isJobFar) return state
  const least = (ms: number | null): number | null => (ms === null ? null : Math.min(ms, nowMs))
  return {
    ...state,
    toldMs: least(state.toldMs),
    firstToldMs: least(state.firstToldMs),
    repeats: Object.fromEntries(repeats.map(([action, ms]) => [action, Math.min(ms, nowMs)])),
    jobs: state.jobs.map(job => ({ ...job, dueMs: Math.min(job.dueMs, nowMs) })),
  }
}
