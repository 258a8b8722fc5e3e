import assert from 'node:assert/strict'
import { mkdtempSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openApi } from '../../runtime/api/api.ts'
import { bodyBytesMax, readersMax } from '../../runtime/api/limits.ts'
import { silentLog } from '../../runtime/log.ts'
import type { Store } from '../../runtime/store/store.ts'
import { linesOf, openSurface, reading, nowMs, type Surface } from './surface.ts'

let surface: Surface
before(async () => {
  surface = await openSurface({ times: { keepaliveMs: 20 } })
})
after(() => surface.remove())

const refuses = async (
  [method, path, body, headers]: Parameters<Surface['call']>,
  status: number,
  code: string,
  message = /./,
): Promise<void> => {
  const answer = await surface.call(method, path, body, headers)
  const fault = answer.json as { code: string; message: string; hint: string }
  assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`)
  assert.equal(fault.code, code)
  assert.match(`${fault.message}. ${fault.hint}`, message)
}

test('a table that is not there is refused, with the nearest name', async () => {
  await refuses(['GET', '/api/v1/tables/reading/tail'], 404, 'TABLE_UNKNOWN', /did you mean "readings"\?/)
  for (const name of ['__proto__', 'constructor', 'toString', '%2e%2e%2fx', 'a%00b', 'CON', 'x'.repeat(2_000)]) {
    await refuses(['GET', `/api/v1/tables/${name}/rows`], 404, 'TABLE_UNKNOWN')
    await refuses(['PUT', `/api/v1/tables/${name}/rows/a`, '1'], 404, 'TABLE_UNKNOWN')
  }
})

test('path tricks lead nowhere', async () => {
  for (const path of [
    '/',
    '/api',
    '/api/v2/status',
    '/api/v1/',
    '/api/v1/status/../../x',
    '/api/v1/%2e%2e/%2e%2e/etc/passwd',
  ]) {
    await refuses(['GET', path], 404, 'NOT_FOUND')
  }
  await refuses(['GET', '/api/v1/tables/thresholds/rows/%2e%2e'], 404, 'NOT_FOUND')
  await refuses(['POST', '/api/v1/tables/thresholds/rows/a', '1'], 404, 'NOT_FOUND')
})

test('rows are asked of records tables and readings of series tables', async () => {
  await refuses(['GET', '/api/v1/tables/readings/rows'], 409, 'TABLE_KIND')
  await refuses(['PUT', '/api/v1/tables/readings/rows/a', '1'], 409, 'TABLE_KIND')
  await refuses(['GET', '/api/v1/tables/thresholds/readings'], 409, 'TABLE_KIND')
})

test('a body that is too large is refused before it is parsed, whether it tells its length or not', async () => {
  const large = `"${'x'.repeat(bodyBytesMax)}"`
  await refuses(['PUT', '/api/v1/tables/thresholds/rows/a', large], 413, 'BODY_TOO_LARGE')
  const chunked = { 'content-type': 'application/json', 'transfer-encoding': 'chunked' }
  await refuses(['PUT', '/api/v1/tables/thresholds/rows/a', large, chunked], 413, 'BODY_TOO_LARGE')
  assert.equal(surface.store.latest('thresholds', 'a'), undefined)
  const largest = `"${'x'.repeat(bodyBytesMax - 2)}"`
  assert.equal((await surface.call('PUT', '/api/v1/tables/thresholds/rows/large', largest)).status, 200)
})

test('a body that is no JSON, or does not say so, is refused', async () => {
  for (const body of ['{"a":', 'on', '', '1 2', '\u0000', 'NaN']) {
    await refuses(['PUT', '/api/v1/tables/thresholds/rows/a', body], 400, 'BAD_ARGUMENT')
  }
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  await refuses(['PUT', '/api/v1/tables/thresholds/rows/a', '1', form], 400, 'BAD_ARGUMENT', /content-type/)
  assert.equal(surface.store.latest('thresholds', 'a'), undefined)
})

test('a key that is too long is refused by a sentence', async () => {
  await refuses(['PUT', `/api/v1/tables/thresholds/rows/${'k'.repeat(1025)}`, '1'], 400, 'BAD_ARGUMENT', /1024 bytes/)
})

test('parameters that are unknown, repeated or nonsense are refused', async () => {
  const path = '/api/v1/tables/readings/readings'
  await refuses(['GET', `${path}?metrics=x`], 400, 'BAD_ARGUMENT', /did you mean "metric"\?/)
  await refuses(['GET', `${path}?device=a&device=b`], 400, 'BAD_ARGUMENT', /twice/)
  await refuses(['GET', `${path}?__proto__=b`], 400, 'BAD_ARGUMENT', /unknown parameter/)
  for (const from of ['yesterday', '', '1x', '2024-13-01', '5 minutes', '-1h']) {
    await refuses(['GET', `${path}?from=${encodeURIComponent(from)}`], 400, 'BAD_ARGUMENT', /not a time/)
  }
  await refuses(['GET', `${path}?from=1h&to=2h`], 400, 'BAD_ARGUMENT', /after/)
  for (const limit of ['0', '-1', '1.5', 'all', '999999999']) {
    await refuses(['GET', `${path}?limit=${limit}`], 400, 'BAD_ARGUMENT', /limit/)
  }
  await refuses(['GET', '/api/v1/tables/readings/tail?from=7'], 400, 'BAD_ARGUMENT', /now or beginning/)
})

test('headers that are too large are refused', async () => {
  const answer = await new Promise<number | undefined>((resolve, reject) => {
    const headers = { 'x-large': 'x'.repeat(20_000) }
    request({ socketPath: surface.socket, path: '/api/v1/status', headers, agent: false }, response => {
      response.resume()
      resolve(response.statusCode)
    })
      .on('error', reject)
      .end()
  })
  assert.equal(answer, 431)
})

test('headers or a body that never end are cut off', async () => {
  const hasty = await openSurface({ times: { headersMs: 50, requestMs: 100 } })
  for (const text of [
    'GET /api/v1/status HTTP/1.1\r\nhost: x\r\n',
    'PUT /api/v1/tables/thresholds/rows/slow HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n1',
  ]) {
    const socket = connect(hasty.socket)
    socket.write(text)
    assert.match(Buffer.concat(await socket.toArray()).toString(), /^HTTP\/1\.1 408 /)
  }
  assert.equal(hasty.store.latest('thresholds', 'slow'), undefined)
  await hasty.remove()
})

test('a silent tail says with blank lines that it is there', async () => {
  const { request: sent, response } = await surface.open('/api/v1/tables/alerts/tail')
  let text = ''
  for await (const chunk of response) {
    text += String(chunk)
    if (text.length >= 3) break
  }
  assert.match(text, /^\n+$/)
  sent.destroy()
})

test('readers that leave give their places back, and one too many is refused', async () => {
  const enter = (): ReturnType<Surface['open']> => surface.open('/api/v1/tables/alerts/tail')
  for (let round = 0; round < 3; round++) {
    const readers = await Promise.all(Array.from({ length: readersMax }, enter))
    await refuses(['GET', '/api/v1/tables/alerts/tail'], 503, 'API_BUSY')
    for (const { request: sent, response } of readers) {
      response.on('error', () => undefined)
      sent.destroy()
    }
    // The gateway hears of it when the sockets close: ask until there is room again.
    for (;;) {
      const next = await enter()
      next.response.on('error', () => undefined).resume()
      next.request.destroy()
      if (next.response.statusCode === 200) break
    }
  }
})

test('a reader that does not read is written to as far as the socket takes it, and no further', async () => {
  const told = batchesTold(surface.store)
  const { request: sent, response } = await surface.open('/api/v1/tables/readings/tail?from=beginning')
  response.pause()
  for (let round = 0; round < 20; round++) {
    const readings = Array.from({ length: 200 }, (_, index) => ({
      ...reading('slow', 0, nowMs - round * 1_000 - index),
      value: { text: 'x'.repeat(4_000) },
    }))
    await surface.store.commit([{ kind: 'append', table: 'readings', readings }], 'now')
  }
  assert.equal((await surface.call('GET', '/api/v1/status')).status, 200)
  assert.ok(told.count <= 4, `${told.count} batches of up to 800 kB wait in memory`)
  let seq = 0
  for await (const line of linesOf(response)) {
    assert.equal(line.seq, ++seq)
    if (seq === 4_000) break
  }
  assert.ok(told.count >= 20, `${told.count} batches in all`)
  sent.destroy()
})

/** Counts the batches that followers of a store take. */
function batchesTold(store: Store): { count: number } {
  const told = { count: 0 }
  const follow = store.follow.bind(store)
  store.follow = async function* (...wishes) {
    for await (const entries of follow(...wishes)) {
      told.count++
      yield entries
    }
  }
  return told
}

test('a status that fails is told without its reason, which stands in the log', async () => {
  const failing = await openSurface({ status: () => Promise.reject(new Error('secret path /x')) })
  const { status, text, json } = await failing.call('GET', '/api/v1/status')
  assert.equal(status, 500)
  assert.equal((json as { code: string }).code, 'INTERNAL')
  assert.doesNotMatch(text, /secret|at .*\.js/)
  await failing.remove()
})

test('closing ends open tails with a sentence, and removes the socket', async () => {
  const closing = await openSurface()
  const { response } = await closing.open('/api/v1/tables/alerts/tail')
  const last = linesOf(response).next()
  await closing.close()
  assert.deepEqual((await last).value, {
    error: { code: 'STORE_CLOSED', message: 'the gateway is closing', hint: '' },
  })
  assert.equal(existsSync(closing.socket), false)
  await closing.remove()
})

test('a socket left by a dead gateway is taken over; one that answers, or a file, is left alone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-socket-'))
  const open = (socket: string) =>
    openApi({ socket, store: surface.store, status: () => ({}), now: () => nowMs, log: silentLog })

  const stale = join(folder, 'stale.sock')
  await leaveBehind(stale)
  const api = await open(stale)
  await assert.rejects(open(stale), { code: 'ADDRESS_IN_USE' })
  assert.equal(existsSync(stale), true)
  await api.close()

  const file = join(folder, 'file')
  writeFileSync(file, 'precious')
  await assert.rejects(open(file), { code: 'ADDRESS_UNAVAILABLE' })
  assert.equal(existsSync(file), true)
  await assert.rejects(open(join(file, 'below.sock')), { code: 'ADDRESS_UNAVAILABLE' })
  await assert.rejects(open(join(folder, 'missing', 'x.sock')), { code: 'ADDRESS_UNAVAILABLE' })
  rmSync(folder, { recursive: true })
})

/** A socket file without anybody behind it. */
async function leaveBehind(path: string): Promise<void> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(`${path}.made`, resolve))
  renameSync(`${path}.made`, path)
  await new Promise(resolve => server.close(resolve))
}
