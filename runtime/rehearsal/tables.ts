/**
 * The tables of a test: those that its rules and its own lines name, and those that every gateway has. A gateway's
 * configuration declares them; a test has none, and need not repeat it. Pure.
 */
import type { Rule } from '../../rules/rule.ts'
import type { Scenario } from '../../rules/scenario/scenario.ts'
import { usesOf } from '../alerting/rule-tables.ts'
import type { TableKind, TableSpec } from '../store/types.ts'

const always: readonly TableSpec[] = [
  { name: 'readings', kind: 'series' },
  ...['alerts', 'thresholds', 'device_labels', 'acks', 'silences'].map(
    (name): TableSpec => ({ name, kind: 'records' }),
  ),
]

/** In case of doubt the first who names a table says what it is; whoever needs it otherwise is told by the rules' check. */
export function tablesOf(scenario: Scenario, rules: readonly Rule[]): readonly TableSpec[] {
  const tables = new Map(always.map(spec => [spec.name, spec]))
  const note = (kind: TableKind, names: readonly string[]): void => {
    for (const name of names) if (!tables.has(name)) tables.set(name, { name, kind })
  }
  note(
    'series',
    scenario.readings.map(({ table }) => table),
  )
  note(
    'records',
    scenario.happenings.flatMap(each => (each.kind === 'row' ? [each.table] : [])),
  )
  for (const { table, kind } of rules.flatMap(usesOf)) note(kind, [table])
  return [...tables.values()]
}
