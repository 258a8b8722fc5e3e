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
    chartOf: (device, metric, untilMs) => {
      const of = readings.filter(each => each.device === device && (metric === undefined || each.metric === metric))
      const metrics = new Set(of.map(each => each.metric))
      const before = metrics.size === 1 ? of.filter(each => each.arrivalMs <= untilMs).slice(-chartReadings) : []
      return sparkline(before, startMs)
    },
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

/** What stands in one line of a terminal beside some words. */
const chartReadings = 60
const levels = Array.from('▁▂▃▄▅▆▇█')

/** `▁▁▁███ 5 to 9, from 0s to 13m`; nothing where a line would show nothing. */
function sparkline(readings: readonly InputReading[], startMs: number): string | undefined {
  const numbers = readings.map(({ value }) => (typeof value === 'boolean' ? Number(value) : value))
  const [first, last] = [readings[0], readings.at(-1)]
  if (!first || !last || !numbers.every(value => typeof value === 'number')) return undefined
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)]
  if (low === high) return undefined
  const bars = numbers.map(value => levels[Math.round(((value - low) / (high - low)) * (levels.length - 1))]).join('')
  const when = `from ${sinceStart(first.arrivalMs, startMs)} to ${sinceStart(last.arrivalMs, startMs)}`
  return `${bars} ${formatNumber(low)} to ${formatNumber(high)}, ${when}`
}
