/**
 * Asks a device again and again, and hands what it answers to ingest as one message, so one commit.
 *
 *   waiting (rhythm, or back-off after a failure) ──> asking ──> storing ──> waiting
 *
 * Promises: never two polls at once; a device that does not answer is told once, in the log and as its presence, and
 * asked again with pauses that grow to a minute; when it answers again, that is told too. What the store refuses is
 * counted and gone: the next poll brings the next value.
 */
import { messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import type { Time } from '../../replication/time.ts'
import type { Intake } from '../doors.ts'
import { failuresUntilOffline, retryFirstMs, retryMaxMs } from '../limits.ts'
import type { SourceStatus } from '../status.ts'
import type { Rhythm } from './rhythm.ts'

/** How a device is asked. `ask` rejects with a sentence; only one is under way. */
export type Asking = {
  /** `warnings`: what it did not answer, though the rest. */
  ask(): Promise<{ readonly payload: Buffer; readonly warnings: readonly string[] }>
  /** Ends what is under way. */
  close(): void
}

export type PollerOptions = {
  readonly name: string
  readonly kind: 'modbus-tcp' | 'http-poll'
  readonly from: string
  /** Where the answers go. */
  readonly topic: string
  /** Where it is said that the device is here (`/online`) or is not (`/offline`). */
  readonly presenceTopic: string
}

export type PollerDoors = {
  readonly rhythm: Rhythm
  readonly intake: Intake
  readonly time: Time
  readonly random: () => number
  readonly log: Log
}

export class Poller {
  readonly #options: PollerOptions
  readonly #asking: Asking
  readonly #doors: PollerDoors
  readonly #counts = { polls: 0, failures: 0, partial: 0, lost: 0 }
  #state: 'unknown' | 'online' | 'offline' = 'unknown'
  #sinceMs: number | undefined
  #reason: string | undefined
  #warnings: readonly string[] = []
  #failuresInARow = 0
  #isAsking = false
  #isClosed = false
  #dueAtMs = 0
  #cancelTimer: () => void = () => {}
  #running: Promise<void> = Promise.resolve()

  constructor(options: PollerOptions, asking: Asking, doors: PollerDoors) {
    this.#options = options
    this.#asking = asking
    this.#doors = doors
    this.#waitForRhythm()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelTimer()
    this.#asking.close()
    await this.#running
  }

  status(): SourceStatus {
    const { name, kind, from } = this.#options
    const isOnline = this.#state === 'online'
    return {
      name,
      kind,
      from,
      state: isOnline ? 'connected' : 'offline',
      sinceMs: this.#sinceMs,
      reason: isOnline ? undefined : (this.#reason ?? 'it was not asked yet'),
      nextAttemptInMs: isOnline || this.#isAsking ? undefined : Math.max(0, this.#dueAtMs - this.#monotonicMs()),
      mqtt: undefined,
      unanswered: 0,
      warnings: this.#warnings,
      counters: { ...this.#counts },
    }
  }

  #monotonicMs(): number {
    return this.#doors.time.monotonicMs()
  }

  #waitForRhythm(): void {
    const { rhythm, time } = this.#doors
    const waitMs = rhythm({ wallMs: time.wallMs(), monotonicMs: time.monotonicMs() })
    if (waitMs === 0) this.#poll()
    else this.#wait(waitMs, () => this.#waitForRhythm())
  }

  #wait(waitMs: number, then: () => void): void {
    if (this.#isClosed) return
    this.#dueAtMs = this.#monotonicMs() + waitMs
    this.#cancelTimer = this.#doors.time.after(Math.ceil(waitMs), then)
  }

  #poll(): void {
    this.#isAsking = true
    this.#running = this.#pollOnce().finally(() => {
      this.#isAsking = false
      if (this.#isClosed) return
      if (this.#failuresInARow === 0) return this.#waitForRhythm()
      const mostMs = Math.min(retryFirstMs * 2 ** Math.min(this.#failuresInARow - 1, 10), retryMaxMs)
      this.#wait(mostMs * (0.5 + this.#doors.random() / 2), () => this.#poll())
    })
  }

  async #pollOnce(): Promise<void> {
    this.#counts.polls++
    try {
      const { payload, warnings } = await this.#asking.ask()
      if (this.#isClosed) return
      this.#answered(warnings)
      await this.#say(this.#options.topic, payload)
    } catch (error) {
      if (!this.#isClosed) await this.#failed(messageOf(error))
    }
  }

  #answered(warnings: readonly string[]): void {
    const { log } = this.#doors
    this.#failuresInARow = 0
    this.#reason = undefined
    if (warnings.length > 0) this.#counts.partial++
    if (warnings.join() !== this.#warnings.join()) {
      if (warnings.length > 0) log.warn({ reasons: warnings }, 'the device does not answer all that it is asked')
      else log.info({}, 'the device answers all that it is asked again')
    }
    this.#warnings = warnings
    if (this.#state === 'online') return
    log.info({ from: this.#options.from }, 'connected')
    this.#become('online')
  }

  async #failed(reason: string): Promise<void> {
    this.#counts.failures++
    this.#failuresInARow++
    this.#reason = reason
    if (this.#state === 'offline') return
    if (this.#state === 'online' && this.#failuresInARow < failuresUntilOffline) return
    this.#doors.log.warn({ from: this.#options.from, reason }, 'lost')
    this.#become('offline')
  }

  #become(state: 'online' | 'offline'): void {
    this.#state = state
    this.#sinceMs = this.#doors.time.wallMs()
    // Beside what the poll brings, in the same commit.
    void this.#say(`${this.#options.presenceTopic}/${state}`, Buffer.alloc(0))
  }

  /** Resolves once it is stored, or refused. */
  #say(topic: string, payload: Buffer): Promise<void> {
    const { intake, time } = this.#doors
    if (!intake.wants(topic)) return Promise.resolve()
    return new Promise(resolve => {
      const source = this.#options.name
      intake.accept(
        { client: `source:${source}`, source, topic, payload, retain: false, arrivalMs: time.wallMs() },
        error => {
          if (error !== undefined) this.#counts.lost++
          resolve()
        },
      )
    })
  }
}
