/**
 * What becomes of an alert once its row is committed: it is told to the local broker, by itself and with its group, told
 * again while nobody cares for it, and its rule's actions are done. Follows the table `alerts` from a durable cursor.
 *
 * Promises: each thing that happens to an alert of this gateway is told once; after a crash perhaps twice, never not at
 * all. What was told, and what is still to do, is saved with the cursor: a restart neither forgets nor repeats. Alerts
 * found in late readings are never told, silenced ones not until the silence ends. It must never hold up the reading of
 * devices or the judging of rules: it only follows.
 */
import type { AlertRow } from '../../../rules/alert/alert.ts'
import type { AlertRule, Rule } from '../../../rules/rule.ts'
import { messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import type { Store } from '../../store/store.ts'
import { type Change, type Entry, type Seq, seqZero } from '../../store/types.ts'
import { alertsTable } from '../names.ts'
import { isAboutStore, pause } from '../retry.ts'
import { Silences, silencesTable } from '../silences.ts'
import { alertOf, groupOf } from './announcement.ts'
import * as cases from './case.ts'
import { Cases, type Tracked, adoptedKey, notifierOwner } from './cases.ts'
import { type Failure, Jobs, type Publisher } from './jobs.ts'
import { rulesById } from './rules-by-id.ts'
import { Telling } from './telling.ts'
import { alertsPerTurn, endedKeptMs, sweepEveryMs } from './limits.ts'

export type NotifierOptions = {
  readonly store: Store
  /** Undefined where this gateway has no broker: then nobody is told, and rows are written all the same. */
  readonly publish: Publisher | undefined
  /** The rules in force. */
  readonly rules: () => readonly Rule[]
  /** `alerts` of the configuration. */
  readonly alerts: {
    readonly renotifyMs: number | undefined
    readonly groupBy: readonly string[]
    readonly groupWaitMs: number
  }
  readonly now: () => number
  /** Old silences are deleted only by a clock that is right. */
  readonly isTimeTrusted: () => boolean
  readonly log: Log
  /** Told that an action was given up, and with undefined that all succeed again. */
  readonly troubled?: (text: string | undefined) => void
}

export type NotifierStatus = {
  /** Since the start: tellings of single alerts, those of them that were repetitions, and tellings of groups. */
  readonly announced: number
  readonly repeated: number
  readonly groups: number
  /** Tellings that a silence held back. */
  readonly suppressed: number
  /** Silences in force now, and alerts that one of them keeps quiet. */
  readonly silences: number
  readonly silenced: number
  readonly actions: {
    readonly done: number
    readonly failed: number
    readonly givenUp: number
    /** Of all alerts, now. */
    readonly waiting: number
    readonly lastFailure: Failure | undefined
  }
}

/** What is read from the store anew, all of it together, when a write has failed. */
type Work = { readonly cases: Cases; readonly jobs: Jobs; readonly telling: Telling }

/** That of the announcer before it, so that nothing is told twice after an update. */
const cursorName = 'announcer/alerts'
const retryMs = 1_000
const sleepMsMax = 60_000

export class Notifier {
  readonly #options: NotifierOptions
  readonly #silences: Silences
  readonly #ruleOf: (id: string) => AlertRule | undefined
  readonly #counts = { announced: 0, repeated: 0, groups: 0, suppressed: 0 }
  readonly #actionCounts = { done: 0, failed: 0, givenUp: 0 }
  readonly #troubled = new Set<string>()
  readonly #stop = new AbortController()
  #work: Work
  #position: Seq = seqZero
  #savedAt: Seq = seqZero
  #saving: Promise<unknown> = Promise.resolve()
  #unsaved: unknown
  #sweptMs = Number.NEGATIVE_INFINITY
  #toldFault: string | undefined
  #running: Promise<void> = Promise.resolve()
  #settling: (() => void)[] = []
  /** Ends the sleep of now; what calls it while nobody sleeps is heard before the next sleep. */
  #wake: () => void = () => undefined
  #isAwake = false

  /** Tells and acts from now on. */
  static open(options: NotifierOptions): Notifier {
    const notifier = new Notifier(options)
    // What an earlier run could not do is not known any more.
    options.troubled?.(undefined)
    notifier.#running = notifier.#run()
    return notifier
  }

  private constructor(options: NotifierOptions) {
    this.#options = options
    this.#silences = new Silences(options.store, options.log)
    this.#ruleOf = rulesById(options.rules)
    this.#work = this.#restore()
  }

  /** Looks now at what is due: the clock has been moved, or the rules are others. */
  wake(): void {
    this.#isAwake = true
    this.#wake()
  }

  /** Resolves when everything that is due by now has been told, done and saved, or it is closed. */
  settled(): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.resolve()
    return new Promise(resolve => {
      this.#settling.push(resolve)
      this.wake()
    })
  }

  /** When there is something to tell or to do without another alert; infinity for never. Known once it is settled. */
  get dueMs(): number {
    return this.#nextDueMs()
  }

  status(): NotifierStatus {
    const nowMs = this.#options.now()
    let waiting = 0
    let silenced = 0
    for (const { state, isHeld, quietUntilMs } of this.#work.cases.open.values()) {
      waiting += state.jobs.length
      if (isHeld && quietUntilMs > nowMs) silenced++
    }
    const { lastFailure } = this.#work.jobs
    const silences = this.#silences.inForce(nowMs)
    return { ...this.#counts, silences, silenced, actions: { ...this.#actionCounts, waiting, lastFailure } }
  }

  /** Saves where it stands, and ends. */
  async close(): Promise<void> {
    this.#stop.abort()
    this.wake()
    await this.#running
    for (const resolve of this.#settling.splice(0)) resolve()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await this.#options.store.ready()
        await this.#adopt()
        while (!signal.aborted) await this.#go()
        await this.#work.jobs.stop()
        this.#save('now')
        await this.#saving
      } catch (error) {
        if (signal.aborted) return
        const reason = messageOf(error)
        if (!isAboutStore(error) && reason !== this.#toldFault)
          this.#options.log.warn({ reason }, 'alerts could not be told: trying again')
        this.#toldFault = reason
        this.#save('now')
        await this.#saving
        await this.#work.jobs.stop()
        this.#work = this.#restore()
        await pause(retryMs, signal)
      }
    }
  }

  /** What the store holds, which after a failed write is less than what is in memory. */
  #restore(): Work {
    const { store, publish, now, log, alerts, troubled = () => undefined } = this.#options
    const [ruleOf, silences] = [this.#ruleOf, this.#silences]
    const open = new Cases(store, alerts.groupWaitMs)
    const rowOf = (key: string): AlertRow | undefined => alertOf(store.latest(alertsTable, key)?.value)
    const { renotifyMs } = alerts
    const telling = new Telling({ publish, now, rowOf, ruleOf, renotifyMs, silences }, open, this.#counts)
    const doors = { store, publish, now, log, ruleOf, troubled }
    const jobs = new Jobs(doors, open, this.#actionCounts, this.#troubled, error => {
      this.#unsaved ??= error
      this.wake()
    })
    this.#position = store.cursor(cursorName) ?? seqZero
    this.#savedAt = this.#position
    this.#unsaved = undefined
    return { cases: open, jobs, telling }
  }

  /** Alerts that the announcer of an earlier version has told of: it kept no states. */
  async #adopt(): Promise<void> {
    const { store, alerts, now } = this.#options
    if (store.state(notifierOwner, adoptedKey) !== undefined) return
    for await (const { key, value, origin, seq } of store.rows(alertsTable)) {
      const row = alertOf(value)
      if (!row || origin !== store.origin || seq > this.#position || row.late || row.state === 'resolved') continue
      this.#work.cases.set(key, cases.adopted(row, groupOf(alerts.groupBy, row)), now())
    }
    const mark: Change = { kind: 'state', owner: notifierOwner, key: adoptedKey, value: true }
    await store.commit([...this.#work.cases.takeUnsaved(), mark], 'now')
  }

  /** One turn, and the sleep after it if nothing is left to do. */
  async #go(): Promise<void> {
    const { now } = this.#options
    const settling = this.#settling.splice(0)
    this.#isAwake = false
    let hasMoved = true
    try {
      hasMoved = await this.#turn()
      if (!hasMoved && this.#work.jobs.running === 0 && this.#nextDueMs() > now()) {
        // A cursor that waits for company waits no longer.
        if (settling.length > 0) await this.#options.store.commit([], 'now')
        if (settling.length > 0) await this.#saving
        if (this.#unsaved === undefined) for (const resolve of settling.splice(0)) resolve()
      }
    } finally {
      this.#settling.unshift(...settling)
    }
    if (!hasMoved) await this.#sleep()
  }

  /** True if anything was read, told or begun. */
  async #turn(): Promise<boolean> {
    const { store, now } = this.#options
    const { cases: known, jobs, telling } = this.#work
    if (this.#unsaved !== undefined) throw this.#unsaved
    if (await this.#silences.refresh()) for (const tracked of known.open.values()) tracked.quietUntilMs = 0
    const entries = await store.read(alertsTable, this.#position, alertsPerTurn)
    let hasMoved = entries.length > 0
    for (const entry of entries) {
      await this.#take(entry)
      this.#position = entry.seq
    }
    for (const tracked of known.open.values()) {
      const { key, state } = tracked
      known.set(key, cases.notLaterThan(state, now()), now())
      this.#repeat(tracked)
      if (await telling.tell(tracked)) hasMoved = true
      if (jobs.begin(tracked)) hasMoved = true
    }
    if (await telling.tellGroups()) hasMoved = true
    await this.#sweep()
    this.#save('interval')
    return hasMoved
  }

  async #take(entry: Entry): Promise<void> {
    const { store, alerts, now } = this.#options
    if (entry.kind !== 'record' || entry.origin !== store.origin) return
    if (entry.value === undefined) return this.#work.cases.drop(entry.key)
    const row = alertOf(entry.value)
    // What somebody put into the table by hand is no alert; late alerts are history.
    if (!row) return this.#work.cases.drop(entry.key)
    if (row.late) return
    const known = this.#work.cases.open.get(entry.key)
    if (!known && row.state === 'resolved') {
      const isHistory = (row.resolved_ms ?? 0) < now() - endedKeptMs
      if (isHistory || this.#work.cases.hasEnded(entry.key)) return
    }
    const state = cases.noticed(known?.state, row, groupOf(alerts.groupBy, row), this.#ruleOf(row.rule), now())
    const tracked = this.#work.cases.set(entry.key, state, now())
    if (!tracked) return
    if (known?.state.phase !== state.phase) tracked.isHeld = false
    await this.#work.telling.tell(tracked, row)
  }

  #repeat({ key, state }: Tracked): void {
    const nowMs = this.#options.now()
    const due = cases.repeatDue(state, this.#ruleOf(state.rule))
    if (due && due.dueMs <= nowMs) this.#work.cases.set(key, cases.repeated(state, due.action, nowMs), nowMs)
  }

  async #sweep(): Promise<void> {
    const { store, now, isTimeTrusted } = this.#options
    const nowMs = now()
    if (Math.abs(nowMs - this.#sweptMs) < sweepEveryMs) return
    this.#sweptMs = nowMs
    this.#work.cases.forget(nowMs)
    const ended = isTimeTrusted() ? this.#silences.sweep(nowMs) : []
    if (ended.length > 0) await store.commit(ended)
  }

  /** Not waited for: neither the next alert nor the end of the gateway should wait for a cursor's company. */
  #save(urgency: 'now' | 'interval'): void {
    const states = this.#unsaved === undefined ? this.#work.cases.takeUnsaved() : []
    if (this.#unsaved !== undefined || (states.length === 0 && this.#position === this.#savedAt)) return
    this.#savedAt = this.#position
    const cursor: Change = { kind: 'cursor', name: cursorName, seq: this.#position }
    const commit = this.#options.store.commit([...states, cursor], states.length === 0 ? 'lazy' : urgency)
    this.#saving = commit.catch((error: unknown) => {
      this.#unsaved ??= error
    })
  }

  /** The next moment at which something is to be told or done, by what is known now; Infinity for never. */
  #nextDueMs(): number {
    const { cases: known, telling } = this.#work
    let next = telling.groupsDueMs()
    for (const tracked of known.open.values()) {
      const { state, isBusy } = tracked
      const repeatMs = cases.repeatDue(state, this.#ruleOf(state.rule))?.dueMs
      const jobMs = isBusy ? undefined : state.jobs[0]?.dueMs
      for (const ms of [telling.dueMs(tracked), repeatMs, jobMs]) if (ms !== undefined && ms < next) next = ms
    }
    return next
  }

  async #sleep(): Promise<void> {
    const { store, now } = this.#options
    if (this.#isAwake || this.#stop.signal.aborted) return
    const end = new AbortController()
    this.#wake = () => end.abort()
    const dueMs = this.#nextDueMs()
    const timer = setTimeout(this.#wake, Math.min(Math.max(dueMs - now(), 10), sleepMsMax))
    const waits = [store.waitPast(alertsTable, this.#position, end.signal)]
    if (store.tables.has(silencesTable)) waits.push(store.waitPast(silencesTable, this.#silences.seen, end.signal))
    await Promise.race(waits)
    clearTimeout(timer)
    end.abort()
    this.#wake = () => undefined
  }
}
