/**
 * The traces from which charts are drawn, filled while a replay runs: one for each rule and subject that it may fire for,
 * so that each alert can be shown with what led to it. Bounded in number [I6].
 */
import { rulesFor } from '../../../rules/match.ts'
import type { AlertRule, Limit, Rule } from '../../../rules/rule.ts'
import { comparable } from '../../../rules/judge/threshold.ts'
import type { PastReading, PastSeries } from '../../rehearsal/past.ts'
import type { TriedAlert } from '../../rehearsal/tried.ts'
import { Trace, type TraceSpan } from '../trace.ts'

/** Each takes about 6 kB in a terminal of 80 columns. Series beyond them are judged all the same, only not drawn. */
const tracesMax = 2_000

export type Picture = {
  readonly rule: AlertRule
  readonly device: string
  readonly metric: string
  readonly unit: string | undefined
  readonly trace: Trace
}

/** The number that a limit is for a series; NaN if it has none. */
export type LimitOf = (limit: Limit, series: PastSeries) => number

export class Pictures {
  readonly #rules: readonly Rule[]
  readonly #span: TraceSpan
  readonly #columns: number
  readonly #limitOf: LimitOf
  readonly #bySeries = new Map<PastSeries, readonly Trace[]>()
  readonly #pictures = new Map<string, Picture>()

  constructor(rules: readonly Rule[], span: TraceSpan, columns: number, limitOf: LimitOf) {
    this.#rules = rules
    this.#span = span
    this.#columns = columns
    this.#limitOf = limitOf
  }

  add({ series, value, arrivalMs }: PastReading): void {
    const traces = this.#bySeries.get(series) ?? this.#open(series)
    if (traces.length === 0) return
    const number = comparable(value)
    if (!Number.isNaN(number)) for (const trace of traces) trace.add(arrivalMs, number)
  }

  of({ rule, origin, device, metric }: TriedAlert): Picture | undefined {
    const at = (whose: string): Picture | undefined => this.#pictures.get([rule, whose, device, metric].join('\0'))
    return at(origin) ?? at('')
  }

  #open(series: PastSeries): readonly Trace[] {
    const traces = rulesFor(this.#rules, series).flatMap(rule =>
      rule.kind === 'alert' ? this.#traceOf(rule, series) : [],
    )
    this.#bySeries.set(series, traces)
    return traces
  }

  #traceOf(rule: AlertRule, series: PastSeries): Trace[] {
    const { device, metric } = subjectOf(rule, series)
    // All of them together have the name of whoever judged, which is not known here.
    const key = [rule.id, rule.per === 'all' ? '' : series.origin, device, metric].join('\0')
    const known = this.#pictures.get(key)
    if (known) return [known.trace]
    if (this.#pictures.size >= tracesMax) return []
    const trace = new Trace(this.#span, this.#columns)
    this.#pictures.set(key, { rule, device, metric, unit: series.unit, trace })
    const { condition } = rule
    // What is held against the limit may be another number than what is drawn.
    if (condition.kind !== 'limits' || condition.of !== undefined) return [trace]
    for (const side of ['above', 'below'] as const) {
      const limit = condition[side]
      const number = limit ? this.#limitOf(limit, series) : Number.NaN
      if (!Number.isNaN(number)) trace.limit(this.#span.toMs, side, number)
    }
    return [trace]
  }
}

function subjectOf({ per, match }: AlertRule, { device, metric }: PastSeries): { device: string; metric: string } {
  if (per === 'series') return { device, metric }
  return { device: per === 'device' ? device : match.device, metric: match.metric }
}
