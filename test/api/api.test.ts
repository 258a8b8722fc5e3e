import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { linesOf, nowMs, openSurface, reading, type Surface } from './surface.ts'

let surface: Surface
before(async () => {
  surface = await openSurface()
  const hourMs = 3_600_000
  await surface.store.commit([
    {
      kind: 'append',
      table: 'readings',
      readings: [
        reading('freezer-1', -18.5, nowMs - 3 * hourMs),
        reading('freezer-1', -17, nowMs - hourMs / 2),
        reading('freezer-2', -20, nowMs - hourMs / 4),
      ],
    },
  ])
})
after(() => surface.remove())

test('the socket belongs to its owner alone', () => {
  assert.equal(statSync(surface.socket).mode & 0o777, 0o600)
})

test('status is what the gateway tells', async () => {
  const { status, json } = await surface.call('GET', '/api/v1/status')
  assert.equal(status, 200)
  assert.deepEqual(json, { gateway: { id: 'gw-1' } })
})

test('tables are listed with kind and positions', async () => {
  const { json } = await surface.call('GET', '/api/v1/tables/readings')
  const { bytes, log_bytes: logBytes, ...rest } = json as Record<string, unknown>
  assert.deepEqual(rest, { name: 'readings', kind: 'series', first: 1, head: 3, series: 2, rows: 3 })
  assert.ok(Number(bytes) > 0)
  assert.equal(logBytes, bytes, 'nothing is packed yet')
  const all = await surface.call('GET', '/api/v1/tables')
  assert.deepEqual(
    (all.json as { name: string }[]).map(({ name }) => name),
    ['readings', 'thresholds', 'alerts'],
  )
})

test('a row is written, read, listed and removed', async () => {
  const path = '/api/v1/tables/thresholds/rows/freezer-1'
  const put = await surface.call('PUT', path, '{"max":8}')
  assert.equal(put.status, 200)
  const row = (await surface.call('GET', path)).json as Record<string, unknown>
  assert.equal(row.key, 'freezer-1')
  assert.deepEqual(row.value, { max: 8 })
  assert.equal(row.origin, 'gw-1')
  assert.deepEqual(put.json, row)
  const listed = await surface.call('GET', '/api/v1/tables/thresholds/rows?prefix=freezer')
  assert.deepEqual(listed.lines, [row])
  assert.deepEqual((await surface.call('GET', '/api/v1/tables/thresholds/rows?prefix=pump')).lines, [])
  assert.deepEqual((await surface.call('DELETE', path)).json, { key: 'freezer-1', deleted: true })
  assert.equal((await surface.call('GET', path)).status, 404)
  assert.equal((await surface.call('DELETE', path)).status, 404)
})

test('keys may hold slashes, percent signs, dots and any other text', async () => {
  for (const key of [
    'site/1/pump',
    '100%',
    '%2e%2e',
    'a b?c#d',
    'Ünï',
    '__proto__',
    'constructor',
    'a/../b',
    'a\u0000b',
  ]) {
    const path = `/api/v1/tables/thresholds/rows/${encodeURIComponent(key)}`
    const put = await surface.call('PUT', path, '1')
    assert.equal(put.status, 200, key)
    assert.equal((put.json as { key: string }).key, key)
    assert.equal(surface.store.latest('thresholds', key)?.value, 1)
    await surface.call('DELETE', path)
  }
})

test('a value comes back as it was, the name __proto__ included', async () => {
  const text = '{"__proto__":{"polluted":true},"list":[1,null,"x"],"deep":{"er":false}}'
  const put = await surface.call('PUT', '/api/v1/tables/thresholds/rows/odd', text)
  assert.equal(JSON.stringify((put.json as { value: unknown }).value), text)
  assert.equal(({} as Record<string, unknown>).polluted, undefined)
  await surface.call('DELETE', '/api/v1/tables/thresholds/rows/odd')
})

test('readings are chosen by device, metric and time', async () => {
  const values = async (query: string): Promise<unknown[]> =>
    (await surface.call('GET', `/api/v1/tables/readings/readings?${query}`)).lines.map(
      line => (line as { value: unknown }).value,
    )
  assert.deepEqual(await values(''), [-18.5, -17, -20])
  assert.deepEqual(await values('device=freezer-1'), [-18.5, -17])
  assert.deepEqual(await values('device=*-2&metric=temp*'), [-20])
  assert.deepEqual(await values('from=1h'), [-17, -20])
  assert.deepEqual(await values('from=2024-01-02T09:00:00Z&to=2024-01-02T11:00:00Z'), [-18.5])
  assert.deepEqual(await values(`from=${nowMs - 1_000_000}&to=now`), [-20])
  assert.deepEqual(await values('limit=1'), [-20])
})

test('a reading has one form, with null for what it has not', async () => {
  const { lines } = await surface.call('GET', '/api/v1/tables/readings/readings?device=freezer-2')
  const { stamp, ...rest } = lines[0] as Record<string, unknown>
  assert.equal(typeof stamp, 'number')
  assert.deepEqual(rest, {
    kind: 'reading',
    seq: 3,
    time: '2024-01-02T11:45:00.000Z',
    time_ms: nowMs - 900_000,
    device: 'freezer-2',
    metric: 'temperature',
    value: -20,
    unit: '°C',
    id: null,
    device_time_ms: nowMs - 900_000,
    arrival_ms: nowMs,
    clock: 'trusted',
    origin: 'gw-1',
    via: null,
  })
})

test('a tail tells what is there and then what comes, deletions too', async () => {
  const { request, response } = await surface.open('/api/v1/tables/alerts/tail?from=beginning')
  await surface.call('PUT', '/api/v1/tables/alerts/rows/a', '"firing"')
  await surface.call('DELETE', '/api/v1/tables/alerts/rows/a')
  const told: unknown[] = []
  for await (const { key, value, deleted } of linesOf(response)) {
    told.push([key, value, deleted])
    if (told.length === 2) break
  }
  assert.deepEqual(told, [
    ['a', 'firing', false],
    ['a', null, true],
  ])
  request.destroy()
})

test('a tail from now leaves out what was before', async () => {
  await surface.call('PUT', '/api/v1/tables/alerts/rows/old', '1')
  const { request, response } = await surface.open('/api/v1/tables/alerts/tail')
  await surface.call('PUT', '/api/v1/tables/alerts/rows/new', '2')
  for await (const { key } of linesOf(response)) {
    assert.equal(key, 'new')
    break
  }
  request.destroy()
})
