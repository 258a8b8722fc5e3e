/**
 * One table and the rules that watch it: reads it from a cursor, judges each reading and each deadline, and commits what
 * comes of it. An alert, its snippet, the state that produced it and the cursor are one commit [I3].
 *
 * Cursor and state are saved when there is an alert, else now and then: after a crash the same readings are judged again
 * from the same state, and come to the same verdicts. What must never happen is an alert without the state that it leads
 * to, or a state without its alert.
 */
import { Judge } from '../../rules/judge/judge.ts'
import { tablesOfLimits } from '../../rules/judge/quiet.ts'
import type { Judgement } from '../../rules/judge/verdict.ts'
import type { Rule } from '../../rules/rule.ts'
import { messageOf } from '../errors.ts'
import { type Entry, type Seq, seqZero } from '../store/types.ts'
import { Afters } from './afters.ts'
import { HeardAcks } from './heard-acks.ts'
import { HeardLabels } from './heard-labels.ts'
import type { Hearing } from './hearing.ts'
import { cursorOf, owner } from './names.ts'
import { Raising } from './raising.ts'
import { Recording } from './recording.ts'
import { isAboutStore, pause, retryMs } from './retry.ts'
import { Saving } from './saving.ts'
import type { Shared } from './shared.ts'
import { Warming } from './warm.ts'

/** Alerts of one commit; but those of one moment stay together. */
const raisedMax = 64

/** The place is saved at least this often while there are readings but nothing fires, and while only time passes. */
const saveEveryMs = { readings: 2_000, time: 60_000 }

/**
 * After a long sleep thousands of moments are made up for: after so many questions to rules (some hundredths of a second)
 * devices have their turn.
 */
const askedPerTurn = 10_000

/** What is made anew from the store whenever judging begins. */
type Bench = {
  readonly judge: Judge
  readonly afters: Afters
  readonly raising: Raising
  readonly warming: Warming
  readonly recording: Recording
  readonly saving: Saving
  readonly hearings: readonly Hearing[]
}

/** One table and the rules that watch it. */
export class Watcher {
  readonly #table: string
  readonly #cursor: string
  readonly #rules: readonly Rule[]
  readonly #shared: Shared
  #bench: Bench
  #position: Seq = seqZero
  /** Up to there time is passing, and is not done yet. */
  #passingMs: number | undefined
  /** The last fault in the log: one that stays is told once. */
  #told: string | undefined
  /** Who waits until all is judged. */
  #asking: (() => void)[] = []
  #sleeping: AbortController | undefined
  #hasEnded = false
  /** What it has taken in hand is not on the disk yet, though its place is past it. */
  #isAtWork = true

  constructor(table: string, rules: readonly Rule[], shared: Shared) {
    this.#table = table
    this.#cursor = cursorOf(table)
    this.#rules = rules.filter(rule => rule.match.table === table)
    this.#shared = shared
    this.#bench = this.#restore()
  }

  get judge(): Judge {
    return this.#bench.judge
  }

