/** A short form of `npm run campaign:broker`: all attacks at once on a gateway in little memory. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attacks } from '../../firmware-sim/hostile/attacks.ts'
import { besiege } from './besieged.ts'
import { distributionOf, histogram } from './distribution.ts'

test('a gateway held to 256 MB outlives all attacks at once, and each acknowledged reading is stored once', {
  timeout: 500_000,
}, async () => {
  const besieged = await besiege({
    phases: [{ name: 'all', attacks: attacks.map(({ name }) => name) }],
    seed: 1,
    memoryBytes: 256 * 2 ** 20,
    devices: 5,
    everyMs: 100,
    calmSeconds: 1,
    attackSeconds: 3,
    settleSeconds: 0,
    onPhase: () => undefined,
  })
  assert.deepEqual(besieged.problems, [])
  assert.deepEqual([besieged.missing, besieged.unacknowledged], [0, 0])
  assert.ok(besieged.acknowledged > 0)
  const [, all] = besieged.phases
  assert.ok(Object.keys(all?.refused ?? {}).length > 5, JSON.stringify(all?.refused))
  assert.ok((all?.attackers.length ?? 0) === attacks.length)
})

test('a distribution is told by what so large a share of it does not go beyond, and drawn by doublings', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1)
  assert.deepEqual(distributionOf(hundred), { count: 100, p50: 50, p90: 90, p99: 99, max: 100 })
  assert.deepEqual(distributionOf([]), { count: 0, p50: 0, p90: 0, p99: 0, max: 0 })
  const lines = histogram([1, 2, 16, 16, 16, 16], 'ms').map(line => line.replaceAll(/ +/g, ' '))
  assert.deepEqual(
    lines.map(line => [line.split(' ').slice(0, 3).join(' '), Number(line.split(' ').at(-1)) || 0]),
    [
      ['up to 1', 1],
      ['up to 2', 1],
      ['up to 4', 0],
      ['up to 8', 0],
      ['up to 16', 4],
    ],
  )
})
