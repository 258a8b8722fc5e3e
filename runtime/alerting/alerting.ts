/**
 * Alerting: the rules in force, each table that they watch with a watcher of its own. Another set of rules keeps the state
 * of those whose meaning is the same, and ends the alerts of the others.
 */
import type { JudgeCounts } from '../../rules/judge/verdict.ts'
import type { Rule } from '../../rules/rule.ts'
import type { Change } from '../store/types.ts'
import { forgetAfters } from './afters.ts'
import { DeviceLabels } from './device-labels.ts'
import { cursorOf } from './names.ts'
import { retired } from './retire.ts'
import { whenWritable } from './retry.ts'
import type { SelfAlert } from './self-alerts.ts'
import type { AlertingOptions, Counts, Shared } from './shared.ts'
import { Silences } from './silences.ts'
import { Watcher } from './watcher.ts'

export type AlertingStatus = JudgeCounts &
  Readonly<Counts> & {
    /** Undefined: any number may fire at once. */
    readonly activeMax: number | undefined
  }

const tooMany = 'TooManyAlerts'

export class Alerting {
  readonly #shared: Shared
  #stop = new AbortController()
  #isClosed = false
  #rules: readonly Rule[] = []
  #watchers: readonly Watcher[] = []
  #running: Promise<unknown> = Promise.resolve()
  /** Ends with the change that was begun last. */
  #changing: Promise<void> = Promise.resolve()

  constructor(options: AlertingOptions) {
    const { store, log } = options
    this.#shared = {
      ...options,
      labels: new DeviceLabels(store, options.configuredLabels),
      silences: new Silences(store, log),
      counts: { raised: 0, resolved: 0, late: 0, evaluations: 0, recorded: 0, unrecorded: 0 },
      mayFire: () => this.#sum(watcher => watcher.judge.counts().firing) < activeMaxOf(options),
      judged: () => this.#lookForRoom(),
    }
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
      const { store, now } = this.#shared
      for (const changes of retired(store, rules, this.#shared.labels, now())) await store.commit(changes, 'now')
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
      // Rows came meanwhile that nobody heard of: a device may have other labels than its alerts were judged by.
      await this.#use(this.#rules)
    }
  }

  #watch(): void {
    const { signal } = this.#stop
    const rules = this.#rules
    const tables = new Set(rules.map(rule => rule.match.table))
    this.#watchers = [...tables].map(table => new Watcher(table, rules, this.#shared))
    this.#running = Promise.all(this.#watchers.map(watcher => watcher.run(signal)))
  }

  status(): AlertingStatus {
    const counts = this.#watchers.map(watcher => watcher.judge.counts())
    const told = this.#shared.counts
    const sum = (of: (count: JudgeCounts) => number): number => counts.reduce((total, count) => total + of(count), 0)
    return {
      firing: sum(({ firing }) => firing),
      pending: sum(({ pending }) => pending),
      latched: sum(({ latched }) => latched),
      refused: sum(({ refused }) => refused),
      activeMax: this.#shared.activeMax,
      ...told,
      late: told.late + this.#sum(({ judge }) => judge.late),
      evaluations: told.evaluations + this.#sum(({ judge }) => judge.evaluations),
    }
  }

  /** Stops judging and saves where it stood. Rules that are put in force afterwards are not. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#halt()
  }

  #sum(of: (watcher: Watcher) => number): number {
    return this.#watchers.reduce((sum, watcher) => sum + of(watcher), 0)
  }

  /** Alerts wait while too many fire; the gateway says so, and wakes those that wait once there is room. */
  #lookForRoom(): void {
    const { alerts, activeMax } = this.#shared
    if (activeMax === undefined) return
    const isWaiting = this.#watchers.some(({ judge }) => judge.counts().refused > 0)
    if (isWaiting) alerts?.raise(tooMany, tooManyAlerts(activeMax))
    else alerts?.resolve(tooMany)
    for (const watcher of this.#watchers) if (watcher.isAdmitting) watcher.wake()
  }

  async #halt(): Promise<void> {
    this.#stop.abort()
    await this.#running
    for (const watcher of this.#watchers) watcher.tally()
    this.#watchers = []
  }

  /**
   * A table that was not watched before is watched from here on: its history pages nobody. The place in a table that is
   * watched no longer is forgotten: what comes meanwhile is history too, when it is watched again.
   */
  async #begin(tables: ReadonlySet<string>): Promise<void> {
    const { store } = this.#shared
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
}

const activeMaxOf = ({ activeMax = Number.POSITIVE_INFINITY }: AlertingOptions): number => activeMax

function tooManyAlerts(activeMax: number): SelfAlert {
  return {
    severity: 'critical',
    part: 'alerts',
    text: `${activeMax} alerts fire at once, as many as may (alerts.active_max): others wait until one of them has ended`,
  }
}
