/** What a test sees when it looks: rows of the store in the words of the test, and in its time. */
import type { AlertRow } from '../../rules/alert/alert.ts'
import { type Snippet, snippetBytes } from '../../rules/alert/snippet.ts'
import type { SeenAlert, SeenReading, SeenSnippet } from '../../rules/scenario/seen.ts'
import type { SeriesRef } from '../../rules/scenario/names.ts'
import type { Rule } from '../../rules/rule.ts'
import { partsOfKey } from '../../rules/judge/track.ts'
import type { Json } from '../reading.ts'
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

type SavedHold = {
  readonly state: {
    readonly kind: string
    readonly sinceMs: number
    readonly violation: { readonly value: Json; readonly threshold: number | null }
  }
}

/** Holds that have not ended yet: they have no rows, only states. */
export function pendingAlerts(states: ReadonlyMap<string, Json>, rules: readonly Rule[], trueAt: TimeOf): SeenAlert[] {
  const byId = new Map(rules.map(rule => [rule.id, rule]))
  return [...states].flatMap(([key, value]): SeenAlert[] => {
    const { state } = value as unknown as Partial<SavedHold>
    const { rule: id, device, metric } = partsOfKey(key)
    const rule = byId.get(id)
    if (state?.kind !== 'pending' || rule?.kind !== 'alert') return []
    return [
      {
        state: 'pending',
        rule: id,
        device,
        metric,
        labels: { ...rule.labels, severity: rule.severity, alertname: id, device, metric },
        annotations: {},
        value: state.violation.value,
        threshold: state.violation.threshold,
        sinceMs: trueAt(state.sinceMs),
        firedMs: undefined,
        resolvedMs: undefined,
        late: false,
        flapping: false,
        silenced: false,
        acked: false,
        snippet: undefined,
      },
    ]
  })
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
