/** Every adapter gives what its golden cases say; golden-cases.ts tells what one is made of. A new case needs no code. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Decoded } from '../../adapters/adapter.ts'
import { adapterNames } from '../../adapters/open.ts'
import { decodeAll, goldenCases } from './golden-cases.ts'

describe('golden cases', () => {
  for (const adapter of adapterNames) {
    const cases = goldenCases(adapter)
    test(`the ${adapter} adapter has cases`, () => assert.ok(cases.length >= 8))
    for (const golden of cases) {
      test(`${adapter}: ${golden.name}`, () => {
        const expected: unknown = JSON.parse(readFileSync(join(golden.folder, 'expected.json'), 'utf8'))
        const decoded = decodeAll(golden, golden.published).map(plain)
        assert.deepEqual(Array.isArray(expected) ? decoded : decoded[0], expected)
      })
    }
  }
})

/** Through JSON, so that fields that are undefined count as absent; bytes as hex. */
function plain(decoded: Decoded): unknown {
  return JSON.parse(
    JSON.stringify(decoded, (_, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
    ),
  )
}
