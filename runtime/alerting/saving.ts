/**
 * How far a watcher has come, on its way to the disk: its cursor, the states that changed, and what belongs to the same
 * moment (rows of alerts, recorded readings), always in one commit [I3].
 *
 *   now     alerts: at once, and waited for
 *   record  recorded readings: with the next group of readings; judging goes on meanwhile, and what it records gathers
 *   later   nothing but the place: when there is company
 *
 * Must never write a state without what it led to, or a cursor ahead of its states: where a save came to nothing all that
 * is in memory is ahead of the disk, every later save throws, and judging begins again from the store.
 */
import type { Judge } from '../../rules/judge/judge.ts'
import { HoldfastError } from '../errors.ts'
import type { Store } from '../store/store.ts'
import type { Change, Seq, Urgency } from '../store/types.ts'
import { owner } from './names.ts'
import type { Recording } from './recording.ts'

/** Recorded readings that may gather while others are being written: beyond that judging waits. */
const gatheredMax = 8_192

export type SavingDoors = {
  readonly store: Store
  readonly now: () => number
  readonly cursor: string
  readonly judge: Judge
  readonly recording: Recording
  /** Recorded readings that the store did not take: its disk is full, and alerts must not wait for that. */
  readonly lost: (count: number) => void
  /** What was being written is written. */
  readonly written: () => void
}

export class Saving {
  readonly #doors: SavingDoors
  #savedAt: Seq
  /** The first time soon: then it is seen early that nothing can be saved. */
  #savedMs = 0
  #failed: unknown
  #writing: Promise<void> | undefined

  constructor(savedAt: Seq, doors: SavingDoors) {
    this.#doors = doors
    this.#savedAt = savedAt
  }

  /** Throws what a save has come to that nobody waited for. */
  check(): void {
    if (this.#failed !== undefined) throw this.#failed
  }

  /** Something recorded is not on the disk yet. */
  get isBusy(): boolean {
    return this.#writing !== undefined || this.#doors.recording.count > 0
  }

  async now(seq: Seq, changes: readonly Change[] = []): Promise<void> {
    await this.#hurry()
    await this.#commit(seq, 'now', changes)
  }

  /** Begins to write what was recorded, unless that is going on; waits only where too much has gathered. */
  async record(seq: Seq): Promise<void> {
    const { recording, written } = this.#doors
    if (recording.count === 0) return
    if (this.#writing && recording.count < gatheredMax) return
    await this.#writing
    this.check()
    this.#writing = this.#commit(seq, 'interval', [])
      .catch((error: unknown) => {
        this.#failed = error
      })
      .finally(() => {
        this.#writing = undefined
        written()
      })
  }

  /** The place, if it was not saved for so long and has moved. Either way: a clock may have been set back. */
  later(seq: Seq, everyMs: number): void {
    if (this.#writing || Math.abs(this.#doors.now() - this.#savedMs) < everyMs) return
    this.#commit(seq, 'lazy', []).catch((error: unknown) => {
      this.#failed = error
    })
  }

  async #hurry(): Promise<void> {
    while (this.#writing) {
      await this.#doors.store.commit([], 'now')
      await this.#writing
    }
  }

  async #commit(seq: Seq, urgency: Urgency, changes: readonly Change[]): Promise<void> {
    this.check()
    const { store, now, cursor, judge, recording, lost } = this.#doors
    const readings = recording.count
    const recorded = recording.take()
    const states = judge.takeUnsaved().map(({ key, value }): Change => ({ kind: 'state', owner, key, value }))
    const others: Change[] = [...changes, ...states]
    if (others.length === 0 && recorded.length === 0 && seq === this.#savedAt) return
    this.#savedMs = now()
    this.#savedAt = seq
    const place: Change = { kind: 'cursor', name: cursor, seq }
    try {
      await store.commit([...others, ...recorded, place], urgency)
    } catch (error) {
      if (readings === 0 || !isFull(error)) throw error
      lost(readings)
      await store.commit([...others, place], urgency)
    }
  }
}

const isFull = (error: unknown): boolean => error instanceof HoldfastError && error.code === 'STORE_FULL'
