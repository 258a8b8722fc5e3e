/**
 * Histories that have to be known before the next reading is judged, read from the store: after a start, and when the clock
 * of a device has jumped. A series is read when it is first judged, not before; meanwhile readings are taken as ever, for
 * only the judging of this table waits. Must never give a history what stands at or after the place that is judged next.
 */
import type { Judge } from '../../rules/judge/judge.ts'
import { fillsMax } from '../../rules/judge/limits.ts'
import type { JudgedReading } from '../../rules/judge/reading.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import { Recent } from './recent.ts'
import { Reel } from './reel.ts'

type Need = ReturnType<Judge['cold']>[number]

/** Of one history, some 60 MB: more readings than that are a rule that nobody should have written on such a board. */
const readingsMax = 1_000_000
/** The newest are looked for among so many more, because late ones and those not judged yet do not count. */
const slack = 16
/** So many at once are worth a line in the log. */
const toldFrom = 100

export class Warming {
  readonly #table: string
  readonly #store: Store
  readonly #log: Log
  readonly #recent: Recent
  #hasTold = false

  constructor(table: string, store: Store, log: Log) {
    this.#table = table
    this.#store = store
    this.#log = log
    this.#recent = new Recent(table, store)
  }

  /** Fills what a judge needs before it judges a reading, or a moment, that stands at a place of the log. */
  async fill(judge: Judge, next: JudgedReading | number, beforeSeq: number): Promise<void> {
    for (let fills = 0; fills < fillsMax; fills++) await this.#fill(judge, judge.cold(next), beforeSeq)
  }

  async #fill(judge: Judge, needs: readonly Need[], beforeSeq: number): Promise<void> {
    const table = this.#table
    if (needs.length >= toldFrom) this.#log.debug({ table, histories: needs.length }, 'histories are read for rules')
    for (const [index, need] of needs.entries()) {
      judge.fill(need, await this.#readings(need, beforeSeq))
      if (index > 0 && index % toldFrom === 0) {
        this.#log.debug({ table, read: index, of: needs.length }, 'histories are read for rules')
      }
    }
  }

  async #readings(need: Need, beforeSeq: number): Promise<Reel> {
    const reel = new Reel()
    await this.#newest(need, beforeSeq, reel)
    if (need.fromMs === undefined) return reel
    const { device, metric, fromMs } = need
    for await (const entry of this.#store.query(this.#table, { device, metric, fromMs })) {
      if (entry.seq >= beforeSeq || !need.takes(entry.series)) continue
      if (reel.length >= readingsMax) {
        this.#tell(need)
        break
      }
      reel.add(entry)
    }
    return reel
  }

  /**
   * The newest before the place: back from the end of the log, so many that are not late, and what came late since then.
   * Of a series that has been silent for longer than the end of the log reaches, they are looked for among those of the
   * latest times.
   */
  async #newest(need: Need, beforeSeq: number, reel: Reel): Promise<void> {
    const { device, metric, newest, takes, isLate } = need
    await this.#recent.reach(beforeSeq)
    let missing = newest
    for (const entry of this.#recent.back(device, metric, ({ series }) => takes(series), beforeSeq)) {
      if (missing <= 0) return
      reel.add(entry)
      if (!isLate(entry)) missing--
    }
    if (missing <= 0) return
    const before = Math.min(beforeSeq, this.#recent.after + 1)
    for (let limit = newest + slack; ; limit *= 8) {
      const found: JudgedReading[] = []
      let read = 0
      for await (const entry of this.#store.query(this.#table, { device, metric, limit })) {
        read++
        if (entry.seq < before && takes(entry.series)) found.push(entry)
      }
      found.sort((a, b) => a.seq - b.seq)
      const timely = found.filter(reading => !isLate(reading))
      if (timely.length < missing && read >= limit && limit < readingsMax) continue
      const { seq: fromSeq } = timely.slice(-missing)[0] ?? found.at(-1) ?? { seq: 0 }
      for (const reading of found) if (reading.seq >= fromSeq) reel.add(reading)
      return
    }
  }

  /** Nothing is being filled for a while. */
  rest(): void {
    this.#recent.forget()
  }

  #tell({ device, metric }: Need): void {
    if (this.#hasTold) return
    this.#hasTold = true
    this.#log.warn(
      { table: this.#table, device, metric, readings: readingsMax },
      'a window holds more readings than are read again after a start: until it has moved on it is known in part',
    )
  }
}
