/**
 * Alerting: the rules in force, each table that they watch with a watcher of its own. Another set of rules keeps the state
 * of those whose meaning is the same, and ends the alerts of the others.
 */
import { partsOfKey } from '../../rules/judge/track.ts'
import type { Rule } from '../../rules/rule.ts'
import type { Json } from '../reading.ts'
import type { Change } from '../store/types.ts'
import { forgetAfters } from './afters.ts'
import { alertsTable, cursorOf, keyOf, owner } from './names.ts'
import { whenWritable } from './retry.ts'
import { type AlertingOptions, Watcher } from './watcher.ts'

export type AlertingStatus = {
  readonly firing: number
  readonly pending: number
  readonly late: number
  readonly raised: number
  readonly resolved: number
}

export class Alerting {
  readonly #options: AlertingOptions
  readonly #counts = { raised: 0, resolved: 0 }
  #stop = new AbortController()
  #isClosed = false
  #rules: readonly Rule[] = []
  #watchers: readonly Watcher[] = []
  #running: Promise<unknown> = Promise.resolve()
  /** Ends with the change that was begun last. */
  #changing: Promise<void> = Promise.resolve()

  constructor(options: AlertingOptions) {
    this.#options = options
  }

  /** Puts a set of rules in force. Alerts of rules that are gone, or mean something else now, are resolved. */
  use(rules: readonly Rule[]): Promise<void> {
    return this.#change(() => this.#use(rules))
  }

  /** Nobody judges while `work` is at work; then judging goes on from what the store holds. */
  pausedWhile(work: () => Promise<void>): Promise<void> {
    return this.#change(() => this.#pausedWhile(work))
  }

  /**
   * Resolves when all that is stored, and every deadline up to now (less the grace), is judged and what came of it is on the
   * disk, also what rules made of the readings of others. Watchers that sleep are woken: a pretend clock may have jumped.
   */
  async settled(): Promise<void> {
    for (;;) {
      const changing = this.#changing
      await changing
      await Promise.all(this.#watchers.map(watcher => watcher.settled()))
      if (changing === this.#changing && this.#watchers.every(watcher => watcher.isSettled)) return
    }
  }

  /** When there is something to judge without another reading; infinity for never. Known once it is settled. */
  get dueMs(): number {
    return Math.min(...this.#watchers.map(watcher => watcher.dueMs))
  }

  #change(work: () => Promise<void>): Promise<void> {
    const changing = work()
    this.#changing = changing.catch(() => undefined)
    return changing
  }

  async #use(rules: readonly Rule[]): Promise<void> {
    await this.#halt()
    if (this.#isClosed) return
    this.#stop = new AbortController()
    const { signal } = this.#stop
    const tables = new Set(rules.map(rule => rule.match.table))
    await whenWritable(signal, async () => {
      await this.#retire(rules)
      await this.#begin(tables)
    })
    if (signal.aborted) return
    this.#rules = rules
    this.#watch()
  }

  async #pausedWhile(work: () => Promise<void>): Promise<void> {
    await this.#halt()
    try {
      await work()
    } finally {
      if (!this.#isClosed) {
        this.#stop = new AbortController()
        this.#watch()
      }
    }
  }

  #watch(): void {
    const { signal } = this.#stop
    const rules = this.#rules
    const tables = new Set(rules.map(rule => rule.match.table))
    this.#watchers = [...tables].map(table => new Watcher(table, rules, this.#options, this.#counts))
    this.#running = Promise.all(this.#watchers.map(watcher => watcher.run(signal)))
  }

  status(): AlertingStatus {
    let [firing, pending, late] = [0, 0, 0]
    for (const watcher of this.#watchers) {
      const counts = watcher.judge.counts()
      firing += counts.firing
      pending += counts.pending
      late += watcher.judge.late
    }
    return { firing, pending, late, ...this.#counts }
  }

  /** Stops judging and saves where it stood. Rules that are put in force afterwards are not. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#halt()
  }

  async #halt(): Promise<void> {
    this.#stop.abort()
    await this.#running
    this.#watchers = []
  }

  /**
   * A table that was not watched before is watched from here on: its history pages nobody. The place in a table that is
   * watched no longer is forgotten: what comes meanwhile is history too, when it is watched again.
   */
  async #begin(tables: ReadonlySet<string>): Promise<void> {
    const { store } = this.#options
    const isWatched = (table: string): boolean => store.cursor(cursorOf(table)) !== undefined
    const fresh = [...tables].filter(table => !isWatched(table))
    const left = [...store.tables.keys()].filter(table => !tables.has(table) && isWatched(table))
    const changes = [
      ...fresh.map((table): Change => ({ kind: 'cursor', name: cursorOf(table), seq: store.head(table) })),
      ...forgetAfters(store, tables),
      ...left.map((table): Change => ({ kind: 'cursor', name: cursorOf(table), seq: undefined })),
    ]
    if (changes.length > 0) await store.commit(changes, 'now')
  }

  /** State under another meaning starts fresh; an alert that stood under it ends, and says why. */
  async #retire(rules: readonly Rule[]): Promise<void> {
    const { store, now } = this.#options
    const meanings = new Map(rules.map(rule => [rule.id, rule.fingerprint]))
    const changes: Change[] = []
    for (const [key, value] of store.states(owner)) {
      const { rule, origin, device, metric } = partsOfKey(key)
      const saved = value as unknown as { fingerprint: string; state: { kind: string; episode?: { firedMs: number } } }
      if (meanings.get(rule) === saved.fingerprint) continue
      changes.push({ kind: 'state', owner, key, value: undefined })
      const firedMs = saved.state.episode?.firedMs
      const alert = firedMs === undefined ? undefined : keyOf(store.origin, rule, { origin, device, metric }, firedMs)
      const row = alert === undefined ? undefined : store.latest(alertsTable, alert)
      if (!alert || !row) continue
      const ended = {
        ...(row.value as object),
        state: 'resolved',
        resolved_ms: now(),
        resolved_reason: meanings.has(rule) ? 'rule changed' : 'rule removed',
      }
      changes.push({ kind: 'put', table: alertsTable, key: alert, value: ended as Json })
    }
    if (changes.length > 0) await store.commit(changes, 'now')
  }
}
