import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { pair } from '../../../rules/scenario/pairing.ts'

const never = 100

it('pairs nobody twice, and nobody who is another', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.constantFrom(0, 1, 2, never), { minLength: 4, maxLength: 4 }), { maxLength: 5 }),
      costs => {
        const partners = pair(costs.length, 4, (left, right) => costs[left]?.[right] ?? never, never)
        const taken = partners.filter(right => right !== undefined)
        assert.equal(new Set(taken).size, taken.length)
        for (const [left, right] of partners.entries())
          assert.ok(right === undefined || (costs[left]?.[right] ?? never) < never)
      },
    ),
  )
})

it('finds a pairing without any fault wherever there is one', () => {
  const shuffled = fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 })
  const noise = fc.array(fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }), { minLength: 5, maxLength: 5 })
  fc.assert(
    fc.property(shuffled, noise, (perfect, alsoFits) => {
      const cost = (left: number, right: number): number => (perfect[left] === right || alsoFits[left]?.[right] ? 0 : 1)
      const partners = pair(5, 5, cost, never)
      for (const [left, right] of partners.entries()) assert.equal(right === undefined ? never : cost(left, right), 0)
    }),
  )
})
