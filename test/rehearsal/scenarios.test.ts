/** What demanding users try on their first day, as they would write it down: the files of test/rules/scenarios. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { readRuleTests, runRuleTest } from '../../runtime/rehearsal/rule-tests.ts'
import { told } from './tests.ts'

const folder = 'test/rules/scenarios'

for (const name of readdirSync(folder).filter(each => each.endsWith('.test.yaml'))) {
  describe(`the scenario ${name}`, () => {
    const read = readRuleTests([join(folder, name)])
    assert.ok(read.ok, JSON.stringify(read))
    for (const test of read.tests) {
      it(test.scenario.name, async () => {
        assert.deepEqual((await runRuleTest(test)).failures.map(told), [])
      })
    }
  })
}
