/**
 * The past, read again: the histories of some tables, as the API tells them, merged into one story by the time of arrival.
 *
 * Promises: within a table the order of the log, between tables that of arrival; of each table one batch in memory, however
 * long the story is. One object for each series, so that identity is equality.
 */
import type { HistoryForm } from '../api/history.ts'
import type { Value } from '../reading.ts'

/** A reading as its log holds it. */
export type PastReading = {
  readonly series: PastSeries
  readonly value: Value
  readonly arrivalMs: number
  readonly deviceTimeMs: number | undefined
  readonly seq: number
}

export type PastSeries = {
  readonly table: string
  readonly origin: string
  readonly device: string
  readonly metric: string
  readonly unit: string | undefined
}

/** Some readings of one table that follow each other. */
export type PastBatch = {
  readonly table: string
  readonly readings: readonly PastReading[]
  /** Series of the table that were not named before, whether they have a reading in the story or not. */
  readonly known: readonly PastSeries[]
  /** Nothing that arrived before this is still to come of any table: how far the story is. */
  readonly throughMs: number
}

/** The lines of the history of each table. */
export type PastSource = ReadonlyMap<string, AsyncIterable<HistoryForm>>

export async function* readPast(source: PastSource): AsyncGenerator<PastBatch> {
  const open: Reel[] = []
  for (const [table, forms] of source) {
    const reel = new Reel(table, forms)
    if (await reel.wind()) open.push(reel)
  }
  try {
    while (open.length > 0) {
      let first = open[0] as Reel
      let nextMs = Number.POSITIVE_INFINITY
      for (const reel of open) {
        if (reel.nextMs < first.nextMs) first = reel
      }
      for (const reel of open) if (reel !== first) nextMs = Math.min(nextMs, reel.nextMs)
      yield {
        table: first.table,
        known: first.takeKnown(),
        readings: first.takeThrough(nextMs),
        throughMs: Math.min(first.throughMs, nextMs),
      }
      if (first.isEmpty && !(await first.wind())) open.splice(open.indexOf(first), 1)
    }
  } finally {
    for (const reel of open) await reel.leave()
  }
}

/** The history of one table, a batch at a time. */
class Reel {
  readonly table: string
  readonly #forms: AsyncIterator<HistoryForm>
  readonly #series = new Map<number, PastSeries>()
  #readings: readonly PastReading[] = []
  #known: PastSeries[] = []
  #at = 0
  throughMs = 0

  constructor(table: string, forms: AsyncIterable<HistoryForm>) {
    this.table = table
    this.#forms = forms[Symbol.asyncIterator]()
  }

  get isEmpty(): boolean {
    return this.#at >= this.#readings.length
  }

  /** Arrival of the next reading, or how far it has been read where it found none. */
  get nextMs(): number {
    return this.#readings[this.#at]?.arrivalMs ?? this.throughMs
  }

  /** Reads the next batch, which may hold nothing that was wanted. False at the end. */
  async wind(): Promise<boolean> {
    const next = await this.#forms.next()
    if (next.done === true) return false
    this.#readings = this.#decode(next.value)
    this.#at = 0
    this.throughMs = next.value.through_ms
    return true
  }

  /** The next reading, and those after it until one arrived after `ms`. */
  takeThrough(ms: number): readonly PastReading[] {
    const readings = this.#readings
    const from = this.#at
    if (ms === Number.POSITIVE_INFINITY) {
      this.#at = readings.length
      return from === 0 ? readings : readings.slice(from)
    }
    let to = Math.min(from + 1, readings.length)
    while (to < readings.length && (readings[to] as PastReading).arrivalMs <= ms) to++
    this.#at = to
    return readings.slice(from, to)
  }

  takeKnown(): readonly PastSeries[] {
    const known = this.#known
    this.#known = []
    return known
  }

  async leave(): Promise<void> {
    await this.#forms.return?.()
  }

  #decode(form: HistoryForm): PastReading[] {
    for (const [id, origin, device, metric, unit] of form.known) {
      const series = { table: this.table, origin, device, metric, unit: unit ?? undefined }
      this.#series.set(id, series)
      this.#known.push(series)
    }
    let [seq, arrivalMs] = [0, 0]
    return form.value.map((value, index) => {
      seq += form.seq[index] ?? 0
      arrivalMs += form.at[index] ?? 0
      const own = form.own?.[index] ?? undefined
      const series = this.#series.get(form.series[index] ?? 0)
      if (series === undefined) throw new Error(`a series of ${this.table} was not told before its readings`)
      const deviceTimeMs = own === undefined ? undefined : arrivalMs + own
      return { series, value: value as Value, arrivalMs, deviceTimeMs, seq }
    })
  }
}
