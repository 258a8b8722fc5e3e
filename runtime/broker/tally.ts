/**
 * Counts what happened by cause, and says so in the log at most once a second per cause.
 * A flood of bad clients must never become a flood of log lines, and nothing refused may go uncounted.
 */
import type { Log } from '../log.ts'

const logIntervalMs = 1_000
const fieldCharactersMax = 256

type Muted = { lastMs: number; unsaid: number }

export class Tally {
  readonly #counts = new Map<string, number>()
  readonly #muted = new Map<string, Muted>()
  readonly #log: Log
  readonly #now: () => number

  constructor(log: Log, now: () => number) {
    this.#log = log
    this.#now = now
  }

  add(name: string, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by)
  }

  /** Counts `name` and logs the sentence, with how often it happened since the last line of this name. */
  warn(name: string, sentence: string, fields: Readonly<Record<string, unknown>>): void {
    this.#tell('warn', name, sentence, fields)
  }

  /** The same of what happens to clients that do nothing wrong. */
  note(name: string, sentence: string, fields: Readonly<Record<string, unknown>>): void {
    this.#tell('info', name, sentence, fields)
  }

  #tell(level: 'warn' | 'info', name: string, sentence: string, fields: Readonly<Record<string, unknown>>): void {
    this.add(name)
    const now = this.#now()
    const muted = this.#muted.get(name)
    // A clock that was set back must not silence a cause, hence the absolute distance.
    if (muted && Math.abs(now - muted.lastMs) < logIntervalMs) {
      muted.unsaid += 1
      return
    }
    this.#muted.set(name, { lastMs: now, unsaid: 0 })
    this.#log[level]({ cause: name, count: (muted?.unsaid ?? 0) + 1, ...cut(fields) }, sentence)
  }

  counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].toSorted(([a], [b]) => (a < b ? -1 : 1)))
  }
}

/** Names come from strangers: long ones are cut, so that a line has a length. */
function cut(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(fields).map(([key, value]) => [
    key,
    typeof value === 'string' && value.length > fieldCharactersMax ? `${value.slice(0, fieldCharactersMax)}…` : value,
  ])
  return Object.fromEntries(entries)
}
