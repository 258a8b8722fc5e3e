/** Adapters that others wrote, as a configuration names them. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { systemDoors } from '../../runtime/config/doors.ts'
import { loadConfig } from '../../runtime/config/load.ts'
import { loadOutside } from '../../runtime/config/outside-adapters.ts'
import { configJsonSchema } from '../../runtime/config/reference.ts'
import { formatProblem } from '../../runtime/document.ts'
import { message } from '../adapters/message.ts'

const home = mkdtempSync(join(tmpdir(), 'holdfast-adapters-'))
const folder = join(home, 'etc', 'holdfast')
after(() => {
  rmSync(home, { recursive: true })
})

function write(path: string, text: string): void {
  const file = join(home, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

const acme = `({ z }) => ({
  name: 'acme',
  options: z.strictObject({ factor: z.number().min(1).default(2) }),
  nameOptions: { metric: 'always' },
  open: ({ factor }) => {
    if (factor === 13) throw new Error('not thirteen')
    return { decode: (payload, levels) => ({ ok: true, readings: [
      { device: levels.get('device'), metric: 'length', value: payload.length * factor },
    ] }) }
  },
})`
write('etc/holdfast/acme.mjs', `export const adapter = ${acme}\n`)
write('etc/holdfast/acme.cjs', `exports.adapter = ${acme}\n`)
write('etc/holdfast/broken.mjs', 'export const adapter = (\n')
write('etc/holdfast/empty.mjs', 'export const other = 1\n')
write(
  'node_modules/holdfast-adapter-acme/package.json',
  '{"type": "module", "exports": {".": {"types": "./x.d.ts", "import": "./lib.js"}}}',
)
write('node_modules/holdfast-adapter-acme/lib.js', `export const adapter = ${acme}\n`)
write('etc/node_modules/@acme/adapter/package.json', '{"main": "main.js"}')
write('etc/node_modules/@acme/adapter/main.js', `exports.adapter = ${acme}\n`)

async function load(route: string) {
  const text = `gateway: { id: gw-1 }\nroutes:\n  - topic: a/{device}\n    ${route}\n`
  const doors = { ...systemDoors(), environment: {} }
  return loadConfig(join(folder, 'c.yaml'), text, { ...doors, outside: await loadOutside(text, folder) })
}

async function problems(route: string): Promise<string> {
  const loaded = await load(route)
  assert.ok(!loaded.ok, 'nothing was wrong')
  return loaded.problems.map(problem => formatProblem(problem).replace(`${folder}/c.yaml:`, '')).join('\n')
}

describe('an adapter that a route names by package or file', () => {
  for (const name of ['./acme.mjs', './acme.cjs', '../holdfast/acme.mjs', 'holdfast-adapter-acme', '@acme/adapter']) {
    it(`is found from the folder of the configuration: ${name}`, async () => {
      const loaded = await load(`adapter: '${name}'\n    factor: 3`)
      assert.ok(loaded.ok, loaded.ok ? '' : loaded.problems.map(formatProblem).join('\n'))
      const [route] = loaded.config.routes
      assert.equal(route?.adapter, name)
      const adapter = route.outside?.open(route.options)
      const decoded = adapter?.decode(Buffer.from('four'), new Map([['device', 'd']]), message())
      assert.ok(decoded?.ok)
      assert.equal(decoded.readings[0]?.value, 12)
    })
  }

  it('has its options checked by its own schema, at their place in the file', async () => {
    assert.equal(await problems('adapter: ./acme.mjs\n    factor: 0'), '5:13: "factor": must be at least 1')
    assert.match(
      await problems('adapter: ./acme.mjs\n    facter: 3'),
      /^5:5: unknown key "facter"; did you mean "factor"\?/,
    )
    assert.match(await problems('adapter: ./acme.mjs\n    factor: 13'), /^4:14: .*does not open: not thirteen/)
  })

  it('takes part in the checks of names', async () => {
    write(
      'etc/holdfast/nameless.mjs',
      `export const adapter = { ...(${acme})({ z: { strictObject: () => undefined, number: () => ({ min: () => ({ default: () => 0 }) }) } }), nameOptions: undefined }\n`,
    )
    assert.match(await problems('adapter: ./nameless.mjs'), /nothing names the metric of its readings/)
  })

  it('is told of with its place where it cannot be used', async () => {
    const broken = await problems('adapter: ./broken.mjs')
    assert.match(
      broken,
      /^4:14: the adapter "\.\/broken\.mjs" cannot be used: .*broken\.mjs cannot be loaded: .*docs\/adapters\.md/,
    )
    assert.match(await problems('adapter: ./empty.mjs'), /it has no export called "adapter" that is an adapter/)
    assert.match(await problems('adapter: ./none.mjs'), /there is no file .*none\.mjs/)
    assert.match(
      await problems('adapter: holdfast-adapter-none'),
      /there is no package "holdfast-adapter-none" in .*install it there/,
    )
  })

  it('is not one of ours misspelt', async () => {
    assert.match(await problems('adapter: jsn'), /must be json, .*did you mean "json"/)
  })

  it('is let through by the schema for editors, with keys that nobody here knows', () => {
    const { properties } = configJsonSchema() as {
      properties: {
        routes: { items: { oneOf: { properties: { adapter: { pattern?: string } }; additionalProperties: unknown }[] } }
      }
    }
    const last = properties.routes.items.oneOf.at(-1)
    assert.deepEqual(last?.additionalProperties, {})
    const pattern = new RegExp(last.properties.adapter.pattern ?? '$.')
    for (const name of ['./a.mjs', '../b.js', 'holdfast-adapter-x', '@a/b']) assert.match(name, pattern)
    for (const name of ['json', 'numbre', 'a/b', '@a']) assert.doesNotMatch(name, pattern)
  })

  it('is not loaded for commands that open no route', () => {
    const text = `routes: [{ topic: 'a/{device}', adapter: ./broken.mjs, anything: 1 }]\n`
    const loaded = loadConfig(join(folder, 'c.yaml'), text, { ...systemDoors(), environment: {} })
    assert.ok(loaded.ok)
  })
})
