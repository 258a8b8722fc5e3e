/** Devices whose labels become others: a rule that chooses by labels may judge them no longer, or from now on. */
import type { Judge } from '../../rules/judge/judge.ts'
import type { Judgement } from '../../rules/judge/verdict.ts'
import type { Rule } from '../../rules/rule.ts'
import type { Seq } from '../store/types.ts'
import { labelsTable } from './device-labels.ts'
import type { Hearing } from './hearing.ts'
import type { Shared } from './shared.ts'

/** Entries of the log that are looked at in one go. */
const batch = 256

export class HeardLabels implements Hearing {
  readonly #shared: Shared
  /** Undefined where nobody needs to know. */
  #position: Seq | undefined

  constructor(rules: readonly Rule[], shared: Shared) {
    const { store } = shared
    this.#shared = shared
    const doAsk = rules.some(({ match }) => Object.keys(match.labels).length > 0)
    this.#position = doAsk && store.tables.has(labelsTable) ? store.head(labelsTable) : undefined
  }

  get isNeeded(): boolean {
    return this.#position !== undefined
  }

  get isWaiting(): boolean {
    return this.#position !== undefined && this.#shared.store.head(labelsTable) > this.#position
  }

  async wait(signal: AbortSignal): Promise<void> {
    if (this.#position !== undefined) await this.#shared.store.waitPast(labelsTable, this.#position, signal)
  }

  async tell(judge: Judge): Promise<readonly Judgement[]> {
    if (!this.isWaiting || this.#position === undefined) return []
    const { store, now } = this.#shared
    const entries = await store.read(labelsTable, this.#position, batch)
    this.#position = entries.at(-1)?.seq ?? this.#position
    const devices = new Set(entries.flatMap(entry => (entry.kind === 'record' ? [entry.key] : [])))
    return [...devices].flatMap(device => judge.relabel(device, now()))
  }
}
