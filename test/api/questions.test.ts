/** What is asked of readings over the control surface. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Json } from '../../runtime/reading.ts'
import { readingTest } from '../../runtime/streams.ts'
import { type Surface, arrival, nowMs, openSurface, reading } from './surface.ts'

const minuteMs = 60_000
type Line = Readonly<Record<string, Json>>

describe('questions about readings', () => {
  let surface: Surface
  before(async () => {
    surface = await openSurface({ where: readingTest })
    const readings = ['freezer-1', 'freezer-2'].flatMap((device, of) =>
      Array.from({ length: 30 }, (_, index) => reading(device, of * 100 + index, nowMs - (30 - index) * minuteMs)),
    )
    await surface.store.commit([{ kind: 'append', table: 'readings', readings }], 'now')
  })
  after(() => surface.remove())
  const ask = async (path: string) => surface.call('GET', `/api/v1/tables/readings/${path}`)
  const lines = async (path: string): Promise<readonly Line[]> => {
    const { status, lines: found, text } = await ask(path)
    assert.equal(status, 200, text)
    return found as readonly Line[]
  }
  const valuesOf = (found: readonly Line[]) => found.map(({ value }) => value)

  it('choose in the expression language of rules, in either order, the newest where no order is named', async () => {
    const where = encodeURIComponent('device == "freezer-1" && value >= 27')
    assert.deepEqual(valuesOf(await lines(`readings?where=${where}`)), [27, 28, 29])
    assert.deepEqual(valuesOf(await lines(`readings?where=${where}&order=desc`)), [29, 28, 27])
    assert.deepEqual(valuesOf(await lines(`readings?where=${where}&limit=2`)), [28, 29])
    assert.deepEqual(valuesOf(await lines(`readings?where=${where}&limit=2&order=asc`)), [27, 28])
    assert.deepEqual(valuesOf(await lines('readings?unit=&limit=2')), [])
    assert.equal((await lines('readings?unit=%C2%B0C&origin=gw-*&device=freezer-2')).length, 30)
  })

  it('tell an aggregate for each series and interval', async () => {
    const found = await lines('aggregate?every=15m&fn=avg,max,count&from=30m')
    assert.deepEqual(found[0], {
      kind: 'aggregate',
      time: new Date(nowMs - 30 * minuteMs).toISOString(),
      time_ms: nowMs - 30 * minuteMs,
      device: 'freezer-1',
      metric: 'temperature',
      unit: '°C',
      origin: 'gw-1',
      avg: 7,
      max: 14,
      count: 15,
    })
    assert.deepEqual(
      found.map(({ device, avg }) => [device, avg]),
      [
        ['freezer-1', 7],
        ['freezer-1', 22],
        ['freezer-2', 107],
        ['freezer-2', 122],
      ],
    )
    const [all] = await lines('aggregate?device=freezer-1')
    assert.deepEqual([all?.['avg'], all?.['min'], all?.['max'], all?.['count']], [14.5, 0, 29, 30])
    const { response } = await surface.open(
      '/api/v1/tables/readings/aggregate?fn=sum,stddev&format=csv&where=value%3C1&from=30m',
    )
    const csv = Buffer.concat(await response.toArray()).toString()
    const time = new Date(nowMs - 30 * minuteMs).toISOString()
    assert.equal(
      csv,
      `time,device,metric,unit,origin,sum,stddev\r\n${time},freezer-1,temperature,°C,gw-1,0,\r\n`,
      'what there is nothing to say of is an empty cell',
    )
  })

  it('tell the latest reading of each series, or the latest before a time', async () => {
    assert.deepEqual(valuesOf(await lines('latest')), [29, 129])
    assert.deepEqual(valuesOf(await lines('latest?to=10m&device=*-2')), [119])
    assert.deepEqual(valuesOf(await lines(`latest?where=${encodeURIComponent('value > 100')}`)), [129])
  })

  it('name the parameter that is wrong, and the nearest that is right', async () => {
    const cases: readonly (readonly [path: string, message: RegExp, hint: RegExp])[] = [
      ['readings?divice=x', /unknown parameter "divice"/, /did you mean "device"/],
      ['readings?order=up', /"order" is "up"/, /asc/],
      ['readings?where=valu%20%3E%208', /"where" is not understood at character 1: .*valu/, /expression/],
      ['readings?page=0', /"page" is not a whole number/, /./],
      ['readings?page=5&limit=5', /"limit" does not go with pages/, /page=N/],
      ['readings?page=5&format=csv', /"format" csv has no place/, /leave it out/],
      ['readings?cursor=abc', /"cursor" is not one that a page ended with/, /begin again/],
      ['aggregate?every=5x', /"every" is not the length/, /15m/],
      ['aggregate?fn=mean', /"fn" names no function: "mean"/, /did you mean "avg"/],
      ['aggregate?fn=maxx', /"fn" names no function/, /did you mean "max"/],
      ['aggregate?every=1m&fill=lineer', /"fill" is not a way to fill/, /did you mean "linear"/],
      ['aggregate?every=1d&zone=Europe/Berln', /"zone" is no time zone/, /Europe\/Berlin/],
      ['aggregate?every=1h&zone=Europe/Berlin', /"zone" is for intervals of whole days/, /every=1d/],
      ['aggregate?every=1ms&fill=null&from=2h&to=now', /"every" cuts the range into more than/, /longer/],
      ['aggregate?order=asc', /unknown parameter "order"/, /./],
      ['latest?limit=3', /unknown parameter "limit"/, /./],
      ['readings?from=1h&to=2h', /"from" is after "to"/, /exchange/],
    ]
    for (const [path, message, hint] of cases) {
      const { status, json } = await ask(path)
      const fault = json as Readonly<Record<string, string>>
      assert.equal(status, 400, path)
      assert.equal(fault['code'], 'BAD_ARGUMENT', path)
      assert.match(fault['message'] ?? '', message)
      assert.match(`${fault['hint']} `, hint, path)
    }
  })

  it('are refused where nobody knows the language', async () => {
    const other = await openSurface()
    const { status, text } = await other.call('GET', '/api/v1/tables/readings/readings?where=true')
    assert.equal(status, 400)
    assert.match(text, /no language for \\"where\\"/)
    await other.remove()
  })
})

describe('a walk over a table', () => {
  const pageOf = async (surface: Surface, parameters: string) => {
    const answer = await surface.call('GET', `/api/v1/tables/readings/readings?${parameters}`)
    assert.equal(answer.status, 200, answer.text)
    const page = answer.lines.at(-1) as { kind: string; cursor: string; more: boolean }
    assert.equal(page.kind, 'page')
    return { values: (answer.lines.slice(0, -1) as Line[]).map(({ value }) => value), ...page }
  }

  it('sees each reading once while others are stored, and goes on with what has come since, late ones too', async () => {
    const surface = await openSurface()
    const append = (...values: (readonly [value: number, minutes: number])[]) => {
      const readings = values.map(([value, minutes]) => reading('d', value, nowMs - minutes * minuteMs))
      return surface.store.commit([{ kind: 'append', table: 'readings', readings }], 'now')
    }
    await append([1, 50], [2, 40], [3, 30], [4, 20], [5, 10])
    const first = await pageOf(surface, 'page=2')
    assert.deepEqual([first.values, first.more], [[1, 2], true])
    await append([6, 60], [7, 25], [8, 1])
    const second = await pageOf(surface, `page=2&cursor=${first.cursor}`)
    const third = await pageOf(surface, `page=2&cursor=${second.cursor}`)
    assert.deepEqual([second.values, third.values, third.more], [[3, 4], [5], false])
    const later = await pageOf(surface, `cursor=${third.cursor}`)
    assert.deepEqual([later.values, later.more], [[6, 7, 8], false])
    assert.deepEqual((await pageOf(surface, `cursor=${later.cursor}`)).values, [])
    assert.deepEqual((await pageOf(surface, 'page=2&order=desc')).values, [8, 5])
    await surface.remove()
  })

  it('keeps its question: nothing may be changed in it, and a range that was relative does not move', async () => {
    const surface = await openSurface()
    const readings = [1, 2, 3].map(value => arrival('d', value, nowMs - value * minuteMs))
    await surface.store.commit([{ kind: 'append', table: 'readings', readings }], 'now')
    const { cursor } = await pageOf(surface, 'page=1&device=d&from=2m&order=desc')
    assert.deepEqual((await pageOf(surface, `page=9&device=d&from=2m&cursor=${cursor}`)).values, [2])
    const changed = await surface.call('GET', `/api/v1/tables/readings/readings?device=e&cursor=${cursor}`)
    assert.equal(changed.status, 400)
    assert.match(changed.text, /\\"device\\" is not what it was when the walk of this cursor began/)
    const strangers = [
      [1, 'other', 'readings', Array(8).fill(null), nowMs, 0, null, null],
      [1, surface.store.epoch, 'alerts', Array(8).fill(null), nowMs, 0, null, null],
      [1, surface.store.epoch, 'readings', Array(8).fill(null), nowMs, 0, [99, 0], null],
      [1, surface.store.epoch, 'readings', Array(8).fill(null), nowMs, -1, null, null],
      [1, surface.store.epoch, 'readings', Array(8).fill(null), nowMs, 0, null, ['x', 1]],
      [1, surface.store.epoch, 'readings', [1, 2], nowMs, 0, null, null],
      [2, surface.store.epoch, 'readings', Array(8).fill(null), nowMs, 0, null, null],
      null,
    ]
    for (const stranger of strangers) {
      const text = Buffer.from(JSON.stringify(stranger)).toString('base64url')
      const { status } = await surface.call('GET', `/api/v1/tables/readings/readings?cursor=${text}`)
      assert.equal(status, 400, JSON.stringify(stranger))
    }
    await surface.remove()
  })

  it('of a reader who does not read, and then leaves, is not looked for any longer', async () => {
    let asked = 0
    const surface = await openSurface({
      where: () => ({ isOfSeries: false, chooses: () => asked++ >= 0 }),
    })
    const hourMs = 60 * minuteMs
    for (let hour = 0; hour < 40; hour++) {
      const readings = Array.from({ length: 2_000 }, (_, index) => reading('d', index, hour * hourMs + index))
      await surface.store.commit([{ kind: 'append', table: 'readings', readings }], 'now')
    }
    const { request, response } = await surface.open('/api/v1/tables/readings/readings?where=true&from=0')
    const closed = new Promise(resolve => response.once('close', resolve))
    response.once('error', () => undefined)
    request.destroy()
    await closed
    await new Promise(resolve => setTimeout(resolve, 50))
    const then = asked
    await new Promise(resolve => setTimeout(resolve, 50))
    assert.equal(asked, then)
    assert.ok(asked < 80_000, `${asked}`)
    await surface.remove()
  })
})
