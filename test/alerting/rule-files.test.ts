/** The folder of rule files, with whatever somebody has put there. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseRules } from '../../rules/language/file.ts'
import { readRuleFiles } from '../../runtime/alerting/rule-files.ts'
import { formatProblem } from '../../runtime/document.ts'

function inFolder(work: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-rules-'))
  try {
    work(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('files are read in the order of their names; what is hidden, a test, or no rule file, is not', () => {
  inFolder(folder => {
    for (const name of ['b.yml', 'a.yaml', '.c.yaml', 'a.test.yaml', 'notes.txt'])
      writeFileSync(join(folder, name), `# ${name}`)
    assert.deepEqual(
      readRuleFiles(folder).map(({ text }) => text),
      ['# a.yaml', '# b.yml'],
    )
  })
  assert.deepEqual(readRuleFiles('/nowhere/at/all'), [])
})

test('a file of gigabytes is refused for its size, and takes no more memory than it may', () => {
  inFolder(folder => {
    writeFileSync(join(folder, 'a.yaml'), 'groups: []')
    truncateSync(join(folder, 'a.yaml'), 8 * 1024 ** 3)
    const files = readRuleFiles(folder)
    assert.equal(files[0]?.text.length, 256 * 1024 + 1)
    const parsed = parseRules(files)
    assert.deepEqual(parsed.ok ? [] : parsed.problems.map(formatProblem), [
      `${join(folder, 'a.yaml')}:1:1: larger than 262144 bytes`,
    ])
  })
})

test('what is called a rule file and is none is told by name, and nobody waits for it', () => {
  inFolder(folder => {
    mkdirSync(join(folder, 'a.yaml'))
    assert.throws(() => readRuleFiles(folder), /a\.yaml is not a file/)
    rmSync(join(folder, 'a.yaml'), { recursive: true })
    execFileSync('mkfifo', [join(folder, 'pipe.yaml')])
    assert.throws(() => readRuleFiles(folder), /pipe\.yaml is not a file/)
  })
})
