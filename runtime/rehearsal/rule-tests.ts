/**
 * Scenario files, read with the rule files that they name, and played test by test. Opens files; what is in them is for
 * rules/scenario and rules/language.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type ParsedRules, parseRules } from '../../rules/language/file.ts'
import { matchesPattern } from '../../rules/match.ts'
import type { Rule } from '../../rules/rule.ts'
import type { Failure } from '../../rules/scenario/failure.ts'
import { parseScenarios } from '../../rules/scenario/file.ts'
import type { Scenario } from '../../rules/scenario/scenario.ts'
import { tableProblems } from '../alerting/rule-tables.ts'
import { nearestName, type Problem } from '../document.ts'
import { HoldfastError, unreadableWords } from '../errors.ts'
import { rehearse } from './rehearse.ts'
import { tablesOf } from './tables.ts'

export type RuleTest = { readonly scenario: Scenario; readonly rules: readonly Rule[] }
export type ReadTests =
  | { readonly ok: true; readonly tests: readonly RuleTest[] }
  | { readonly ok: false; readonly problems: readonly Problem[] }

export type TestResult = {
  readonly file: string
  readonly name: string
  readonly ok: boolean
  readonly failures: readonly Failure[]
}

/** All tests of the files, or everything that is wrong in them and in their rules. Throws FILE_UNREADABLE. */
export function readRuleTests(files: readonly string[]): ReadTests {
  const tests: RuleTest[] = []
  const problems: Problem[] = []
  for (const file of files) {
    const parsed = parseScenarios(file, readText(file))
    if (!parsed.ok) {
      problems.push(...parsed.problems)
      continue
    }
    const found = parsed.ruleFiles.map(name => filesNamed(file, name))
    const texts = [...new Set(found.flat())].map(name => ({ file: name, text: readText(name) }))
    const inZones = new Map<string, ParsedRules>()
    for (const scenario of parsed.scenarios) {
      const rules = inZones.get(scenario.zone) ?? parseRules(texts, { zone: scenario.zone })
      inZones.set(scenario.zone, rules)
      if (!rules.ok) {
        problems.push(...rules.problems)
        continue
      }
      const tables = new Map(tablesOf(scenario, rules.rules).map(spec => [spec.name, spec]))
      problems.push(...tableProblems(rules.rules, tables, rules.placeOf))
      problems.push(...unknownRules(scenario, rules.rules))
      tests.push({ scenario, rules: rules.rules })
    }
  }
  const once = new Map(problems.map(problem => [JSON.stringify(problem), problem]))
  return once.size > 0 ? { ok: false, problems: [...once.values()] } : { ok: true, tests }
}

export async function runRuleTest({ scenario, rules }: RuleTest): Promise<TestResult> {
  const failures = await rehearse(scenario, rules)
  return { file: scenario.file, name: scenario.name, ok: failures.length === 0, failures }
}

/** A rule file, or those of a folder whose names fit a pattern. */
function filesNamed(scenarioFile: string, name: string): readonly string[] {
  const path = join(dirname(scenarioFile), name)
  if (!basename(path).includes('*')) return [path]
  let names: string[]
  try {
    names = readdirSync(dirname(path))
  } catch (error) {
    throw unreadable(dirname(path), error)
  }
  const fitting = names.filter(each => matchesPattern(basename(path), each)).toSorted()
  if (fitting.length === 0) throw new HoldfastError('FILE_UNREADABLE', `${scenarioFile}: no file fits ${name}`)
  return fitting.map(each => join(dirname(path), each))
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw unreadable(file, error)
  }
}

function unreadable(file: string, error: unknown): HoldfastError {
  return new HoldfastError('FILE_UNREADABLE', `${file} cannot be read: ${unreadableWords(error)}`, '', error)
}

/** A test that asks for a rule which is not there would pass for ever, expecting nothing. */
function unknownRules(scenario: Scenario, rules: readonly Rule[]): readonly Problem[] {
  const names = rules.map(({ id }) => id)
  return scenario.expectations.flatMap(each => {
    if (each.kind !== 'alerts' || each.alertname === undefined || names.includes(each.alertname)) return []
    const nearest = nearestName(each.alertname, names)
    const meant = nearest === undefined ? '' : `; did you mean "${nearest}"?`
    const message = `test "${scenario.name}": there is no rule "${each.alertname}" in its rule files${meant}`
    return [{ file: scenario.file, line: scenario.line, column: scenario.column, message }]
  })
}
