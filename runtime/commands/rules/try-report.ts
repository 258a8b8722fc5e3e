/**
 * What a person sees of a replay: the alerts that there would have been, a line for each rule, and a picture of each series
 * that one fired for. Text and JSON out, nothing else.
 */
import { formatNumber } from '../../../rules/alert/template.ts'
import type { TriedAlert, TriedRecording, TriedRule, TriedStory } from '../../rehearsal/tried.ts'
import { formatDuration } from '../../units.ts'
import { type Cell, type Terminal, age, grouped, printable, table } from '../terminal.ts'
import { drawChart } from '../chart.ts'
import type { Pictures } from './pictures.ts'
import type { TraceSpan } from '../trace.ts'

export type TriedForm = TriedStory & {
  readonly readings: number
  readonly span: TraceSpan
}

/** The head: what was judged, and what about it is not as it was. */
export function headText({ readings, span }: TriedForm): string {
  const [from, to] = [span.fromMs, span.toMs].map(minuteText)
  const what = `${grouped(readings)} readings from ${from} to ${to} (${formatDuration(wholeMinutes(span.toMs - span.fromMs))})`
  return `${what}, judged with limits and labels as they are now.\n`
}

export function alertsText({ alerts, span: { fromMs }, left }: TriedForm, terminal: Terminal): string {
  if (alerts.length === 0) return 'No alert would have fired.\n'
  const rows = alerts.map((alert): readonly Cell[] => [
    { text: secondText(alert.firedMs) + (alert.firedMs < fromMs ? ' (before)' : ''), style: 'dim' },
    alert.endedMs === undefined ? { text: 'fires still', style: 'red' } : secondText(alert.endedMs),
    alert.endedMs === undefined ? '' : age(alert.endedMs - alert.firedMs),
    alert.rule,
    alert.device,
    alert.metric,
    valueText(alert.value, alert.unit),
    limitText(alert),
    marksText(alert),
  ])
  const more = left === 0 ? '' : `and ${grouped(left)} more: shorten the time, or choose with --rule and --device\n`
  return (
    table(['fired', 'ended', '>lasted', 'alert', 'device', 'metric', '>value', '>limit', ''], rows, terminal) + more
  )
}

export function rulesText(rules: readonly TriedRule[], terminal: Terminal): string {
  const isLate = rules.some(({ late }) => late > 0)
  const rows = rules.map(({ rule, alerts, late, firingMs, longestMs, subjects }): readonly Cell[] => [
    rule,
    alerts === 0 ? { text: '0', style: 'dim' } : String(alerts),
    ...(isLate ? [String(late)] : []),
    alerts === 0 ? '-' : age(firingMs),
    alerts === 0 ? '-' : age(longestMs),
    String(subjects),
  ])
  return table(['rule', '>alerts', ...(isLate ? ['>late'] : []), '>in all', '>longest', '>subjects'], rows, terminal)
}

export function recordingsText(recordings: readonly TriedRecording[], terminal: Terminal): string {
  if (recordings.length === 0) return ''
  const rows = recordings.map(({ rule, readings, last }): readonly Cell[] => [
    rule,
    grouped(readings),
    valueText(last, undefined),
  ])
  return table(['recording', '>readings', '>last'], rows, terminal)
}

export type ChartSize = { readonly width: number; readonly height: number }

/** A picture for each rule and subject that fired, those that fired most first; at most so many. */
export function chartsText(
  { alerts, span }: TriedForm,
  pictures: Pictures,
  chartsMax: number,
  size: ChartSize,
  { paint }: Terminal,
): string {
  const fired = new Map<string, TriedAlert[]>()
  for (const alert of alerts) {
    const key = [alert.rule, alert.origin, alert.device, alert.metric].join('\0')
    const known = fired.get(key)
    if (known) known.push(alert)
    else fired.set(key, [alert])
  }
  const all = [...fired.values()].toSorted((a, b) => b.length - a.length)
  const charts = all.slice(0, chartsMax).flatMap(same => {
    const [first] = same
    const picture = first && pictures.of(first)
    if (!first || !picture) return []
    const unit = first.unit === undefined ? '' : ` ${first.unit}`
    const count = same.length === 1 ? 'once' : `${same.length} times`
    const title = `${printable(`${first.device} ${first.metric}${unit}`)}: ${printable(first.rule)} ${count}`
    const spans = same.map(({ firedMs, endedMs }) => ({ fromMs: firedMs, toMs: endedMs ?? span.toMs }))
    return [`${paint('bold', title)}\n${drawChart(picture.trace, spans, { ...size, paint })}`]
  })
  const rest = all.length - charts.length
  const more =
    rest > 0 && chartsMax > 0
      ? [`${rest} more ${rest === 1 ? 'series' : 'series'} without a picture (--charts N)\n`]
      : []
  return [...charts, ...more].join('\n')
}

/** One object for each alert, as scripts read it. */
export function alertForm(alert: TriedAlert): object {
  return {
    rule: alert.rule,
    severity: alert.severity,
    origin: alert.origin,
    device: alert.device,
    metric: alert.metric,
    unit: alert.unit ?? null,
    since_ms: alert.sinceMs,
    fired_ms: alert.firedMs,
    ended_ms: alert.endedMs ?? null,
    side: alert.side,
    value: alert.value,
    threshold: alert.threshold,
    threshold_source: alert.source,
    end_value: alert.endValue,
    late: alert.late,
    flapping: alert.flapping,
    latched: alert.latched,
  }
}

export function summaryForm({ readings, span, rules, recordings, left }: TriedForm): object {
  return {
    summary: {
      from_ms: span.fromMs,
      to_ms: span.toMs,
      readings,
      limits: 'as they are now',
      alerts_left_out: left,
      rules: rules.map(({ rule, alerts, late, firingMs, longestMs, subjects }) => ({
        rule,
        alerts,
        late,
        firing_ms: firingMs,
        longest_ms: longestMs,
        subjects,
      })),
      recordings,
    },
  }
}

function limitText({ side, threshold }: TriedAlert): string {
  return side === null || threshold === null ? '-' : `${side} ${formatNumber(threshold)}`
}

function valueText(value: TriedAlert['value'], unit: string | undefined): string {
  if (value === null) return '-'
  const text =
    typeof value === 'number' ? formatNumber(value) : typeof value === 'string' ? value : JSON.stringify(value)
  return unit === undefined || typeof value !== 'number' ? text : `${text} ${unit}`
}

function marksText({ late, flapping, latched }: TriedAlert): string {
  return [late && 'late', flapping && 'flapping', latched && 'latched'].filter(mark => mark !== false).join(', ')
}

const wholeMinutes = (ms: number): number => (ms < 60_000 ? ms : Math.round(ms / 60_000) * 60_000)
const minuteText = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16)}Z`
const secondText = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`
