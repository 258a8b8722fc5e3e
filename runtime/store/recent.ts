/**
 * What is not packed yet of the series that a query asks for, by hour. Taken from memory, and again whenever a pack has
 * moved readings to the disk: so a query that runs for long holds nothing that the store itself has let go.
 */
import type { Asked } from './asked.ts'
import { type Shifts, shifted } from './corrections.ts'
import { hourOf } from './repeats.ts'
import { placeAfter } from './search.ts'
import type { KnownSeries } from './table.ts'
import { type ReadingEntry, type Seq, timeOf } from './types.ts'

type OfHour = Map<KnownSeries, ReadingEntry[]>

const noSeries: OfHour = new Map()

export class Recent {
  readonly #asked: Asked
  #hours = new Map<number, OfHour>()
  #packed: Seq | undefined
  #first: Seq | undefined

  constructor(asked: Asked) {
    this.#asked = asked
  }

  /** Takes what is there now. Returns up to where readings are packed: what is later is here. */
  take(): Seq {
    const { table, series } = this.#asked
    if (this.#packed === table.packed && this.#first === table.first) return this.#packed
    this.#packed = table.packed
    this.#first = table.first
    this.#hours = new Map()
    for (const one of series) if (one.unpacked.length > 0) this.#add(one)
    return this.#packed
  }

  /** By series, with corrected times. */
  in(hour: number): ReadonlyMap<KnownSeries, readonly ReadingEntry[]> {
    return this.#hours.get(hour) ?? noSeries
  }

  hours(): Iterable<number> {
    return this.#hours.keys()
  }

  #add(series: KnownSeries): void {
    const { fromMs, toMs, afterSeq, throughSeq, shifts } = this.#asked
    const ofOrigin = shifts.get(series.origin)
    let last: { readonly hour: number; readonly entries: ReadingEntry[] } | undefined
    const { unpacked } = series
    const isAsStored = ofOrigin === undefined || ofOrigin.size === 0
    for (let at = isAsStored ? firstPlace(series, fromMs) : 0; at < unpacked.length; at++) {
      const stored = unpacked[at] as ReadingEntry
      if (stored.seq <= afterSeq || stored.seq > throughSeq) continue
      const entry = ofOrigin === undefined || stored.boot === undefined ? stored : corrected(stored, ofOrigin)
      const timeMs = timeOf(entry)
      if (timeMs < fromMs || timeMs >= toMs) continue
      const hour = hourOf(timeMs)
      if (last?.hour !== hour) last = { hour, entries: this.#entriesOf(hour, series) }
      last.entries.push(entry)
    }
  }

  #entriesOf(hour: number, series: KnownSeries): ReadingEntry[] {
    let ofHour = this.#hours.get(hour)
    if (ofHour === undefined) this.#hours.set(hour, (ofHour = new Map()))
    let entries = ofHour.get(series)
    if (entries === undefined) ofHour.set(series, (entries = []))
    return entries
  }
}

/** Where readings from a time on begin. What came late is looked through; all behind it is in order, and no earlier. */
function firstPlace({ unpacked, lateSeq }: KnownSeries, fromMs: number): number {
  const end = unpacked.length
  const ordered = placeAfter(0, end, place => (unpacked[place] as ReadingEntry).seq <= lateSeq)
  const first = unpacked[ordered]
  if (first === undefined || timeOf(first) >= fromMs) return 0
  return placeAfter(ordered, end, place => timeOf(unpacked[place] as ReadingEntry) < fromMs)
}

function corrected(entry: ReadingEntry, shifts: Shifts): ReadingEntry {
  const shift = entry.boot === undefined ? undefined : shifts.get(entry.boot)
  return shift === undefined ? entry : shifted(entry, shift)
}
