import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { cutFrame } from '../../runtime/replication/send/cut.ts'
import { Selection, type SelectionOptions } from '../../runtime/replication/send/selection.ts'
import { selectionOf } from '../../runtime/streams.ts'
import type { PublishConfig } from '../../runtime/config/config.ts'
import type { Json } from '../../runtime/reading.ts'
import { type Entry, type TableKind, seqZero } from '../../runtime/store/types.ts'
import { logOf, readingEntry, recordEntry, series } from './entries.ts'
import { Cloud, Edge, append, put, remove, rowsOf, until, values } from './rig.ts'

function optionsOf(keys: Partial<PublishConfig>, kind: TableKind): SelectionOptions {
  const options = selectionOf({ where: undefined, columns: undefined, ...keys } as PublishConfig, kind)
  assert.ok(options)
  return options
}

/** What of a log is sent, cut by cut. */
function sentOf(
  entries: readonly Entry[],
  selection: Selection,
  frameBytes = 300,
): { entry: Entry; joined: boolean }[] {
  const sent: { entry: Entry; joined: boolean }[] = []
  for (let rest = entries; rest.length > 0; ) {
    const after = ((rest[0]?.seq ?? 1) - 1) as typeof seqZero
    const options = {
      after,
      peer: 'hub',
      frameBytes,
      rows: 1_000,
      rowsBytes: 124 * 1024,
      transactionsMax: Number.POSITIVE_INFINITY,
      unreadable: undefined,
      choose: selection.choose,
    }
    const cut = cutFrame(rest, options)
    assert.ok(cut.last > after, 'a cut moves on')
    sent.push(...cut.parts.flat())
    rest = rest.filter(entry => entry.seq > cut.last)
  }
  return sent
}

const valuesOf = (sent: readonly { entry: Entry }[]): unknown[] =>
  sent.map(({ entry }) => (entry.kind === 'gap' ? 'gap' : entry.value))

describe('a selection of readings', () => {
  test('passes over what where is not true for, and moves on', () => {
    const selection = new Selection(optionsOf({ where: 'value > 3' }, 'series'))
    const entries = [1, 5, 2, 7].map((value, index) => readingEntry(index + 1, { value }))
    assert.deepEqual(valuesOf(sentOf(entries, selection)), [5, 7])
    assert.equal(selection.undecided, 0)
  })

  test('counts once what where has no answer for, and does not send it', () => {
    const selection = new Selection(optionsOf({ where: 'value.lat > 3' }, 'series'))
    const entries = [{ lon: 1 }, { lat: 5 }, 3].map((value, index) => readingEntry(index + 1, { value }))
    assert.deepEqual(valuesOf(sentOf(entries, selection)), [{ lat: 5 }])
    sentOf(entries, selection)
    assert.equal(selection.undecided, 2)
  })

  test('keeps of an object the columns that are named; what is no object goes whole', () => {
    const selection = new Selection(optionsOf({ columns: ['lat', 'nothing'] }, 'series'))
    const entries = [{ lat: 1, lon: 2 }, 5, 'open', [1, 2], { lon: 2 }].map((value, index) =>
      readingEntry(index + 1, { value }),
    )
    assert.deepEqual(valuesOf(sentOf(entries, selection)), [{ lat: 1 }, 5, 'open', [1, 2], {}])
  })

  test('judges by what is stored, not by the columns that are sent', () => {
    const selection = new Selection(optionsOf({ where: 'value.lon > 1', columns: ['lat'] }, 'series'))
    const entries = [
      { lat: 1, lon: 2 },
      { lat: 2, lon: 0 },
    ].map((value, index) => readingEntry(index + 1, { value }))
    assert.deepEqual(valuesOf(sentOf(entries, selection)), [{ lat: 1 }])
  })

  test('leaves together what is left of a transaction, and apart what is not', () => {
    const selection = new Selection(optionsOf({ where: 'device != "b"' }, 'series'))
    const of = (device: string, seq: number, joined: boolean): Entry =>
      readingEntry(seq, { series: series(device), joined })
    const sent = sentOf(
      [of('b', 1, false), of('a', 2, true), of('b', 3, true), of('a', 4, true), of('a', 5, false)],
      selection,
    )
    assert.deepEqual(
      sent.map(({ entry, joined }) => [entry.seq, joined]),
      [
        [2, false],
        [4, true],
        [5, false],
      ],
    )
  })

  test('sends the same however the log is cut', () => {
    fc.assert(
      fc.property(logOf('series', 0), fc.integer({ min: 1, max: 2_000 }), (entries, frameBytes) => {
        const where = { where: 'device == "a" || value == true' }
        const expected = entries.filter(
          entry =>
            entry.kind === 'reading' && entry.via !== 'hub' && (entry.series.device === 'a' || entry.value === true),
        )
        const sent = sentOf(entries, new Selection(optionsOf(where, 'series')), frameBytes)
        assert.deepEqual(
          sent.map(({ entry }) => entry),
          expected,
        )
      }),
    )
  })
})

