import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Outcome, runSeed } from './run.ts'
import { seedsThatFailed } from './seeds.ts'

const first = 1_000
const groups = 8
const perGroup = 10

const told = ({ seed, violations }: Outcome): string =>
  [
    `to replay: npm run simulate -- --seed ${seed} --trace`,
    ...violations.slice(0, 5).map(({ atMs, what }) => `${(atMs / 1_000).toFixed(3)} s: ${what}`),
  ].join('\n  ')

describe('the simulator', () => {
  it('tells the same story again for the same seed, byte for byte, and another for another', async () => {
    const [one, again, other] = [await runSeed({ seed: 7 }), await runSeed({ seed: 7 }), await runSeed({ seed: 8 })]
    assert.equal(again.digest, one.digest)
    assert.notEqual(other.digest, one.digest)
  })
})

describe('replication under a storm of faults', () => {
  for (const [seed, found] of seedsThatFailed) {
    it(`keeps its promises with the seed ${seed}, which once found: ${found}`, async () => {
      const outcome = await runSeed({ seed })
      assert.deepEqual(outcome.violations, [], told(outcome))
    })
  }

  for (let group = 0; group < groups; group++) {
    const seeds = Array.from({ length: perGroup }, (_, index) => first + group * perGroup + index)
    it(`keeps its promises with the seeds ${seeds[0]} to ${seeds.at(-1)}`, async () => {
      for (const seed of seeds) {
        const outcome = await runSeed({ seed })
        assert.deepEqual(outcome.violations, [], told(outcome))
      }
    })
  }
})
