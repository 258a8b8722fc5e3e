import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ByteWriter } from '../../runtime/store/bytes.ts'
import { readLogReadings, readPackedReadings, writeReadings } from '../../runtime/store/readings.ts'
import { asSeq } from '../../runtime/store/types.ts'
import { readingEntry } from '../replication/entries.ts'

describe('the boot of a reading on disk', () => {
  it('comes back as it was written, however boots and readings without one are mixed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(undefined, 'b1', 'b2'), { minLength: 1, maxLength: 30 }),
        fc.constantFrom('log' as const, 'packed' as const),
        (boots, form) => {
          const entries = boots.map((boot, index) => readingEntry(index + 1, { boot }))
          const series = (entries[0] as (typeof entries)[0]).series
          const whole = entries.map(entry => ({ ...entry, series }))
          const out = new ByteWriter()
          writeReadings(out, form, whole)
          const block = out.take()
          const read =
            form === 'log'
              ? readLogReadings(block, asSeq(whole.length), () => series)
              : readPackedReadings(block, asSeq(1), series)
          assert.deepEqual(read, whole)
        },
      ),
    )
  })

  it('costs nothing where no boot is named: the bytes are those of a program that knew no boots', () => {
    const block = (boot: string | undefined) => {
      const out = new ByteWriter()
      writeReadings(out, 'log', [readingEntry(1, { boot }), readingEntry(2, { boot })])
      return out.take()
    }
    assert.equal(block('3f2a').length - block(undefined).length, 1 + 1 + 4)
  })
})
