/** What docs/damage.md tells people to type works, and prints what the page shows. */
import assert from 'node:assert/strict'
import { readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { holdfast } from '../commands/holdfast.ts'
import { Site, storeConfig } from '../end-to-end/programs.ts'

test('docs/damage.md shows commands that run, and what they print', async t => {
  const tables = 'tables: { thresholds: { kind: records } }'
  const config = `gateway: { id: gw-1 }\n${storeConfig}\nbroker: { listen: 127.0.0.1:0 }\n${tables}\n`
  const program = new Site(t).program('gateway', { config })
  await program.start()
  await program.put('thresholds', 'freezer-1', 8)
  await program.put('thresholds', 'freezer-2', 9)
  const running = await holdfast(['doctor'], { cwd: program.folder })
  assert.deepEqual(
    [running.code, running.out],
    [0, 'The gateway runs, and has read every file of its store.\nNothing is wrong.\n'],
  )
  await program.stop()
  const folder = join(realpathSync(program.folder), 'data')
  const blocks = [...readFileSync('docs/damage.md', 'utf8').matchAll(/^```console\n(.*?)^```/gms)]
  const codes: (number | null)[] = []
  for (const [at, [, block = '']] of blocks.entries()) {
    if (at === 1) writeFileSync(join(folder, 'db', 'CURRENT'), 'rubbish')
    for (const [, line = '', shown = ''] of block.matchAll(/^\$ holdfast (.*)\n((?:(?!\$ ).*\n)*)/gm)) {
      const { code, out } = await holdfast(line.split(' '), { cwd: program.folder })
      assert.equal(out.replaceAll(folder, 'FOLDER'), shown, line)
      codes.push(code)
    }
  }
  assert.deepEqual(codes, [0, 1, 0])
  const after = await holdfast(['doctor', '--json'], { cwd: program.folder })
  const { report, is_mended: mended } = JSON.parse(after.out) as { report?: unknown; is_mended?: unknown }
  assert.deepEqual([after.code, report, mended], [0, undefined, undefined])
  await program.start()
  await program.stop()
})