  /** Judges until told to stop. A store that fails meanwhile is waited for, and judging begins again from what it holds. */
  async run(signal: AbortSignal): Promise<void> {
    // The first time from what it was made with: opening thousands of series takes a while.
    let isStale = false
    while (!signal.aborted) {
      try {
        await this.#shared.store.ready()
        if (isStale) this.#beginAgain()
        await this.#judge(signal)
      } catch (error) {
        isStale = true
        const reason = messageOf(error)
        if (!isAboutStore(error) && reason !== this.#told)
          this.#shared.log.error({ table: this.#table, reason }, 'alerting begins again')
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
      this.wake()
    })
  }

  /** Adds what the judge has counted to what is counted of all: before it is done with. */
  tally(): void {
    const { counts } = this.#shared
    counts.late += this.judge.late
    counts.evaluations += this.judge.evaluations
  }

  /** There may be something to do that no table tells of. */
  wake(): void {
    this.#sleeping?.abort()
  }

  /** False while there is something that it would judge now, or is judging. */
  get isSettled(): boolean {
    const { store, now, graceMs } = this.#shared
    const isHeard = !this.#bench.hearings.some(hearing => hearing.isWaiting)
    if (this.#hasEnded) return true
    const isIdle = !this.#isAtWork && isHeard && !this.isAdmitting && !this.#bench.saving.isBusy
    return isIdle && store.head(this.#table) <= this.#position && this.dueMs > now() - graceMs
  }

  /** There is an alert that waited for room, and now there is some. */
  get isAdmitting(): boolean {
    return this.judge.counts().refused > 0 && this.#shared.mayFire()
  }

  /** When it has something to judge without another reading; infinity for never. */
  get dueMs(): number {
    const { judge, afters } = this.#bench
    return Math.min(...[judge.nextDueMs(), afters.nextDueMs()].map(ms => ms ?? Number.POSITIVE_INFINITY))
  }

  #answer(count: number): void {
    for (const resolve of this.#asking.splice(0, count)) resolve()
  }

  #beginAgain(): void {
    this.tally()
    this.#bench = this.#restore()
  }

  #restore(): Bench {
    const { store, now, log, labels, mayFire, counts } = this.#shared
    this.#passingMs = undefined
    const limitTables = tablesOfLimits(this.#rules)
    const judge = new Judge(this.#rules, {
      origin: store.origin,
      lookup: (records, key) => store.latest(records, key),
      // A row changes by an entry in the log of its table.
      rowsVersion: () => limitTables.reduce((sum, table) => sum + store.head(table), 0),
      saved: key => store.state(owner, key),
      labelsOf: device => labels.of(device),
      mayFire,
    })
    judge.resume(now(), store.states(owner).keys(), store.series(this.#table))
    this.#position = store.cursor(this.#cursor) ?? seqZero
    const afters = new Afters(store, this.#table)
    const recording = new Recording(store, now)
    const hearings = [new HeardAcks(this.#table, this.#shared), new HeardLabels(this.#rules, this.#shared)]
    return {
      judge,
      afters,
      raising: new Raising(this.#table, this.#shared, afters),
      warming: new Warming(this.#table, store, log),
      recording,
      saving: new Saving(this.#position, {
        store,
        now,
        cursor: this.#cursor,
        judge,
        recording,
        lost: count => {
          counts.unrecorded += count
        },
        written: () => this.wake(),
      }),
      hearings: hearings.filter(({ isNeeded }) => isNeeded),
    }
  }

  async #judge(signal: AbortSignal): Promise<void> {
    const { store, now, graceMs } = this.#shared
    const { saving } = this.#bench
    while (!signal.aborted) {
      this.#isAtWork = true
      saving.check()
      const asking = this.#asking.length
      const passedMs = now() - graceMs
      // What was taken before a deadline must be read before the deadline counts, however slow the disk is just now.
      if (passedMs >= this.dueMs) await store.commit([], 'now')
      if (await this.#work(passedMs)) continue
      this.#isAtWork = false
      if (asking > 0 && saving.isBusy) await saving.now(this.#position)
      else this.#answer(asking)
      if (this.#asking.length === 0) await this.#sleep(signal)
    }
    await saving.now(this.#position)
  }

  /** What has been heard, then what is stored, then what is due, then what became whole. False if there was nothing. */
  async #work(passedMs: number): Promise<boolean> {
    const { store } = this.#shared
    const { afters, saving, warming } = this.#bench
    if (this.#passingMs !== undefined) return this.#raise(await this.#pass(this.#passingMs))
    const heard = await this.#hear()
    if (heard.length > 0) return this.#raise(heard)
    const entries = await store.read(this.#table, this.#position, 1024)
    if (entries.length > 0) return this.#raise(await this.#judgeEntries(entries))
    const due = await this.#pass(passedMs)
    if (due.length > 0 || this.#passingMs !== undefined) return this.#raise(due)
    const whole = await afters.due(passedMs)
    if (whole.length > 0) {
      await saving.now(this.#position, whole)
      return true
    }
    warming.rest()
    await saving.record(this.#position)
    saving.later(this.#position, saveEveryMs.time)
    return false
  }

  async #hear(): Promise<readonly Judgement[]> {
    const judged: Judgement[] = []
    for (const hearing of this.#bench.hearings) judged.push(...(await hearing.tell(this.judge)))
    return judged
  }

  async #judgeEntries(entries: readonly Entry[]): Promise<readonly Judgement[]> {
    const { judge, warming } = this.#bench
    const judged: Judgement[] = []
    for (const entry of entries) {
      if (entry.kind === 'reading') {
        if (judge.cold(entry).length > 0) await warming.fill(judge, entry, entry.seq)
        judged.push(...judge.judge(entry))
        this.#record(entry.boot)
      }
      this.#position = entry.seq
      if (judged.length >= raisedMax) break
    }
    return judged
  }

  /** Time passes without a reading. Where much is due, in several goes: nothing else is judged between them. */
  async #pass(passedMs: number): Promise<readonly Judgement[]> {
    const { judge, warming } = this.#bench
    const isDue = (): boolean => (judge.nextDueMs() ?? Number.POSITIVE_INFINITY) <= passedMs
    if (isDue() && judge.cold(passedMs).length > 0) await warming.fill(judge, passedMs, this.#position + 1)
    const judged = judge.advance(passedMs, askedPerTurn)
    this.#record(this.#shared.boot?.())
    this.#passingMs = isDue() ? passedMs : undefined
    if (this.#passingMs !== undefined) await new Promise(resolve => setImmediate(resolve))
    return judged
  }

  #record(boot: string | undefined): void {
    const { judge, recording } = this.#bench
    const recorded = judge.takeRecorded()
    if (recorded.length === 0) return
    const { counts } = this.#shared
    const left = recording.add(recorded, boot)
    counts.recorded += recorded.length - left
    counts.unrecorded += left
  }

  /** True: something was done. */
  async #raise(judged: readonly Judgement[]): Promise<true> {
    const { raising, saving } = this.#bench
    if (judged.length > 0) {
      await saving.now(this.#position, await raising.changes(judged))
      raising.tell(judged)
    } else {
      await saving.record(this.#position)
      saving.later(this.#position, saveEveryMs.readings)
    }
    this.#shared.judged()
    return true
  }

  /** Sleeps until there is something to judge or a deadline is due. */
  async #sleep(signal: AbortSignal): Promise<void> {
    // Room may have come since it was asked for: nobody wakes who is not asleep yet.
    if (signal.aborted || this.isAdmitting) return
    const due = this.dueMs
    const wake = new AbortController()
    const end = (): void => wake.abort()
    const waitMs = due + this.#shared.graceMs - this.#shared.now()
    const timer = due === Number.POSITIVE_INFINITY ? undefined : setTimeout(end, Math.min(Math.max(waitMs, 10), 60_000))
    this.#sleeping = wake
    // Not AbortSignal.any: the signal that lives on would keep a trace of each one made of it.
    signal.addEventListener('abort', end)
    const more = [
      this.#shared.store.waitPast(this.#table, this.#position, wake.signal),
      ...this.#bench.hearings.map(hearing => hearing.wait(wake.signal)),
    ]
    await Promise.race(more)
    wake.abort()
    await Promise.all(more)
    signal.removeEventListener('abort', end)
    clearTimeout(timer)
    this.#sleeping = undefined
  }
}
