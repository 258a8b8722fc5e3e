import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, before, test } from 'node:test'
import { intakesMax, itemsPerCommit } from '../../runtime/transfer/limits.ts'
import { nowMs, openSurface, reading, type Surface } from './surface.ts'

let surface: Surface
before(async () => {
  surface = await openSurface()
})
after(() => surface.remove())

const lines = { 'content-type': 'application/x-ndjson' }
const path = '/api/v1/tables/readings/readings'
const line = (device: string, n: number, more: object = {}): string =>
  `${JSON.stringify({ time: new Date(nowMs - n * 1_000).toISOString(), device, metric: 't', value: n, ...more })}\n`
const stored = async (device: string) => {
  const found = []
  for await (const entry of surface.store.query('readings', { device })) found.push(entry)
  return found
}

test('lines become readings with a time of their own, and the answer comes once they are stored', async () => {
  const body = line('a', 2, { unit: '°C', id: 'x' }) + '\n' + line('a', 1, { value: { lat: 1 }, seq: 7, origin: 'z' })
  const { status, json } = await surface.call('POST', path, body.trimEnd(), lines)
  assert.equal(status, 200)
  assert.deepEqual(json, { lines: 3, stored: 2, duplicates: 0 })
  const [first, second] = await stored('a')
  assert.deepEqual(
    [first?.value, first?.deviceTimeMs, first?.arrivalMs, first?.series.unit, first?.id, first?.origin],
    [2, nowMs - 2_000, nowMs, '°C', 'x', 'gw-1'],
  )
  assert.deepEqual([second?.value, second?.id, second?.joined], [{ lat: 1 }, undefined, false])
})

test('the same lines again are stored once', async () => {
  const body = line('b', 2) + line('b', 1) + line('b', 1)
  assert.deepEqual((await surface.call('POST', path, body, lines)).json, { lines: 3, stored: 2, duplicates: 1 })
  assert.deepEqual((await surface.call('POST', path, body, lines)).json, { lines: 3, stored: 0, duplicates: 3 })
})

test('a line that is wrong is named, and what stood before it is stored', async () => {
  for (const [device, bad, reason] of [
    ['c1', '{"time":1', 'it is not JSON'],
    ['c2', '[]', 'it is not an object'],
    ['c3', '{"device":"c","metric":"t","value":1}', 'the time is missing'],
    ['c4', '{"time":"soon","device":"c","metric":"t","value":1}', 'the time is not in ISO 8601 form'],
    ['c5', `{"time":${nowMs},"device":"c/d","metric":"t","value":1}`, 'the device holds "/"'],
    ['c6', `{"time":${nowMs},"device":"c","metric":"t"}`, 'the value is missing'],
    ['c7', `{"time":${nowMs},"device":"c","metric":"t","value":null}`, 'the value is null'],
    ['c8', `{"time":${nowMs},"device":"c","metric":"t","value":1,"unit":7}`, 'the unit is not a text'],
    ['c9', `{"time":${nowMs},"device":"c","metric":"t","value":"${'x'.repeat(5_000)}"}`, 'the value is a text of more'],
  ] as const) {
    const { status, json } = await surface.call('POST', path, `${line(device, 1)}${bad}\n${line(device, 2)}`, lines)
    const { code, message, hint } = json as Record<string, string>
    assert.deepEqual([status, code], [400, 'BAD_ARGUMENT'])
    assert.ok(message?.startsWith(`line 2: ${reason}`), message)
    assert.equal(hint, 'what stood before line 2 is stored; the same lines again are stored once')
    assert.equal((await stored(device)).length, 1)
  }
})

test('a list is taken whole or not at all', async () => {
  const one = JSON.parse(line('d', 1)) as object
  assert.deepEqual((await surface.call('POST', path, JSON.stringify([one, { ...one, value: 2 }]))).json, {
    lines: 0,
    stored: 2,
    duplicates: 0,
  })
  const { status, json } = await surface.call(
    'POST',
    path,
    JSON.stringify([
      { ...one, value: 3 },
      { ...one, time: 'x' },
    ]),
  )
  assert.equal(status, 400)
  assert.match((json as { message: string }).message, /^item 2: the time is not in ISO 8601 form/)
  assert.equal((await stored('d')).length, 2)
  const large = await surface.call('POST', path, JSON.stringify({ ...one, value: 'x'.repeat(70_000) }))
  assert.equal(large.status, 413)
})

test('rows are taken in too; one that stands already is not written again', async () => {
  const rows = '/api/v1/tables/thresholds/rows'
  const body = '{"key":"a/b","value":{"max":8}}\n{"key":"c","value":null}\n'
  assert.deepEqual((await surface.call('POST', rows, body, lines)).json, { lines: 2, stored: 2, duplicates: 0 })
  assert.deepEqual(surface.store.latest('thresholds', 'a/b')?.value, { max: 8 })
  const head = surface.store.head('thresholds')
  assert.deepEqual((await surface.call('POST', rows, body, lines)).json, { lines: 2, stored: 0, duplicates: 2 })
  assert.equal(surface.store.head('thresholds'), head)
  for (const [bad, reason] of [
    ['{"value":1}', 'the key is missing'],
    ['{"key":7,"value":1}', 'the key is not a text'],
    ['{"key":"","value":1}', 'a key of table "thresholds" must have 1 to 1024 bytes'],
    ['{"key":"k"}', 'the value is missing'],
    [`{"key":"k","value":"${'x'.repeat(130_000)}"}`, 'a row of table "thresholds" has 130002 bytes'],
  ] as const) {
    const { json } = await surface.call('POST', rows, bad, lines)
    assert.ok((json as { message: string }).message.startsWith(`line 1: ${reason}`), bad)
  }
})

