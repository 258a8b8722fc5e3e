import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { encodeMessage } from '../../runtime/replication/wire/codec.ts'
import { type Cut, cutFrame } from '../../runtime/replication/send/cut.ts'
import { type FrameHead, decodeFrame, encodeFrame } from '../../runtime/replication/wire/frames.ts'
import { envelopeBytesMax, frameRowsMax, messageBytesMax } from '../../runtime/replication/limits.ts'
import { type Entry, asSeq, seqZero } from '../../runtime/store/types.ts'
import { logOf, readingEntry, recordEntry, series } from './entries.ts'

const head = (after: number, last: number): FrameHead => ({
  session: 's1',
  run: 3,
  after: asSeq(after),
  last: asSeq(last),
  head: asSeq(last + 5),
  part: 0,
  parts: 1,
  gaps: [],
})

const options = {
  after: seqZero,
  peer: 'hub',
  frameBytes: 64 * 1024,
  rows: frameRowsMax,
  rowsBytes: messageBytesMax - envelopeBytesMax,
  transactionsMax: Number.POSITIVE_INFINITY,
  unreadable: undefined,
}
const cut = (entries: readonly Entry[], more: Partial<typeof options> = {}): Cut =>
  cutFrame(entries, { ...options, ...more })
const seqsOf = (one: Cut): number[] => one.parts.flat().map(({ entry }) => entry.seq)

/** All frames that one after the other carry a log. */
function carry(entries: readonly Entry[], after: number, peer: string, frameBytes: number): Cut[] {
  const cuts: Cut[] = []
  let position = asSeq(after)
  for (let rest = entries; rest.length > 0; rest = rest.filter(entry => entry.seq > position)) {
    const next = cut(rest, { after: position, peer, frameBytes })
    assert.ok(next.last > position, 'a frame that moves nothing would be sent for ever')
    cuts.push(next)
    position = next.last
  }
  return cuts
}

