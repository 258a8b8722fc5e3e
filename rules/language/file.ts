/**
 * Rule files in, rules out: all of them, or every problem of every file at once with file, line and column. Pure: texts
 * in, no file is opened here. A set of files with one problem gives no rules at all, so the caller's running rules stay
 * in force as they are and are never half replaced.
 */
import { checkDocument, listed, type LineColumn, type Path, type Problem } from '../../runtime/document.ts'
import { filesMax } from '../limits.ts'
import type { Rule } from '../rule.ts'
import { checkOutlines } from './check.ts'
import { compileRule } from './compile.ts'
import { expressionsIn } from './expressions.ts'
import { outlineOf } from './outline.ts'
import { rulesSchema } from './schema.ts'

export type ParsedRules =
  | { readonly ok: true; readonly rules: readonly Rule[]; readonly placeOf: PlaceInRule }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** Where in its file something of a rule stands, such as `['match', 'table']`; the rule itself where it is left out. */
export type PlaceInRule = (rule: Rule, path: Path) => LineColumn

export type RuleFile = { readonly file: string; readonly text: string }

export type RuleOptions = {
  /** Of hours, weekdays and cron expressions that name no other. */
  readonly zone?: string
}

/** `file` is the name that problems and alerts show; names of rules are unique over all files given together. */
export function parseRules(files: readonly RuleFile[], { zone = 'UTC' }: RuleOptions = {}): ParsedRules {
  const beyond = files[filesMax]
  if (beyond) {
    const message = `more than ${filesMax} rule files: put several groups into one file`
    return { ok: false, problems: [{ file: beyond.file, line: 0, column: 0, message }] }
  }
  const expressions = expressionsIn(zone)
  const checked = files.map(({ file, text }) => ({ file, result: checkDocument(file, text, rulesSchema) }))
  const outlines = checked.flatMap(({ file, result }) => (result.read ? [outlineOf(file, result.read)] : []))
  const problems = [
    ...checked.flatMap(({ result }) => (result.ok ? [] : result.problems)),
    ...checkOutlines(outlines, zone, expressions),
  ]
  if (problems.length > 0) {
    return { ok: false, problems: files.flatMap(({ file }) => listed(problems.filter(each => each.file === file))) }
  }
  const places = new Map<Rule, (path: Path) => LineColumn>()
  const rules = checked.flatMap(({ file, result }) => {
    if (!result.ok) return []
    const surroundings = { file, zone, expression: expressions.good }
    return result.value.groups.flatMap((group, groupIndex) =>
      group.rules.map((entry, index) => {
        const rule = compileRule(group, entry, surroundings)
        places.set(rule, path => result.at(['groups', groupIndex, 'rules', index, ...path]))
        return rule
      }),
    )
  })
  const placeOf: PlaceInRule = (rule, path) => places.get(rule)?.(path) ?? { line: 0, column: 0 }
  return { ok: true, rules, placeOf }
}
