/**
 * Corrected times: what the rows of the table `clock` say about boots whose clock could not be trusted.
 *
 *   key `<origin>/<boot>`   value { offset_ms, base_ms, at_ms, source }
 *
 * All readings that an origin took in one such boot are off by one amount, however its wall clock jumped meanwhile,
 * because their arrival was counted from the boot. So one row corrects them all, wherever they are stored.
 *
 * Promises: everybody who reads gets the corrected arrival, from the moment the row is here; nothing is rewritten. An
 * origin is believed about its own boots alone. Must never change a reading without a boot, or the device's own time.
 */
import type { Json } from '../reading.ts'
import { type Entry, type ReadingEntry, type Seq, seqZero } from './types.ts'

/** The built-in table that tells of boots. */
export const clockTable = 'clock'

export type BootRow = {
  /** To be added to the arrivals of that boot. */
  readonly offset_ms: number
  /** The time that was assumed for the moment of the boot. */
  readonly base_ms: number
  /** The true time at which this was found out: later readings need no correction. */
  readonly at_ms: number
  /** What the true time was known from. */
  readonly source: string
}

/** The readings of one corrected boot: shifted so much, and between these (corrected) times. */
export type Shift = {
  readonly boot: string
  readonly offsetMs: number
  readonly fromMs: number
  readonly toMs: number
  /** The position in the table `clock` at which this offset came to be known. */
  readonly seq: Seq
  /** What was known before, as long as this process lives: queries that have begun with it go on with it. */
  readonly before: Shift | undefined
}

/** More often nobody corrects one boot while a table is walked. */
const beforeMax = 8

export const bootKey = (origin: string, boot: string): string => `${origin}/${boot}`

/** An arrival may be stored a little after the correction was found: a busy turn of the event loop. */
const slackMs = 60_000

const none: ReadonlyMap<string, Shift> = new Map()

export class Corrections {
  /** By origin, then by boot. */
  readonly #shifts = new Map<string, Map<string, Shift>>()

  /** Takes in what a row says now; `undefined` for one that is gone. */
  note(key: string, origin: string, value: Json | undefined, seq = seqZero): void {
    const slash = key.lastIndexOf('/')
    const boot = key.slice(slash + 1)
    // Nobody corrects the times of another.
    if (slash < 0 || key.slice(0, slash) !== origin) return
    const shift = value === undefined ? undefined : shiftOf(boot, value, seq)
    if (shift === undefined) {
      this.#shifts.get(origin)?.delete(boot)
      return
    }
    let ofOrigin = this.#shifts.get(origin)
    if (ofOrigin === undefined) this.#shifts.set(origin, (ofOrigin = new Map()))
    ofOrigin.set(boot, after(ofOrigin.get(boot), shift))
  }

  /** The boots of an origin that are known by now. */
  of(origin: string): ReadonlyMap<string, Shift> {
    return this.#shifts.get(origin) ?? none
  }

  correct(entry: ReadingEntry): ReadingEntry {
    if (entry.boot === undefined) return entry
    const shift = this.#shifts.get(entry.origin)?.get(entry.boot)
    return shift === undefined ? entry : shifted(entry, shift)
  }

  /** The same list where nothing in it needs correction: mostly so. */
  correctAll(entries: readonly Entry[]): readonly Entry[] {
    if (this.#shifts.size === 0 || !entries.some(entry => entry.kind === 'reading' && entry.boot !== undefined)) {
      return entries
    }
    return entries.map(entry => (entry.kind === 'reading' ? this.correct(entry) : entry))
  }
}

/** The shift of a boot that was known when the table `clock` stood at `through`. */
function shiftAt(shift: Shift, through: Seq): Shift | undefined {
  let known: Shift | undefined = shift
  while (known !== undefined && known.seq > through) known = known.before
  return known
}

function after(known: Shift | undefined, shift: Shift): Shift {
  if (known === undefined) return shift
  // A row that is written again says nothing new.
  if (known.offsetMs === shift.offsetMs) return { ...shift, seq: known.seq, before: known.before }
  return { ...shift, before: cut(known, beforeMax) }
}

function cut(shift: Shift, depth: number): Shift {
  if (shift.before === undefined) return shift
  return { ...shift, before: depth > 1 ? cut(shift.before, depth - 1) : undefined }
}

/** Offsets of the corrected boots of one origin, by boot. */
export type Shifts = ReadonlyMap<string, Shift>

/** The boots of an origin that were corrected when the table `clock` stood at `through`. */
export function shiftsOf(corrections: Corrections, origin: string, through: Seq | undefined): Shifts {
  const known = corrections.of(origin)
  if (through === undefined) return new Map(known)
  const then = new Map<string, Shift>()
  for (const [boot, latest] of known) {
    const shift = shiftAt(latest, through)
    if (shift !== undefined) then.set(boot, shift)
  }
  return then
}

export function shifted(entry: ReadingEntry, { offsetMs }: Shift): ReadingEntry {
  return { ...entry, arrivalMs: entry.arrivalMs + offsetMs, boot: undefined }
}

function shiftOf(boot: string, value: Json, seq: Seq): Shift | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { offset_ms: offset, base_ms: base, at_ms: at } = value as Partial<Record<keyof BootRow, unknown>>
  if (!isTime(offset) || !isTime(base) || !isTime(at)) return undefined
  const offsetMs = Math.round(offset)
  return { boot, offsetMs, fromMs: base + offsetMs, toMs: at + slackMs, seq, before: undefined }
}

const isTime = (value: unknown): value is number => typeof value === 'number' && Math.abs(value) < 8.64e15
