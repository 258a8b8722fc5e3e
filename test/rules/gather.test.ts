/** A snippet of a long time is gathered in bounded memory, and loses no extreme. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Gathered } from '../../rules/alert/gather.ts'
import { snippet } from '../../rules/alert/snippet.ts'

const names = (metric: string) => ({ table: 'readings', device: 'd', metric, unit: null })

test('few readings are all kept, the series of the alert first', () => {
  const gathered = new Gathered<string>('temperature', names)
  gathered.add('door', 1, true)
  gathered.add('temperature', 2, 5)
  assert.deepEqual(
    gathered.series().map(({ metric, points }) => [metric, points]),
    [
      ['temperature', [[2, 5]]],
      ['door', [[1, true]]],
    ],
  )
  assert.equal(gathered.left, 0)
})

test('of a million readings a bounded number is kept, with the extremes, the first and the newest, and all are counted', () => {
  const gathered = new Gathered<string>('temperature', names)
  const count = 1_000_000
  for (let index = 0; index < count; index++) {
    const value = index === 400_123 ? 99 : index === 700_321 ? -99 : Math.sin(index)
    gathered.add('temperature', index, value)
  }
  const [series] = gathered.series()
  assert.ok((series?.points.length ?? 0) <= 20_000)
  const built = snippet(gathered.series(), { bytesMax: 48 * 1024, pointsMax: undefined }, 0, count, gathered.left)
  const points = built.series[0]?.points ?? []
  assert.deepEqual([built.count, built.thinned?.of], [count, count])
  assert.deepEqual([points[0]?.[0], points.at(-1)?.[0]], [0, count - 1])
  assert.ok(points.some(([, value]) => value === 99) && points.some(([, value]) => value === -99))
})
