import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { breaks } from './breaks.ts'
import { type Outcome, runSeed } from './run.ts'
import { seedsThatFailed } from './seeds.ts'

const first = 1_000
const groups = 20
const perGroup = 10
/** A break that so many seeds don't see would slip through the others as well. */
const breakSeedsMax = 40

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

describe('the simulator finds out when replication', () => {
  for (const [name, broken] of Object.entries(breaks)) {
    it(name, async () => {
      for (let seed = first; seed < first + breakSeedsMax; seed++) {
        if ((await runSeed({ seed, broken })).violations.length > 0) return
      }
      assert.fail(`${breakSeedsMax} seeds pass although it ${name}`)
    })
  }
})
