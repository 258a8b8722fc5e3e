/**
 * The hours in which a query may find readings, of the series asked for or of others of the table, one after the other in
 * the order asked for: of a range of years with a week of readings, those of the week.
 *
 * Packed readings stay filed under the hour in which they arrived as it was believed then. Those of a boot whose clock
 * was corrected later are looked for where they were filed, and told in the hour that it really was: to the query, each
 * corrected boot is one more lane in which a series has readings, shifted by that boot's offset.
 */
import type { Asked } from './asked.ts'
import { nearestHour } from './chunks.ts'
import type { Shift } from './corrections.ts'
import type { Recent } from './recent.ts'
import { hourMs, hourOf } from './repeats.ts'
import type { KnownSeries } from './table.ts'
import type { Seq } from './types.ts'

/** The last hour that a key can hold: year 491,000. */
const hourMax = 0xfffffffe

/** Readings of these series, filed under hours of their own and told so much later. */
export type Lane = {
  readonly series: readonly KnownSeries[]
  /** Undefined: told as they were filed. */
  readonly shift: Shift | undefined
  /** The hours under which they are filed. */
  readonly from: number
  readonly to: number
  /** Nothing earlier than this, as it was filed, is asked for. */
  readonly fromMs: number
}

/** The lanes of a query; the first has no shift. */
export function lanesOf({ series, fromMs, toMs, shifts }: Asked): readonly Lane[] {
  const lanes: Lane[] = [laneOf(series, undefined, fromMs, toMs)]
  for (const [origin, ofOrigin] of shifts) {
    if (ofOrigin.size === 0) continue
    const ofThis = series.filter(one => one.origin === origin)
    for (const shift of ofOrigin.values()) {
      if (shift.fromMs >= toMs || shift.toMs < fromMs) continue
      lanes.push(laneOf(ofThis, shift, Math.max(fromMs, shift.fromMs), Math.min(toMs, shift.toMs)))
    }
  }
  return lanes
}

function laneOf(series: readonly KnownSeries[], shift: Shift | undefined, fromMs: number, toMs: number): Lane {
  const offsetMs = shift?.offsetMs ?? 0
  let newestMs = Number.NEGATIVE_INFINITY
  for (const one of series) if (one.newestMs > newestMs) newestMs = one.newestMs
  const to = Math.min(hourMax, hourOf(toMs - offsetMs), hourOf(newestMs))
  return { series, shift, from: hourOf(fromMs - offsetMs), to, fromMs: fromMs - offsetMs }
}

/** Series that are asked one by one whether the disk has anything for them. */
const askedMax = 64

/** False if all that is asked for is later than what is packed by now: most questions are about what has just come. */
export function mayBePacked({ series, fromMs }: Lane): boolean {
  return series.length > askedMax || series.some(({ packedMs }) => packedMs >= fromMs)
}

export class Hours {
  readonly #asked: Asked
  readonly #recent: Recent
  readonly #lanes: readonly Lane[]
  /** Where each lane goes on, if it is known. A pack may bring readings into hours that had none. */
  #ahead: (number | undefined)[] = []
  #packed: Seq | undefined

  constructor(asked: Asked, recent: Recent, lanes: readonly Lane[]) {
    this.#asked = asked
    this.#recent = recent
    this.#lanes = lanes
  }

  /** The next hour after `before`, or the first; undefined if there is none. */
  async next(before: number | undefined): Promise<number | undefined> {
    const { table, order, signal } = this.#asked
    const isUp = order === 'asc'
    const start = before === undefined ? (isUp ? 0 : Number.POSITIVE_INFINITY) : isUp ? before + 1 : before - 1
    if (start < 0) return undefined
    for (;;) {
      const packed = this.#recent.take()
      if (this.#packed !== packed) [this.#packed, this.#ahead] = [packed, []]
      let nearest: number | undefined
      const take = (hour: number): void => {
        if ((isUp ? hour < start : hour > start) || hour < 0 || hour > hourMax) return
        if (nearest === undefined || (isUp ? hour < nearest : hour > nearest)) nearest = hour
      }
      for (const hour of this.#recent.hours()) take(hour)
      for (const [index, lane] of this.#lanes.entries()) {
        if (signal?.aborted === true) return undefined
        take(await this.#nextIn(lane, index, start))
      }
      if (table.packed === packed) return nearest
    }
  }

  /** The next hour in which a lane's readings may be told; one beyond all hours if there is none. */
  async #nextIn(lane: Lane, index: number, start: number): Promise<number> {
    const { database, table, order } = this.#asked
    const isUp = order === 'asc'
    const known = this.#ahead[index]
    if (known !== undefined && (isUp ? known >= start : known <= start)) return known
    const offsetMs = lane.shift?.offsetMs ?? 0
    const from = isUp ? Math.max(lane.from, hourOf(start * hourMs - offsetMs)) : lane.from
    const to = isUp ? lane.to : Math.min(lane.to, hourOf((start + 1) * hourMs - 1 - offsetMs))
    const filed = mayBePacked(lane) ? await nearestHour(database, table, from, to, isUp ? 'first' : 'last') : undefined
    const none = isUp ? Number.POSITIVE_INFINITY : -1
    const told = filed === undefined ? none : toldIn(filed, offsetMs, isUp)
    const next = filed === undefined ? none : isUp ? Math.max(start, told) : Math.min(start, told)
    this.#ahead[index] = next
    return next
  }
}

/** The first hour in which readings are told that were filed under one, or the last. */
const toldIn = (filed: number, offsetMs: number, isFirst: boolean): number =>
  hourOf(isFirst ? filed * hourMs + offsetMs : (filed + 1) * hourMs - 1 + offsetMs)
