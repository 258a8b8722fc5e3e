/** What a test expects, out of its file, in the order of its time. Pure. */
import type { Value } from '../../runtime/reading.ts'
import { parseMomentMs } from './moments.ts'
import { parseSeriesName, type SeriesRef } from './names.ts'
import type { Expectation, ExpectedAlert, ExpectedSnippet, Moment } from './scenario.ts'
import type { ExpectedAlertEntry, TestEntry } from './schema.ts'
import { valuesIn } from './values.ts'

export function compileExpectations(entry: TestEntry, startMs: number): Expectation[] {
  const when = (text: string | 0): Moment => momentOf(text, startMs)
  const expectations: Expectation[] = [
    ...(entry.alert_rule_test ?? []).map(
      (each): Expectation => ({
        kind: 'alerts',
        at: when(each.eval_time),
        alertname: each.alertname,
        alerts: (each.exp_alerts ?? []).map(alert => expectedAlert(alert, startMs)),
      }),
    ),
    ...(entry.record_rule_test ?? []).map(
      (each): Expectation => ({
        kind: 'readings',
        at: when(each.eval_time),
        series: each.exp_readings.map(({ series, values, table }) => {
          const name = parseSeriesName(series) as SeriesRef
          const told = valuesIn(values).filter((value): value is Value => value !== undefined)
          return { series: name, table: table ?? name.table ?? 'readings', values: told }
        }),
      }),
    ),
    ...(entry.publish_test ?? []).map(
      (each): Expectation => ({
        kind: 'published',
        at: when(each.eval_time),
        topic: each.topic,
        messages: each.exp_published.map(({ topic, payload }) => ({ topic, payload })),
      }),
    ),
  ]
  return expectations.toSorted((a, b) => a.at.ms - b.at.ms)
}

function expectedAlert(entry: ExpectedAlertEntry, startMs: number): ExpectedAlert {
  const when = (text: string | 0 | undefined): Moment | undefined =>
    text === undefined ? undefined : momentOf(text, startMs)
  const late = entry.late ?? false
  return {
    labels: entry.exp_labels ?? {},
    annotations: entry.exp_annotations ?? {},
    // What was found in history may be over or not: that is looked at only where it is said.
    state: entry.state ?? (late ? undefined : 'firing'),
    value: entry.value,
    threshold: entry.threshold,
    since: when(entry.since),
    firedAt: when(entry.fired_at),
    resolvedAt: when(entry.resolved_at),
    late,
    flapping: entry.flapping,
    silenced: entry.silenced,
    acked: entry.acked,
    snippet: entry.exp_snippet && expectedSnippet(entry.exp_snippet, when),
  }
}

function expectedSnippet(
  entry: NonNullable<ExpectedAlertEntry['exp_snippet']>,
  when: (text: string | 0 | undefined) => Moment | undefined,
): ExpectedSnippet {
  const { count, bytes_max: bytesMax, from, to, thinned, series } = entry
  return { count, bytesMax, from: when(from), to: when(to), thinned, series }
}

function momentOf(text: string | 0, startMs: number): Moment {
  return { text: String(text), ms: parseMomentMs(String(text), startMs) ?? startMs }
}
