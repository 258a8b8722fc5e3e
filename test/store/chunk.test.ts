import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Json, Value } from '../../runtime/reading.ts'
import { type Stamp, stampAt, stampPlus } from '../../runtime/stamp.ts'
import { type Chunk, chunkReadingsMax, encodeChunk, openChunk } from '../../runtime/store/chunk.ts'
import { type ReadingEntry, type Seq, type Series, asSeq, timeOf } from '../../runtime/store/types.ts'
import { logEntries } from '../bench/fleet.ts'

const series: Series = { id: 7, table: 'readings', origin: 'gw-1', device: 'd1', metric: 'temperature', unit: '°C' }
const hourStartMs = Date.UTC(2026, 4, 1, 10)

function entry(seq: number, fields: Partial<ReadingEntry> = {}): ReadingEntry {
  return {
    kind: 'reading',
    seq: asSeq(seq),
    stamp: (820_000_000_000_000 + seq) as Stamp,
    origin: series.origin,
    via: '',
    joined: false,
    series,
    value: 21.5,
    arrivalMs: hourStartMs + seq * 1000,
    deviceTimeMs: undefined,
    id: undefined,
    boot: undefined,
    ...fields,
  }
}

const reopened = (entries: readonly ReadingEntry[]): Chunk =>
  openChunk(encodeChunk(entries), (entries[0] as ReadingEntry).seq, series)

/** Everything that a chunk tells is what its entries were. */
function holds(entries: readonly ReadingEntry[]): void {
  const chunk = reopened(entries)
  const values = entries.map(({ value }) => value)
  assert.equal(chunk.count, entries.length)
  assert.equal(chunk.firstSeq, entries[0]?.seq)
  assert.equal(chunk.lastSeq, entries.at(-1)?.seq)
  assert.deepEqual(Array.from(chunk.times()), entries.map(timeOf))
  assert.deepEqual(
    chunk.numbers() && Array.from(chunk.numbers() ?? []),
    values.every(value => typeof value === 'number') ? values : undefined,
  )
  assert.deepEqual(chunk.values(), values)
  const boots = entries.map(({ boot }) => boot)
  assert.deepEqual(chunk.boots(), boots.every(boot => boot === undefined) ? undefined : boots)
  assert.deepEqual(
    Array.from(chunk.seqs()),
    entries.map(({ seq }) => seq),
  )
  assert.deepEqual(chunk.entries(), entries)
}

function take<T>(from: Iterable<T>, count: number): T[] {
  const taken: T[] = []
  for (const one of from) if (taken.push(one) === count) break
  return taken
}

const double = fc.double({ noNaN: false })
const hostileNumber = fc.oneof(
  double,
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.MIN_VALUE, Number.MAX_VALUE, 1e21, 0.1 + 0.2),
  fc.integer({ min: -5000, max: 5000 }).map(whole => whole / 100),
)
const hostileText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '\0', '\0-0', '\0\0x', '\ud800', '"', '\\u0000', '007', '12'),
)
const json: fc.Arbitrary<Json> = fc.letrec<{ json: Json }>(tie => ({
  json: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    hostileNumber,
    hostileText,
    fc.array(tie('json'), { maxLength: 3 }),
    fc.dictionary(fc.oneof(hostileText, fc.constantFrom('__proto__', 'constructor', '1')), tie('json'), {
      maxKeys: 3,
      noNullPrototype: true,
    }),
  ),
})).json
const anyValue = json.filter(value => value !== null) as fc.Arbitrary<Value>

/** A chunk's values are mostly of one kind. */
const valueKinds: readonly fc.Arbitrary<Value>[] = [
  fc.integer({ min: -4000, max: 8000 }).map(whole => whole / 100),
  hostileNumber,
  fc.boolean(),
  fc.constantFrom('open', 'closed', 'error'),
  fc.record(
    { lat: fc.integer().map(whole => whole / 1e7), lon: double, fix: fc.boolean(), note: hostileText },
    { noNullPrototype: true },
  ),
  fc.oneof(fc.constantFrom<Value>('error', false), fc.integer()),
  anyValue,
]
const hostileTime = fc.oneof(
  fc.integer({ min: hourStartMs, max: hourStartMs + 3_599_999 }),
  fc.double({ min: -1e15, max: 1e15, noNaN: true }),
  fc.maxSafeInteger(),
  fc.constantFrom(0, -0, -1, 1e300, Number.NaN),
)
const kindTime = fc.integer({ min: hourStartMs, max: hourStartMs + 3_599_999 })
const stamps = fc.oneof(fc.maxSafeNat(), fc.integer({ min: 0, max: 5 }))

const anyEntries: fc.Arbitrary<readonly ReadingEntry[]> = fc
  .record({ value: fc.constantFrom(...valueKinds), time: fc.constantFrom(kindTime, hostileTime) })
  .chain(({ value, time }) =>
    fc.array(
      fc.record({
        step: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 2 ** 40 })),
        stamp: stamps,
        value,
        arrivalMs: time,
        deviceTimeMs: fc.option(time, { nil: undefined, freq: 3 }),
        id: fc.option(
          fc.oneof(
            hostileText,
            fc.nat().map(number => `m-${number}`),
          ),
          { nil: undefined, freq: 1 },
        ),
        boot: fc.option(fc.constantFrom('b1', 'b2'), { nil: undefined, freq: 1 }),
        via: fc.constantFrom('', '', '', 'hub', 'other'),
        joined: fc.boolean(),
      }),
      { minLength: 1, maxLength: 300, size: 'max' },
    ),
  )
  .map(rows => {
    let seq = 0
    return rows.map(({ step, stamp, ...fields }) => entry((seq += step), { ...fields, stamp: stamp as Stamp }))
  })

