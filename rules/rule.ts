/**
 * What a rule is once its file has been read and found good: every default filled in, durations in milliseconds,
 * labels of the group merged into those of the rule. Types and defaults only: the bounds that a rule file is held to are in
 * limits.ts, verdicts in the judge.
 */
import type { Json } from '../runtime/reading.ts'
import type { RuleExpression } from './expression/scope.ts'

/** Which readings a rule judges. In all texts but the table `*` stands for any run of characters. */
export type Match = {
  readonly table: string
  readonly device: string
  readonly metric: string
  /** Patterns for the labels that the device has in the table `devices`; all of them must fit. */
  readonly labels: Readonly<Record<string, string>>
}

/** What one state and one alert stand for: a series, a device, or all that the rule matches together. */
export type Per = 'series' | 'device' | 'all'

/** A number in the file, or a row of a records table that people (or the cloud) may change while we run. */
export type Limit =
  | { readonly kind: 'literal'; readonly value: number }
  | {
      readonly kind: 'row'
      readonly table: string
      /** `{device}` and `{metric}` stand for those of the reading. */
      readonly key: string
      /** The field of the row that holds the number; undefined where the row is the number. */
      readonly field: string | undefined
      /** Used while the row is missing or holds no number. */
      readonly default: number | undefined
    }

/** Which readings are written with an alert. Patterns may hold `{device}` and `{metric}` of the alert. */
export type SnippetSpec = {
  readonly beforeMs: number
  /** So long after it fired the row is written once more, with what came since; 0 for never. */
  readonly afterMs: number
  readonly tables: readonly string[]
  readonly device: string
  readonly metric: string
  readonly bytesMax: number
  readonly pointsMax: number | undefined
}

/** What makes an alert. A rule has exactly one. */
export type Condition =
  | {
      readonly kind: 'limits'
      /** The number that is held against the limits; undefined is the value of the reading. */
      readonly of: RuleExpression | undefined
      /** At least one of above and below is there; with both, the rule watches for values outside the band. */
      readonly above: Limit | undefined
      readonly below: Limit | undefined
      /** Where a firing alert may clear; undefined means at the limit itself. Only with exactly one limit. */
      readonly clear: Limit | undefined
    }
  | {
      readonly kind: 'expression'
      readonly violated: RuleExpression
      /** When a firing alert may clear; undefined means as soon as it is not violated. */
      readonly clear: RuleExpression | undefined
    }
  /** No reading for so long. */
  | { readonly kind: 'absent'; readonly afterMs: number }

/**
 * Moments at which a rule is judged without a reading. An interval comes besides the readings of an alert; a schedule
 * stands in their place, for "every morning at six" means then and not before. A recording that has moments is written at
 * these alone, once for each subject.
 */
export type Moments =
  | { readonly kind: 'interval'; readonly everyMs: number }
  | { readonly kind: 'cron'; readonly cron: string; readonly zone: string }

/** More than `changes` alerts within that time are one alert that flaps: it ends once it was quiet for as long. */
export type Flapping = { readonly changes: number; readonly withinMs: number }

export type Occasion = 'firing' | 'resolved'

/** What is done at the gateway itself. Texts are templates, as annotations are. */
export type Action = {
  readonly on: readonly Occasion[]
  /** Done again and again while the alert fires; undefined is once. */
  readonly repeatMs: number | undefined
  readonly does:
    | {
        readonly kind: 'publish'
        readonly topic: string
        /** A text is sent as it is, anything else as JSON. */
        readonly payload: Json
        readonly qos: 0 | 1 | 2
        readonly retain: boolean
      }
    | { readonly kind: 'write'; readonly table: string; readonly key: string; readonly row: Json }
}

type RuleBase = {
  /** The name of the alert, or of the recording: unique over all files. */
  readonly id: string
  readonly group: string
  readonly file: string
  readonly match: Match
  readonly per: Per
  /** Undefined: with each reading only. A silence has none, for it is found by its own deadline. */
  readonly moments: Moments | undefined
  /** A reading that is so much later than its series usually is belongs to history, and pages nobody. */
  readonly lateAfterMs: number
  readonly labels: Readonly<Record<string, string>>
  /**
   * Changes when the meaning of a verdict changes (match, condition, for, …): state kept under another fingerprint
   * belongs to another rule and starts fresh. Labels, annotations, actions and snippet do not count.
   */
  readonly fingerprint: string
}

export type AlertRule = RuleBase & {
  readonly kind: 'alert'
  readonly condition: Condition
  readonly forMs: number
  readonly keepFiringForMs: number
  /** Once it has cleared it waits for somebody to acknowledge it. */
  readonly latch: boolean
  readonly flapping: Flapping | undefined
  /** Told again so often while it fires; undefined is what the configuration says. */
  readonly renotifyMs: number | undefined
  readonly severity: string
  readonly annotations: Readonly<Record<string, string>>
  readonly snippet: SnippetSpec
  readonly actions: readonly Action[]
}

/** Makes readings of a new series out of others, so that they may travel instead of these. */
export type RecordRule = RuleBase & {
  readonly kind: 'record'
  readonly expression: RuleExpression
  /** The metric and the series table of the new readings; the device stays, or is the pattern of the match. */
  readonly metric: string
  readonly table: string
}

export type Rule = AlertRule | RecordRule

export const severityDefault = 'warning'

export const lateAfterMsDefault = 60_000

/** An expression whose answer changes with time is judged so often where nothing else is said. */
export const intervalMsDefault = 60_000

export const snippetBeforeMsDefault = 60_000
export const snippetBytesDefault = 48 * 1024