describe('a selection of rows', () => {
  const row = (seq: number, value: Json | undefined, key = 'a'): Entry => recordEntry(seq, { key, value })

  test('tells a row that is not chosen any more as a deletion', () => {
    const selection = new Selection(optionsOf({ where: 'row.on' }, 'records'))
    const sent = sentOf([row(1, { on: true }), row(2, { on: false }), row(3, undefined), row(4, {})], selection)
    assert.deepEqual(valuesOf(sent), [{ on: true }, undefined, undefined, undefined])
    assert.equal(selection.undecided, 1)
  })

  test('says nothing of rows that are left out by their key, their deletion included', () => {
    const selection = new Selection(optionsOf({ where: 'key.startsWith("a/")' }, 'records'))
    const entries = [row(1, 1, 'a/x'), row(2, 2, 'b/x'), row(3, undefined, 'b/x'), row(4, undefined, 'a/x')]
    assert.deepEqual(
      sentOf(entries, selection).map(({ entry }) => entry.seq),
      [1, 4],
    )
  })

  test('the far side holds the rows that are chosen now, in every history', () => {
    const step = fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      value: fc.option(fc.record({ n: fc.nat(5) }), { nil: undefined }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), steps => {
        const [here, there] = [new Map<string, unknown>(), new Map<string, unknown>()]
        const entries = steps.map(({ key, value }, index) => row(index + 1, value, key))
        for (const { key, value } of steps) {
          if (value !== undefined && value.n > 2) here.set(key, value)
          else here.delete(key)
        }
        for (const { entry } of sentOf(entries, new Selection(optionsOf({ where: 'row.n > 2' }, 'records')))) {
          if (entry.kind !== 'record') continue
          if (entry.value === undefined) there.delete(entry.key)
          else there.set(entry.key, entry.value)
        }
        assert.deepEqual(there, here)
      }),
    )
  })
})

describe('a stream with a selection', () => {
  test('brings the hub what is chosen, over a link, and is confirmed past what is not', async () => {
    const cloud = await Cloud.open()
    const edge = await Edge.open(cloud, 'gw-1', {
      publish: [
        { table: 'readings', start: 'beginning', selection: optionsOf({ where: 'value > 2' }, 'series') },
        {
          table: 'thresholds',
          start: 'beginning',
          selection: optionsOf({ where: 'row.max > 5', columns: ['max'] }, 'records'),
        },
      ],
      subscribe: [],
    })
    try {
      await append(edge.store, 1, 2, 3, 4, 1)
      await put(edge.store, 'a', { max: 8, note: 'ours alone' })
      await put(edge.store, 'b', { max: 9 })
      await until(
        'all is confirmed',
        () => edge.stream('readings').behind === 0 && edge.stream('thresholds').behind === 0,
      )
      assert.deepEqual(await values(cloud.store), [3, 4])
      assert.deepEqual(
        Object.entries(await rowsOf(cloud.store)).map(([key, told]) => [key, (told as unknown[])[0]]),
        [
          ['a', { max: 8 }],
          ['b', { max: 9 }],
        ],
      )
      await put(edge.store, 'a', { max: 1 })
      await remove(edge.store, 'b')
      await until('both rows are gone', async () => Object.keys(await rowsOf(cloud.store)).length === 0)
      assert.equal(edge.stream('readings').undecided, 0)
    } finally {
      await edge.close()
      await cloud.close()
    }
  })
})
