/**
 * A scenario file in, its tests out: all of them, or every problem at once with line and column. Pure: no file is opened
 * here; what the rule files are is for whoever runs the tests.
 */
import { checkDocument, type Finding, type Path, type Problem } from '../../runtime/document.ts'
import { textFindings } from './check.ts'
import { compileTest } from './compile.ts'
import { type ScenarioFile, scenarioSchema } from './schema.ts'
import type { Scenario } from './scenario.ts'
import { z } from 'zod'

export type ParsedScenarios =
  | { readonly ok: true; readonly scenarios: readonly Scenario[]; readonly ruleFiles: readonly string[] }
  | { readonly ok: false; readonly problems: readonly Problem[] }

export function parseScenarios(file: string, text: string): ParsedScenarios {
  const form = checkDocument(file, text, scenarioSchema)
  const texts = checkDocument(file, text, z.unknown(), { inspect: plain => textFindings(plain) })
  if (!form.ok || !texts.ok) {
    // A text that is no YAML at all is told twice, in the same words.
    const problems = [form, texts].flatMap(checked => (checked.ok ? [] : checked.problems))
    const once = new Map(problems.map(problem => [JSON.stringify(problem), problem]))
    return { ok: false, problems: [...once.values()].toSorted((a, b) => a.line - b.line || a.column - b.column) }
  }
  const findings: Finding[] = []
  const scenarios = form.value.tests.map((entry, index) => {
    const path: Path = ['tests', index]
    const compiled = compileTest(file, form.at(path), nameOf(form.value, index), form.value, entry)
    findings.push(...compiled.findings.map(finding => ({ ...finding, path: [...path, ...finding.path] })))
    return compiled.scenario
  })
  findings.push(...repeatedNames(form.value))
  if (findings.length === 0) return { ok: true, scenarios, ruleFiles: form.value.rule_files }
  const problems = findings.map(({ path, message }) => ({ file, ...form.at(path), message }))
  return { ok: false, problems: problems.toSorted((a, b) => a.line - b.line || a.column - b.column) }
}

function nameOf({ tests }: ScenarioFile, index: number): string {
  return tests[index]?.name ?? `test ${index + 1}`
}

/** A name is how one test is asked for. */
function repeatedNames(file: ScenarioFile): Finding[] {
  const seen = new Set<string>()
  return file.tests.flatMap((_, index) => {
    const name = nameOf(file, index)
    const isRepeated = seen.has(name)
    seen.add(name)
    return isRepeated ? [{ path: ['tests', index, 'name'], message: `there is a test named "${name}" already` }] : []
  })
}
