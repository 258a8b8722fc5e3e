/** What a test says when it fails. Types: the texts in it are for people, and stand in the JSON report as they are. */

export type Difference = {
  /** The key of the file: `threshold`, `exp_labels.severity`. */
  readonly field: string
  readonly expected: string
  readonly was: string
  /** The nearest mistake, as half a sentence: `30s later`. */
  readonly hint: string | undefined
}

export type Failure = {
  /** As the file says it. */
  readonly evalTime: string
  readonly evalMs: number
  /** The rule, the series or the topic that was looked at; undefined for all. */
  readonly about: string | undefined
  readonly kind: 'different' | 'missing' | 'unexpected'
  /** Which alert, reading or message: `freezer-1/temperature`. */
  readonly what: string
  readonly differences: readonly Difference[]
  readonly hint: string | undefined
  /** The readings before it, as a small picture in one line. */
  readonly chart?: string | undefined
}
