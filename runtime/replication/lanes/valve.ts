/**
 * How much of its link a bridge may use, and when: windows per stream, a rate and a daily budget for all of its lanes
 * together. Bytes are counted where they are handed to the link.
 *
 * Promises: control and alerts are counted and never held back; what is held back says why and until when; a restart
 * refills nothing. After a cut of power the budget may not know of the last seconds, as with every cursor.
 */
import { messageOf } from '../../errors.ts'
import type { Window } from '../../schedule.ts'
import { formatSize } from '../../units.ts'
import { type Budget, type Now, kept, leftBytes, openBudget, passed, renewsAtMs, spent } from './budget.ts'
import { Gate } from './gate.ts'
import { type Lane, isNeverHeld } from './lanes.ts'
import { type Bucket, fullBucket, taken, waitMs } from './rate.ts'
import { frameBytesMin } from './road.ts'
import type { Doors, StreamStatus } from '../stream.ts'

/** The keys of a bridge that a valve is made from. */
type BridgeKeys = {
  readonly name: string
  readonly rateBytes?: number | undefined
  readonly dailyBytes?: number | undefined
  readonly publish: readonly { readonly table: string; readonly window?: Window | undefined }[]
  readonly clockTrusted?: (() => boolean) | undefined
}

export function valveOptions({ name, publish, rateBytes, dailyBytes, clockTrusted }: BridgeKeys): ValveOptions {
  const windows = new Map<string, Window>()
  for (const { table, window } of publish) if (window !== undefined) windows.set(table, window)
  return { name, rateBytes, dailyBytes, windows, clockTrusted: clockTrusted ?? (() => true) }
}

export type ValveOptions = {
  /** The bridge: under this name its budget is kept. */
  readonly name: string
  readonly rateBytes: number | undefined
  readonly dailyBytes: number | undefined
  /** By table. */
  readonly windows: ReadonlyMap<string, Window>
  readonly clockTrusted: () => boolean
}

/** Why a stream is held back, and when it goes on, by the wall clock. */
export type Hold = { readonly reason: string; readonly goesOnAtMs: number | undefined }

export type ValveStatus = {
  readonly rateBytes: number | undefined
  readonly daily: { readonly bytes: number; readonly leftBytes: number; readonly renewsAtMs: number } | undefined
}

const budgetsOwner = 'budgets'
/** A stream that waits for tokens no longer than this is moving. */
const momentMs = 5_000
/** At most so much running time may be forgotten by a restart. */
const elapsedMsMax = 600_000

export class Valve {
  readonly #options: ValveOptions
  readonly #doors: Doors
  readonly #gates: ReadonlyMap<string, Gate>
  #bucket: Bucket | undefined
  #budget: Budget | undefined
  #isSaving = false
  /** As it was kept last: time alone is no reason to write. */
  #saved: Budget | undefined
  #cancelWake: (() => void) | undefined
  /** Called when there are tokens again after somebody was told that there are none. */
  onRoom: () => void = () => {}

  constructor(options: ValveOptions, doors: Doors) {
    this.#options = options
    this.#doors = doors
    this.#gates = new Map([...options.windows].map(([table, window]) => [table, new Gate(window)]))
    const { rateBytes, dailyBytes, name } = options
    if (rateBytes !== undefined) this.#bucket = fullBucket(rateBytes, doors.time.monotonicMs())
    if (dailyBytes === undefined) return
    this.#budget = openBudget(dailyBytes, doors.store.state(budgetsOwner, name), this.#now())
    this.#saved = this.#budget
  }

