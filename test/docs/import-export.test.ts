/** What docs/import-export.md shows works, and prints what the page shows. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { nowMs, openSurface, reading } from '../api/surface.ts'
import { holdfast } from '../commands/holdfast.ts'

test('docs/import-export.md shows commands that run, and what they print', async t => {
  const surface = await openSurface()
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-docs-'))
  t.after(async () => {
    await surface.remove()
    rmSync(folder, { recursive: true })
  })
  const hourMs = 3_600_000
  const door = { ...reading('freezer-1', 0, nowMs - hourMs / 2), metric: 'door', value: 'open, again' }
  await surface.store.commit([
    {
      kind: 'append',
      table: 'readings',
      readings: [
        reading('freezer-1', -18.5, nowMs - 2 * hourMs),
        reading('freezer-1', -18.1, nowMs - hourMs),
        { ...door, unit: undefined, id: 'e7' },
      ],
    },
    { kind: 'put', table: 'thresholds', key: 'freezer-1/temperature', value: { max: 8 } },
  ])
  writeFileSync(join(folder, 'log.csv'), 'Zeit;Wert\n2024-01-02 10:00;-17\n2024-01-02 10:01;-17.5\n')
  const page = readFileSync('docs/import-export.md', 'utf8')
  let commands = 0
  for (const [, block = ''] of page.matchAll(/^```console\n(.*?)^```/gms)) {
    for (const [, line = '', shown = ''] of block.matchAll(/^\$ holdfast (.*)\n((?:(?!\$ ).*\n)*)/gm)) {
      const { code, out, err } = await holdfast([...line.split(' '), '--socket', surface.socket], { cwd: folder })
      assert.equal(code, 0, `${line}\n${err}`)
      if (shown !== '') assert.equal(err + out.replaceAll('\r\n', '\n'), shown, line)
      commands++
    }
  }
  assert.ok(commands >= 7)
})
