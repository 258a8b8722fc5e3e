/** What a rule file cannot know alone: that the tables its rules speak of exist, and are of the kind that is needed. Pure. */
import type { Rule } from '../../rules/rule.ts'
import type { Problem } from '../document.ts'

export type KnownTables = ReadonlyMap<string, { readonly kind: 'series' | 'records' }>

export function tableProblems(rules: readonly Rule[], tables: KnownTables): Problem[] {
  const fault = (table: string, kind: 'series' | 'records'): string | undefined => {
    const found = tables.get(table)
    if (!found) return `there is no table "${table}" in the configuration`
    return found.kind === kind ? undefined : `"${table}" is a ${found.kind} table; a ${kind} table is needed here`
  }
  return rules.flatMap(rule => {
    if (rule.kind !== 'alert') return []
    const { id, file, match, snippet, condition } = rule
    const { above, below, clear } = condition.kind === 'limits' ? condition : {}
    const limits = [above, below, clear].flatMap(limit => (limit?.kind === 'row' ? [limit.table] : []))
    const faults = [
      ...[match.table, ...snippet.tables].map(table => fault(table, 'series')),
      ...limits.map(table => fault(table, 'records')),
    ]
    return [...new Set(faults)].flatMap(message =>
      message === undefined ? [] : [{ file, line: 0, column: 0, message: `alert "${id}": ${message}` }],
    )
  })
}