  /** With a rate, a frame is no more than a second of it, so that it delays an alert by no more. */
  get frameBytesMax(): number {
    return Math.max(frameBytesMin, this.#options.rateBytes ?? Number.POSITIVE_INFINITY)
  }

  /** What keeps a stream from sending for longer than a moment. */
  hold(table: string, lane: Lane): Hold | undefined {
    if (isNeverHeld(lane)) return undefined
    const now = this.#now()
    const window = this.#gates.get(table)?.state(now)
    if (window?.isOpen === false) {
      const reason = now.isTrusted ? 'outside its window' : 'outside its window: the clock is not trusted yet'
      return { reason, goesOnAtMs: window.untilMs }
    }
    const { dailyBytes, rateBytes } = this.#options
    const budget = this.#budget && passed(this.#budget, now)
    if (budget !== undefined && leftBytes(budget) <= 0) {
      return { reason: `the ${formatSize(dailyBytes ?? 0)} of today are used up`, goesOnAtMs: renewsAtMs(budget, now) }
    }
    // One large transaction may take the tokens of a minute.
    const pauseMs = this.#pauseMs()
    if (pauseMs <= momentMs) return undefined
    const reason = `what went before has used up the ${formatSize(rateBytes ?? 0)} a second`
    return { reason, goesOnAtMs: Math.round(now.wallMs + pauseMs) }
  }

  /** May a frame of this lane go now? */
  isOpen(table: string, lane: Lane): boolean {
    if (isNeverHeld(lane)) return true
    const pauseMs = this.#pauseMs()
    if (pauseMs > 0) this.#wakeAfter(pauseMs)
    return pauseMs === 0 && this.hold(table, lane) === undefined
  }

  /** A stream that is held back on purpose says so, instead of seeming to be stuck. */
  marked(status: StreamStatus, lane: Lane): StreamStatus {
    if (status.behind === 0 || (status.state !== 'moving' && status.state !== 'stalled')) return status
    const hold = this.hold(status.table, lane)
    return hold === undefined ? status : { ...status, state: 'waiting', ...hold }
  }

  spent(bytes: number): void {
    if (this.#bucket !== undefined) this.#bucket = taken(this.#bucket, bytes, this.#doors.time.monotonicMs())
    if (this.#budget !== undefined) this.#budget = spent(passed(this.#budget, this.#now()), bytes)
  }

  /** Called every second or so: keeps what was used. */
  tick(): void {
    if (this.#budget === undefined || this.#isSaving) return
    this.#budget = passed(this.#budget, this.#now())
    this.#isSaving = true
    void this.#save('lazy').finally(() => {
      this.#isSaving = false
    })
  }

  async close(): Promise<void> {
    this.#cancelWake?.()
    this.#cancelWake = undefined
    await this.#save('now')
  }

  status(): ValveStatus {
    const { rateBytes, dailyBytes } = this.#options
    const now = this.#now()
    const budget = this.#budget && passed(this.#budget, now)
    return {
      rateBytes,
      daily: budget && {
        bytes: dailyBytes ?? 0,
        leftBytes: leftBytes(budget),
        renewsAtMs: renewsAtMs(budget, now),
      },
    }
  }

  async #save(urgency: 'lazy' | 'now'): Promise<void> {
    const { store, log } = this.#doors
    const { name } = this.#options
    const budget = this.#budget
    if (budget === undefined || (this.#saved !== undefined && !isNews(this.#saved, budget))) return
    try {
      await store.commit([{ kind: 'state', owner: budgetsOwner, key: name, value: kept(budget) }], urgency)
      this.#saved = budget
    } catch (error) {
      log.debug({ bridge: name, reason: messageOf(error) }, 'the used budget was not saved')
    }
  }

  /** Until there are tokens again. */
  #pauseMs(): number {
    return this.#bucket === undefined ? 0 : waitMs(this.#bucket, this.#doors.time.monotonicMs())
  }

  #wakeAfter(pauseMs: number): void {
    if (this.#cancelWake !== undefined) return
    this.#cancelWake = this.#doors.time.after(pauseMs, () => {
      this.#cancelWake = undefined
      this.onRoom()
    })
  }

  #now(): Now {
    const { time } = this.#doors
    return { wallMs: time.wallMs(), monotonicMs: time.monotonicMs(), isTrusted: this.#options.clockTrusted() }
  }
}

/** Running time counts while there is no clock to tell the day. */
function isNews(saved: Budget, budget: Budget): boolean {
  if (saved.usedBytes !== budget.usedBytes || saved.day !== budget.day) return true
  return Math.abs(budget.elapsedMs - saved.elapsedMs) >= elapsedMsMax
}
