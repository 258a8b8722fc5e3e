/** What is known once a test has run to its end, for failures to point at the nearest mistake. Pure. */
import { formatNumber } from '../../rules/alert/template.ts'
import type { Hindsight } from '../../rules/scenario/compare-alerts.ts'
import { sinceStart } from '../../rules/scenario/moments.ts'
import type { InputReading } from '../../rules/scenario/scenario.ts'
import type { SeenAlert } from '../../rules/scenario/seen.ts'

export function hindsightOf(startMs: number, all: readonly SeenAlert[], readings: readonly InputReading[]): Hindsight {
  return {
    startMs,
    all,
    readingsOf: (device, metric, untilMs) => {
      if (device === undefined && metric === undefined) return undefined
      const came = readings.filter(
        each =>
          each.arrivalMs <= untilMs &&
          (device === undefined || each.device === device) &&
          (metric === undefined || each.metric === metric),
      )
      const last = came.at(-1)
      if (!last) return 'no reading of it had come by then'
      const series = new Set(came.map(each => `${each.device}/${each.metric}`))
      const which = series.size === 1 ? '' : ` of ${last.device}/${last.metric}`
      const value = typeof last.value === 'number' ? formatNumber(last.value) : JSON.stringify(last.value)
      return `it did not fire; the newest reading${which} was ${value}, at ${sinceStart(last.arrivalMs, startMs)}`
    },
  }
}
