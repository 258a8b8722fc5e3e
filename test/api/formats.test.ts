import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { nowMs, openSurface, reading, type Surface } from './surface.ts'

let surface: Surface
before(async () => {
  surface = await openSurface()
  await surface.store.commit([
    {
      kind: 'append',
      table: 'readings',
      readings: [
        reading('freezer-1', -18.5, nowMs - 2_000),
        { ...reading('freezer-1', 0, nowMs - 1_000), value: 'a "door", open', unit: undefined, id: 'x7' },
        { ...reading('truck-1', 0, nowMs), metric: 'position', value: { lat: 48.1, lon: 11.5 } },
      ],
    },
  ])
  await surface.store.commit([{ kind: 'put', table: 'thresholds', key: 'freezer-1', value: { max: 8 } }])
})
after(() => surface.remove())

const raw = async (path: string): Promise<{ type: string | undefined; text: string; whole: boolean }> => {
  const { response } = await surface.open(path)
  const text = Buffer.concat(await response.toArray()).toString()
  return { type: response.headers['content-type'], text, whole: response.complete }
}

test('readings come as CSV with a head line', async () => {
  const { type, text } = await raw('/api/v1/tables/readings/readings?format=csv')
  assert.equal(type, 'text/csv; charset=utf-8')
  assert.deepEqual(text.split('\r\n'), [
    'time,device,metric,value,unit,id,origin',
    '2024-01-02T11:59:58.000Z,freezer-1,temperature,-18.5,°C,,gw-1',
    '2024-01-02T11:59:59.000Z,freezer-1,temperature,"a ""door"", open",,x7,gw-1',
    '2024-01-02T12:00:00.000Z,truck-1,position,"{""lat"":48.1,""lon"":11.5}",°C,,gw-1',
    '',
  ])
})

test('readings come as one JSON array with the same objects as the JSON lines', async () => {
  const lines = (await surface.call('GET', '/api/v1/tables/readings/readings')).lines
  const named = (await surface.call('GET', '/api/v1/tables/readings/readings?format=ndjson')).lines
  const array = await raw('/api/v1/tables/readings/readings?format=json')
  assert.deepEqual(named, lines)
  assert.deepEqual(JSON.parse(array.text), lines)
  assert.equal(array.type, 'application/json; charset=utf-8')
})

test('a list without items is whole in every notation', async () => {
  const path = '/api/v1/tables/readings/readings?device=nobody'
  assert.equal((await raw(`${path}&format=csv`)).text, 'time,device,metric,value,unit,id,origin\r\n')
  assert.deepEqual(JSON.parse((await raw(`${path}&format=json`)).text), [])
  assert.equal((await raw(path)).text, '')
})

test('rows come in the same notations', async () => {
  const { text } = await raw('/api/v1/tables/thresholds/rows?format=csv')
  assert.match(text, /^key,value,time,origin\r\nfreezer-1,"\{""max"":8\}",\S+Z,gw-1\r\n$/)
  assert.equal((JSON.parse((await raw('/api/v1/tables/thresholds/rows?format=json')).text) as unknown[]).length, 1)
})

test('a format that is not known is refused, and one that is given twice', async () => {
  for (const query of ['format=xml', 'format=csv&format=json', 'format=']) {
    const { status, json } = await surface.call('GET', `/api/v1/tables/readings/readings?${query}`)
    assert.equal(status, 400)
    assert.equal((json as { code: string }).code, 'BAD_ARGUMENT')
  }
})

test('what fails in the middle breaks off the connection where no last line can tell it', async () => {
  const failing = await openSurface()
  const store = failing.store as unknown as { query: () => AsyncGenerator<object> }
  store.query = async function* () {
    for await (const first of surface.store.query('readings', {})) {
      for (let count = 0; count < 1_000; count++) yield first
    }
    throw new Error('the disk is gone')
  }
  for (const format of ['csv', 'json']) {
    const { response } = await failing.open(`/api/v1/tables/readings/readings?format=${format}`)
    await assert.rejects(response.toArray(), { code: 'ECONNRESET' })
    assert.equal(response.complete, false)
  }
  const { response } = await failing.open('/api/v1/tables/readings/readings')
  assert.match(Buffer.concat(await response.toArray()).toString(), /\{"error":\{"code":"INTERNAL"/)
  await failing.remove()
})
