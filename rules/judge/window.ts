/**
 * A window of time over a series or a group: what was measured in the last so many minutes, at any moment.
 *
 * Promises: the view is a pure function of what is stored. It covers the readings up to some position of the log whose own
 * time lies in the slices of (T - w, T], however they came, late or not, live or read again from the store after a restart:
 * the same bits. A slice is a 120th of the window and begins at a whole multiple of its width. Memory is bounded whatever
 * the times are: at most `slicesMax` slices are kept. Where one had to be forgotten the window says that it does not know.
 *
 * It must never be asked in another order than add, then view: the view is one object, which the next one changes.
 *
 *        kept                     (T - w            T]
 *   ┌──┬──┬──┬──┬──┬──┬──┬──┬──┬──┬──┬──┬──┬──┬──┬──┐      the newest reading (by position) stands beside the slices
 *   └──┴──┴──┴──┴──┴──┴──┴──┴──┴──┴──┴──┴──┴──┴──┴──┘  ●   until the next one comes: it can be held against the rest
 *                     └──────── closed ─────────┘open
 */
import type { WindowView } from '../expression/scope.ts'
import { DeviceNumbers, DeviceSet } from './device-count.ts'
import { Totals } from './totals.ts'

/** A window is so many slices: its edge is known to the hundredth, and a refill reads no more than it must. */
const slicesPerWindow = 120
/** As much again for moments before and after the present one. */
export const slicesMax = 256

type Slice = { readonly index: number; readonly totals: Totals; readonly devices: DeviceSet | undefined }

