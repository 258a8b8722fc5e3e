/**
 * Does what the actions of rules say: one after the other for each alert, those of different alerts beside each other.
 *
 * Promises: at least once over a crash for what is published, exactly once for a row that is written, which goes to disk
 * together with the note that it was. What fails is tried again later, a bounded number of times, then given up, counted
 * and told. It must never hold up whoever tells of alerts: nobody waits for it.
 */
import type { AlertRow } from '../../../rules/alert/alert.ts'
import type { AlertRule } from '../../../rules/rule.ts'
import { messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import type { Store } from '../../store/store.ts'
import { alertsTable } from '../names.ts'
import { isAboutStore } from '../retry.ts'
import { type Deed, deedOf } from './actions.ts'
import { type Case, type Job, jobDone, jobFailed, jobPutOff } from './case.ts'
import type { Cases, Tracked } from './cases.ts'
import { actionsAtOnceMax, publishMsMax, triesMax } from './limits.ts'

/** Publishes to the broker of this gateway. */
export type Publisher = (
  topic: string,
  payload: string,
  options: { readonly qos: 0 | 1 | 2; readonly retain: boolean },
) => Promise<void>

export type JobDoors = {
  readonly store: Store
  /** Undefined where this gateway has no broker. */
  readonly publish: Publisher | undefined
  readonly ruleOf: (id: string) => AlertRule | undefined
  readonly now: () => number
  readonly log: Log
  /** Told once an action was given up, and once it has succeeded again. */
  readonly troubled: (text: string | undefined) => void
}

export type Failure = { readonly alert: string; readonly reason: string; readonly atMs: number }

export class Jobs {
  readonly #doors: JobDoors
  readonly #cases: Cases
  readonly #counts: { done: number; failed: number; givenUp: number }
  readonly #wake: (error?: unknown) => void
  readonly #running = new Set<Promise<void>>()
  /** Actions that were given up, by rule and number: each is told once until it succeeds. */
  readonly #troubled: Set<string>
  #isStopped = false
  lastFailure: Failure | undefined

  /** `wake` is told whenever an alert's jobs have moved; with an error if judging must begin again from the store. */
  constructor(
    doors: JobDoors,
    cases: Cases,
    counts: { done: number; failed: number; givenUp: number },
    troubled: Set<string>,
    wake: (error?: unknown) => void,
  ) {
    this.#doors = doors
    this.#cases = cases
    this.#counts = counts
    this.#troubled = troubled
    this.#wake = wake
  }

  get running(): number {
    return this.#running.size
  }

  /** Begins what is due of an alert, if there is room. True if it did. */
  begin(tracked: Tracked): boolean {
    const dueMs = tracked.state.jobs[0]?.dueMs ?? Number.POSITIVE_INFINITY
    if (this.#isStopped || tracked.isBusy || dueMs > this.#doors.now() || this.#running.size >= actionsAtOnceMax)
      return false
    tracked.isBusy = true
    const work = this.#work(tracked).finally(() => {
      tracked.isBusy = false
      this.#running.delete(work)
      this.#wake()
    })
    this.#running.add(work)
    return true
  }

  /** Begins nothing more; resolves when nothing is at work any more. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await Promise.all(this.#running)
  }

  async #work(tracked: Tracked): Promise<void> {
    try {
      for (;;) {
        const [job] = tracked.state.jobs
        if (this.#isStopped || !job || job.dueMs > this.#doors.now()) return
        if (this.#cases.open.get(tracked.key) !== tracked) return
        await this.#do(tracked, job)
      }
    } catch (error) {
      this.#wake(error)
    }
  }

  async #do(tracked: Tracked, job: Job): Promise<void> {
    const { store, ruleOf } = this.#doors
    const action = ruleOf(tracked.state.rule)?.actions[job.action]
    const row = store.latest(alertsTable, tracked.key)?.value as AlertRow | undefined
    // A rule that is gone does nothing any more.
    if (!action || !row) return this.#set(tracked, jobDone)
    const deed = deedOf(action, row, job.on)
    if (typeof deed === 'string') return this.#failed(tracked, job, deed)
    const fault = deed.kind === 'write' ? await this.#write(tracked, deed) : await this.#publish(tracked, deed)
    if (fault === 'later') return
    if (fault !== undefined) return this.#failed(tracked, job, fault)
    this.#counts.done++
    if (this.#troubled.delete(troubleOf(tracked.state, job)) && this.#troubled.size === 0)
      this.#doors.troubled(undefined)
  }

  async #publish(tracked: Tracked, { topic, payload, qos, retain }: Deed & { kind: 'publish' }) {
    const { publish } = this.#doors
    if (!publish) return 'this gateway has no broker to publish to'
    try {
      await inTime(publish(topic, payload, { qos, retain }))
    } catch (error) {
      return messageOf(error)
    }
    this.#set(tracked, jobDone)
    return undefined
  }

  /** The row and the note that it was written are one commit. */
  async #write(tracked: Tracked, { table, key, row }: Deed & { kind: 'write' }) {
    const { store, now } = this.#doors
    const [job] = tracked.state.jobs
    this.#set(tracked, jobDone)
    try {
      await store.commit([{ kind: 'put', table, key, value: row }, this.#cases.saved(tracked.key)], 'now')
      return undefined
    } catch (error) {
      const again = this.#cases.open.get(tracked.key) ?? tracked
      if (job) this.#cases.set(tracked.key, { ...again.state, jobs: [job, ...again.state.jobs] }, now())
      if (!isAboutStore(error)) return messageOf(error)
      this.#set(this.#cases.open.get(tracked.key) ?? tracked, state => jobPutOff(state, now()))
      return 'later'
    }
  }

  #failed(tracked: Tracked, job: Job, reason: string): void {
    const { now, log, troubled } = this.#doors
    const nowMs = now()
    this.#set(this.#cases.open.get(tracked.key) ?? tracked, state => jobFailed(state, nowMs))
    this.#counts.failed++
    this.lastFailure = { alert: tracked.key, reason, atMs: nowMs }
    if (job.tries + 1 < triesMax) return
    this.#counts.givenUp++
    const trouble = troubleOf(tracked.state, job)
    if (this.#troubled.has(trouble)) return
    this.#troubled.add(trouble)
    const text = `action ${job.action + 1} of the rule ${tracked.state.rule} fails: ${reason}`
    log.error({ alert: tracked.key, on: job.on, reason }, `${text}; it was given up after ${triesMax} tries`)
    troubled(text)
  }

  /** Unless the alert is another's by now: the store was read again, or its row is gone. */
  #set(tracked: Tracked, move: (state: Case) => Case): void {
    if (this.#cases.open.get(tracked.key) !== tracked) return
    this.#cases.set(tracked.key, move(tracked.state), this.#doors.now())
  }
}

const troubleOf = ({ rule }: Case, { action }: Job): string => `${action} ${rule}`

async function inTime(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the broker did not take it within ${publishMsMax} ms`)), publishMsMax)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
