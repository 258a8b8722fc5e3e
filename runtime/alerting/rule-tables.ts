/**
 * What a rule file cannot know alone: that the tables its rules speak of exist, are of the kind that is needed, and are not
 * ones in which the gateway keeps its own books. Pure.
 */
import type { RuleExpression } from '../../rules/expression/scope.ts'
import type { PlaceInRule } from '../../rules/language/file.ts'
import type { Rule } from '../../rules/rule.ts'
import type { Path, Problem } from '../document.ts'
import { nearestName } from '../document.ts'

export type KnownTables = ReadonlyMap<string, { readonly kind: 'series' | 'records' }>

/** Written by the gateway alone: a row of a rule there would be taken for something that happened. */
const ownTables: ReadonlySet<string> = new Set(['alerts', 'clock', 'devices', 'gaps', 'parked', 'rejects'])

type Use = {
  readonly table: string
  readonly kind: 'series' | 'records'
  readonly path: Path
  readonly isWritten?: boolean
}

/** `placeOf` is what reading the files has given along with the rules. */
export function tableProblems(
  rules: readonly Rule[],
  tables: KnownTables,
  placeOf: PlaceInRule = () => ({ line: 0, column: 0 }),
): Problem[] {
  return rules.flatMap(rule => {
    const problems = usesOf(rule).flatMap(({ table, kind, path, isWritten }) => {
      const fault = faultOf(tables, table, kind, isWritten === true)
      if (fault === undefined) return []
      const name = rule.kind === 'alert' ? `alert "${rule.id}"` : `recording "${rule.id}"`
      return [{ file: rule.file, ...placeOf(rule, path), message: `${name}: ${fault}` }]
    })
    const once = [...new Map(problems.map(problem => [problem.message, problem])).values()]
    return once.toSorted((a, b) => a.line - b.line || a.column - b.column)
  })
}

function faultOf(tables: KnownTables, table: string, kind: Use['kind'], isWritten: boolean): string | undefined {
  const found = tables.get(table)
  if (!found) {
    const ofKind = [...tables].filter(([, each]) => each.kind === kind).map(([name]) => name)
    const nearest = nearestName(table, ofKind)
    return `there is no table "${table}" in the configuration${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`
  }
  if (found.kind !== kind) return `"${table}" is a ${found.kind} table; a ${kind} table is needed here`
  return isWritten && ownTables.has(table) ? `"${table}" is written by the gateway alone` : undefined
}

/** Every table that a rule speaks of, and as what. */
export function usesOf(rule: Rule): Use[] {
  const own: Use = { table: rule.match.table, kind: 'series', path: ['match', 'table'] }
  if (rule.kind === 'record') {
    const into: Use = { table: rule.table, kind: 'series', path: ['into'], isWritten: true }
    return [own, into, ...rowsOf(rule.expression, 'expr')]
  }
  const snippet = rule.snippet.tables.map((table, index): Use => {
    return { table, kind: 'series', path: ['snippet', 'tables', index] }
  })
  const writes = rule.actions.flatMap(({ does }, index): Use[] => {
    if (does.kind !== 'write') return []
    return [{ table: does.table, kind: 'records', path: ['actions', index, 'write', 'table'], isWritten: true }]
  })
  return [own, ...snippet, ...conditionUses(rule.condition), ...writes]
}

function conditionUses(condition: Extract<Rule, { kind: 'alert' }>['condition']): Use[] {
  switch (condition.kind) {
    case 'limits': {
      const limits = (['above', 'below', 'clear'] as const).flatMap((key): Use[] => {
        const limit = condition[key]
        return limit?.kind === 'row' ? [{ table: limit.table, kind: 'records', path: [key, 'table'] }] : []
      })
      return [...limits, ...rowsOf(condition.of, 'expr')]
    }
    case 'expression':
      return [...rowsOf(condition.violated, 'expr'), ...rowsOf(condition.clear, 'clear')]
    case 'absent':
      return []
  }
}

function rowsOf(expression: RuleExpression | undefined, key: string): Use[] {
  return (expression?.needs.tables ?? []).map(table => ({ table, kind: 'records', path: [key] }))
}