describe('frames', () => {
  for (const kind of ['series', 'records'] as const) {
    it(`carry every entry of a ${kind} table as it is`, () => {
      fc.assert(
        fc.property(logOf(kind, 40), entries => {
          const sent = entries.flatMap(entry => (entry.kind === 'gap' ? [] : [{ entry, joined: entry.joined }]))
          const decoded = decodeFrame(encodeFrame(kind, head(40, 100), sent), kind)
          assert.ok(decoded.ok, JSON.stringify(decoded))
          const { rows, ...told } = decoded.value
          assert.deepEqual(told, head(40, 100))
          const expected = sent.map(({ entry, joined }) =>
            entry.kind === 'record'
              ? {
                  seq: entry.seq,
                  joined,
                  stamp: entry.stamp,
                  origin: entry.origin,
                  key: entry.key,
                  value: plain(entry.value),
                }
              : {
                  seq: entry.seq,
                  joined,
                  stamp: entry.stamp,
                  origin: entry.series.origin,
                  device: entry.series.device,
                  metric: entry.series.metric,
                  unit: entry.series.unit,
                  arrivalMs: entry.arrivalMs,
                  value: plain(entry.value),
                  deviceTimeMs: entry.deviceTimeMs,
                  id: entry.id,
                  boot: undefined,
                },
          )
          assert.deepEqual(rows, expected)
        }),
      )
    })

    it(`of a ${kind} table together carry the log once, in order, transactions whole, nothing back to the peer`, () => {
      fc.assert(
        fc.property(
          logOf(kind, 7),
          fc.constantFrom('hub', 'gw-2', 'nobody'),
          fc.integer({ min: 1, max: 400 }),
          (entries, peer, frameBytes) => {
            const cuts = carry(entries, 7, peer, frameBytes)
            const expected = entries
              .filter(entry => entry.via !== peer && entry.origin !== peer)
              .map(entry => entry.seq)
            assert.deepEqual(cuts.flatMap(seqsOf), expected)
            assert.equal(cuts.at(-1)?.last ?? 7, entries.at(-1)?.seq ?? 7)
            for (const { last, parts } of cuts) {
              assert.notEqual(
                entries.find(entry => entry.seq === last + 1)?.joined,
                true,
                'a transaction was cut in two',
              )
              assert.notEqual(parts[0]?.[0]?.joined, true, 'a frame begins with something joined to nothing')
            }
          },
        ),
      )
    })

    it(`of a ${kind} table never outgrow what was measured`, () => {
      fc.assert(
        fc.property(logOf(kind, 0), entries => {
          const one = cut(entries, { peer: 'nobody' })
          for (const part of one.parts) {
            const payload = encodeFrame(kind, head(0, 100), part)
            assert.ok(payload.length <= one.bytes + 200, `${payload.length} bytes, measured ${one.bytes}`)
          }
        }),
      )
    })
  }

  it('hold at most a thousand rows', () => {
    const entries = Array.from({ length: 2_500 }, (_, index) => readingEntry(index + 1, { value: true }))
    const rows = carry(entries, 0, 'hub', messageBytesMax).map(one => seqsOf(one).length)
    assert.deepEqual(rows, [frameRowsMax, frameRowsMax, 500])
  })

  it('carry a transaction that one message cannot hold in parts, each within the message limit', () => {
    const text = 'x'.repeat(3_000)
    const entries = Array.from({ length: 100 }, (_, index) =>
      recordEntry(index + 1, { joined: index > 0, value: { text } }),
    )
    const one = cut([...entries, recordEntry(101)])
    assert.equal(one.last, 100)
    assert.ok(one.parts.length > 1)
    assert.deepEqual(
      seqsOf(one),
      entries.map(entry => entry.seq),
    )
    for (const part of one.parts) assert.ok(encodeFrame('records', head(0, 100), part).length <= messageBytesMax)
  })

  it('park a row that no message can hold, tell a gap in its place, and go on with the next', () => {
    const large = recordEntry(2, { value: 'x'.repeat(messageBytesMax) })
    const [first, second, third] = carry([recordEntry(1), large, recordEntry(3)], 0, 'hub', 64 * 1024)
    assert.deepEqual(seqsOf(first as Cut), [1])
    assert.deepEqual(second?.gaps, [{ first: 2, last: 2, reason: 'row-too-large' }])
    assert.deepEqual(second.parked, [{ entry: large, reason: 'row-too-large' }])
    assert.deepEqual(seqsOf(third as Cut), [3])
  })

  it('carry the largest row that a store takes, also where its JSON is shorter than its CBOR', () => {
    const decimals = Array.from({ length: 28_000 }, (_, index) => (index % 10) / 10 + 1)
    assert.ok(JSON.stringify(decimals).length < 120 * 1024)
    const entry = recordEntry(1, { value: decimals })
    const one = cut([entry])
    assert.deepEqual(one.parked, [])
    const payload = encodeFrame('records', head(0, 1), one.parts[0] ?? [])
    assert.ok(payload.length <= messageBytesMax)
    const decoded = decodeFrame(payload, 'records')
    assert.deepEqual(
      decoded.ok && decoded.value.rows[0] && 'key' in decoded.value.rows[0] && decoded.value.rows[0].value,
      decimals,
    )
  })

  it('park a transaction beyond all bounds as a whole', () => {
    const text = 'x'.repeat(60_000)
    const entries = Array.from({ length: 20 }, (_, index) => recordEntry(index + 1, { joined: index > 0, value: text }))
    const one = cut(entries)
    assert.deepEqual(one.gaps, [{ first: 1, last: 20, reason: 'transaction-too-large' }])
    assert.equal(one.parked.length, 20)
  })

  it('tell a hole in the log, and a gap that stands in it, as gaps', () => {
    const gap = { ...recordEntry(9), kind: 'gap' as const, firstSeq: asSeq(1), count: 9, reason: 'max_age' }
    const one = cut([gap, recordEntry(10), recordEntry(13)], { after: asSeq(4) })
    assert.deepEqual(one.gaps, [
      { first: 5, last: 9, reason: 'max_age' },
      { first: 11, last: 12, reason: 'missing' },
    ])
    assert.deepEqual(seqsOf(one), [10, 13])
  })

  it('carry one transaction at a time when something in them could not be read, and none that cannot', () => {
    const entries = [recordEntry(1), recordEntry(2, { joined: true }), recordEntry(3)]
    assert.deepEqual(seqsOf(cut(entries, { transactionsMax: 1 })), [1, 2])
    const one = cutFrame(entries, { ...options, transactionsMax: 1, unreadable: 'cbor-depth' })
    assert.deepEqual(one.gaps, [{ first: 1, last: 2, reason: 'cbor-depth' }])
    assert.equal(one.last, 2)
  })

  it('carry a gap by itself when one transaction may go: else nobody knows which of them cannot be read', () => {
    const gap = { ...recordEntry(4), kind: 'gap' as const, firstSeq: asSeq(1), count: 4, reason: 'max_age' }
    const one = cut([gap, recordEntry(5)], { transactionsMax: 1 })
    assert.deepEqual([seqsOf(one), one.gaps.length, one.last, one.transactions], [[], 1, 4, 0])
    const both = cut([gap, recordEntry(5), recordEntry(6)], { transactionsMax: 2 })
    assert.deepEqual([seqsOf(both), both.gaps.length, both.transactions], [[5, 6], 1, 2])
  })

  it('names repeat nowhere: a thousand readings of four series take less than 64 bytes each', () => {
    const four = [1, 2, 3, 4].map(number => series(`a-device-with-a-long-name-${number}`))
    const sent = Array.from({ length: 1_000 }, (_, index) => ({
      entry: readingEntry(index + 1, { series: four[index % 4] ?? series('x'), value: index / 10 }),
      joined: false,
    }))
    assert.ok(encodeFrame('series', head(0, 1_000), sent).length < 64_000)
  })

  const good = {
    v: 1,
    session: 's',
    run: 1,
    after: 10,
    last: 20,
    head: 20,
    part: [0, 1],
    gaps: [],
    origins: ['gw-1'],
    records: [[1, 0, 5, 0, 'key', 'value']],
  }
  const bent: readonly [string, object][] = [
    ['a frame that ends before it begins', { last: 10 }],
    ['a position that is not whole', { after: 1.5 }],
    ['a negative position', { after: -1 }],
    ['a part beyond the last', { part: [1, 1] }],
    [
      'rows that go backwards',
      {
        records: [
          [2, 0, 5, 0, 'a', 1],
          [1, 0, 6, 0, 'b', 1],
        ],
      },
    ],
    ['a row beyond the end of its frame', { records: [[11, 0, 5, 0, 'a', 1]] }],
    ['a row at the position before its frame', { records: [[0, 0, 5, 0, 'a', 1]] }],
    ['an origin that is not in the dictionary', { records: [[1, 0, 5, 1, 'a', 1]] }],
    ['an origin that is no name', { origins: ['a/b'] }],
    ['a row that is a map', { records: [{ key: 'a' }] }],
    ['a key that is a number', { records: [[1, 0, 5, 0, 7, 1]] }],
    ['an endless key', { records: [[1, 0, 5, 0, 'k'.repeat(5_000), 1]] }],
    ['a stamp beyond what numbers hold', { records: [[1, 0, 2 ** 60, 0, 'k', 1]] }],
    ['JSON text that is no JSON', { records: [[1, 0, 5, 0, 'k', null, '{']] }],
    ['no rows at all', { records: undefined }],
    ['a session that is a number', { session: 7 }],
  ]
  for (const [what, change] of bent) {
    it(`with ${what} are refused by their shape`, () => {
      assert.ok(decodeFrame(encodeMessage(good), 'records').ok)
      const decoded = decodeFrame(encodeMessage({ ...good, ...change }), 'records')
      assert.ok(!decoded.ok && decoded.refused === 'shape', JSON.stringify(decoded))
    })
  }

  it('of one kind are refused where the other is expected', () => {
    const decoded = decodeFrame(encodeMessage(good), 'series')
    assert.ok(!decoded.ok && decoded.refused === 'shape')
  })

  it('leave room in a message for their envelope', () => {
    const name = 'n'.repeat(64)
    const gaps = Array.from({ length: 40 }, () => ({ first: asSeq(1), last: asSeq(2), reason: 'r'.repeat(40) }))
    const payload = encodeFrame('records', { ...head(0, 100), session: name, gaps }, [])
    assert.ok(payload.length <= envelopeBytesMax)
  })
})

/** cbor-x has no negative zero, and guards against a key named __proto__. */
function plain(value: unknown): unknown {
  return value === undefined
    ? undefined
    : (JSON.parse(JSON.stringify(value).replaceAll('"__proto__":', '"__proto_":')) as unknown)
}
