/**
 * What the judge remembers of one rule and one subject, and of one series. Plain data that changes in place: there are
 * thousands, and a reading that violates nothing must not make another object.
 */
import type { Json, Value } from '../../runtime/reading.ts'
import type { HistoryNeeds, OtherNeeds } from '../expression/scope.ts'
import type { Match, Rule } from '../rule.ts'
import type { Due } from './deadlines.ts'
import { type RuleState, startState } from './evaluate.ts'
import type { Feed } from './feed.ts'
import type { Lag } from './lag.ts'
import type { JudgedSeries } from './reading.ts'
import type { Quiet } from './quiet.ts'
import { type LimitKeys, limitKeys } from './threshold.ts'

/** A rule as the judge needs it; made once, in in-force.ts. */
export type RuleInForce = {
  readonly rule: Rule
  readonly match: Match
  /** Its place among the others. */
  readonly order: number
  /** What it asks of the readings that it judges; undefined where a reading alone is enough. */
  readonly needs: HistoryNeeds | undefined
  readonly others: readonly OtherNeeds[]
  /** False of a rule that is judged at its moments alone. */
  readonly byReadings: boolean
  /** How long a silence may last; NaN for a rule that does not ask. */
  readonly absentMs: number
  /** It has something to say though no reading came: at moments, or of a silence. */
  readonly speaksUnasked: boolean
  /** The subjects that it judges. */
  readonly tracks: Set<Track>
  /** The same in the order of their keys, while nobody joined. */
  ordered: readonly Track[] | undefined
}

/** A feed and what it is of: a series, or the subject of a track. */
export type Kept = {
  readonly feed: Feed
  readonly hasWindows: boolean
  readonly entry: SeriesEntry | undefined
  readonly track: Track | undefined
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
  /** Of its newest reading; undefined before the first. */
  about: JudgedSeries | undefined = undefined
  /** The series, if it stands for a single one that was met. */
  entry: SeriesEntry | undefined = undefined
  /** What is remembered of a group. */
  group: Kept | undefined = undefined
  /** Its rule writes its name out: it is there before its first reading. */
  isNamed = false
  /** It waits for room, and this is its place in the queue. */
  waiting: Waiting | undefined = undefined
  dueMs = 0
  place = -1

  constructor(inForce: RuleInForce, subject: JudgedSeries, key: string) {
    this.inForce = inForce
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

  get rule(): RuleInForce['rule'] {
    return this.inForce.rule
  }

  /** When it will have been silent for too long; NaN for never. */
  get silentMs(): number {
    return this.isSilent ? Number.NaN : this.heardMs + this.inForce.absentMs
  }
}

export type Waiting = Due & { readonly track: Track }

/** A series that the judge has met or heard of. Series that differ only in their unit share one. */
export type SeriesEntry = {
  readonly name: string
  series: JudgedSeries
  /** False of one that an expression names, and that has sent nothing yet. */
  isMet: boolean
  tracks: readonly Track[]
  /** What needs no more than a comparison. */
  readonly quiet: Quiet
  /** Those of its tracks that remember a group. */
  groups: readonly Track[]
  /** Tracks whose expressions look at it besides at their own. */
  readonly lookers: readonly Track[]
  lag: Lag | undefined
  /** The least and the greatest lateness that its rules mind. */
  toleranceMs: number
  lateAfterMs: number
  history: Kept | undefined
  /** The newest reading that was not late; undefined before the first. */
  value: Value | undefined
  arrivalMs: number
  timeMs: number
}

/** Rule first, so that all states of one rule lie together; names cannot hold a NUL. No rule: what belongs to the series. */
export function trackKey(rule: string, { table, origin, device, metric }: Omit<JudgedSeries, 'unit'>): string {
  return `${rule}\0${table}\0${origin}\0${device}\0${metric}`
}

export type KeyParts = Omit<JudgedSeries, 'unit'> & { readonly rule: string }

/** What a key was made of. */
export function partsOfKey(key: string): KeyParts {
  const [rule = '', table = '', origin = '', device = '', metric = ''] = key.split('\0')
  return { rule, table, origin, device, metric }
}

export const asSavedTrack = (json: Json | undefined): SavedTrack | undefined =>
  json as unknown as SavedTrack | undefined

/** What a series' own clock says at an arrival time, going by its newest reading. */
export function ownTime({ arrivalMs, timeMs, lag }: SeriesEntry, atMs: number): number {
  if (!Number.isNaN(arrivalMs)) return timeMs + (atMs - arrivalMs)
  return atMs - (lag?.baseMs ?? 0)
}
