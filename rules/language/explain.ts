/**
 * A rule in plain words, for whoever has to trust it: what it watches, when it fires and when that ends. Pure. It says
 * what the rule file means, never more; an expression is quoted, not told.
 */
import { formatDuration } from '../../runtime/units.ts'
import { formatNumber } from '../alert/template.ts'
import type { Action, AlertRule, Limit, Match, Moments, RecordRule, Rule } from '../rule.ts'

export type Explanation = {
  /** `temperature of freezer-*` */
  readonly watches: string
  /** `above max of its row in thresholds (-15 without one) for 30s`: half a sentence that begins with "fires". */
  readonly fires: string
  /** Undefined where there is nothing to end. */
  readonly ends: string | undefined
  /** What else it does, each a sentence without its full stop. */
  readonly also: readonly string[]
}

export function explainRule(rule: Rule): Explanation {
  return rule.kind === 'record' ? explainRecording(rule) : explainAlert(rule)
}

function explainAlert(rule: AlertRule): Explanation {
  const { condition, forMs, keepFiringForMs, latch, flapping, moments, per, actions } = rule
  const also = [
    ...momentWords(moments),
    ...(per === 'series'
      ? []
      : [per === 'device' ? 'one alert stands for a device' : 'one alert stands for all of them']),
    ...(flapping === undefined
      ? []
      : [
          `more than ${flapping.changes} alerts within ${formatDuration(flapping.withinMs)} are one that flaps, until it was quiet for as long`,
        ]),
    ...actions.map(actionWords),
  ]
  const ends = lasting(endWords(condition), keepFiringForMs)
  return {
    watches: watchedWords(rule.match),
    fires: lasting(fireWords(rule, condition), forMs),
    ends: latch ? `${ends}, and then somebody has acknowledged it` : ends,
    also,
  }
}

/** `has been so for 30s`, or `is so` where no time has to pass. */
function lasting(words: string, ms: number): string {
  return ms === 0 ? words.replace(/ has been /, ' is ') : `${words} for ${formatDuration(ms)}`
}

function explainRecording({ match, per, expression, metric, table, moments }: RecordRule): Explanation {
  const of = per === 'series' ? '' : per === 'device' ? ' for each device' : ' for all of them together'
  return {
    watches: watchedWords(match),
    fires: `never: it writes ${quoted(expression.text)} as the metric ${metric} into ${table}${of}`,
    ends: undefined,
    also: momentWords(moments),
  }
}

/** `temperature of freezer-* in the table spectra, of devices whose site is lyon` */
function watchedWords({ table, device, metric, labels }: Match): string {
  const metrics = metric === '*' ? 'every metric' : metric
  const devices = device === '*' ? 'every device' : device
  const where = table === 'readings' ? '' : ` in the table ${table}`
  const labelled = Object.entries(labels).map(([name, pattern]) => `${name} is ${pattern}`)
  return `${metrics} of ${devices}${where}${labelled.length === 0 ? '' : `, where the label ${labelled.join(' and ')}`}`
}

function fireWords({ per }: AlertRule, condition: AlertRule['condition']): string {
  switch (condition.kind) {
    case 'absent': {
      const who = {
        series: 'there was no reading',
        device: 'there was no reading of a device',
        all: 'none of them said anything',
      }
      return `when ${who[per]} for ${formatDuration(condition.afterMs)}`
    }
    case 'expression':
      return `when ${quoted(condition.violated.text)} has been true`
    case 'limits': {
      const { of, above, below } = condition
      const sides = [above && `above ${limitWords(above)}`, below && `below ${limitWords(below)}`]
      const band = sides.filter(side => side !== undefined).join(' or ')
      return `when ${of === undefined ? 'the value' : quoted(of.text)} has been ${band}`
    }
  }
}

function endWords(condition: AlertRule['condition']): string {
  switch (condition.kind) {
    case 'absent':
      return 'when a reading has come'
    case 'expression': {
      const { clear } = condition
      return clear === undefined ? 'when that has been false' : `when ${quoted(clear.text)} has been true`
    }
    case 'limits': {
      const { above, below, clear } = condition
      if (above !== undefined && below !== undefined) return 'when it has been between the two'
      const side = above === undefined ? 'above' : 'below'
      return `when it has been at ${clear === undefined ? 'the limit' : limitWords(clear)} or ${side}`
    }
  }
}

function limitWords(limit: Limit): string {
  if (limit.kind === 'literal') return formatNumber(limit.value)
  const row = limit.key.includes('{')
    ? `its row ${limit.key} of ${limit.table}`
    : `the row ${limit.key} of ${limit.table}`
  const what = limit.field === undefined ? row : `${limit.field} in ${row}`
  return limit.default === undefined
    ? `${what} (not judged without one)`
    : `${what} (${formatNumber(limit.default)} without one)`
}

function momentWords(moments: Moments | undefined): string[] {
  if (moments === undefined) return []
  return moments.kind === 'interval'
    ? [`judged every ${formatDuration(moments.everyMs)}, readings or not`]
    : [`judged only when ${moments.cron} says so (cron, ${moments.zone})`]
}

function actionWords({ on, repeatMs, does }: Action): string {
  const when = on.map(occasion => (occasion === 'firing' ? 'when it fires' : 'when it ends')).join(' and ')
  const repeated = repeatMs === undefined ? '' : `, and every ${formatDuration(repeatMs)} while it lasts`
  const what =
    does.kind === 'publish'
      ? `publishes ${typeof does.payload === 'string' ? does.payload : JSON.stringify(does.payload)} to ${does.topic}`
      : `writes the row ${does.key} of ${does.table}`
  return `${what} ${when}${repeated}`
}

/** Of several lines one, in ticks. */
const quoted = (text: string): string => `\`${text.trim().replaceAll(/\s+/g, ' ')}\``
