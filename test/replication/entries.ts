/** Entries, made up: for tests of everything that cuts, carries and applies them. */
import fc from 'fast-check'
import type { Json } from '../../runtime/reading.ts'
import type { Stamp } from '../../runtime/stamp.ts'
import { type Entry, type ReadingEntry, type RecordEntry, type Series, asSeq } from '../../runtime/store/types.ts'

export function recordEntry(seq: number, fields: Partial<RecordEntry> = {}): RecordEntry {
  return {
    kind: 'record',
    seq: asSeq(seq),
    stamp: (1_000_000 + seq) as Stamp,
    origin: 'gw-1',
    via: '',
    joined: false,
    key: `key-${seq}`,
    value: { seq },
    ...fields,
  }
}

export const series = (device: string, metric = 'temperature', origin = 'gw-1'): Series => ({
  id: 1,
  table: 'readings',
  origin,
  device,
  metric,
  unit: '°C',
})

export function readingEntry(seq: number, fields: Partial<ReadingEntry> = {}): ReadingEntry {
  const of = fields.series ?? series('freezer-1')
  return {
    kind: 'reading',
    seq: asSeq(seq),
    stamp: (900_000_000_000_000 + seq) as Stamp,
    origin: of.origin,
    via: '',
    joined: false,
    series: of,
    value: 1.5,
    arrivalMs: 1_790_000_000_000 + seq,
    deviceTimeMs: undefined,
    id: undefined,
    boot: undefined,
    ...fields,
  }
}

const jsonValue = fc.jsonValue({ maxDepth: 3 }).map(value => JSON.parse(JSON.stringify(value)) as Json)
const fourSeries = ['a', 'b'].flatMap(device => ['gw-1', 'gw-2'].map(origin => series(device, 'm', origin)))

const anyRecord = fc.record({
  kind: fc.constant('record' as const),
  key: fc.string({ minLength: 1, maxLength: 20 }),
  value: fc.option(jsonValue, { nil: undefined }),
  origin: fc.constantFrom('gw-1', 'gw-2', 'hub'),
  via: fc.constantFrom('', 'hub', 'gw-2'),
  joined: fc.boolean(),
})

const anyReading = fc.record({
  kind: fc.constant('reading' as const),
  series: fc.constantFrom(...fourSeries),
  value: fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.string()),
  deviceTimeMs: fc.option(fc.integer({ min: 0, max: 2 ** 41 }), { nil: undefined }),
  id: fc.option(fc.string({ maxLength: 40 }), { nil: undefined }),
  via: fc.constantFrom('', 'hub'),
  joined: fc.boolean(),
})

/** A stretch of a log, as `store.read` tells it after position `after`. */
export function logOf(kind: 'series' | 'records', after: number): fc.Arbitrary<readonly Entry[]> {
  if (kind === 'records') {
    return fc
      .array(anyRecord, { maxLength: 30 })
      .map(rows =>
        rows.map((row, index) => recordEntry(after + index + 1, { ...row, joined: index > 0 && row.joined })),
      )
  }
  return fc
    .array(anyReading, { maxLength: 30 })
    .map(rows => rows.map((row, index) => readingEntry(after + index + 1, { ...row, joined: index > 0 && row.joined })))
}
