/** What docs/rule-tests.md tells a newcomer to type: its files are written, its commands are run, its output is the output. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { readRuleTests, runRuleTest } from '../../runtime/rehearsal/rule-tests.ts'
import { holdfast } from '../commands/holdfast.ts'

it('docs/rule-tests.md shows files that work, commands that run, and what they print', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-docs-'))
  try {
    const blocks = [...readFileSync('docs/rule-tests.md', 'utf8').matchAll(/^```(yaml|console)\n(.*?)^```/gms)]
    let commands = 0
    let tests = 0
    for (const [, kind, block = ''] of blocks) {
      if (kind === 'yaml') {
        const name = /^# (\S+\.yaml)$/m.exec(block)?.[1]
        assert.ok(name, block)
        writeFileSync(join(folder, name), block)
        if (!name.endsWith('.test.yaml')) continue
        const read = readRuleTests([join(folder, name)])
        assert.ok(read.ok, JSON.stringify(read))
        for (const test of read.tests) assert.deepEqual((await runRuleTest(test)).failures, [], test.scenario.name)
        tests += read.tests.length
        continue
      }
      const [line = '', ...output] = block.split('\n')
      const { out, err } = await holdfast(line.replace('$ holdfast ', '').split(' '), { cwd: folder })
      assert.equal(err + out, output.join('\n'), line)
      commands++
    }
    assert.ok(commands >= 2 && tests >= 5)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
