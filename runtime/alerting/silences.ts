/**
 * The silences in force, kept in memory and read again when their table has grown. A row that is no silence is told once
 * in the log, and silences nothing.
 */
import {
  type Silence,
  type Silenceable,
  isInForce,
  nextEdgeMs,
  readSilence,
  silenceOver,
} from '../../rules/alert/silence.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import { type Change, type Seq, seqZero } from '../store/types.ts'
import { silenceKeptMs, silencesMax } from './notify/limits.ts'

export const silencesTable = 'silences'

export class Silences {
  readonly #store: Store
  readonly #log: Log
  #all: readonly Silence[] = []
  #seen: Seq | undefined
  #toldOf: ReadonlySet<string> = new Set()

  constructor(store: Store, log: Log) {
    this.#store = store
    this.#log = log
  }

  /** Reads the table again if it has grown since. True if it has. */
  async refresh(): Promise<boolean> {
    if (!this.#store.tables.has(silencesTable)) return false
    const head = this.#store.head(silencesTable)
    if (head === this.#seen) return false
    const all: Silence[] = []
    const faults = new Map<string, string>()
    for await (const { key, value } of this.#store.rows(silencesTable, { limit: silencesMax })) {
      const silence = readSilence(key, value)
      if (typeof silence === 'string') faults.set(key, silence)
      else all.push(silence)
    }
    this.#tell(faults)
    this.#all = all
    this.#seen = head
    return true
  }

  /** The position that was read last: whoever sleeps wakes when the table is past it. */
  get seen(): Seq {
    return this.#seen ?? seqZero
  }

  /** The silence that covers an alert now. */
  over(alert: Silenceable, nowMs: number): Silence | undefined {
    return silenceOver(this.#all, alert, nowMs)
  }

  /** When a silence begins or ends next. */
  nextEdgeMs(nowMs: number): number | undefined {
    return nextEdgeMs(this.#all, nowMs)
  }

  inForce(nowMs: number): number {
    return this.#all.reduce((count, silence) => count + Number(isInForce(silence, nowMs)), 0)
  }

  /** Deletes those that have ended long ago. Only for a time that is known to be right. */
  sweep(nowMs: number): Change[] {
    return this.#all
      .filter(({ untilMs }) => untilMs < nowMs - silenceKeptMs)
      .slice(0, 1_000)
      .map(({ id }): Change => ({ kind: 'delete', table: silencesTable, key: id }))
  }

  #tell(faults: ReadonlyMap<string, string>): void {
    const fresh = [...faults].find(([id]) => !this.#toldOf.has(id))
    if (fresh) {
      const [silence, reason] = fresh
      this.#log.warn({ silence, reason, faulty: faults.size }, 'a row of silences is no silence: it silences nothing')
    }
    this.#toldOf = new Set(faults.keys())
  }
}
