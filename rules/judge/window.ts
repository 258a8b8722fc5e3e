/**
 * A window of time over a series or a group: what was measured in the last so many minutes, at any moment.
 *
 * Promises: the view is a pure function of what is stored. It covers the readings up to some position of the log whose own
 * time lies in the slices of (T - w, T], however they came, late or not, live or read again from the store after a restart:
 * the same bits. A slice is a 120th of the window and begins at a whole multiple of its width. Memory is bounded whatever
 * the times are: at most `slicesMax` slices are kept. Where one had to be forgotten the window says that it does not know.
 * Times are dates: what is beyond 8.64e15 ms of 1970 can neither be stored nor asked about.
 *
 *        kept                     (T - w            T]
 *   ┌──┬──┬──┬──┬──┬──┬──┬──┬──┬──┬──┬──┬──┬──┬──┬──┐      the newest reading (by position) stands beside the slices
 *   └──┴──┴──┴──┴──┴──┴──┴──┴──┴──┴──┴──┴──┴──┴──┴──┘  ●   until the next one comes: it can be held against the rest
 *                     └──────── closed ─────────┘open
 *
 * It must never be trusted to keep a view: there is one object, which the next question changes.
 */
import type { WindowView } from '../expression/scope.ts'
import { DeviceNumbers, DeviceSet } from './device-count.ts'
import { Slices, slicesMax } from './slices.ts'
import { Totals, addToRow } from './totals.ts'

/** A window is so many slices: its edge is known to the hundredth, and a refill reads no more than it must. */
const slicesPerWindow = 120
/** So many of the oldest are forgotten at a time. */
const forgottenAtOnce = 32

type Newest = {
  isThere: boolean
  index: number
  value: number | undefined
  timeMs: number
  /** Its number among the devices. */
  device: number | undefined
}

export class Window {
  readonly #lengthMs: number
  readonly #widthMs: number
  readonly #slices = new Slices()
  /** Slices from the one to the other are known as the store knows them. Nothing is, before it was filled. */
  #knownFrom = Number.POSITIVE_INFINITY
  #knownTo = Number.POSITIVE_INFINITY
  /** The slices asked about: after the first, up to the second. */
  #after = Number.NEGATIVE_INFINITY
  #upTo = Number.NEGATIVE_INFINITY
  /** The positions where these begin and end, and all of them but the last, joined; good while `#isJoined`. */
  #begin = 0
  #end = 0
  #isJoined = false
  readonly #closed = new Totals()
  readonly #newest: Newest = { isThere: false, index: 0, value: undefined, timeMs: 0, device: undefined }
  readonly #devices: Devices | undefined
  readonly #view: View
  /** Nothing has changed since it was made: an expression may ask for it several times. */
  #isViewed = false

  constructor(lengthMs: number, countsDevices: boolean) {
    this.#lengthMs = lengthMs
    this.#widthMs = Math.max(1, Math.ceil(lengthMs / slicesPerWindow))
    this.#devices = countsDevices ? new Devices() : undefined
    this.#view = new View(() => this.#countDevices())
  }

  /** How many slices there are. */
  get slices(): number {
    return this.#slices.length
  }

  /** The own time of the first reading that must be known for a view at `nowMs`. */
  beginsMs(nowMs: number): number {
    return (this.#indexOf(nowMs - this.#lengthMs) + 1) * this.#widthMs
  }

  /** Forgets everything: from now on it is given all that is stored with an own time from `fromMs` on. */
  begin(fromMs: number): void {
    this.#slices.clear()
    this.#devices?.sets.splice(0)
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
    const newest = this.#newest
    newest.isThere = true
    newest.index = index
    newest.value = value
    newest.timeMs = timeMs
    newest.device = this.#devices?.numbers.of(device, () => this.#devicesNow(), this.#after)
  }

  /** Undefined where not all of it is known. */
  view(): WindowView | undefined {
    if (this.#after + 1 < this.#knownFrom || this.#upTo > this.#knownTo) return undefined
    if (this.#isViewed) return this.#view
    this.#isViewed = true
    if (!this.#isJoined) this.#join()
    const { before, all } = this.#view
    before.row.set(this.#closed.row)
    if (this.#end > this.#begin) this.#slices.joinOne(before.row, this.#end - 1)
    all.row.set(before.row)
    if (this.#sees(this.#newest)) addToRow(all.row, 0, this.#newest.value, this.#newest.timeMs)
    return this.#view
  }

  #indexOf(timeMs: number): number {
    return Math.floor(timeMs / this.#widthMs)
  }

  #sees({ isThere, index }: Newest): boolean {
    return isThere && index > this.#after && index <= this.#upTo
  }

  /** The newest goes into its slice: there is one that is newer now. */
  #putAway(): void {
    const { isThere, index, value, timeMs, device } = this.#newest
    if (!isThere) return
    this.#newest.isThere = false
    const position = this.#sliceAt(index)
    if (position === undefined) return
    this.#slices.add(position, value, timeMs)
    this.#devices?.sets[position]?.set(device)
  }

  /** The position of a slice, which is made if it is not there; undefined if there is no room for it. */
  #sliceAt(index: number): number | undefined {
    const after = this.#slices.positionAfter(index)
    if (after > 0 && this.#slices.indexAt(after - 1) === index) {
      // A slice between others is among those that were joined.
      if (after !== this.#end) this.#isJoined = false
      return after - 1
    }
    this.#isJoined = false
    if (this.#slices.length === slicesMax) this.#forget()
    if (index < this.#knownFrom || index > this.#knownTo) return undefined
    const position = this.#slices.positionAfter(index)
    this.#slices.insert(position, index)
    this.#devices?.sets.splice(position, 0, new DeviceSet())
    return position
  }

  /** The oldest that the present moment does not need; if it needs them all, what is farthest ahead. */
  #forget(): void {
    const old = Math.min(forgottenAtOnce, this.#slices.positionAfter(this.#after))
    if (old > 0) return this.#forgetFirst(old)
    this.#knownTo = this.#slices.indexAt(this.#slices.length - 1) - 1
    this.#slices.removeLast()
    this.#devices?.sets.pop()
  }

  #forgetFirst(count: number): void {
    this.#knownFrom = Math.max(this.#knownFrom, this.#slices.indexAt(count - 1) + 1)
    this.#slices.removeFirst(count)
    this.#devices?.sets.splice(0, count)
    this.#isJoined = false
  }

  #join(): void {
    const slices = this.#slices
    this.#begin = slices.positionAfter(this.#after)
    this.#end = slices.positionAfter(this.#upTo)
    this.#closed.clear()
    const open = this.#end - 1
    if (open > this.#begin) slices.join(this.#closed.row, this.#begin, open, this.#after, slices.indexAt(open))
    this.#isJoined = true
  }

  #countDevices(): number {
    if (!this.#devices) return Math.min(1, this.#view.readings)
    const { sets, all } = this.#devices
    all.clear()
    for (let position = this.#begin; position < this.#end; position++) all.add(sets[position])
    if (this.#sees(this.#newest)) all.set(this.#newest.device)
    return all.count()
  }

  /** Of the present window; what lies before it is forgotten, so that its devices make room. */
  #devicesNow(): DeviceSet {
    const old = this.#slices.positionAfter(this.#after)
    if (old > 0) this.#forgetFirst(old)
    const all = new DeviceSet()
    for (const set of this.#devices?.sets ?? []) all.add(set)
    return all
  }
}

/** The devices of each slice, at the same positions. */
class Devices {
  readonly numbers = new DeviceNumbers()
  readonly sets: DeviceSet[] = []
  readonly all = new DeviceSet()
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