test('a chunk gives back every field of every reading, whatever they hold', () => {
  fc.assert(fc.property(anyEntries, holds), { numRuns: 300 })
})

test('a chunk of many kind readings gives back every field', () => {
  holds(Array.from({ length: 3600 }, (_, index) => entry(1 + index * 50 + (index % 7), { value: index / 100 })))
})

test('readings between two positions are those after the one and up to the other', () => {
  fc.assert(
    fc.property(anyEntries, fc.nat(), fc.nat(), (entries, a, b) => {
      const at = (place: number): number => (entries[place % entries.length]?.seq ?? 0) + (place % 3) - 1
      const [after, through] = [at(a), at(b)] as [Seq, Seq]
      assert.deepEqual(
        reopened(entries).entriesBetween(after, through),
        entries.filter(({ seq }) => seq > after && seq <= through),
      )
    }),
  )
})

test('damaged bytes are told by a RangeError or read as other readings, and never as more than a chunk holds', () => {
  const damage = fc.array(fc.record({ place: fc.nat(), byte: fc.nat(255) }), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(anyEntries, damage, fc.nat(), (entries, changes, cut) => {
      const block = Buffer.from(encodeChunk(entries))
      for (const { place, byte } of changes) block[place % block.length] = byte
      const cutOff = cut % 4 === 0 ? block.subarray(0, cut % block.length) : block
      try {
        const chunk = openChunk(cutOff, (entries[0] as ReadingEntry).seq, series)
        assert.ok(chunk.count <= chunkReadingsMax)
        chunk.times()
        assert.equal(chunk.entries().length, chunk.count)
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error))
      }
    }),
    { numRuns: 500 },
  )
})

test('a block that was cut off anywhere, or goes on after its end, is told by a RangeError', () => {
  const block = encodeChunk(Array.from({ length: 40 }, (_, index) => entry(index + 1, { value: index })))
  for (let length = 0; length < block.length; length++) {
    assert.throws(() => openChunk(block.subarray(0, length), asSeq(1), series), RangeError)
  }
  assert.throws(() => openChunk(Buffer.concat([block, Buffer.of(0)]), asSeq(1), series), RangeError)
})

test('a chunk is refused that is empty or too large', () => {
  assert.throws(() => encodeChunk([]), RangeError)
  assert.throws(() => encodeChunk(Array.from({ length: chunkReadingsMax + 1 }, (_, index) => entry(index))), RangeError)
})

test('a chunk after one that could not be written is whole', () => {
  const cyclic: { self?: unknown } = {}
  cyclic.self = cyclic
  assert.throws(() => encodeChunk([entry(1), entry(2, { value: cyclic as Value })]), TypeError)
  holds([entry(1), entry(2)])
})

test('a reading a second of a fleet takes less than three and a half bytes, with a time of its own less than four', () => {
  const bytesOf = (deviceTimes: boolean): number => {
    const entries = take(logEntries({ devices: 12, seed: 1, deviceTimes }), 12 * 4 * 600)
    const ofSeries = new Map<Series, ReadingEntry[]>()
    for (const one of entries) ofSeries.set(one.series, [...(ofSeries.get(one.series) ?? []), one])
    let bytes = 0
    for (const own of ofSeries.values()) bytes += encodeChunk(own).length
    return bytes / entries.length
  }
  assert.ok(bytesOf(false) < 3.5, `${bytesOf(false)}`)
  assert.ok(bytesOf(true) < 4, `${bytesOf(true)}`)
})

test('a few readings take few bytes', () => {
  const bytesOf = (count: number): number =>
    encodeChunk(
      Array.from({ length: count }, (_, index) => {
        const arrivalMs = hourStartMs + index * 600_000 + (index % 5)
        const stamp = stampPlus(stampAt(arrivalMs + 37 + index), index)
        return entry(1000 + index * 733, { arrivalMs, stamp, value: 20 + index / 100 })
      }),
    ).length
  assert.ok(bytesOf(1) <= 32, `${bytesOf(1)}`)
  assert.ok(bytesOf(6) <= 32 + 6 * 8, `${bytesOf(6)}`)
})

test('a spike, a missed reading and a -0 cost what they are, not what they are among', () => {
  const calm = Array.from({ length: 3600 }, (_, index) => entry(index + 1, { value: (index % 17) / 10 }))
  const rough = calm.map((one, index) => {
    const arrivalMs = one.arrivalMs + (index >= 1000 ? 50_000 : 0)
    return { ...one, arrivalMs, value: index === 500 ? -32_768 : index === 700 ? -0 : one.value }
  })
  holds(rough)
  const extra = encodeChunk(rough).length - encodeChunk(calm).length
  assert.ok(extra < 64, `${extra}`)
})

test('texts, switches, numbered ids and fixes that go on alike take little', () => {
  const bytesOf = (fields: (index: number) => Partial<ReadingEntry>): number => {
    const entries = Array.from({ length: 3600 }, (_, index) => entry(index + 1, fields(index)))
    holds(entries)
    return encodeChunk(entries).length
  }
  const plain = bytesOf(() => ({}))
  assert.ok(bytesOf(index => ({ value: index < 1800 })) - plain < 100)
  assert.ok(bytesOf(index => ({ value: index % 60 < 30 ? 'running' : 'idle' })) - plain < 3600 / 4)
  assert.ok(bytesOf(index => ({ id: `m-${index}` })) - plain < 128)
  assert.ok(bytesOf(() => ({ boot: 'b1', via: 'hub' })) - plain < 64)
  assert.ok(bytesOf(index => ({ value: { lat: 48 + index / 1e6, lon: 11 - index / 1e6 } })) - plain < 300)
})
