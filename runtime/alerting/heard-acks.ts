/**
 * Acknowledgements on their way to the judge of a table: those that were given while nobody judged, and those that come.
 * The place in the table is not kept: what an open alert has not noted yet is found by its key.
 */
import type { AlertRow } from '../../rules/alert/alert.ts'
import type { Judge } from '../../rules/judge/judge.ts'
import type { Judgement } from '../../rules/judge/verdict.ts'
import { asSavedTrack, partsOfKey } from '../../rules/judge/track.ts'
import type { Seq } from '../store/types.ts'
import { acksTable, readAck } from './acks.ts'
import type { Hearing } from './hearing.ts'
import { alertsTable, keyOf, owner } from './names.ts'
import type { Shared } from './shared.ts'

/** Entries of the log that are looked at in one go. */
const batch = 256

export class HeardAcks implements Hearing {
  readonly #table: string
  readonly #shared: Shared
  /** Undefined where there is no such table. */
  #position: Seq | undefined
  /** Keys of alerts that may have been acknowledged before. */
  #open: string[]

  constructor(table: string, shared: Shared) {
    const { store } = shared
    this.#table = table
    this.#shared = shared
    this.#position = store.tables.has(acksTable) ? store.head(acksTable) : undefined
    this.#open = this.#position === undefined ? [] : this.#openAlerts()
  }

  get isNeeded(): boolean {
    return this.#position !== undefined
  }

  get isWaiting(): boolean {
    const { store } = this.#shared
    return this.#open.length > 0 || (this.#position !== undefined && store.head(acksTable) > this.#position)
  }

  async wait(signal: AbortSignal): Promise<void> {
    if (this.#position !== undefined) await this.#shared.store.waitPast(acksTable, this.#position, signal)
  }

  async tell(judge: Judge): Promise<readonly Judgement[]> {
    if (!this.isWaiting || this.#position === undefined) return []
    const before = this.#open
    this.#open = []
    const entries = await this.#shared.store.read(acksTable, this.#position, batch)
    this.#position = entries.at(-1)?.seq ?? this.#position
    const keys = entries.flatMap(entry => (entry.kind === 'record' ? [entry.key] : []))
    return [...new Set([...before, ...keys])].flatMap(key => this.#acknowledge(key, judge))
  }

  #acknowledge(key: string, judge: Judge): readonly Judgement[] {
    const { store, now } = this.#shared
    const ack = readAck(store.latest(acksTable, key)?.value, now())
    const row = ack && (store.latest(alertsTable, key)?.value as AlertRow | undefined)
    if (!row || row.table !== this.#table || !key.startsWith(`${store.origin}/`)) return []
    const { rule, device, metric, fired_ms: firedMs, origin } = row
    // Nobody acknowledges ahead of time, or before there was something to see.
    const atMs = Math.min(Math.max(ack.ackedMs, firedMs), Math.max(now(), firedMs))
    return judge.acknowledge({ rule, device, metric, firedMs, origin: origin ?? store.origin }, ack.by, atMs)
  }

  #openAlerts(): string[] {
    const { store } = this.#shared
    const keys: string[] = []
    for (const [key, value] of store.states(owner)) {
      const { rule, table, ...subject } = partsOfKey(key)
      const state = rule === '' || table !== this.#table ? undefined : asSavedTrack(value)?.state
      if (!state || !('episode' in state) || state.episode.acked) continue
      keys.push(keyOf(store.origin, rule, subject, state.episode.firedMs))
    }
    return keys
  }
}
