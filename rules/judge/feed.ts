/**
 * The history of one series, or of a group of them: the newest reading, the one before, and windows of the lengths that
 * rules declared. Who keeps it adds readings in the order of their positions and says what moment it is.
 *
 * Promises: what it answers is a pure function of what is stored, so that after a restart it is filled again and answers the
 * same. While it cannot know (`missing`), its windows have no view: it never answers from a part of what was measured.
 *
 * It must never be filled in another order than the log's.
 */
import type { Value } from '../../runtime/reading.ts'
import type { History, HistoryNeeds, WindowView } from '../expression/scope.ts'
import { Window } from './window.ts'

/** Readings come a little out of order, and moments with them: so far back it is filled beyond what it needs at once. */
const slackMs = 60_000

/** What to read from the store before a feed can be asked. */
export type Missing = {
  /** All readings with an own time from here on; undefined if it keeps no window. */
  readonly fromMs: number | undefined
  /** Besides, so many of the newest that it judges, however old. */
  readonly newest: 1 | 2
}

export class Feed implements History {
  value: Value | undefined = undefined
  timeMs: number | undefined = undefined
  atMs: number | undefined = undefined
  previous: Value | undefined = undefined
  readonly #needs: HistoryNeeds
  readonly #windows: readonly Window[]
  #isFilled = false

  constructor(needs: HistoryNeeds) {
    this.#needs = needs
    this.#windows = needs.windowsMs.map(ms => new Window(ms, needs.devices))
  }

  /** What it lacks for the moment `nowMs`; undefined if it can be asked. One that was never filled lacks the newest at least. */
  missing(nowMs: number): Missing | undefined {
    if (this.#isFilled && this.#knows(nowMs)) return undefined
    const begins = this.#windows.map(window => window.beginsMs(nowMs))
    const fromMs = begins.length === 0 ? undefined : Math.min(...begins) - slackMs
    return { fromMs, newest: this.#needs.previous ? 2 : 1 }
  }

  #knows(nowMs: number): boolean {
    for (const window of this.#windows) if (!window.knows(nowMs)) return false
    return true
  }

  /** Forgets everything. What was missing follows by `add` and `note`, in the order of the log, each once. */
  begin(missing: Missing, nowMs: number): void {
    this.forget()
    this.#isFilled = true
    this.moveTo(nowMs)
    if (missing.fromMs !== undefined) for (const window of this.#windows) window.begin(missing.fromMs)
  }

  /** As it was made: times have changed under it. */
  forget(): void {
    this.value = undefined
    this.timeMs = undefined
    this.atMs = undefined
    this.previous = undefined
    this.#isFilled = false
    for (const window of this.#windows) window.begin(Number.POSITIVE_INFINITY)
  }

  /** The moment that windows end at, as own time. Said before the readings of that moment are added. */
  moveTo(nowMs: number): void {
    for (const window of this.#windows) window.moveTo(nowMs)
  }

  /** The next reading of the log, which is judged: it is the newest now. Arrival is `atMs`. */
  add(value: Value, timeMs: number, atMs: number, device: string): void {
    this.previous = this.value
    this.value = value
    this.timeMs = timeMs
    this.note(value, timeMs, atMs, device)
  }

  /** The next reading of the log, which belongs to windows alone: it came late, or is judged elsewhere. */
  note(value: Value, timeMs: number, atMs: number, device: string): void {
    this.atMs = atMs
    if (this.#windows.length === 0) return
    // `+ 0`: there is one zero, and the smallest of two does not depend on which came first.
    const number = typeof value === 'number' || typeof value === 'boolean' ? Number(value) + 0 : undefined
    for (const window of this.#windows) window.add(number, timeMs, device)
  }

  window(ms: number): WindowView | undefined {
    const at = this.#needs.windowsMs.indexOf(ms)
    return at === -1 ? undefined : this.#windows[at]?.view()
  }
}
