/** CBOR with the keys of the JSON format: what devices send that count their bytes. */
import { cborBytes } from './cbor-bytes.ts'
import { type Format, idOf, timeOf, topicOf } from './format.ts'
import { garbagePayload } from './garbage.ts'

export const cbor: Format = {
  name: 'cbor',
  topic: 'cbor/{device}/{metric}',
  // Without lengths, and with the mark of CBOR before it (tag 55799): both are in order. A bignum where a number of a few
  // bits would do, and a reference to nothing, are what readers had better refuse.
  faults: ['indefinite', 'marked', 'bignum', 'shared-reference'],
  open: speaker => ({
    reading: (measured, fault) => {
      const [id, timeMs] = [idOf(speaker, measured), timeOf(speaker, measured)]
      const { value, metric } = measured
      const entries = new Map([
        ['value', value],
        ['time', timeMs],
        ['id', id],
        ['unit', metric.unit],
      ])
      const bytes = cborBytes(entries, fault === 'indefinite')
      const payload = fault === 'marked' ? Buffer.concat([Buffer.from('d9d9f7', 'hex'), bytes]) : bytes
      return { topic: topicOf(speaker, measured), payload, id, timeMs }
    },
    beside: (measured, fault) => {
      const value = { bignum: bignum(), 'shared-reference': Buffer.from('d81d00', 'hex') }[fault]
      if (value === undefined) return undefined
      const payload = Buffer.concat([Buffer.from([0xa1]), cborBytes('value'), value])
      return { kind: 'garbage', topic: topicOf(speaker, measured), payload }
    },
    garbage: garbagePayload,
  }),
}

const bignumBytes = 1_024

/** Tag 2 before a number of a thousand bytes: reading it as such takes a square of that. */
function bignum(): Buffer {
  return Buffer.concat([
    Buffer.from([0xc2, 0x59, bignumBytes >> 8, bignumBytes & 0xff]),
    Buffer.alloc(bignumBytes, 0xff),
  ])
}
