/** Histories of several tables are one story, in the order in which it happened. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { HistoryForm } from '../../runtime/api/history.ts'
import { type PastReading, readPast } from '../../runtime/rehearsal/past.ts'

/** Forms of arrivals, cut into lines of so many. */
async function* forms(arrivals: readonly number[], size: number): AsyncGenerator<HistoryForm> {
  for (let from = 0; from < arrivals.length; from += size) {
    const part = arrivals.slice(from, from + size)
    const before = (list: readonly number[], index: number): number => list[index - 1] ?? 0
    yield {
      through_ms: Math.max(...arrivals.slice(0, from + size)),
      known: from === 0 ? [[7, 'gw-1', 'd', 'm', null]] : [],
      seq: part.map((_, index) => (index === 0 ? from + 1 : 1)),
      series: part.map(() => 7),
      at: part.map((ms, index) => ms - before(part, index)),
      own: part.map((_, index) => (index % 2 === 0 ? -5 : null)),
      value: part,
    }
  }
}

async function all(tables: ReadonlyMap<string, AsyncIterable<HistoryForm>>): Promise<PastReading[]> {
  const read: PastReading[] = []
  let throughMs = 0
  for await (const batch of readPast(tables)) {
    assert.ok(batch.throughMs >= throughMs, 'time went back')
    throughMs = batch.throughMs
    read.push(...batch.readings)
  }
  return read
}

test('within a table the log, between tables the arrival, and every reading once', async () => {
  const arrivals = fc.array(fc.nat(50), { maxLength: 30 }).map(list => list.toSorted((a, b) => a - b))
  await fc.assert(
    fc.asyncProperty(arrivals, arrivals, fc.integer({ min: 1, max: 7 }), async (a, b, size) => {
      const read = await all(
        new Map([
          ['a', forms(a, size)],
          ['b', forms(b, size + 1)],
        ]),
      )
      for (const [table, expected] of [
        ['a', a],
        ['b', b],
      ] as const) {
        const own = read.filter(({ series }) => series.table === table)
        assert.deepEqual(
          own.map(({ arrivalMs, seq }) => [arrivalMs, seq]),
          expected.map((ms, index) => [ms, index + 1]),
        )
      }
      const times = read.map(({ arrivalMs }) => arrivalMs)
      assert.deepEqual(
        times,
        times.toSorted((one, other) => one - other),
      )
    }),
  )
})

test('a reading has the time of its device where it sent one, and one object stands for a series', async () => {
  const read = await all(new Map([['a', forms([100, 200, 300], 2)]]))
  assert.deepEqual(
    read.map(({ deviceTimeMs, value }) => [deviceTimeMs, value]),
    [
      [95, 100],
      [undefined, 200],
      [295, 300],
    ],
  )
  assert.equal(new Set(read.map(({ series }) => series)).size, 1)
})

test('whoever has read enough lets the sources go', async () => {
  let left = 0
  async function* endless(): AsyncGenerator<HistoryForm> {
    try {
      for (;;) yield* forms([1, 2, 3], 1)
    } finally {
      left++
    }
  }
  const past = readPast(
    new Map([
      ['a', endless()],
      ['b', endless()],
    ]),
  )
  await past.next()
  await past.return(undefined)
  assert.equal(left, 2)
})
