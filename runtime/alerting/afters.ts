/**
 * Snippets that are not whole yet: of an alert whose rule asks for readings after it too. What is to be read, and when, is
 * remembered in the store with the alert itself, so that neither a restart nor another set of rules forgets it. When the
 * time has come the row is written once more with the whole snippet, in one commit with the forgetting [I3].
 */
import type { AlertRow } from '../../rules/alert/alert.ts'
import type { Json } from '../reading.ts'
import type { Store } from '../store/store.ts'
import type { Change } from '../store/types.ts'
import { type Cut, cutSnippet } from './cut.ts'
import { alertsTable } from './names.ts'

export const afterOwner = 'snippet-after'
/** Changes of one commit: the rows of one go are a few megabytes, however many alerts fired in one moment. */
const dueMax = 64

export type After = Cut & {
  /** When it is cut; by arrival. */
  readonly dueMs: number
  /** Whether the devices have no time of their own: then a corrected clock moves theirs too. */
  readonly isArrival: boolean
}

/** Those of one table, by the key of the alert. */
export class Afters {
  readonly #store: Store
  readonly #waiting = new Map<string, After>()

  constructor(store: Store, table: string) {
    this.#store = store
    for (const [key, value] of store.states(afterOwner)) {
      const after = value as unknown as After
      if (after.about.table === table) this.#waiting.set(key, after)
    }
  }

  nextDueMs(): number | undefined {
    let next: number | undefined
    for (const { dueMs } of this.#waiting.values()) if (dueMs < (next ?? Number.POSITIVE_INFINITY)) next = dueMs
    return next
  }

  /** Remembers one; the change belongs into the commit of its alert. */
  add(key: string, after: After): Change {
    this.#waiting.set(key, after)
    return { kind: 'state', owner: afterOwner, key, value: after as unknown as Json }
  }

  /** What to write for those that are due: each row as it is now, with its whole snippet. */
  async due(passedMs: number): Promise<Change[]> {
    const changes: Change[] = []
    for (const [key, after] of this.#waiting) {
      if (after.dueMs > passedMs) continue
      if (changes.length >= dueMax) break
      this.#waiting.delete(key)
      changes.push(forget(key))
      const row = this.#store.latest(alertsTable, key)?.value as AlertRow | undefined
      if (!row) continue
      // What came later is another story: cut again after a crash, it must come out the same.
      const snippet = await cutSnippet(this.#store, after, entry => entry.arrivalMs <= after.dueMs)
      changes.push({ kind: 'put', table: alertsTable, key, value: { ...row, snippet } as unknown as Json })
    }
    return changes
  }
}

/** Nobody will look at these tables any more: what their alerts have must do. */
export function forgetAfters(store: Pick<Store, 'states'>, watched: ReadonlySet<string>): Change[] {
  const all = [...store.states(afterOwner)] as unknown as (readonly [string, After])[]
  return all.filter(([, { about }]) => !watched.has(about.table)).map(([key]) => forget(key))
}

/** What a clock that was off has left behind, put right. */
export function shiftAfters(store: Pick<Store, 'states' | 'origin'>, offsetMs: number, laterThanMs: number): Change[] {
  const all = [...store.states(afterOwner)] as unknown as (readonly [string, After])[]
  return all
    .filter(([, { about, dueMs }]) => about.origin === store.origin && dueMs > laterThanMs)
    .map(([key, after]): Change => {
      const dueMs = after.dueMs + offsetMs
      const [fromMs, toMs] = [after.fromMs, after.toMs].map(ms => (after.isArrival ? ms + offsetMs : ms))
      return { kind: 'state', owner: afterOwner, key, value: { ...after, dueMs, fromMs, toMs } as unknown as Json }
    })
}

const forget = (key: string): Change => ({ kind: 'state', owner: afterOwner, key, value: undefined })
