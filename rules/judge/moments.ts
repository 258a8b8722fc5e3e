/**
 * When rules are judged without a reading. Rules that say the same moments share them.
 *
 * After a long silence moments are made up for, each as if it had been noticed in time, but not without end: the oldest
 * beyond `momentsMadeUpMax` are passed over, for nobody waits for last month's.
 */
import { compileInstants, type Instants } from '../../runtime/schedule.ts'
import type { Moments } from '../rule.ts'
import type { Due } from './deadlines.ts'
import type { RuleInForce } from './track.ts'
import { judgedMadeUpMax, momentsMadeUpMax } from './limits.ts'

/** After all deadlines of the same millisecond. */
const afterDeadlines = 1e9
const minuteMs = 60_000

export class Schedule implements Due {
  readonly rank: number
  readonly key = ''
  readonly rules: RuleInForce[] = []
  readonly #instants: Instants
  /** The least time between two. */
  readonly #stepMs: number
  dueMs = 0
  place = -1

  constructor(order: number, instants: Instants, stepMs: number) {
    this.rank = afterDeadlines + order
    this.#instants = instants
    this.#stepMs = stepMs
  }

  next(afterMs: number): number | undefined {
    return this.#instants.next(afterMs)
  }

  /** The first of the moments up to now that is not passed over. */
  firstWorthwhile(nowMs: number): number {
    const subjects = this.rules.reduce((sum, { tracks }) => sum + tracks.size, 0)
    const most = Math.min(momentsMadeUpMax, Math.max(1, Math.floor(judgedMadeUpMax / Math.max(1, subjects))))
    const earliestMs = nowMs - momentsMadeUpMax * this.#stepMs
    let moment = this.dueMs > earliestMs ? this.dueMs : (this.next(earliestMs) ?? this.dueMs)
    if ((nowMs - moment) / this.#stepMs < most) return moment
    const moments: number[] = []
    for (let each: number | undefined = moment; each !== undefined && each <= nowMs; each = this.next(each))
      moments.push(each)
    moment = moments.at(-most) ?? moment
    return moment
  }
}

/** All schedules of a set of rules. */
export function schedulesOf(rules: readonly RuleInForce[]): Schedule[] {
  const schedules = new Map<string, Schedule>()
  for (const rule of rules) {
    const { moments } = rule.rule
    if (!moments) continue
    const name = JSON.stringify(moments)
    const known = schedules.get(name) ?? scheduleOf(moments, schedules.size)
    if (!known) continue
    known.rules.push(rule)
    schedules.set(name, known)
  }
  return [...schedules.values()]
}

/** Undefined for what the checks of rule files have refused. */
function scheduleOf(moments: Moments, order: number): Schedule | undefined {
  if (moments.kind === 'interval') return new Schedule(order, multiplesOf(moments.everyMs), moments.everyMs)
  const compiled = compileInstants(moments.cron, moments.zone)
  return compiled.ok ? new Schedule(order, compiled.instants, minuteMs) : undefined
}

function multiplesOf(everyMs: number): Instants {
  return {
    latest: atMs => Math.floor(atMs / everyMs) * everyMs,
    next: atMs => (Math.floor(atMs / everyMs) + 1) * everyMs,
  }
}
