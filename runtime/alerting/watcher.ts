/**
 * One table and the rules that watch it: reads it from a cursor, judges each reading and each deadline, and commits what
 * comes of it. An alert, its snippet, the state that produced it and the cursor are one commit [I3].
 *
 * Cursor and state are saved when there is an alert, else now and then: after a crash the same readings are judged again
 * from the same state, and come to the same verdicts. What must never happen is an alert without the state that it leads
 * to, or a state without its alert.
 */
import { type AlertRow, alertRow } from '../../rules/alert/alert.ts'
import { Judge, type Judgement } from '../../rules/judge/judge.ts'
import type { Rule } from '../../rules/rule.ts'
import type { Snippet } from '../../rules/alert/snippet.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Json } from '../reading.ts'
import type { Store } from '../store/store.ts'
import { type Change, type Entry, type Seq, seqZero } from '../store/types.ts'
import { Afters } from './afters.ts'
import { type Cut, cutSnippet, snippetSpecOf } from './cut.ts'
import { alertsTable, cursorOf, keyOf, owner } from './names.ts'
import { isAboutStore, pause, retryMs } from './retry.ts'

export type AlertingOptions = {
  readonly store: Store
  readonly now: () => number
  readonly log: Log
  /** How long after a deadline a reading that arrived before it may still be on its way into the store. */
  readonly graceMs: number
}

/** State and cursor are saved at least this often while nothing fires. */
const saveEveryMs = 2_000

/** One table and the rules that watch it. */
export class Watcher {
  readonly #table: string
  readonly #cursor: string
  readonly #rules: readonly Rule[]
  readonly #options: AlertingOptions
  readonly #counts: { raised: number; resolved: number }
  judge: Judge
  #afters: Afters
  #position: Seq = seqZero
  #savedAt: Seq = seqZero
  #savedMs = 0
  #unsaved: unknown
  /** The last fault in the log: one that stays is told once. */
  #told: string | undefined
  /** Who waits until all is judged. */
  #asking: (() => void)[] = []
  #sleeping: AbortController | undefined
  #hasEnded = false

  constructor(
    table: string,
    rules: readonly Rule[],
    options: AlertingOptions,
    counts: { raised: number; resolved: number },
  ) {
    this.#table = table
    this.#cursor = cursorOf(table)
    this.#rules = rules.filter(rule => rule.match.table === table)
    this.#options = options
    this.#counts = counts
    this.judge = this.#restore()
    this.#afters = new Afters(options.store, table)
  }

