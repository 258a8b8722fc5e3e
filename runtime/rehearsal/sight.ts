/** What a test sees when it looks: rows of the store in the words of the test, and in its time. */
import type { AlertRow } from '../../rules/alert/alert.ts'
import { type Snippet, snippetBytes } from '../../rules/alert/snippet.ts'
import type { SeenAlert, SeenReading, SeenSnippet } from '../../rules/scenario/seen.ts'
import type { SeriesRef } from '../../rules/scenario/names.ts'
import type { Store } from '../store/store.ts'
import { timeOf } from '../store/types.ts'

type TimeOf = (wallMs: number) => number

export async function seenAlerts(store: Store, trueAt: TimeOf): Promise<readonly SeenAlert[]> {
  const seen: SeenAlert[] = []
  for await (const { value } of store.rows('alerts')) seen.push(seenAlert(value as unknown as AlertRow, trueAt))
  return seen
}

function seenAlert(row: AlertRow, trueAt: TimeOf): SeenAlert {
  const { rule, device, metric } = row
  return {
    state: row.state,
    rule,
    device,
    metric,
    labels: { ...row.device_labels, ...row.labels, severity: row.severity, alertname: rule, device, metric },
    annotations: row.annotations,
    value: row.value,
    threshold: row.threshold,
    sinceMs: trueAt(row.since_ms),
    firedMs: trueAt(row.fired_ms),
    resolvedMs: row.resolved_ms === null ? undefined : trueAt(row.resolved_ms),
    late: row.late,
    flapping: row.flapping,
    silenced: row.silenced !== null,
    acked: row.acked_ms !== null,
    snippet: row.snippet === null ? undefined : seenSnippet(row.snippet),
  }
}

function seenSnippet(snippet: Snippet): SeenSnippet {
  return {
    count: snippet.count,
    bytes: snippetBytes(snippet),
    fromMs: snippet.from_ms,
    toMs: snippet.to_ms,
    thinned: snippet.thinned !== undefined,
    series: snippet.series.map(({ device, metric }) => `${device}/${metric}`),
  }
}

export async function seenReadings(store: Store, table: string, { device, metric }: SeriesRef): Promise<SeenReading[]> {
  const seen: SeenReading[] = []
  for await (const entry of store.query(table, { device, metric })) {
    if (entry.series.device !== device || entry.series.metric !== metric) continue
    seen.push({ atMs: timeOf(entry), value: entry.value })
  }
  return seen
}
