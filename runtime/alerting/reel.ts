/**
 * Readings out of the store, put into the order of their log: what a history is filled with. They lie in columns, for a
 * window may hold a million of them, and are handed out one by one. Pure.
 */
import type { JudgedReading, JudgedSeries } from '../../rules/judge/reading.ts'
import type { Value } from '../reading.ts'

export class Reel implements Iterable<JudgedReading> {
  readonly #series: JudgedSeries[] = []
  readonly #values: Value[] = []
  readonly #arrivals: number[] = []
  /** NaN where the device sent no time. */
  readonly #times: number[] = []
  readonly #seqs: number[] = []
  #isOrdered = true

  get length(): number {
    return this.#seqs.length
  }

  add({ series, value, arrivalMs, deviceTimeMs, seq }: JudgedReading): void {
    if (seq <= (this.#seqs.at(-1) ?? 0)) this.#isOrdered = false
    this.#series.push(series)
    this.#values.push(value)
    this.#arrivals.push(arrivalMs)
    this.#times.push(deviceTimeMs ?? Number.NaN)
    this.#seqs.push(seq)
  }

  /** In the order of their positions, each once. */
  *[Symbol.iterator](): Generator<JudgedReading> {
    const seqs = this.#seqs
    const order = this.#isOrdered
      ? undefined
      : Uint32Array.from(seqs.keys()).sort((a, b) => (seqs[a] ?? 0) - (seqs[b] ?? 0))
    let lastSeq = 0
    for (let place = 0; place < seqs.length; place++) {
      const reading = this.#at(order?.[place] ?? place)
      if (reading === undefined || reading.seq === lastSeq) continue
      lastSeq = reading.seq
      yield reading
    }
  }

  #at(index: number): JudgedReading | undefined {
    const [series, value, seq] = [this.#series[index], this.#values[index], this.#seqs[index]]
    if (series === undefined || value === undefined || seq === undefined) return undefined
    const timeMs = this.#times[index] ?? Number.NaN
    const deviceTimeMs = Number.isNaN(timeMs) ? undefined : timeMs
    return { series, value, arrivalMs: this.#arrivals[index] ?? 0, deviceTimeMs, seq }
  }
}
