/** What docs/queries.md shows works, and prints what the page shows. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { readingTest } from '../../runtime/streams.ts'
import { nowMs, openSurface, reading } from '../api/surface.ts'
import { holdfast } from '../commands/holdfast.ts'

/** Words as a shell takes them apart, as far as the page needs it. */
const words = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')

test('docs/queries.md shows commands and addresses that work, and what they print', async t => {
  const surface = await openSurface({ where: readingTest })
  t.after(() => surface.remove())
  const readings = [-60, -50, -40, -30, -20, -10].flatMap((minutes, index) => [
    reading('freezer-1', -26 + 2 * index, nowMs + minutes * 60_000),
    reading('freezer-2', -25 + 2 * index, nowMs + (minutes + 5) * 60_000),
  ])
  await surface.store.commit([{ kind: 'append', table: 'readings', readings }], 'now')
  const page = readFileSync('docs/queries.md', 'utf8')
  let [commands, addresses] = [0, 0]
  for (const [, block = ''] of page.matchAll(/^```console\n(.*?)^```/gms)) {
    for (const [, line = '', shown = ''] of block.matchAll(/^\$ (.*)\n((?:(?!\$ ).*\n)*)/gm)) {
      const [program, ...args] = words(line)
      if (program === 'holdfast') {
        const { code, out, err } = await holdfast([...args, '--socket', surface.socket])
        assert.equal(code, 0, `${line}\n${err}`)
        assert.notEqual(out, '', line)
        if (shown !== '') assert.equal(out, shown, line)
        commands++
      } else {
        assert.deepEqual([program, ...args.slice(0, -1)], ['curl', '-s', '--unix-socket', 'holdfast.sock'])
        const { response } = await surface.open((args.at(-1) ?? '').replace('http://localhost', ''))
        const text = Buffer.concat(await response.toArray()).toString()
        assert.equal(response.statusCode, 200, `${line}\n${text}`)
        assert.notEqual(text, '', line)
        if (shown !== '') assert.equal(text, shown, line)
        addresses++
      }
    }
  }
  assert.ok(commands >= 8 && addresses >= 5)
})
