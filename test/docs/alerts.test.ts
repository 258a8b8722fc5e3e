/** What docs/alerts.md tells people to type works, and prints what the page shows. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { openDesk, raise } from '../commands/alerts-rig.ts'
import { holdfast } from '../commands/holdfast.ts'

test('docs/alerts.md shows commands that run, and what they print', async t => {
  const surface = await openDesk()
  t.after(() => surface.remove())
  const pump = {
    rule: 'Shaking',
    device: 'pump-1',
    metric: 'vibration',
    severity: 'warning',
    state: 'latched',
    unit: null,
    value: 4.1,
    threshold: 3,
    annotations: { summary: 'pump-1 shakes' },
  } as const
  await raise(surface, { rule: 'TooWarm', annotations: { summary: 'freezer-1 is at 9.5°C' } }, 130)
  await raise(surface, pump, 5)
  const blocks = [...readFileSync('docs/alerts.md', 'utf8').matchAll(/^```console\n(.*?)^```/gms)]
  let commands = 0
  for (const [, block = ''] of blocks) {
    for (const [, line = '', shown = ''] of block.matchAll(/^\$ holdfast (.*)\n((?:(?!\$ ).*\n)*)/gm)) {
      const { code, out, err } = await holdfast([...line.split(' '), '--socket', surface.socket])
      assert.deepEqual([code, err], [0, ''], line)
      if (shown !== '') assert.equal(out, shown, line)
      commands++
    }
  }
  assert.ok(commands >= 10)
})
