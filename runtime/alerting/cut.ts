/**
 * The readings around an alert, out of what is stored: so a snippet reaches back before a reboot, and has corrected times
 * where the clock was wrong. Memory is bounded by the hour that is read and by what a snippet may hold, however long the
 * time is that was asked for.
 */
import { Gathered, type SeriesNames } from '../../rules/alert/gather.ts'
import { type Snippet, snippet } from '../../rules/alert/snippet.ts'
import { fillPlaceholders, inSnippet } from '../../rules/match.ts'
import type { AlertRule, SnippetSpec } from '../../rules/rule.ts'
import type { Store } from '../store/store.ts'
import { type ReadingEntry, type Series, timeOf } from '../store/types.ts'

/** Devices wait for their acknowledgement while a long snippet is cut: after so many readings they have their turn. */
const readingsPerTurn = 5_000

/** JSON all through: one that waits for its end is kept in the store. */
export type Cut = {
  readonly spec: SnippetSpec
  /** The series of the alert; device and metric of a group may be patterns. */
  readonly about: Pick<Series, 'table' | 'origin' | 'device' | 'metric'>
  /** In the time of the devices, both inclusive. */
  readonly fromMs: number
  readonly toMs: number
}

/** What an alert of a rule is to be cut by. Of a group, {device} and {metric} are all that it judges. */
export function snippetSpecOf({ snippet: spec, per, match }: AlertRule): SnippetSpec {
  if (per === 'series') return spec
  const device = per === 'all' ? spec.device.replaceAll('{device}', match.device) : spec.device
  return { ...spec, device, metric: spec.metric.replaceAll('{metric}', match.metric) }
}

/** `isPart`: what of the readings that fit belongs to the story. The series of the alert comes first. */
export async function cutSnippet(
  store: Store,
  { spec, about, fromMs, toMs }: Cut,
  isPart: (entry: ReadingEntry, table: string) => boolean,
): Promise<Snippet> {
  const gathered = new Gathered<Series>(seriesOf(store, about), namesOf)
  // Asked once for each series: a day at ten readings a second is a million of them.
  const wanted = new Map<Series, boolean>()
  let read = 0
  for (const table of spec.tables) {
    if (store.tables.get(table)?.kind !== 'series') continue
    for await (const entry of store.query(table, {
      device: fillPlaceholders(spec.device, about),
      metric: fillPlaceholders(spec.metric, about),
      fromMs,
      toMs: toMs + 1,
    })) {
      if (++read % readingsPerTurn === 0) await new Promise(resolve => setImmediate(resolve))
      let isWanted = wanted.get(entry.series)
      if (isWanted === undefined) wanted.set(entry.series, (isWanted = inSnippet(spec, about, entry.series)))
      if (!isWanted || !isPart(entry, table)) continue
      gathered.add(entry.series, timeOf(entry), entry.value)
    }
  }
  return snippet(gathered.series(), spec, fromMs, toMs, gathered.left)
}

function seriesOf(store: Store, { table, origin, device, metric }: Cut['about']): Series | undefined {
  for (const series of store.series(table)) {
    if (series.device === device && series.metric === metric && series.origin === origin) return series
  }
  return undefined
}

function namesOf({ table, device, metric, unit }: Series): SeriesNames {
  return { table, device, metric, unit: unit ?? null }
}
