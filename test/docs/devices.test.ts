/** What docs/devices.md tells people to type works, and prints what the page shows. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { DeviceForm } from '../../runtime/api/devices.ts'
import { nowMs, openSurface } from '../api/surface.ts'
import { holdfast } from '../commands/holdfast.ts'
import { specs } from '../store/homes.ts'

const hourMs = 3_600_000
const form = (
  device: string,
  state: string,
  why: string,
  seconds: number,
  days: number,
  adapter: string,
  site = '',
) => ({
  device,
  state,
  why,
  adapter,
  since_ms: nowMs,
  last_seen_ms: nowMs - seconds * 1000,
  first_seen_ms: nowMs - days * 24 * hourMs,
  labels: site === '' ? {} : { site },
})
const nobody = { why: null, adapter: null, since_ms: null, first_seen_ms: null, last_seen_ms: null }
const devices: DeviceForm[] = [
  form('freezer-1', 'online', 'reading', 4, 92, 'json', 'lyon'),
  form('plug-7', 'offline', 'presence', 7_800, 92, 'tasmota'),
  form('pump-1', 'offline', 'silence', 2_100, 61, 'json', 'lyon'),
  { device: 'pump-2', state: 'never', labels: { site: 'lyon' }, ...nobody },
]

test('docs/devices.md shows commands that run, and what they print', async t => {
  const surface = await openSurface({ devices: { list: () => devices } }, [
    ...specs,
    { name: 'device_labels', kind: 'records' },
  ])
  t.after(() => surface.remove())
  const run = (...words: string[]) => holdfast([...words, '--socket', surface.socket])
  const blocks = [...readFileSync('docs/devices.md', 'utf8').matchAll(/^```console\n(.*?)^```/gms)]
  const asked: string[] = []
  for (const [, block = ''] of blocks) {
    for (const [, line = '', shown = ''] of block.matchAll(/^\$ holdfast (.*)\n((?:(?!\$ ).*\n)*)/gm)) {
      const { code, out, err } = await run(...line.split(' ').map(word => word.replaceAll("'", '')))
      assert.deepEqual([code, err], [0, ''], line)
      if (shown !== '') assert.equal(out, shown, line)
      asked.push(out)
    }
  }
  assert.equal(asked.length, 4)
  assert.deepEqual([asked[1]?.split('\n').length, asked[2]?.trim().split('\n').length], [4, 2])
  assert.deepEqual(JSON.parse(asked[2]?.split('\n')[1] ?? ''), devices[3])
  const { code, err } = await run('devices', '--state', 'gone')
  assert.deepEqual([code, err.includes('online')], [2, true])
  const none = await run('devices', 'x*')
  assert.equal(none.out, 'There are no such devices.\n')
})
