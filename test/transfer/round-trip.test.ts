/** What leaves one store comes into another as it was, whatever its values, in each form that is read again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { valueFault } from '../../adapters/value.ts'
import { choiceOf } from '../../runtime/commands/transfer/columns.ts'
import { type ImportFormat, ItemReader } from '../../runtime/commands/transfer/item-reader.ts'
import type { Arrival } from '../../runtime/store/types.ts'
import { nowMs, openSurface, type Surface } from '../api/surface.ts'

const name = fc
  .string({ unit: fc.constantFrom('a', 'B', '7', ' ', '"', ',', '.', 'ü', '😀', ';'), minLength: 1, maxLength: 6 })
  .filter(text => text !== '.' && text !== '..')
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.string({
    unit: fc.constantFrom('"', ',', '\n', '\r', '\t', '\u0000', '\u001b', '\u0085', '\ufeff', '1', ' ', '{'),
  }),
  fc.constantFrom('true', 'null', '21.5', '+5', '.5', 'NaN', '"x"', '[1]', '{}', ' ', '=1+1'),
)
const value = fc
  .oneof(
    text,
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(number => (number === 0 ? 0 : number)),
    fc.boolean(),
    fc.jsonValue({ maxDepth: 3 }),
  )
  .map(found => JSON.parse(JSON.stringify(found)) as never)
  .filter(found => valueFault(found) === undefined)
const readings = fc.array(
  fc.record({
    device: name,
    metric: name,
    value,
    deviceTimeMs: fc.integer({ min: 0, max: Date.UTC(2099, 0, 1) }),
    id: fc.option(fc.uuid(), { nil: undefined }),
    unit: fc.constantFrom(undefined, '°C', 'a"b,c'),
    arrivalMs: fc.constant(nowMs),
    joined: fc.constant(false),
  }),
  { minLength: 1, maxLength: 30 },
)

/** The readings of a store, each as one line, in an order that no store decides. */
async function told({ store }: Surface): Promise<string[]> {
  const found: string[] = []
  for await (const { series, value: held, deviceTimeMs, id } of store.query('readings', {})) {
    found.push(JSON.stringify([series.device, series.metric, series.unit, held, deviceTimeMs, id]))
  }
  return found.toSorted()
}

for (const format of ['csv', 'ndjson'] as const satisfies readonly ImportFormat[]) {
  test(`what is exported as ${format} and imported elsewhere is the same readings`, async () => {
    await fc.assert(
      fc.asyncProperty(readings, async (given: readonly Arrival[]) => {
        const [from, to] = [await openSurface(), await openSurface()]
        try {
          await from.store.commit([{ kind: 'append', table: 'readings', readings: given }])
          const { response } = await from.open(`/api/v1/tables/readings/readings?format=${format}`)
          const reader = new ItemReader({
            table: 'readings',
            kind: 'series',
            format,
            separator: ',',
            choice: choiceOf('series', [], []),
          })
          const found = [...reader.take(Buffer.concat(await response.toArray())), ...reader.end()]
          const lines = found.map(one => {
            if ('fault' in one || !('device' in one.item)) throw new Error(JSON.stringify(one))
            const { deviceTimeMs, ...rest } = one.item
            return JSON.stringify({ time: new Date(deviceTimeMs ?? 0).toISOString(), ...rest })
          })
          const type = { 'content-type': 'application/x-ndjson' }
          const { status } = await to.call('POST', '/api/v1/tables/readings/readings', lines.join('\n'), type)
          assert.equal(status, 200)
          assert.deepEqual(await told(to), await told(from))
        } finally {
          await from.remove()
          await to.remove()
        }
      }),
      { numRuns: 25 },
    )
  })
}
