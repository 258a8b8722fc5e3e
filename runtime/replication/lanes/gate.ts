/**
 * Whether the window of a stream is open, asked every second or so. The wall clock may be set at any moment: its pace is
 * compared with running time, and what was worked out before a step is worked out anew (failures F8, N1). Nothing is
 * walked that was missed meanwhile.
 *
 * While the clock is not trusted a window is closed: it stands for a price or a promise to somebody, what waits in the
 * log is bounded by the table's own limits, and alerts go anyway. `clock.trust: always` is for boards that know better.
 */
import { type Schedule, type Window, type WindowState, compileWindow } from '../../schedule.ts'
import { HoldfastError } from '../../errors.ts'
import type { Now } from './budget.ts'

/** A step of the wall clock larger than this is a step, and no drift. */
const stepMs = 2_000
/** Worked out anew after so long whatever the clocks say: rules of daylight saving may come with an update. */
const staleMs = 3_600_000

export class Gate {
  readonly #schedule: Schedule
  #known: { readonly state: WindowState; readonly now: Now } | undefined

  /** Throws CONFIG_INVALID for a window that the configuration would have refused. */
  constructor(window: Window) {
    const compiled = compileWindow(window)
    if (!compiled.ok)
      throw new HoldfastError('BAD_ARGUMENT', `window.${compiled.key}: ${compiled.reason}`, 'correct it')
    this.#schedule = compiled.schedule
  }

  state(now: Now): WindowState {
    if (!now.isTrusted) return { isOpen: false, untilMs: undefined }
    if (this.#known === undefined || isOutdated(this.#known.state, this.#known.now, now)) {
      this.#known = { state: this.#schedule.stateAt(now.wallMs), now }
    }
    return this.#known.state
  }
}

function isOutdated({ untilMs }: WindowState, then: Now, now: Now): boolean {
  const passedMs = now.monotonicMs - then.monotonicMs
  const isStep = Math.abs(now.wallMs - then.wallMs - passedMs) > stepMs
  return isStep || passedMs >= staleMs || (untilMs !== undefined && now.wallMs >= untilMs)
}
