/** Rule files and a scenario in a folder of their own, played as `holdfast rules test` plays them. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readRuleTests, runRuleTest } from '../../runtime/rehearsal/rule-tests.ts'
import type { Failure } from '../../rules/scenario/failure.ts'

/** The failures of the one test that `body` is: the lines below `- name: …`. */
export async function play(rules: string, body: string): Promise<readonly Failure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  try {
    writeFileSync(join(folder, 'rules.yaml'), `groups:\n  - name: g\n    rules:\n${indented(rules, 6)}`)
    const scenario = join(folder, 'scenario.yaml')
    writeFileSync(scenario, `rule_files: [rules.yaml]\ntests:\n  - name: t\n${indented(body, 4)}`)
    const read = readRuleTests([scenario])
    assert.ok(read.ok, read.ok ? '' : JSON.stringify(read.problems, undefined, 2))
    const [test] = read.tests
    assert.ok(test)
    return (await runRuleTest(test)).failures
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** A failure in one line: what a person would read. */
export function told({ evalTime, kind, what, differences, hint }: Failure): string {
  const fields = differences.map(each => {
    const near = each.hint === undefined ? '' : ` (${each.hint})`
    return `${each.field}: ${each.expected} was ${each.was}${near}`
  })
  return [`${evalTime} ${kind} ${what}`, ...fields, ...(hint === undefined ? [] : [hint])].join('; ')
}

function indented(text: string, columns: number): string {
  return text
    .split('\n')
    .map(line => (line.trim() === '' ? '' : ' '.repeat(columns) + line))
    .join('\n')
}