test('rows that come together are no transaction, or it would not fit a frame', async () => {
  const body = Array.from({ length: 10 }, (_, n) => `{"key":"t${n}","value":${n}}\n`).join('')
  const before = surface.store.head('thresholds')
  await surface.call('POST', '/api/v1/tables/thresholds/rows', body, lines)
  const entries = await surface.store.read('thresholds', before, 100)
  assert.deepEqual(
    entries.map(({ joined }) => joined),
    entries.map(() => false),
  )
})

test('what is no table, no lines, or of the other kind is refused', async () => {
  for (const [where, headers, status] of [
    ['/api/v1/tables/nothing/readings', lines, 404],
    ['/api/v1/tables/thresholds/readings', lines, 409],
    ['/api/v1/tables/readings/rows', lines, 409],
    [path, { 'content-type': 'text/csv' }, 400],
  ] as const) {
    assert.equal((await surface.call('POST', where, line('e', 1), headers)).status, status, where)
  }
  assert.deepEqual(await stored('e'), [])
})

test('much is taken in as it comes, with one commit after the other', async () => {
  const count = itemsPerCommit * 3 + 5
  const body = Array.from({ length: count }, (_, n) => line('f', n)).join('')
  const commits = surface.store.status().commits
  assert.deepEqual((await surface.call('POST', path, body, lines)).json, { lines: count, stored: count, duplicates: 0 })
  assert.equal((await stored('f')).length, count)
  assert.equal(surface.store.status().commits - commits, 4)
})

test('so many callers may send at once; one more is refused, and a place is free again when one leaves', async () => {
  const half = () => {
    const sent = request({ socketPath: surface.socket, method: 'POST', path, headers: lines, agent: false })
    sent.on('error', () => undefined)
    sent.write(line('g', 1).slice(0, 20))
    return sent
  }
  const callers = Array.from({ length: intakesMax }, half)
  const busy = async (): Promise<boolean> => (await surface.call('POST', path, line('h', 1), lines)).status === 503
  while (!(await busy())) await new Promise(resolve => setTimeout(resolve, 5))
  callers[0]?.destroy()
  while (await busy()) await new Promise(resolve => setTimeout(resolve, 5))
  for (const caller of callers) caller.destroy()
  assert.deepEqual(await stored('g'), [])
  assert.equal((await stored('h')).length, 1)
})

test('a full store refuses with its error, and tells which lines are stored', async () => {
  const store = surface.store as unknown as { commit: typeof surface.store.commit }
  const commit = surface.store.commit.bind(surface.store)
  let count = 0
  const { HoldfastError } = await import('../../runtime/errors.ts')
  store.commit = (...args) => {
    return count++ === 0
      ? commit(...args)
      : Promise.reject(new HoldfastError('STORE_FULL', 'the disk is nearly full', 'free some'))
  }
  const body = Array.from({ length: itemsPerCommit + 5 }, (_, n) => line('i', n)).join('')
  const { status, json } = await surface.call('POST', path, body, lines)
  store.commit = commit
  assert.equal(status, 507)
  assert.deepEqual(json, {
    code: 'STORE_FULL',
    message: `the disk is nearly full; lines up to ${itemsPerCommit} are stored`,
    hint: 'free some',
  })
})

test('readings that come while the clock is not trusted name their boot', async () => {
  const doubtful = await openSurface({ boot: () => 'boot-1' })
  await doubtful.call('POST', path, line('j', 1), lines)
  await doubtful.store.commit([{ kind: 'append', table: 'readings', readings: [reading('other', 1, nowMs)] }])
  for await (const { boot, deviceTimeMs } of doubtful.store.query('readings', { device: 'j' })) {
    assert.deepEqual([boot, deviceTimeMs], ['boot-1', nowMs - 1_000])
  }
  await doubtful.remove()
})

test('lines may come for longer than another request may take, as long as they come', async () => {
  const hasty = await openSurface({ times: { headersMs: 50, requestMs: 100 } })
  const send = () => {
    const sent = request({ socketPath: hasty.socket, method: 'POST', path, headers: lines, agent: false })
    const status = new Promise<number | undefined>((resolve, reject) => {
      sent.on('response', response => resolve(response.resume().statusCode)).on('error', reject)
    })
    return { sent, status }
  }
  const going = send()
  for (let n = 0; n < 20; n++) {
    going.sent.write(line('k', n))
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  going.sent.end()
  assert.equal(await going.status, 200)
  const stuck = send()
  stuck.sent.write(line('k', 20))
  assert.equal(await stuck.status, 408)
  await hasty.remove()
})
