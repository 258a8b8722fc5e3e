/** What judging comes to, as alerts are made of it. Types only. */
import type { Value } from '../../runtime/reading.ts'
import type { LookedUp } from '../expression/scope.ts'
import type { AlertRule } from '../rule.ts'
import type { JudgedSeries } from './reading.ts'

export type Side = 'above' | 'below'
export type LimitSource =
  | 'literal'
  | 'default'
  | { readonly table: string; readonly key: string; readonly stamp: number }

/** A violation as it was seen. Side, threshold and source are null where no limit was broken. */
export type Violation = {
  readonly side: Side | null
  /** Null where there has never been one: nothing came. */
  readonly value: Value | null
  readonly threshold: number | null
  readonly source: LimitSource | null
  /** Rows that an expression asked for. */
  readonly lookedUp?: readonly LookedUp[]
}

/** Somebody has taken note. */
export type Acknowledgement = { readonly by: string; readonly atMs: number }

/**
 * `latched`: over, and waiting to be acknowledged. `refired`: the same alert fires again out of that. `acknowledged`: it
 * goes on firing, and somebody knows.
 */
export type VerdictKind = 'fired' | 'resolved' | 'latched' | 'refired' | 'acknowledged'

/** What an alert row needs. Side, threshold and source are those that fired, in the verdicts after it too. */
export type Verdict = {
  readonly kind: VerdictKind
  readonly rule: string
  /** When it happened: for holds exactly the deadline. Of a late verdict this is the device's own time. */
  readonly atMs: number
  /** The value that fired it, or the good value that ended it. */
  readonly value: Value | null
  /** Device time of the reading that decided; undefined where a deadline did. */
  readonly timeMs: number | undefined
  /** Since when it was violated. */
  readonly sinceMs: number
  readonly firedMs: number
  readonly firedValue: Value | null
  readonly side: Side | null
  readonly threshold: number | null
  readonly source: LimitSource | null
  readonly lookedUp: readonly LookedUp[]
  readonly late: boolean
  readonly flapping: boolean
  readonly acked: Acknowledgement | undefined
  /** Why it ended, where that was not its readings. */
  readonly reason: string | undefined
}

/** A verdict, whose it is, and the subject's own time of it. */
export type Judgement = {
  readonly rule: AlertRule
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
