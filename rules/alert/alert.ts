/**
 * The row of the `alerts` table: one row for one alert, written when it fires and written again when it resolves. Pure
 * and deterministic: the same log gives the same keys and the same rows, so a replay writes nothing new ([I10]).
 */
import type { Json } from '../../runtime/reading.ts'
import type { LookedUp } from '../expression/scope.ts'
import type { Verdict } from '../judge/verdict.ts'
import type { AlertRule } from '../rule.ts'
import type { Snippet } from './snippet.ts'
import { renderTemplate } from './template.ts'

/** What an alert looks like in the table, on MQTT and at the hub. Every key is always there; null says "not (yet)". */
export type AlertRow = {
  /** Name of the alert, and of the group that its rule stands in. */
  readonly rule: string
  readonly group: string
  readonly table: string
  readonly device: string
  readonly metric: string
  /** Of the device, out of the table `devices`, when it fired. */
  readonly device_labels: Readonly<Record<string, string>>
  readonly unit: string | null
  /** Gateway or hub where the readings were first committed; null for an alert on the gateway itself. */
  readonly origin: string | null
  /** The label `severity`, or `warning`. */
  readonly severity: string
  /** `latched`: it is over, and waits for somebody to acknowledge it. */
  readonly state: 'firing' | 'latched' | 'resolved'
  /** Found in readings that came late: history, of which nobody is told. */
  readonly late: boolean
  /** It comes and goes so often that it is one alert until it has been quiet. */
  readonly flapping: boolean
  /** The silence that was in force when it fired, a key of the table `silences`. */
  readonly silenced: string | null
  readonly acked_ms: number | null
  readonly acked_by: string | null
  /** Null where no limit was broken: an expression was true, or nothing came. */
  readonly side: 'above' | 'below' | null
  /** The value that fired it (of an absence the last one there was, if any), and the limit that it broke. */
  readonly value: Json
  readonly threshold: number | null
  /** Where the limit came from: the rule file, its default, or a row, with the stamp of the version that was in force. */
  readonly threshold_source: 'literal' | 'default' | { readonly table: string; readonly key: string } | null
  readonly threshold_stamp: number | null
  /** Rows that an expression looked up when it fired. */
  readonly looked_up: readonly LookedUp[]
  /** First violation, end of the hold, end of the alert. Milliseconds since 1970, arrival at this gateway. */
  readonly since_ms: number
  readonly fired_ms: number
  readonly resolved_ms: number | null
  /** The good value that ended it. */
  readonly resolved_value: Json
  /** Why it ended otherwise: its rule is gone or means something else now. */
  readonly resolved_reason: string | null
  readonly labels: Readonly<Record<string, string>>
  /** Rendered when it fired. */
  readonly annotations: Readonly<Record<string, string>>
  readonly snippet: Snippet | null
}

export type AlertSeries = {
  readonly device: string
  readonly metric: string
  readonly unit: string | undefined
  readonly origin?: string | undefined
  /** Out of the table `devices`. */
  readonly deviceLabels?: Readonly<Record<string, string>>
}

/**
 * The row to write for a verdict. A fired verdict takes the snippet; those after it take the row that it wrote when it
 * fired, and keep all of it. If that row is gone, the verdict knows enough to write it again, without its snippet.
 */
export function alertRow(
  rule: AlertRule,
  series: AlertSeries,
  verdict: Verdict,
  context: Snippet | AlertRow | undefined,
): AlertRow {
  if (verdict.kind === 'fired') return firedRow(rule, series, verdict, context && isSnippet(context) ? context : null)
  const { acked } = verdict
  const before = context && !isSnippet(context) ? context : firedRow(rule, series, verdict, null)
  const row = acked ? { ...before, acked_ms: acked.atMs, acked_by: acked.by } : before
  switch (verdict.kind) {
    case 'acknowledged':
      return row
    case 'latched':
      return { ...row, state: 'latched', resolved_value: verdict.value }
    case 'refired':
      return { ...row, state: 'firing', resolved_value: null }
    case 'resolved':
      return {
        ...row,
        state: 'resolved',
        resolved_ms: verdict.atMs,
        // Acknowledged after it was over: the value that ended it is there already.
        resolved_value: verdict.value ?? row.resolved_value,
        resolved_reason: verdict.reason ?? null,
      }
  }
}

/**
 * Sorted by rule, device, metric and time. Slashes inside names are escaped, so no two alerts share a key. What came late
 * fired on the device's own time, where another may have fired by arrival.
 */
export function alertKey(
  rule: Pick<AlertRule, 'id'>,
  device: string,
  metric: string,
  firedMs: number,
  late = false,
): string {
  const time = String(firedMs).padStart(13, '0') + (late ? '-late' : '')
  return [rule.id, device, metric].map(escapeName).concat(time).join('/')
}

function escapeName(name: string): string {
  return name.replaceAll('%', '%25').replaceAll('/', '%2F')
}

function isSnippet(context: Snippet | AlertRow): context is Snippet {
  return 'from_ms' in context
}

function firedRow(rule: AlertRule, series: AlertSeries, verdict: Verdict, snippet: Snippet | null): AlertRow {
  const { source } = verdict
  return {
    rule: rule.id,
    group: rule.group,
    table: rule.match.table,
    device: series.device,
    metric: series.metric,
    device_labels: series.deviceLabels ?? {},
    unit: series.unit ?? null,
    origin: series.origin ?? null,
    severity: rule.severity,
    state: 'firing',
    late: verdict.late,
    flapping: verdict.flapping,
    silenced: null,
    acked_ms: verdict.acked?.atMs ?? null,
    acked_by: verdict.acked?.by ?? null,
    side: verdict.side,
    value: verdict.firedValue,
    threshold: verdict.threshold,
    threshold_source: typeof source === 'string' || source === null ? source : { table: source.table, key: source.key },
    threshold_stamp: typeof source === 'string' || source === null ? null : source.stamp,
    looked_up: verdict.lookedUp,
    since_ms: verdict.sinceMs,
    fired_ms: verdict.firedMs,
    resolved_ms: null,
    resolved_value: null,
    resolved_reason: null,
    labels: rule.labels,
    annotations: renderAnnotations(rule, series, verdict),
    snippet,
  }
}

function renderAnnotations(rule: AlertRule, series: AlertSeries, verdict: Verdict): Record<string, string> {
  const { device, metric, unit = '' } = series
  const variables = {
    value: verdict.firedValue,
    threshold: verdict.threshold,
    device,
    metric,
    unit,
    side: verdict.side,
    alert: rule.id,
    group: rule.group,
    table: rule.match.table,
    severity: rule.severity,
    state: 'firing',
  }
  const labels = { ...rule.labels, alertname: rule.id, device, metric }
  const rendered = Object.entries(rule.annotations).map(([name, text]): [string, string] => [
    name,
    renderTemplate(text, { variables, labels, deviceLabels: series.deviceLabels ?? {} }),
  ])
  return Object.fromEntries(rendered)
}
