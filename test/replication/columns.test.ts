import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { brotliCompressSync, constants, crc32, deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import type { Value } from '../../runtime/reading.ts'
import type { Stamp } from '../../runtime/stamp.ts'
import { encodeMessage } from '../../runtime/replication/wire/codec.ts'
import { encodeColumns } from '../../runtime/replication/wire/columns.ts'
import { type FrameHead, type SentEntry, headFields } from '../../runtime/replication/wire/frames.ts'
import { inflatedBytesMax, rowsMax } from '../../runtime/replication/limits.ts'
import { decodePayload, encodePayload } from '../../runtime/replication/wire/payload.ts'
import { ByteWriter } from '../../runtime/store/bytes.ts'
import { type ReadingEntry, type Series, asSeq } from '../../runtime/store/types.ts'
import { readingEntry, recordEntry, series } from './entries.ts'

const head = (last: number, fields: Partial<FrameHead> = {}): FrameHead => ({
  session: 's1',
  run: 3,
  after: asSeq(0),
  last: asSeq(last),
  head: asSeq(last + 5),
  part: 0,
  parts: 1,
  gaps: [{ first: asSeq(1), last: asSeq(2), reason: 'retention' }],
  ...fields,
})

const value: fc.Arbitrary<Value> = fc.oneof(
  { weight: 4, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
  { weight: 4, arbitrary: fc.integer().map(number => number / 100) },
  fc.integer(),
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(-0, 0, 0.1, 1e15, -1e15, 2 ** 53, Number.MAX_VALUE, Number.MIN_VALUE, 1.005, 123_456_789.123_456),
  fc.boolean(),
  fc.string(),
  fc.constantFrom('', '°C – 漢字 🧊', 'x'.repeat(300)),
  fc.constantFrom<Value>({}, [], { lat: 48.1, lon: 11.5, fix: [1, 2, null], ok: true }, ['a', ['b', ['c']]]),
)

const manySeries: readonly Series[] = ['gw-1', 'gw-2'].flatMap(origin =>
  ['a', 'b', 'c'].flatMap(device =>
    ['t', 'h'].flatMap(metric => [
      series(device, metric, origin),
      { ...series(device, metric, origin), unit: undefined },
    ]),
  ),
)

const rows: fc.Arbitrary<readonly SentEntry[]> = fc
  .array(
    fc.record({
      step: fc.constantFrom(1, 1, 1, 2, 500),
      joined: fc.boolean(),
      stamp: fc.oneof(fc.constant(undefined), fc.nat(), fc.constantFrom(0, Number.MAX_SAFE_INTEGER)),
      series: fc.constantFrom(...manySeries),
      value,
      arrivalMs: fc.oneof(fc.nat({ max: 2_000 }), fc.constantFrom(-5, 0, 8e14, -8e14)),
      deviceTimeMs: fc.option(fc.integer({ min: -1e13, max: 1e13 }), { nil: undefined }),
      id: fc.option(fc.string({ maxLength: 40 }), { nil: undefined }),
      boot: fc.constantFrom(undefined, undefined, 'boot-1', 'boot-2'),
    }),
    { maxLength: 60 },
  )
  .map(drawn => {
    let seq = 0
    let stamp = 900_000_000_000_000
    return drawn.map(({ step, joined, stamp: drawnStamp, series, ...row }) => {
      seq += step
      stamp = drawnStamp ?? Math.min(stamp + 1, Number.MAX_SAFE_INTEGER)
      return { joined, entry: readingEntry(seq, { ...row, series, origin: series.origin, stamp: stamp as Stamp }) }
    })
  })

const expected = (sent: readonly SentEntry[]): unknown[] =>
  sent.map(({ entry, joined }) => {
    const { seq, stamp, series, value, arrivalMs, deviceTimeMs, id, boot } = entry as ReadingEntry
    const { origin, device, metric, unit } = series
    return { seq, joined, stamp, origin, device, metric, unit, arrivalMs, value, deviceTimeMs, id, boot }
  })

const lastOf = (sent: readonly SentEntry[]): number => sent.at(-1)?.entry.seq ?? 9
const dense = { forms: ['columns'], compressions: ['brotli'] }

/** A payload as a hostile end would make it: whatever body, with the checksum that belongs to it. */
function payloadOf(first: number, body: Buffer): Buffer {
  const front = Buffer.alloc(5)
  front[0] = first
  front.writeUInt32BE(crc32(body), 1)
  return Buffer.concat([front, body])
}

function refusalOf(payload: Buffer): string {
  const decoded = decodePayload(payload, 'series')
  assert.ok(!decoded.ok)
  return decoded.refused
}

describe('columns', () => {
  it('carry any readings exactly, to the sign of a zero', () => {
    fc.assert(
      fc.property(rows, fc.constantFrom([], ['deflate'], ['brotli']), (sent, compressions) => {
        const told = head(lastOf(sent))
        const decoded = decodePayload(
          encodePayload('series', told, sent, { forms: ['columns'], compressions }),
          'series',
        )
        assert.ok(decoded.ok, JSON.stringify(decoded))
        const { rows: got, ...rest } = decoded.value
        assert.deepEqual(rest, told)
        assert.deepStrictEqual(got, expected(sent))
      }),
      { numRuns: 500 },
    )
  })

  it('are smaller than four bytes a reading where a fleet reports every second', () => {
    const sent = Array.from({ length: 1_000 }, (_, index) => {
      const of = manySeries[index % 12] as Series
      const wave = Math.round(2_000 + 300 * Math.sin(index / 40) + (index % 7)) / 100
      return { joined: false, entry: readingEntry(index + 1, { series: of, origin: of.origin, value: wave }) }
    })
    assert.ok(encodePayload('series', head(1_000), sent, dense).length < 4_000)
  })

  it('out of order are refused by their shape', () => {
    for (const [first, second] of [
      [2, 1],
      [2, 2],
      [2, 41],
    ] as const) {
      const sent = [first, second].map(seq => ({ joined: false, entry: readingEntry(seq) }))
      const decoded = decodePayload(encodePayload('series', head(40), sent, dense), 'series')
      assert.ok(!decoded.ok && decoded.refused === 'shape', `${first}, ${second}`)
    }
  })

  it('leave times beyond all reason to rows', () => {
    const sent = [{ joined: false, entry: readingEntry(1, { deviceTimeMs: 1e300 }) }]
    assert.equal(encodeColumns(head(1), sent), undefined)
    assert.ok((encodePayload('series', head(1), sent, { ...dense, compressions: [] })[0] as number) >= 0xa0)
  })
})

describe('payloads', () => {
  const sent = Array.from({ length: 40 }, (_, index) => ({
    joined: index % 3 > 0,
    entry: readingEntry(index + 1, { value: index % 5 === 0 ? `text ${index}` : index / 8, id: `id-${index}` }),
  }))
  const columns = encodeColumns(head(40), sent) as Buffer

  it('of an end that reads no columns are plain CBOR', () => {
    const payload = encodePayload('series', head(40), sent, { forms: ['rows'], compressions: [] })
    assert.equal((payload[0] as number) >> 5, 5)
    assert.ok(decodePayload(payload, 'series').ok)
  })

  it('of records are compressed rows', () => {
    const records = Array.from({ length: 40 }, (_, index) => ({ joined: false, entry: recordEntry(index + 1) }))
    const payload = encodePayload('records', head(40), records, dense)
    assert.equal(payload[0], 0x12)
    const plain = encodePayload('records', head(40), records, { forms: ['rows'], compressions: [] })
    assert.ok(payload.length < plain.length / 2)
    assert.deepEqual(decodePayload(payload, 'records'), decodePayload(plain, 'records'))
  })

  it('with any one byte changed are refused by their checksum or form', () => {
    const payload = encodePayload('series', head(40), sent, dense)
    for (let at = 0; at < payload.length; at++) {
      const bent = Buffer.from(payload)
      bent[at] = (bent[at] as number) ^ 0x10
      const decoded = decodePayload(bent, 'series')
      assert.ok(!decoded.ok, `byte ${at}`)
    }
  })

  it('cut anywhere are refused, checksum or not', () => {
    for (let end = 0; end < columns.length; end++) {
      assert.ok(!decodePayload(payloadOf(0x20, columns.subarray(0, end)), 'series').ok, `at ${end}`)
    }
    assert.ok(!decodePayload(payloadOf(0x20, Buffer.concat([columns, Buffer.of(0)])), 'series').ok)
  })

  it('of hostile columns never crash the reader and never give a row that is not whole', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(columns.length - 1), fc.nat(255)), { maxLength: 6 }), changes => {
        const bent = Buffer.from(columns)
        for (const [at, byte] of changes) bent[at] = byte
        const decoded = decodePayload(payloadOf(0x20, bent), 'series')
        if (!decoded.ok) return
        for (const row of decoded.value.rows) {
          assert.ok(Number.isSafeInteger(row.seq) && Number.isSafeInteger(row.stamp) && 'device' in row)
          assert.ok(Number.isFinite(row.arrivalMs) && row.value !== undefined && typeof row.device === 'string')
          assert.ok(typeof row.value !== 'number' || Number.isFinite(row.value))
        }
      }),
      { numRuns: 2_000 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), bytes => {
        for (const first of [0x10, 0x11, 0x12, 0x20, 0x21, 0x22])
          decodePayload(payloadOf(first, Buffer.from(bytes)), 'series')
        decodePayload(Buffer.from(bytes), 'series')
      }),
      { numRuns: 500 },
    )
  })

  it('that are bombs are given up on the way', () => {
    const zeros = Buffer.alloc(16 * 1024 * 1024)
    const quick = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }
    assert.equal(refusalOf(payloadOf(0x22, brotliCompressSync(zeros, quick))), 'compression')
    assert.equal(refusalOf(payloadOf(0x21, deflateRawSync(zeros))), 'compression')
    assert.equal(refusalOf(payloadOf(0x12, brotliCompressSync(Buffer.alloc(inflatedBytesMax), quick))), 'too-large')
  })

  it('that announce more than they bring are refused without the work', () => {
    const announce = (rows: number, series: number): Buffer => {
      const names = { origins: [], devices: [], metrics: [], units: [] }
      const out = new ByteWriter()
      out.bytes(encodeMessage({ ...headFields(head(40)), ...names, series, rows }))
      return payloadOf(0x20, out.take())
    }
    for (const [rows, series] of [
      [rowsMax, 0],
      [rowsMax, 1],
      [rowsMax, rowsMax],
      [rowsMax + 1, 1],
      [2 ** 32, 1],
      [0, 1],
    ] as const) {
      assert.ok(['shape', 'columns'].includes(refusalOf(announce(rows, series))), `${rows} rows, ${series} series`)
    }
  })

  it('of an unknown form or compression are refused by their form', () => {
    for (const first of [0x00, 0x13, 0x23, 0x30, 0x3f]) {
      assert.equal(refusalOf(payloadOf(first, columns)), 'form')
    }
    assert.equal(refusalOf(Buffer.of(0x20, 1, 2)), 'form')
    assert.equal(refusalOf(Buffer.alloc(0)), 'form')
    const records = decodePayload(payloadOf(0x20, columns), 'records')
    assert.ok(!records.ok && records.refused === 'form')
  })
})
