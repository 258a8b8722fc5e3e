/** The examples keep their word: each has its scenarios, each scenario passes, and a rule that is broken does not. */
import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { isMap, isSeq, parseDocument, type YAMLMap } from 'yaml'
import { parseRules } from '../../rules/language/file.ts'
import { tableProblems } from '../../runtime/alerting/rule-tables.ts'
import { readRuleFiles } from '../../runtime/alerting/rule-files.ts'
import { type RuleTest, readRuleTests, runRuleTest } from '../../runtime/rehearsal/rule-tests.ts'

const folder = 'rules/examples'
const names = readRuleFiles(folder).map(({ file }) => file.slice(folder.length + 1, -'.yaml'.length))
/** What README.md tells people to declare beside the tables that are always there. */
const tables = new Map<string, { kind: 'series' | 'records' }>([
  ['readings', { kind: 'series' }],
  ['spectra', { kind: 'series' }],
  ['thresholds', { kind: 'records' }],
  ['device_labels', { kind: 'records' }],
  ['orders', { kind: 'records' }],
])

const work = mkdtempSync(join(tmpdir(), 'holdfast-examples-'))
after(() => rmSync(work, { recursive: true, force: true }))

function testsIn(file: string): readonly RuleTest[] {
  const read = readRuleTests([file])
  assert.ok(read.ok, JSON.stringify(read.ok || read.problems))
  return read.tests
}

type Fault = 'says nothing' | 'speaks always'

/** Each rule of a file broken in one way, one rule at a time. */
function* broken(text: string, fault: Fault): Generator<{ rule: string; text: string }> {
  const count = rulesOf(parseDocument(text)).length
  for (let index = 0; index < count; index++) {
    const document = parseDocument(text)
    const rule = rulesOf(document)[index] as YAMLMap
    const isRecording = rule.has('record')
    if (isRecording && fault === 'speaks always') continue
    for (const key of ['above', 'below', 'clear', 'absent', 'expr', 'for']) rule.delete(key)
    if (isRecording) rule.set('expr', 'last("nobody", "nothing")')
    else rule.set('expr', fault === 'says nothing' ? 'false' : 'true')
    yield { rule: String(rule.get('alert') ?? rule.get('record')), text: String(document) }
  }
}

function rulesOf(document: ReturnType<typeof parseDocument>): YAMLMap[] {
  const groups = document.get('groups')
  assert.ok(isSeq(groups))
  return groups.items.flatMap(group => {
    const rules = isMap(group) ? group.get('rules') : undefined
    return isSeq(rules) ? rules.items.filter(isMap) : []
  })
}

/** Those that name the rule are asked first: mostly one is enough. */
async function isMissed(tests: readonly RuleTest[], rule: string): Promise<boolean> {
  const names = ({ scenario }: RuleTest): number => (JSON.stringify(scenario.expectations).includes(rule) ? 0 : 1)
  for (const test of tests.toSorted((a, b) => names(a) - names(b))) if (!(await runRuleTest(test)).ok) return true
  return false
}

describe('the examples', () => {
  it('have a scenario file and a paragraph each', () => {
    const scenarios = readdirSync(folder).filter(name => name.endsWith('.test.yaml'))
    assert.deepEqual(
      names,
      scenarios.map(name => name.slice(0, -'.test.yaml'.length)),
    )
    const page = readFileSync(join(folder, 'README.md'), 'utf8')
    for (const name of names) assert.ok(page.includes(`\n**${name}** `), name)
  })

  it('can be in force together, with the tables that their page names', () => {
    const parsed = parseRules(readRuleFiles(folder))
    assert.deepEqual(parsed.ok ? tableProblems(parsed.rules, tables, parsed.placeOf) : parsed.problems, [])
  })

  for (const name of names) {
    const scenarios = join(folder, `${name}.test.yaml`)
    for (const test of testsIn(scenarios)) {
      it(`${name}: ${test.scenario.name}`, async () => {
        assert.deepEqual((await runRuleTest(test)).failures, [])
      })
    }

    for (const fault of ['says nothing', 'speaks always'] as const) {
      it(`${name}: a scenario fails for each rule that ${fault}`, async () => {
        copyFileSync(scenarios, join(work, `${name}.test.yaml`))
        for (const { rule, text } of broken(readFileSync(join(folder, `${name}.yaml`), 'utf8'), fault)) {
          writeFileSync(join(work, `${name}.yaml`), text)
          assert.ok(
            await isMissed(testsIn(join(work, `${name}.test.yaml`)), rule),
            `nobody notices that ${rule} ${fault}`,
          )
        }
      })
    }
  }
})