  /** Judges until told to stop. A store that fails meanwhile is waited for, and judging begins again from what it holds. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#options.store.ready()
        this.judge = this.#restore()
        this.#afters = new Afters(this.#options.store, this.#table)
        await this.#judge(signal)
      } catch (error) {
        const reason = messageOf(error)
        if (!isAboutStore(error) && reason !== this.#told)
          this.#options.log.error({ table: this.#table, reason }, 'alerting begins again')
        this.#told = reason
        await pause(retryMs, signal)
      }
    }
    this.#hasEnded = true
    this.#answer(this.#asking.length)
  }

  /**
   * Resolves when all that is stored now and every deadline up to now is judged, and what came of it is on the disk; or
   * when judging has ended. Wakes a watcher that sleeps: the clock may have moved under it.
   */
  settled(): Promise<void> {
    return new Promise(resolve => {
      if (this.#hasEnded) return resolve()
      this.#asking.push(resolve)
      this.#sleeping?.abort()
    })
  }

  /** False while there is something that it would judge now. */
  get isSettled(): boolean {
    const { store, now, graceMs } = this.#options
    return store.head(this.#table) <= this.#position && this.#nextDueMs > now() - graceMs
  }

  /** Infinity if there is nothing to wait for. */
  /** When it has something to judge without another reading; infinity for never. */
  get dueMs(): number {
    return this.#nextDueMs
  }

  get #nextDueMs(): number {
    return Math.min(...[this.judge.nextDueMs(), this.#afters.nextDueMs()].map(ms => ms ?? Number.POSITIVE_INFINITY))
  }

  #answer(count: number): void {
    for (const resolve of this.#asking.splice(0, count)) resolve()
  }

  #restore(): Judge {
    const { store, now } = this.#options
    const judge = new Judge(this.#rules, {
      origin: store.origin,
      lookup: (records, key) => store.latest(records, key),
      saved: key => store.state(owner, key),
      labelsOf: () => ({}),
      mayFire: () => true,
    })
    judge.resume(now(), store.states(owner).keys(), store.series(this.#table))
    this.#position = store.cursor(this.#cursor) ?? seqZero
    this.#savedAt = this.#position
    this.#unsaved = undefined
    return judge
  }

  async #judge(signal: AbortSignal): Promise<void> {
    const { store, now } = this.#options
    while (!signal.aborted) {
      if (this.#unsaved !== undefined) throw this.#unsaved
      const asking = this.#asking.length
      const passedMs = now() - this.#options.graceMs
      // What was taken before a deadline must be read before the deadline counts, however slow the disk is just now.
      if (passedMs >= this.#nextDueMs) await store.commit([], 'now')
      const entries = await store.read(this.#table, this.#position, 1024)
      const judged = entries.length > 0 ? this.#judgeEntries(entries) : this.judge.advance(passedMs)
      const whole = entries.length === 0 && judged.length === 0 ? await this.#afters.due(passedMs) : []
      if (judged.length > 0) await this.#raise(judged)
      else if (whole.length > 0) await this.#save('now', whole)
      // Either way: a clock that was set back must not keep the cursor where it is for as long.
      else if (Math.abs(now() - this.#savedMs) >= saveEveryMs && this.#savedAt < this.#position) this.#saveLater()
      if (entries.length > 0 || judged.length > 0 || whole.length > 0) continue
      this.#answer(asking)
      if (this.#asking.length === 0) await this.#sleep(signal)
    }
    await this.#save('now')
  }

  #judgeEntries(entries: readonly Entry[]): readonly Judgement[] {
    const judged: Judgement[] = []
    for (const entry of entries) {
      if (entry.kind === 'reading') judged.push(...this.judge.judge(entry))
      this.#position = entry.seq
    }
    return judged
  }

  async #raise(judged: readonly Judgement[]): Promise<void> {
    const rows = new Map<string, AlertRow>()
    const afters: Change[] = []
    for (const judgement of judged) {
      const { rule, subject, verdict } = judgement
      const key = keyOf(this.#options.store.origin, rule.id, subject, verdict.firedMs, verdict.late)
      const before = rows.get(key) ?? (this.#options.store.latest(alertsTable, key)?.value as AlertRow | undefined)
      const context = verdict.kind === 'fired' ? await this.#cut(judgement) : before
      rows.set(key, alertRow(rule, subject, verdict, context))
      if (verdict.kind === 'fired') afters.push(...this.#after(judgement, key))
    }
    const puts = [...rows].map(
      ([key, value]): Change => ({ kind: 'put', table: alertsTable, key, value: value as unknown as Json }),
    )
    await this.#save('now', [...puts, ...afters])
    for (const { rule, subject, verdict } of judged) {
      if (verdict.kind === 'fired') this.#counts.raised++
      else if (verdict.kind === 'resolved') this.#counts.resolved++
      this.#options.log.info(
        {
          rule: rule.id,
          device: subject.device,
          metric: subject.metric,
          value: verdict.value,
          threshold: verdict.threshold,
        },
        `alert ${verdict.kind}`,
      )
    }
  }

  /** The readings before the verdict, in the device's own time. */
  #cut({ seq, ...judgement }: Judgement): Promise<Snippet> {
    return cutSnippet(
      this.#options.store,
      cutOf(judgement),
      // More may be stored by now, even of the same millisecond: judged again, the alert must come out the same.
      (entry, table) => seq === undefined || table !== this.#table || entry.seq <= seq,
    )
  }

  /** Of a rule that wants to know what came after, too. */
  #after(judgement: Judgement, key: string): Change[] {
    const { rule, timeMs, verdict } = judgement
    const { afterMs } = rule.snippet
    if (afterMs === 0) return []
    const cut = cutOf(judgement)
    const isArrival = verdict.atMs === timeMs
    return [this.#afters.add(key, { ...cut, toMs: timeMs + afterMs, dueMs: verdict.atMs + afterMs, isArrival })]
  }

  /** Saves state and cursor with whatever else belongs to the same moment. */
  async #save(urgency: 'now' | 'lazy', changes: readonly Change[] = []): Promise<void> {
    // A save before this one came to nothing: its states would be missing under a cursor that has passed them [I3].
    if (this.#unsaved !== undefined) throw this.#unsaved
    const seq = this.#position
    const states = this.judge.takeUnsaved().map(({ key, value }): Change => ({ kind: 'state', owner, key, value }))
    if (changes.length === 0 && states.length === 0 && seq === this.#savedAt) return
    this.#savedMs = this.#options.now()
    this.#savedAt = seq
    await this.#options.store.commit([...changes, ...states, { kind: 'cursor', name: this.#cursor, seq }], urgency)
  }

  /** Not waited for. If it fails, what is in memory is ahead of the disk: then judging begins again from there. */
  #saveLater(): void {
    this.#save('lazy').catch((error: unknown) => {
      this.#unsaved = error
    })
  }

  /** Sleeps until there is something to judge or a deadline is due. */
  async #sleep(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const due = this.#nextDueMs
    const wake = new AbortController()
    const end = (): void => wake.abort()
    const waitMs = due + this.#options.graceMs - this.#options.now()
    const timer = due === Number.POSITIVE_INFINITY ? undefined : setTimeout(end, Math.min(Math.max(waitMs, 10), 60_000))
    this.#sleeping = wake
    // Not AbortSignal.any: the signal that lives on would keep a trace of each one made of it.
    signal.addEventListener('abort', end)
    await this.#options.store.waitPast(this.#table, this.#position, wake.signal)
    signal.removeEventListener('abort', end)
    clearTimeout(timer)
    this.#sleeping = undefined
  }
}

function cutOf({ rule, subject, timeMs }: Omit<Judgement, 'seq'>): Cut {
  const { table, origin, device, metric } = subject
  const about = { table, origin, device, metric }
  return { spec: snippetSpecOf(rule), about, fromMs: timeMs - rule.snippet.beforeMs, toMs: timeMs }
}
