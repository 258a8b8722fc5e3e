/**
 * The row of the `alerts` table: one row for one alert, written when it fires and written again when it resolves. Pure
 * and deterministic: the same log gives the same keys and the same rows, so a replay writes nothing new ([I10]).
 */
import type { Verdict } from './evaluate.ts'
import type { Rule } from './rule.ts'
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
  readonly unit: string | null
  /** Gateway or hub where the readings were first committed; null for our own. */
  readonly origin: string | null
  /** The label `severity`, or `warning`. */
  readonly severity: string
  readonly state: 'firing' | 'resolved'
  readonly side: 'above' | 'below'
  /** The value that fired it and the limit that it broke. */
  readonly value: number
  readonly threshold: number
  /** Where the limit came from: the rule file, its default, or a row, with the stamp of the version that was in force. */
  readonly threshold_source: 'literal' | 'default' | { readonly table: string; readonly key: string }
  readonly threshold_stamp: number | null
  /** First violation, end of the hold, end of the alert. Milliseconds since 1970, arrival at this gateway. */
  readonly since_ms: number
  readonly fired_ms: number
  readonly resolved_ms: number | null
  /** The good value that ended it. */
  readonly resolved_value: number | null
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
}

export const severityDefault = 'warning'

/**
 * The row to write for a verdict. A fired verdict takes the snippet; a resolved one takes the row that it wrote when it
 * fired, and keeps all of it. If that row is gone, the verdict knows enough to write it again, without its snippet.
 */
export function alertRow(
  rule: Rule,
  series: AlertSeries,
  verdict: Verdict,
  context: Snippet | AlertRow | undefined,
): AlertRow {
  if (verdict.kind === 'fired') return firedRow(rule, series, verdict, context && isSnippet(context) ? context : null)
  const fired = context && !isSnippet(context) ? context : firedRow(rule, series, verdict, null)
  return { ...fired, state: 'resolved', resolved_ms: verdict.atMs, resolved_value: verdict.value }
}

/** Sorted by rule, device, metric and time. Slashes inside names are escaped, so no two alerts share a key. */
export function alertKey(rule: Pick<Rule, 'id'>, device: string, metric: string, firedMs: number): string {
  return [rule.id, device, metric].map(escapeName).concat(String(firedMs).padStart(13, '0')).join('/')
}

function escapeName(name: string): string {
  return name.replaceAll('%', '%25').replaceAll('/', '%2F')
}

function isSnippet(context: Snippet | AlertRow): context is Snippet {
  return 'from_ms' in context
}

function firedRow(rule: Rule, series: AlertSeries, verdict: Verdict, snippet: Snippet | null): AlertRow {
  const { source } = verdict
  return {
    rule: rule.id,
    group: rule.group,
    table: rule.match.table,
    device: series.device,
    metric: series.metric,
    unit: series.unit ?? null,
    origin: series.origin ?? null,
    severity: rule.labels['severity'] ?? severityDefault,
    state: 'firing',
    side: verdict.side,
    value: verdict.firedValue,
    threshold: verdict.threshold,
    threshold_source: typeof source === 'string' ? source : { table: source.table, key: source.key },
    threshold_stamp: typeof source === 'string' ? null : source.stamp,
    since_ms: verdict.sinceMs,
    fired_ms: verdict.firedMs,
    resolved_ms: null,
    resolved_value: null,
    labels: rule.labels,
    annotations: renderAnnotations(rule, series, verdict),
    snippet,
  }
}

function renderAnnotations(rule: Rule, series: AlertSeries, verdict: Verdict): Record<string, string> {
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
  }
  const labels = { ...rule.labels, alertname: rule.id, device, metric }
  const rendered = Object.entries(rule.annotations).map(([name, text]): [string, string] => [
    name,
    renderTemplate(text, { variables, labels }),
  ])
  return Object.fromEntries(rendered)
}