export class Window {
  readonly #lengthMs: number
  readonly #widthMs: number
  /** Ascending; those in which nothing was measured are not there. */
  readonly #slices: Slice[] = []
  /** Slices from the one to the other are known as the store knows them. Nothing is, before it was filled. */
  #knownFrom = Number.POSITIVE_INFINITY
  #knownTo = Number.POSITIVE_INFINITY
  /** The slices asked about: after the first, up to the second. */
  #after = Number.NEGATIVE_INFINITY
  #upTo = Number.NEGATIVE_INFINITY
  /** Where these begin and end in the list, and all of them but the last, joined; good while `#isJoined`. */
  #begin = 0
  #end = 0
  #isJoined = false
  readonly #closed = new Totals()
  readonly #newest = {
    isThere: false,
    index: 0,
    value: undefined as number | undefined,
    timeMs: 0,
    device: 0 as number | undefined,
  }
  readonly #devices:
    | { readonly numbers: DeviceNumbers; readonly closed: DeviceSet; readonly all: DeviceSet }
    | undefined
  readonly #view: View
  /** Nothing has changed since it was made: an expression may ask for it several times. */
  #isViewed = false

  constructor(lengthMs: number, countsDevices: boolean) {
    this.#lengthMs = lengthMs
    this.#widthMs = Math.max(1, Math.ceil(lengthMs / slicesPerWindow))
    this.#devices = countsDevices
      ? { numbers: new DeviceNumbers(), closed: new DeviceSet(), all: new DeviceSet() }
      : undefined
    this.#view = new View(() => this.#countDevices())
  }

  /** The own time of the first reading that must be known for a view at `nowMs`. */
  beginsMs(nowMs: number): number {
    return (this.#indexOf(nowMs - this.#lengthMs) + 1) * this.#widthMs
  }

  /** Forgets everything: from now on it is given all that is stored with an own time from `fromMs` on. */
  begin(fromMs: number): void {
    this.#slices.length = 0
    this.#newest.isThere = false
    this.#knownFrom = Math.ceil(fromMs / this.#widthMs)
    this.#knownTo = Number.POSITIVE_INFINITY
    this.#isJoined = false
    this.#isViewed = false
  }

  /** Whether a view at `nowMs` would be complete. */
  knows(nowMs: number): boolean {
    return this.#indexOf(nowMs - this.#lengthMs) + 1 >= this.#knownFrom && this.#indexOf(nowMs) <= this.#knownTo
  }

  /** Moves to a moment: what lies far from it is forgotten first. */
  moveTo(nowMs: number): void {
    const upTo = this.#indexOf(nowMs)
    const after = this.#indexOf(nowMs - this.#lengthMs)
    if (upTo === this.#upTo && after === this.#after) return
    this.#upTo = upTo
    this.#after = after
    this.#isJoined = false
    this.#isViewed = false
  }

  /** The next reading by position; undefined for one that is no number. */
  add(value: number | undefined, timeMs: number, device: string): void {
    this.#isViewed = false
    this.#putAway()
    const index = this.#indexOf(timeMs)
    if (!(index >= this.#knownFrom && index <= this.#knownTo)) return
    const { numbers } = this.#devices ?? {}
    const newest = this.#newest
    newest.isThere = true
    newest.index = index
    newest.value = value
    newest.timeMs = timeMs
    newest.device = numbers?.of(device, () => this.#devicesNow(), this.#after)
  }

  /** How many slices there are. */
  get slices(): number {
    return this.#slices.length
  }

  /** Undefined where not all of it is known. */
  view(): WindowView | undefined {
    if (this.#after + 1 < this.#knownFrom || this.#upTo > this.#knownTo) return undefined
    if (this.#isViewed) return this.#view
    this.#isViewed = true
    if (!this.#isJoined) this.#join()
    const { before, all } = this.#view
    before.clear()
    before.join(this.#closed)
    const open = this.#end > this.#begin ? this.#slices[this.#end - 1] : undefined
    if (open) before.join(open.totals)
    all.clear()
    all.join(before)
    if (this.#sees(this.#newest)) all.add(this.#newest.value, this.#newest.timeMs)
    return this.#view
  }

  #indexOf(timeMs: number): number {
    return Math.floor(timeMs / this.#widthMs)
  }

  #sees({ isThere, index }: { readonly isThere: boolean; readonly index: number }): boolean {
    return isThere && index > this.#after && index <= this.#upTo
  }

  /** The newest goes into its slice: there is one that is newer now. */
  #putAway(): void {
    const { isThere, index, value, timeMs, device } = this.#newest
    if (!isThere) return
    this.#newest.isThere = false
    const slice = this.#sliceAt(index)
    if (slice === undefined) return
    slice.totals.add(value, timeMs)
    slice.devices?.set(device)
  }

  #sliceAt(index: number): Slice | undefined {
    const slices = this.#slices
    const at = positionAfter(slices, index)
    const found = slices[at - 1]
    if (found?.index === index) {
      // A slice between others is among those that were joined.
      if (at !== this.#end) this.#isJoined = false
      return found
    }
    const slice = { index, totals: new Totals(), devices: this.#devices && new DeviceSet() }
    slices.splice(at, 0, slice)
    this.#isJoined = false
    if (slices.length > slicesMax) this.#forget()
    return index >= this.#knownFrom && index <= this.#knownTo ? slice : undefined
  }

  /** The oldest that the present moment does not need; if it needs that one, what is farthest ahead. */
  #forget(): void {
    const [oldest] = this.#slices
    if (oldest && oldest.index <= this.#after) {
      this.#slices.shift()
      this.#knownFrom = oldest.index + 1
      return
    }
    const farthest = this.#slices.pop()
    if (farthest) this.#knownTo = farthest.index - 1
  }

  #join(): void {
    const closed = this.#closed
    closed.clear()
    this.#begin = positionAfter(this.#slices, this.#after)
    this.#end = positionAfter(this.#slices, this.#upTo)
    this.#devices?.closed.clear()
    for (let at = this.#begin; at < this.#end - 1; at++) {
      const slice = this.#slices[at]
      if (!slice) continue
      closed.join(slice.totals)
      if (slice.devices) this.#devices?.closed.add(slice.devices)
    }
    this.#isJoined = true
  }

  #countDevices(): number {
    if (!this.#devices) return Math.min(1, this.#view.readings)
    const { closed, all } = this.#devices
    all.clear()
    all.add(closed)
    const open = this.#end > this.#begin ? this.#slices[this.#end - 1]?.devices : undefined
    if (open) all.add(open)
    if (this.#sees(this.#newest)) all.set(this.#newest.device)
    return all.count()
  }

  /** Of the present window; what lies before it is forgotten, so that its devices make room. */
  #devicesNow(): DeviceSet {
    const old = positionAfter(this.#slices, this.#after)
    if (old > 0) {
      this.#slices.splice(0, old)
      this.#knownFrom = Math.max(this.#knownFrom, this.#after + 1)
      this.#isJoined = false
    }
    const all = new DeviceSet()
    for (const { devices } of this.#slices) if (devices) all.add(devices)
    return all
  }
}

/** How many slices have an index up to this one. */
function positionAfter(slices: readonly Slice[], index: number): number {
  const last = slices.at(-1)
  if (last === undefined || last.index <= index) return slices.length
  let low = 0
  let high = slices.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if ((slices[middle]?.index ?? 0) <= index) low = middle + 1
    else high = middle
  }
  return low
}

/** One for each window, changed by each view. */
class View implements WindowView {
  readonly all = new Totals()
  readonly before = new Totals()
  readonly #countDevices: () => number

  constructor(countDevices: () => number) {
    this.#countDevices = countDevices
  }
  get readings(): number {
    return this.all.readings
  }
  get count(): number {
    return this.all.count
  }
  get sum(): number {
    return this.all.sum
  }
  get min(): number {
    return this.all.min
  }
  get max(): number {
    return this.all.max
  }
  get mean(): number {
    return this.all.mean
  }
  get stddev(): number {
    return this.all.stddev
  }
  get first(): { readonly value: number; readonly timeMs: number } {
    return this.all.first
  }
  get last(): { readonly value: number; readonly timeMs: number } {
    return this.all.last
  }
  get devices(): number {
    return this.#countDevices()
  }
}
