/**
 * What a rule is once its file has been read and found good: every default filled in, durations in milliseconds,
 * labels of the group merged into those of the rule. Types, and the bounds that a rule file is held to. Never a verdict:
 * those are in evaluate.ts.
 */

/** Which series a rule judges. In device and metric `*` stands for any run of characters; table is a name. */
export type Match = { readonly table: string; readonly device: string; readonly metric: string }

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
  readonly tables: readonly string[]
  readonly device: string
  readonly metric: string
  readonly bytesMax: number
  readonly pointsMax: number | undefined
}

export type Rule = {
  /** The alert's name: unique over all files. */
  readonly id: string
  readonly group: string
  readonly file: string
  readonly match: Match
  /** At least one of above and below is there; with both, the rule watches for values outside the band. */
  readonly above: Limit | undefined
  readonly below: Limit | undefined
  /** Where a firing alert may clear; undefined means at the limit itself. Only with exactly one limit. */
  readonly clear: Limit | undefined
  readonly forMs: number
  readonly keepFiringForMs: number
  readonly snippet: SnippetSpec
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /**
   * Changes when the meaning of a verdict changes (match, limits, for, keep_firing_for): state kept under another
   * fingerprint belongs to another rule and starts fresh. Labels, annotations and snippet do not count.
   */
  readonly fingerprint: string
}

const dayMs = 86_400_000

/** A hold longer than this is a report, not an alert; the bound keeps sums of times far from the end of a double. */
export const holdMsMax = 30 * dayMs

export const snippetBeforeMsDefault = 60_000
/** A week of readings: what the default retention is sure to hold. */
export const snippetBeforeMsMax = 7 * dayMs

/** An alert with its snippet is one row: small enough to pass every link in one frame. */
export const snippetBytesDefault = 48 * 1024
export const snippetBytesMin = 1024
export const snippetBytesMax = 96 * 1024

/** Labels travel with every alert and become columns and metric labels elsewhere. */
export const labelsMax = 32
export const labelCharactersMax = 256
export const annotationCharactersMax = 2048
