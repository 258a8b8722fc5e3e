/**
 * Every adapter of open.ts under its own golden cases with bytes changed, lost, doubled and mixed: it never throws, every
 * refusal has its reason, and every reading is sound. A new adapter is under this by having cases.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { adapterNames } from '../../adapters/open.ts'
import { decodeAll, goldenCases } from './golden-cases.ts'
import { assertSound } from './sound.ts'

type Change = { readonly kind: 'flip' | 'set' | 'cut' | 'double' | 'insert'; readonly at: number; readonly by: number }

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('flip', 'set', 'cut', 'double', 'insert'),
  at: fc.nat(),
  by: fc.nat({ max: 255 }),
})

function changed(bytes: Uint8Array, { kind, at, by }: Change): Uint8Array {
  const place = bytes.length === 0 ? 0 : at % bytes.length
  const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)]
  switch (kind) {
    case 'flip':
      return Buffer.concat(
        [before, [(after[0] ?? 0) ^ (1 << (by % 8))], after.subarray(1)].map(part => Buffer.from(part)),
      )
    case 'set':
      return Buffer.concat([before, Buffer.of(by), after.subarray(1)])
    case 'cut':
      return Buffer.concat([before, after.subarray(by % 16)])
    case 'double':
      return Buffer.concat([before, after.subarray(0, by % 32), after])
    case 'insert':
      return Buffer.concat([before, Buffer.of(by), after])
  }
}

describe('mutated messages', () => {
  for (const adapter of adapterNames) {
    const cases = goldenCases(adapter)

    test(`the ${adapter} adapter takes them, or says why it does not`, () => {
      fc.assert(
        fc.property(
          fc.constantFrom(...cases),
          fc.nat(),
          fc.array(change, { minLength: 1, maxLength: 4 }),
          (golden, which, changes) => {
            const at = which % golden.published.length
            const published = golden.published.map((one, index) =>
              index === at ? { ...one, payload: changes.reduce(changed, one.payload) } : one,
            )
            for (const decoded of decodeAll(golden, published)) assertSound(decoded)
          },
        ),
        { numRuns: 300 },
      )
    })

    test(`the ${adapter} adapter takes any bytes with any of its options`, () => {
      fc.assert(
        fc.property(fc.constantFrom(...cases), fc.uint8Array({ maxLength: 120 }), (golden, payload) => {
          const published = golden.published.slice(0, 1).map(one => ({ ...one, payload }))
          for (const decoded of decodeAll(golden, published)) assertSound(decoded)
        }),
        { numRuns: 100 },
      )
    })

    test(`the ${adapter} adapter takes a view into a larger buffer`, () => {
      for (const golden of cases) {
        const views = golden.published.map(one => {
          const larger = Buffer.concat([Buffer.from('xx'), one.payload, Buffer.from('xx')])
          const view = new Uint8Array(larger.buffer, larger.byteOffset + 2, one.payload.length)
          return { ...one, payload: view }
        })
        assert.deepEqual(decodeAll(golden, views), decodeAll(golden, golden.published), golden.folder)
      }
    })
  }
})
