/** What docs/adapters.md tells people to write and type works, and prints what the page shows; it names every adapter. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { adapterNames } from '../../adapters/open.ts'
import { connectAsync } from 'mqtt'
import { holdfast } from '../commands/holdfast.ts'
import { Site, storeConfig } from '../end-to-end/programs.ts'

const page = readFileSync('docs/adapters.md', 'utf8')

/** Words as a shell takes them apart, as far as the page needs it. */
const words = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')

test('docs/adapters.md shows files that work, commands that run, and what they print', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-docs-'))
  t.after(() => {
    rmSync(folder, { recursive: true })
  })
  let commands = 0
  for (const [, kind, block = ''] of page.matchAll(/^```(yaml|js|console)\n(.*?)^```/gms)) {
    const name = /^(?:#|\/\/) (\S+\.(?:yaml|mjs))$/m.exec(block)?.[1]
    if (kind !== 'console') {
      if (name !== undefined) writeFileSync(join(folder, name), block)
      continue
    }
    for (const [, line = '', shown = ''] of block.matchAll(/^\$ holdfast (.*)\n((?:(?!\$ ).*\n)*)/gm)) {
      const { out, err } = await holdfast(words(line), { cwd: folder })
      assert.equal((err + out).replaceAll(folder, '/etc/holdfast'), shown, line)
      commands++
    }
  }
  assert.ok(commands >= 12)
})

test('docs/adapters.md names every adapter', () => {
  for (const name of adapterNames) assert.ok(page.includes(`\`${name}\``), `give ${name} a line in docs/adapters.md`)
})

test('the adapter of docs/adapters.md runs in a gateway, and one that throws costs only its message', async t => {
  const adapter = /^```js\n(\/\/ acme\.mjs\n.*?)^```/ms.exec(page)?.[1] ?? ''
  const routes = `routes:
  - { topic: 'meters/{device}', adapter: ./acme.mjs, liters_per_pulse: 10 }
  - { topic: 'throws/{device}', adapter: ./throws.mjs }
`
  const config = `gateway: { id: gw-1 }\n${storeConfig}\nbroker: { listen: 127.0.0.1:0 }\n${routes}`
  const program = new Site(t).program('gateway', { config })
  writeFileSync(join(program.folder, 'acme.mjs'), adapter)
  writeFileSync(
    join(program.folder, 'throws.mjs'),
    `export const adapter = { name: 'throws', nameOptions: { metric: 'always' }, open: () => ({ decode() { throw new Error('no') } }) }\n`,
  )
  await program.start()
  const { broker } = program.heard.find(({ msg }) => msg === 'ready') as unknown as { broker: string[] }
  const client = await connectAsync(broker[0] ?? '')
  for (const topic of ['throws/a', 'meters/cellar']) await client.publishAsync(topic, 'L=1523 B=87;#', { qos: 1 })
  await client.endAsync()
  const stored = await program.readings()
  assert.deepEqual(
    stored.map(({ device, metric, value }) => [device, metric, value]),
    [
      ['cellar', 'volume', 15_230],
      ['cellar', 'battery', 87],
    ],
  )
  const [rejected] = await program.readings('rejects')
  assert.match(JSON.stringify(rejected?.value), /"the adapter fails: no"/)
  await program.stop()
})
