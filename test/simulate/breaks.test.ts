import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { breaks } from './breaks.ts'
import { runSeed } from './run.ts'

const first = 1_000
/** A break that so many seeds don't see would slip through the others as well. */
const seedsMax = 30

describe('the simulator finds out when replication', () => {
  for (const [name, broken] of Object.entries(breaks)) {
    it(name, async () => {
      for (let seed = first; seed < first + seedsMax; seed++) {
        if ((await runSeed({ seed, broken })).violations.length > 0) return
      }
      assert.fail(`${seedsMax} seeds pass although it ${name}`)
    })
  }
})
