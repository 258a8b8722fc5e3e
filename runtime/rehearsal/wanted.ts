/**
 * What has to be read so that rules can be judged: which series, from how long before, and which tables of rows. Pure.
 */
import type { RuleExpression } from '../../rules/expression/scope.ts'
import type { Rule } from '../../rules/rule.ts'

export type Wanted = {
  /** For each series table the patterns of device and metric that any rule looks at. */
  readonly series: ReadonlyMap<string, readonly (readonly [device: string, metric: string])[]>
  /** So long before the story begins, so that windows, holds and silences are what they were. */
  readonly beforeMs: number
  readonly records: readonly string[]
}

/** What no rule asks for, and what tells how late a series usually is: the base lag settles within ten minutes. */
const beforeMsMin = 600_000

const labelsTable = 'device_labels'

export function wantedBy(rules: readonly Rule[]): Wanted {
  const series = new Map<string, Map<string, readonly [string, string]>>()
  const records = new Set<string>()
  let beforeMs = beforeMsMin
  for (const rule of rules) {
    const { table, device, metric, labels } = rule.match
    const patterns = series.get(table) ?? new Map<string, readonly [string, string]>()
    series.set(table, patterns)
    const want = (wantedDevice: string, wantedMetric: string): void => {
      patterns.set(`${wantedDevice}\0${wantedMetric}`, [wantedDevice, wantedMetric])
    }
    want(device, metric)
    if (Object.keys(labels).length > 0) records.add(labelsTable)
    for (const { needs } of expressionsOf(rule)) {
      for (const other of needs.others) {
        want(other.device ?? device, other.metric)
        beforeMs = Math.max(beforeMs, ...other.windowsMs)
      }
      beforeMs = Math.max(beforeMs, ...needs.own.windowsMs)
      for (const name of needs.tables) records.add(name)
      if (needs.labels) records.add(labelsTable)
    }
    for (const name of limitTables(rule)) records.add(name)
    beforeMs = Math.max(beforeMs, holdMs(rule))
  }
  return {
    series: new Map([...series].map(([table, patterns]) => [table, [...patterns.values()]])),
    beforeMs,
    records: [...records],
  }
}

export function expressionsOf(rule: Rule): readonly RuleExpression[] {
  if (rule.kind === 'record') return [rule.expression]
  const { condition } = rule
  const all =
    condition.kind === 'limits'
      ? [condition.of]
      : condition.kind === 'expression'
        ? [condition.violated, condition.clear]
        : []
  return all.filter(expression => expression !== undefined)
}

function limitTables(rule: Rule): string[] {
  if (rule.kind === 'record' || rule.condition.kind !== 'limits') return []
  const { above, below, clear } = rule.condition
  return [above, below, clear].flatMap(limit => (limit?.kind === 'row' ? [limit.table] : []))
}

/** How long before its alert a violation may have begun. */
function holdMs(rule: Rule): number {
  if (rule.kind === 'record') return 0
  const { condition, forMs, keepFiringForMs } = rule
  return forMs + keepFiringForMs + (condition.kind === 'absent' ? condition.afterMs : 0)
}
