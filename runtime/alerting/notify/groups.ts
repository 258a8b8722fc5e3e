/**
 * When groups of alerts are told: `group_wait` after the first alert of a group was told, so that those that come
 * together are told together; then whenever something changes, a second apart at least. In memory only: what a group
 * has heard stands with each alert.
 */
import { type Case, isInGroup } from './case.ts'
import { groupGapMs } from './limits.ts'

type Group = { readonly labels: NonNullable<Case['group']>; readonly keys: Set<string>; toldMs: number }

export class Groups {
  readonly #waitMs: number
  readonly #groups = new Map<string, Group>()

  constructor(waitMs: number) {
    this.#waitMs = waitMs
  }

  get size(): number {
    return this.#groups.size
  }

  /** Notes an alert as it is now. */
  note(key: string, state: Case): void {
    if (state.group === null) return
    const id = JSON.stringify(state.group)
    const group = this.#groups.get(id)
    if (isInGroup(state)) {
      if (group) group.keys.add(key)
      else this.#groups.set(id, { labels: state.group, keys: new Set([key]), toldMs: Number.NEGATIVE_INFINITY })
    } else if (group?.keys.delete(key) && group.keys.size === 0) this.#groups.delete(id)
  }

  /** Groups that have something to tell, each with the moment from which on. */
  *due(
    caseOf: (key: string) => Case | undefined,
    nowMs: number,
  ): Generator<{
    readonly labels: NonNullable<Case['group']>
    readonly keys: readonly string[]
    readonly dueMs: number
    readonly told: () => void
  }> {
    for (const group of this.#groups.values()) {
      // A clock that was set back must not keep a group quiet for as long.
      group.toldMs = Math.min(group.toldMs, nowMs)
      const dueMs = this.#dueMs(group, caseOf)
      if (dueMs === undefined) continue
      const { labels, keys } = group
      yield { labels, keys: [...keys], dueMs, told: () => (group.toldMs = nowMs) }
    }
  }

  #dueMs({ keys, toldMs }: Group, caseOf: (key: string) => Case | undefined): number | undefined {
    let [isKnown, isChanged, firstMs] = [false, false, Number.POSITIVE_INFINITY]
    for (const key of keys) {
      const state = caseOf(key)
      if (!state) continue
      if (state.grouped === 'no') firstMs = Math.min(firstMs, state.firstToldMs ?? Number.POSITIVE_INFINITY)
      else isKnown = true
      if (state.grouped !== 'told') isChanged = true
    }
    if (!isChanged) return undefined
    return isKnown ? toldMs + groupGapMs : firstMs + this.#waitMs
  }
}
