/** The times in which a series has readings that its buckets do not hold yet: nobody looks for them in all hours there are. */
import type { Asked } from './asked.ts'
import { rangesAfter } from './chunks.ts'
import { shifted } from './corrections.ts'
import { hourMs } from './repeats.ts'
import type { KnownSeries } from './table.ts'
import { type Seq, timeOf } from './types.ts'

/** Of buckets that are further behind, all times are looked through. */
const rangesMax = 16

/** Of what was stored after a position; no longer than asked for. Empty where it ends before it begins. */
export async function restAfter(
  { database, table, shifts, throughSeq, fromMs, toMs }: Asked,
  series: KnownSeries,
  through: Seq,
): Promise<{ readonly fromMs: number; readonly toMs: number }> {
  const ofOrigin = shifts.get(series.origin)
  let [first, end] = [toMs, fromMs]
  const widen = (from: number, to: number): void => {
    first = Math.min(first, from)
    end = Math.max(end, to)
  }
  // Memory before the disk, at once: what is packed meanwhile has been seen.
  const { packed } = table
  for (const entry of series.unpacked) {
    if (entry.seq <= through || entry.seq > throughSeq) continue
    const shift = entry.boot === undefined ? undefined : ofOrigin?.get(entry.boot)
    const timeMs = timeOf(shift === undefined ? entry : shifted(entry, shift))
    widen(timeMs, timeMs + 1)
  }
  if (through < packed) {
    // Readings of a corrected boot are told in other hours than they are filed under.
    if ((ofOrigin?.size ?? 0) > 0) return { fromMs, toMs }
    let count = 0
    for await (const { range } of rangesAfter(database, table, through)) {
      if (++count > rangesMax) return { fromMs, toMs }
      for (const [hour, ids] of range.hours) if (ids.includes(series.id)) widen(hour * hourMs, (hour + 1) * hourMs)
    }
  }
  return { fromMs: Math.max(fromMs, first), toMs: Math.min(toMs, end) }
}
