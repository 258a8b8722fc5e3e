/** The commands of docs/pretend-devices.md run, and its table has every format with every fault. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { formats } from '../../firmware-sim/formats/formats.ts'
import { holdfast } from '../commands/holdfast.ts'
import { freePort, Site, storeConfig } from '../end-to-end/programs.ts'

const page = readFileSync('docs/pretend-devices.md', 'utf8')

test('docs/pretend-devices.md has each format, its topic and its faults', () => {
  const rows = page.split('\n').filter(line => line.startsWith('| `'))
  for (const { name, topic, faults } of formats) {
    const row = rows.find(line => line.split('|')[1]?.includes(`\`${name}\``)) ?? assert.fail(`give ${name} a row`)
    if (topic !== undefined) assert.ok(row.includes(`| \`${topic}\` |`), row)
    assert.deepEqual(
      [...(row.split('|').at(-2) ?? '').matchAll(/`([^`]+)`/g)].map(([, fault]) => fault),
      faults,
    )
  }
})

test('the commands of docs/pretend-devices.md run, for a second and not for a minute', async t => {
  const site = new Site(t)
  const port = await freePort()
  const here = `\nclock: { trust: always }\n${storeConfig}\nbroker: { listen: '127.0.0.1:${port}' }\n`
  const gateway = site.program('examples', { config: readFileSync('examples/formats.yaml', 'utf8') + here })
  await gateway.start()
  const ledger = join(site.folder, 'said.jsonl')
  const outs: string[] = []
  for (const [, line = ''] of page.matchAll(/^\$ holdfast (.*[^&])$/gm)) {
    const args = line
      .replace('examples/formats.yaml', gateway.config)
      .replace('said.jsonl', ledger)
      .replace('60s', '1500ms')
      .split(' ')
    if (args[0] === 'sim') args.push('--url', `mqtt://127.0.0.1:${port}`)
    const { code, out, err } = await holdfast(args)
    assert.equal(code, 0, `${line}\n${out}${err}`)
    outs.push(out)
  }
  assert.equal(outs.length, 5)
  const names = ['freezer-1', 'rack-1', 'kitchen.lamp', 'plug-1', 'pump-1', 'plant.line-1.press']
  for (const name of names) assert.ok(outs[2]?.includes(name), `${name} is not in ${outs[2]}`)
  assert.match(outs[2] ?? '', /^offline +plant\.line-1\.press /m)
  assert.match(readFileSync(ledger, 'utf8'), /"device":"plant.line-1.press"/)
})
