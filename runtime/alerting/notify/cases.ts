/**
 * The cases of all alerts that are not over and done with, and their way to the disk and back. What has changed is handed
 * out once, to be saved with the cursor; an alert that is over leaves a mark that it was, for a day.
 */
import type { Json } from '../../reading.ts'
import type { Store } from '../../store/store.ts'
import type { Change } from '../../store/types.ts'
import { type Case, type Ended, isFinished } from './case.ts'
import { Groups } from './groups.ts'
import { endedKeptMax, endedKeptMs } from './limits.ts'

/** The owner of these states in the store. */
export const notifierOwner = 'notifier'
/** The state that says that alerts of before the notifier kept states were taken over; no alert has such a key. */
export const adoptedKey = 'adopted'

export type Tracked = {
  readonly key: string
  state: Case
  /** A silence covers it until then: nobody need look before. */
  quietUntilMs: number
  /** What it has to tell was counted as held back. */
  isHeld: boolean
  /** One of its actions is at work. */
  isBusy: boolean
}

export class Cases {
  readonly open = new Map<string, Tracked>()
  readonly groups: Groups
  /** When they ended, the oldest first. */
  readonly #ended = new Map<string, number>()
  readonly #dirty = new Set<string>()

  constructor(store: Pick<Store, 'states'>, groupWaitMs: number) {
    this.groups = new Groups(groupWaitMs)
    const ended: [string, number][] = []
    for (const [key, value] of store.states(notifierOwner)) {
      if (key === adoptedKey) continue
      const state = value as unknown as Case | Ended
      if ('endedMs' in state) ended.push([key, state.endedMs])
      else this.#track(key, state)
    }
    for (const [key, endedMs] of ended.toSorted((a, b) => a[1] - b[1])) this.#ended.set(key, endedMs)
  }

  hasEnded(key: string): boolean {
    return this.#ended.has(key)
  }

  /** The case of an alert as it is from now on; one that is over and done with is put away. */
  set(key: string, state: Case, nowMs: number): Tracked | undefined {
    const tracked = this.open.get(key)
    if (tracked?.state === state) return tracked
    this.#dirty.add(key)
    if (isFinished(state)) {
      if (tracked) tracked.state = state
      this.open.delete(key)
      this.groups.note(key, state)
      this.#ended.delete(key)
      this.#ended.set(key, nowMs)
      return undefined
    }
    this.#ended.delete(key)
    return this.#track(key, state)
  }

  /** Of an alert whose row was deleted nothing is told any more. */
  drop(key: string): void {
    const tracked = this.open.get(key)
    if (tracked) this.groups.note(key, { ...tracked.state, told: null })
    if (this.open.delete(key) || this.#ended.delete(key)) this.#dirty.add(key)
  }

  /** Forgets what ended long ago. */
  forget(nowMs: number): void {
    for (const [key, endedMs] of this.#ended) {
      if (endedMs >= nowMs - endedKeptMs && this.#ended.size <= endedKeptMax) break
      this.#ended.delete(key)
      this.#dirty.add(key)
    }
  }

  takeUnsaved(): Change[] {
    const changes = [...this.#dirty].map(key => this.saved(key))
    this.#dirty.clear()
    return changes
  }

  /** How a case stands, as a change to commit together with what was done. */
  saved(key: string): Change {
    const endedMs = this.#ended.get(key)
    const state = this.open.get(key)?.state ?? (endedMs === undefined ? undefined : { endedMs })
    return { kind: 'state', owner: notifierOwner, key, value: state as unknown as Json | undefined }
  }

  #track(key: string, state: Case): Tracked {
    const known = this.open.get(key)
    if (known) known.state = state
    const tracked = known ?? { key, state, quietUntilMs: 0, isHeld: false, isBusy: false }
    this.open.set(key, tracked)
    this.groups.note(key, state)
    return tracked
  }
}
