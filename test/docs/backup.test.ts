/** What docs/backup.md tells people to type works, and prints what the page shows, but for times, sizes and counts. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gatewayClient } from '../../runtime/commands/gateway-client.ts'
import { holdfast } from '../commands/holdfast.ts'
import { Site, storeConfig } from '../end-to-end/programs.ts'

const general = (text: string): string =>
  text.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME').replace(/\b[\d,]+ (values|bytes)/g, 'N $1')

test('docs/backup.md shows commands that run, and what they print', async t => {
  const config = `gateway: { id: gw-1 }\n${storeConfig}\nbroker: { listen: 127.0.0.1:0 }\ntables: { thresholds: { kind: records } }\n`
  const site = new Site(t)
  const program = site.program('gateway', { config })
  await program.start()
  await program.put('thresholds', 'freezer-1', 8)
  const blocks = [...readFileSync('docs/backup.md', 'utf8').matchAll(/^```console\n(.*?)^```/gms)]
  let commands = 0
  for (const [, block = ''] of blocks) {
    for (const [, line = '', shown = ''] of block.matchAll(/^\$ holdfast (.*)\n((?:(?!\$ ).*\n)*)/gm)) {
      const { code, out, err } = await holdfast(line.split(' '), { cwd: program.folder })
      assert.equal(code, 0, `${line}: ${err}`)
      // What was written is told beside the backup, which may go to standard output.
      assert.equal(general(out + err), general(shown), line)
      if (++commands === 1) await program.put('thresholds', 'freezer-2', 9)
    }
  }
  assert.ok(commands >= 6)
  await program.stop()
  program.write({ config: config.replace('./data', './restored').replace('./data', './restored') })
  await program.start()
  const rows = await gatewayClient(join(program.folder, 'restored', 'holdfast.sock')).get<{ value: unknown }>(
    '/tables/thresholds/rows/freezer-2',
  )
  assert.equal(rows.value, 9)
  const stopped = await holdfast(['backup', 'stopped.backup', '--store', 'data', '--json'], { cwd: program.folder })
  assert.equal((JSON.parse(stopped.out) as { gateway: string }).gateway, 'gw-1')
  assert.match((await holdfast(['restore', 'stopped.backup', '--to', 'data'], { cwd: program.folder })).err, /already/)
})
