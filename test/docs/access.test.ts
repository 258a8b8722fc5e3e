/** What docs/access.md shows works, and prints what the page shows. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfig } from '../../runtime/config/load.ts'
import { ended, start } from '../commands/holdfast.ts'

test('docs/access.md shows commands that run, and what they print', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-docs-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const page = readFileSync('docs/access.md', 'utf8')
  const yaml = /^```yaml\n(.*?)^```/ms.exec(page)?.[1] ?? ''
  const loaded = loadConfig(join(folder, 'holdfast.yaml'), yaml)
  assert.ok(loaded.ok, JSON.stringify(loaded))
  assert.equal(loaded.config.broker?.access.roles.size, 6)
  writeFileSync(join(folder, 'holdfast.yaml'), yaml)
  let commands = 0
  for (const [, block = ''] of page.matchAll(/^```console\n(.*?)^```/gms)) {
    for (const [, line = '', shown = ''] of block.matchAll(/^\$ holdfast (.*)\n((?:(?!\$ ).*\n)*)/gm)) {
      const child = start(line.split(' '), { cwd: folder })
      child.stdin.end('correct horse\n')
      const { code, out, err } = await ended(child)
      assert.equal(code, 0, `${line}\n${err}`)
      assert.equal(out, shown, line)
      commands++
    }
  }
  assert.ok(commands >= 6)
})
