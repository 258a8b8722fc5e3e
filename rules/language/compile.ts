/**
 * From the keys of a rule that was found good to the rule itself: defaults filled in, durations in milliseconds, the labels
 * of its group merged into its own. Pure, and without complaints: whatever can be wrong was found before.
 */
import { parseDurationMs, parseSizeBytes } from '../../runtime/units.ts'
import {
  type Action,
  type Condition,
  intervalMsDefault,
  lateAfterMsDefault,
  type Limit,
  type Moments,
  type Occasion,
  type Per,
  type Rule,
  severityDefault,
  snippetBeforeMsDefault,
  snippetBytesDefault,
  type SnippetSpec,
} from '../rule.ts'
import type { RuleExpression } from '../expression/scope.ts'
import type { ActionEntry } from './action-schema.ts'
import { fingerprintOf } from './fingerprint.ts'
import type { GroupEntry, RuleEntry } from './schema.ts'
import { type LimitEntry, limitTableDefault, tableDefault } from './values.ts'

/** What a rule is compiled with: the zone of the configuration, and expressions, which have been compiled already. */
export type Surroundings = {
  readonly file: string
  readonly zone: string
  readonly expression: (text: string, wants: RuleExpression['gives']) => RuleExpression
}

export function compileRule(group: GroupEntry, entry: RuleEntry, surroundings: Surroundings): Rule {
  const { file, zone } = surroundings
  const match = {
    table: entry.match?.table ?? tableDefault,
    device: entry.match?.device ?? '*',
    metric: entry.match?.metric ?? '*',
    labels: { ...entry.match?.labels },
  }
  const per = entry.per ?? 'series'
  const ownLabels = entry.severity === undefined ? entry.labels : { ...entry.labels, severity: entry.severity }
  const labels = { ...group.labels, ...ownLabels }
  const lateAfterMs = durationMs(entry.late_after) ?? lateAfterMsDefault
  const shared = { group: group.name, file, match, per, lateAfterMs, labels }
  if (entry.record !== undefined) {
    const expression = surroundings.expression(entry.expr ?? '', 'any')
    const moments = momentsOf(group, entry, expression.needs.changesWithTime, zone)
    const recording = { kind: 'record', metric: entry.record, table: entry.into ?? tableDefault } as const
    const verdict = { ...recording, text: expression.text }
    const fingerprint = fingerprintOf({ match, per, moments, lateAfterMs, zone, verdict })
    return { ...shared, ...recording, id: entry.record, moments, expression, fingerprint }
  }
  const condition = conditionOf(entry, surroundings)
  const moments = condition.kind === 'absent' ? undefined : momentsOf(group, entry, changesWithTime(condition), zone)
  const verdict = {
    kind: 'alert',
    condition,
    forMs: durationMs(entry.for) ?? 0,
    keepFiringForMs: durationMs(entry.keep_firing_for) ?? 0,
    latch: entry.latch ?? false,
    flapping: entry.flapping && {
      changes: entry.flapping.changes,
      withinMs: durationMs(entry.flapping.within) ?? 0,
    },
  } as const
  return {
    ...shared,
    ...verdict,
    id: entry.alert ?? '',
    moments,
    renotifyMs: durationMs(entry.renotify),
    severity: labels['severity'] ?? severityDefault,
    annotations: { ...entry.annotations },
    snippet: snippetOf(entry.snippet, match, per),
    actions: (entry.actions ?? []).map(actionOf),
    fingerprint: fingerprintOf({ match, per, moments, lateAfterMs, zone, verdict }),
  }
}

function conditionOf(entry: RuleEntry, { expression }: Surroundings): Condition {
  const { expr, clear } = entry
  if (entry.absent !== undefined) return { kind: 'absent', afterMs: durationMs(entry.absent) ?? 0 }
  if (expr !== undefined && entry.above === undefined && entry.below === undefined) {
    const clearText = typeof clear === 'string' ? expression(clear, 'bool') : undefined
    return { kind: 'expression', violated: expression(expr, 'bool'), clear: clearText }
  }
  return {
    kind: 'limits',
    of: expr === undefined ? undefined : expression(expr, 'number'),
    above: limitOf(entry.above),
    below: limitOf(entry.below),
    clear: typeof clear === 'string' ? undefined : limitOf(clear),
  }
}

function changesWithTime(condition: Condition): boolean {
  if (condition.kind === 'absent') return false
  const expressions = condition.kind === 'limits' ? [condition.of] : [condition.violated, condition.clear]
  return expressions.some(each => each?.needs.changesWithTime === true)
}

function limitOf(entry: LimitEntry | undefined): Limit | undefined {
  if (entry === undefined) return undefined
  if (typeof entry === 'number') return { kind: 'literal', value: entry }
  const { table = limitTableDefault, key, field } = entry
  return { kind: 'row', table, key, field, default: entry.default }
}

/** What the rule says wins over its group; without either an expression that asks for time is judged every minute. */
function momentsOf(group: GroupEntry, entry: RuleEntry, isTimed: boolean, zone: string): Moments | undefined {
  const { schedule } = entry
  if (typeof schedule === 'string') return { kind: 'cron', cron: schedule, zone }
  if (schedule !== undefined) return { kind: 'cron', cron: schedule.cron, zone: schedule.zone ?? zone }
  const everyMs = durationMs(entry.interval ?? group.interval) ?? (isTimed ? intervalMsDefault : undefined)
  return everyMs === undefined ? undefined : { kind: 'interval', everyMs }
}

/** An alert that stands for all that a rule matches has no device of its own: its snippet shows them all. */
function snippetOf(
  entry: RuleEntry['snippet'],
  match: { readonly table: string; readonly device: string; readonly metric: string },
  per: Per,
): SnippetSpec {
  const form = typeof entry === 'string' ? { before: entry } : (entry ?? {})
  const around = per === 'all' ? match : { device: '{device}', metric: '*' }
  return {
    beforeMs: durationMs(form.before) ?? snippetBeforeMsDefault,
    afterMs: durationMs(form.after) ?? 0,
    tables: [...new Set(form.tables ?? [match.table])],
    device: form.match?.device ?? around.device,
    metric: form.match?.metric ?? around.metric,
    bytesMax: form.max_bytes === undefined ? snippetBytesDefault : sizeBytes(form.max_bytes),
    pointsMax: form.max,
  }
}

function actionOf({ publish, write, on, repeat }: ActionEntry): Action {
  const occasions = new Set<Occasion>([on ?? 'firing'].flat())
  const when = { on: [...occasions], repeatMs: durationMs(repeat) }
  if (write) return { ...when, does: { kind: 'write', table: write.table, key: write.key, row: write.row } }
  const { topic = '', payload = '{{ $state }}', qos = 1, retain = false } = publish ?? {}
  return { ...when, does: { kind: 'publish', topic, payload, qos, retain } }
}

/** The schema has let through only what parses; whole milliseconds, because times in the log are whole. */
function durationMs(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Math.round(parseDurationMs(text) ?? 0)
}

function sizeBytes(size: string | number): number {
  return parseSizeBytes(String(size)) ?? snippetBytesDefault
}
