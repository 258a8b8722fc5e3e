/**
 * What an expression of a rule may ask, and what it must be given. Types only: compiling is in compile.ts, and who answers
 * is in the judge.
 *
 * A question that has no answer yet (no reading, no row, a window with nothing in it) is answered with undefined; then the
 * expression as a whole has no answer, unless `||` or `&&` can do without.
 */
import type { Json, Value } from '../../runtime/reading.ts'

export type RuleExpression = {
  readonly text: string
  readonly gives: 'bool' | 'number' | 'any'
  readonly needs: Needs
  readonly evaluate: (scope: Scope) => Value | undefined
}

/** Known when a rule is read, so that what it needs can be kept, and no more [I6]. */
export type Needs = {
  /** Of the readings that are judged. */
  readonly own: HistoryNeeds
  readonly others: readonly OtherNeeds[]
  /** Records tables that it looks rows up in. */
  readonly tables: readonly string[]
  /** It asks for the time of day, for windows or for silence: its answer changes without a reading. */
  readonly changesWithTime: boolean
  /** It looks at the labels of devices. */
  readonly labels: boolean
}

export type HistoryNeeds = {
  /** Ascending, each once. */
  readonly windowsMs: readonly number[]
  readonly previous: boolean
  /** It asks how many devices the readings of a window come from. */
  readonly devices: boolean
}

/** Another series of the same table: a metric of the same device (device undefined), or of one that is named. */
export type OtherNeeds = HistoryNeeds & { readonly device: string | undefined; readonly metric: string }

/** A row that a limit was read from. */
export type LookedUp = { readonly table: string; readonly key: string; readonly value: Json; readonly stamp: number }

/** One series, or a group of series, as it is at the moment asked about. */
export type History = {
  /** The newest reading; undefined before the first. */
  readonly value: Value | undefined
  readonly timeMs: number | undefined
  /** When something last arrived, late readings too: what silence is measured by. */
  readonly atMs: number | undefined
  /** The value before the newest. */
  readonly previous: Value | undefined
  /** A window that ends now, be it empty; undefined if its length was not declared, or what was in it is not known. */
  window(ms: number): WindowView | undefined
}

/** What is kept of a window of time. Good until the history is asked or changed again. */
export type WindowView = {
  /** Readings of any kind. */
  readonly readings: number
  /**
   * Numbers and switches (true is 1); where there are none, all that follows but `devices` means nothing. Where a sum, a
   * mean or a spread leaves the range of numbers it is not finite.
   */
  readonly count: number
  readonly sum: number
  readonly min: number
  readonly max: number
  readonly mean: number
  /** Of the sample; 0 where there is one value. */
  readonly stddev: number
  readonly first: { readonly value: number; readonly timeMs: number }
  readonly last: { readonly value: number; readonly timeMs: number }
  /** The same without the newest reading, against which the newest is held. */
  readonly before: { readonly count: number; readonly mean: number; readonly stddev: number }
  /** How many devices the readings come from. */
  readonly devices: number
}

/** Whoever evaluates lays this out once and changes what it is about: millions of questions make no millions of objects. */
export interface Scope {
  readonly device: string
  readonly metric: string
  readonly unit: string | undefined
  readonly origin: string
  /** Arrival of the reading, or the moment: what holds and silence are measured by. */
  readonly nowMs: number
  readonly own: History
  other(device: string | undefined, metric: string): History | undefined
  /** Noted by whoever answers, so that an alert can say what fired it. */
  row(table: string, key: string): LookedUp | undefined
  /** Of the device, out of the table `devices`. */
  label(name: string): string | undefined
}
