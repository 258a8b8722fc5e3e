/**
 * What the judge remembers of one rule and one subject, and of one series. Plain data that changes in place: there are
 * thousands, and a reading that violates nothing must not make another object.
 */
import type { Json, Value } from '../../runtime/reading.ts'
import type { Match, Rule } from '../rule.ts'
import type { Due } from './deadlines.ts'
import { type RuleState, startState } from './evaluate.ts'
import type { Lag } from './lag.ts'
import { type LimitKeys, limitKeys } from './threshold.ts'

/** Who measured what. One object per series, so identity is equality. */
export type JudgedSeries = {
  readonly table: string
  readonly origin: string
  readonly device: string
  readonly metric: string
  readonly unit: string | undefined
}

/** A reading as its log holds it. */
export type JudgedReading = {
  readonly series: JudgedSeries
  readonly value: Value
  readonly arrivalMs: number
  readonly deviceTimeMs: number | undefined
  /** Its place in the log of its table. */
  readonly seq: number
}

/** The time that windows and histories go by: the device's own if it sent one. */
export const timeOf = ({ deviceTimeMs, arrivalMs }: JudgedReading): number => deviceTimeMs ?? arrivalMs

/** A rule, its place among the others, and the subjects that it judges. */
export type RuleInForce = {
  readonly rule: Rule
  readonly match: Match
  readonly order: number
  readonly tracks: Set<Track>
}

/** Readings that came late are judged by themselves, on their own time. */
export type LateLane = {
  readonly state: RuleState
  /** The newest own time among them. */
  readonly lastMs: number
  /** When, by arrival, nobody expects more of them. */
  readonly closesMs: number
}

/** JSON. What an older version saved has only the first two. */
export type SavedTrack = {
  readonly fingerprint: string
  readonly state: RuleState
  readonly late?: LateLane
  readonly heardMs?: number
}

export class Track implements Due {
  readonly inForce: RuleInForce
  readonly rule: Rule
  /** A series; of a device or of all, the patterns of the match stand for what differs. */
  readonly subject: JudgedSeries
  /** Where its state is saved. */
  readonly key: string
  readonly rank: number
  readonly limitKeys: LimitKeys | undefined
  state: RuleState = startState
  late: LateLane | undefined = undefined
  /** The last arrival; what a silence is counted from. NaN where nobody asks. */
  heardMs = Number.NaN
  savedHeardMs = Number.NaN
  /** The silence since then has been told. */
  isSilent = false
  /** The newest reading of its subject, and the series that it belongs to. */
  newest: SeriesEntry | undefined = undefined
  /** It waits for room, and this is its place in the queue. */
  waiting: Waiting | undefined = undefined
  dueMs = 0
  place = -1

  constructor(inForce: RuleInForce, subject: JudgedSeries, key: string) {
    this.inForce = inForce
    this.rule = inForce.rule
    this.subject = subject
    this.key = key
    this.rank = inForce.order
    const { rule } = inForce
    // Of a group each reading has names of its own to fill in.
    this.limitKeys =
      rule.kind === 'alert' && rule.condition.kind === 'limits' && rule.per === 'series'
        ? limitKeys(rule.condition, subject)
        : undefined
  }

  /** Its next deadline of any kind. */
  nextMs(stateDueMs: number | undefined): number | undefined {
    let next = stateDueMs ?? Number.POSITIVE_INFINITY
    if (this.silentMs < next) next = this.silentMs
    if (this.late && this.late.closesMs < next) next = this.late.closesMs
    return next === Number.POSITIVE_INFINITY ? undefined : next
  }

  /** When it will have been silent for too long; NaN for never. */
  get silentMs(): number {
    const { rule } = this
    if (this.isSilent || rule.kind !== 'alert' || rule.condition.kind !== 'absent') return Number.NaN
    return this.heardMs + rule.condition.afterMs
  }
}

export type Waiting = Due & { readonly track: Track }

/** A series that the judge has met. Series that differ only in their unit share one. */
export type SeriesEntry = {
  readonly series: JudgedSeries
  tracks: readonly Track[]
  /** Undefined where no rule matches. */
  lag: Lag | undefined
  /** The least lateness that any of its rules minds. */
  toleranceMs: number
  /** The newest reading that was not late; undefined before the first. */
  value: Value | undefined
  arrivalMs: number
  timeMs: number
}

/** Rule first, so that all states of one rule lie together; names cannot hold a NUL. An empty rule is for the lag. */
export function trackKey(rule: string, { table, origin, device, metric }: Omit<JudgedSeries, 'unit'>): string {
  return [rule, table, origin, device, metric].join('\0')
}

export type KeyParts = Omit<JudgedSeries, 'unit'> & { readonly rule: string }

/** What a key was made of. */
export function partsOfKey(key: string): KeyParts {
  const [rule = '', table = '', origin = '', device = '', metric = ''] = key.split('\0')
  return { rule, table, origin, device, metric }
}

export const asSavedTrack = (json: Json | undefined): SavedTrack | undefined =>
  json as unknown as SavedTrack | undefined
