/** Pages of devices on the LAN, and what must never be fetched. */
import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { isOfLan } from '../../runtime/lan-address.ts'
import { systemTime } from '../../runtime/replication/time.ts'
import { HttpPoll, type Resolve } from '../../runtime/sources/poll/http-poll.ts'

const nobody: Resolve = host => assert.fail(`${host} was looked up`)
const resolvingTo =
  (...addresses: string[]): Resolve =>
  (_host, done) =>
    done(
      null,
      addresses.map(address => ({ address, family: address.includes(':') ? 6 : 4 })),
    )

async function serve(t: TestContext, answer: RequestListener): Promise<number> {
  const server = createServer(answer)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const get = (url: string, resolve = nobody, timeoutMs = 5_000) =>
  new HttpPoll({ url, timeoutMs }, systemTime, resolve).ask().then(({ payload }) => payload.toString())

test('addresses of the LAN are private, link-local, unique local and loopback ones, and no others', () => {
  const lan =
    '10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.9.9 127.0.0.1 127.9.9.9 ::1 fd00::1 fc00::9 fe80::1 fe80::1%eth0 ::ffff:192.168.1.1'
  const world =
    '8.8.8.8 11.0.0.1 172.15.0.1 172.32.0.1 192.167.1.1 192.169.1.1 169.253.1.1 128.0.0.1 0.0.0.0 100.64.0.1 224.0.0.1 255.255.255.255 2001:4860:4860::8888 :: ff02::1 ::ffff:8.8.8.8 64:ff9b::8.8.8.8 example.org 10.0.0 1e3'
  for (const address of lan.split(' ')) assert.equal(isOfLan(address), true, address)
  for (const address of world.split(' ')) assert.equal(isOfLan(address), false, address)
})

describe('a page', () => {
  test('of a device is fetched, by address or by name', async t => {
    const hosts: (string | undefined)[] = []
    const port = await serve(t, (request, response) => {
      hosts.push(request.headers.host)
      response.end(`{"path":"${request.url}"}`)
    })
    assert.equal(await get(`http://127.0.0.1:${port}/status?x=1`), '{"path":"/status?x=1"}')
    assert.equal(await get(`http://boiler.lan:${port}/`, resolvingTo('127.0.0.1')), '{"path":"/"}')
    assert.deepEqual(hosts, [`127.0.0.1:${port}`, `boiler.lan:${port}`])
  })

  test('of the world is not fetched: not by its address, however it is written', async () => {
    for (const host of [
      '8.8.8.8',
      '[2001:4860:4860::8888]',
      '134744072',
      '0x08080808',
      '[::ffff:808:808]',
      '0.0.0.0',
    ]) {
      await assert.rejects(get(`http://${host}/`), /is not of the LAN/, host)
    }
  })

  test('of a name that means the world is not fetched, not even if it means the LAN too', async t => {
    const port = await serve(t, (_, response) => response.end('no'))
    const url = `http://device.example:${port}/`
    await assert.rejects(get(url, resolvingTo('8.8.8.8')), /8\.8\.8\.8 is not of the LAN/)
    await assert.rejects(get(url, resolvingTo('127.0.0.1', '8.8.8.8')), /8\.8\.8\.8 is not of the LAN/)
    await assert.rejects(get(url, resolvingTo()), /no address/)
  })

  test('of a name is asked at the address that was checked, and the name is looked up once', async t => {
    const port = await serve(t, (_, response) => response.end('yes'))
    let times = 0
    const changing: Resolve = (host, done) => resolvingTo(times++ === 0 ? '127.0.0.1' : '8.8.8.8')(host, done)
    assert.equal(await get(`http://rebinding.example:${port}/`, changing), 'yes')
    assert.equal(times, 1)
  })

  test('that sends us elsewhere is not followed, wherever that is', async t => {
    const port = await serve(t, (request, response) => {
      assert.notEqual(request.url, '/other')
      response.writeHead(302, { location: request.url === '/a' ? 'http://8.8.8.8/' : '/other' }).end()
    })
    await assert.rejects(get(`http://127.0.0.1:${port}/a`), /no redirect is followed/)
    await assert.rejects(get(`http://127.0.0.1:${port}/b`), /no redirect is followed/)
  })

  test('is bounded and timed, and taken whole or not at all', async t => {
    const port = await serve(t, ({ url }, response) => {
      if (url === '/large') response.end(Buffer.alloc(300_000))
      else if (url === '/slow') response.write('a')
      else if (url === '/cut') response.writeHead(200, { 'content-length': '100' }).write('a', () => response.destroy())
      else if (url === '/zip') response.writeHead(200, { 'content-encoding': 'gzip' }).end('a')
      else response.writeHead(503).end()
    })
    const page = (path: string, timeoutMs?: number) => get(`http://127.0.0.1:${port}/${path}`, nobody, timeoutMs)
    await assert.rejects(page('large'), /more than 262144 bytes/)
    await assert.rejects(page('slow', 200), /no whole answer within 0.2 s/)
    await assert.rejects(page('cut'), /ECONNRESET|aborted|whole/)
    await assert.rejects(page('zip'), /compressed/)
    await assert.rejects(page('error'), /status 503/)
  })
})
