import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { openProxy, type Proxy } from './proxy.ts'

/** A server that sends everything back, behind a proxy; both go away with the test. */
async function echoBehindProxy(t: TestContext): Promise<Proxy> {
  const peers = new Set<Socket>()
  const server = createServer(socket => {
    peers.add(socket)
    socket.on('error', () => peers.delete(socket))
    socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = await openProxy({ target: { host: '127.0.0.1', port: (server.address() as AddressInfo).port } })
  t.after(async () => {
    await proxy.close()
    for (const peer of peers) peer.destroy()
    server.close()
  })
  return proxy
}

async function dial(t: TestContext, proxy: Proxy): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1')
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

async function receive(socket: Socket, length: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let have = 0
  while (have < length) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    chunks.push(chunk)
    have += chunk.length
  }
  return Buffer.concat(chunks)
}

const errorOf = (socket: Socket): Promise<string> =>
  new Promise(resolve => {
    socket.once('error', error => resolve((error as NodeJS.ErrnoException).code ?? ''))
    socket.once('end', () => resolve('END'))
  })

/** Lets everything that is under way between sockets of this process arrive. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setTimeout(resolve, 1))
}

test('a good link passes every byte unchanged and in order, and counts them', async t => {
  const proxy = await echoBehindProxy(t)
  const socket = await dial(t, proxy)
  const sent = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) & 255))
  socket.write(sent)
  assert.ok((await receive(socket, sent.length)).equals(sent))
  assert.deepEqual({ ...proxy.bytes }, { up: sent.length, down: sent.length })
})

test('a cut resets open connections and refuses new ones until it is restored', async t => {
  const proxy = await echoBehindProxy(t)
  const open = await dial(t, proxy)
  open.write('hello')
  await receive(open, 5)
  const reset = errorOf(open)
  proxy.cut()
  assert.equal(await reset, 'ECONNRESET')
  const refused = connect(proxy.port, '127.0.0.1')
  assert.equal(await errorOf(refused), 'ECONNRESET')
  proxy.restore()
  const again = await dial(t, proxy)
  again.write('again')
  assert.equal((await receive(again, 5)).toString(), 'again')
})

test('a stalled link swallows bytes without telling anybody, and never delivers them later', async t => {
  const proxy = await echoBehindProxy(t)
  const socket = await dial(t, proxy)
  socket.write('one')
  await receive(socket, 3)
  let heard = ''
  socket.on('data', chunk => (heard += chunk.toString()))
  socket.on('error', error => (heard += String(error)))
  socket.on('end', () => (heard += 'END'))
  proxy.stall('up')
  socket.write('two')
  await settle()
  assert.equal(heard, '')
  assert.equal(proxy.bytes.up, 3)
  proxy.restore()
  socket.write('three')
  await receive(socket, 5)
  assert.equal(heard, 'three')
})

test('a link stalled downwards still delivers what goes up', async t => {
  const proxy = await echoBehindProxy(t)
  const socket = await dial(t, proxy)
  proxy.stall('down')
  socket.write('lost on the way back')
  while (proxy.bytes.up < 20) await settle()
  await settle()
  assert.deepEqual({ ...proxy.bytes }, { up: 20, down: 0 })
})

test('a peer that goes away during a stall is not noticed on the other side', async t => {
  const proxy = await echoBehindProxy(t)
  const socket = await dial(t, proxy)
  socket.write('x')
  await receive(socket, 1)
  proxy.stall('both')
  socket.end()
  await settle()
  assert.equal(proxy.connections, 1)
})

test('a delayed and throttled link keeps the order of bytes', async t => {
  const proxy = await echoBehindProxy(t)
  proxy.delay(5)
  proxy.throttle(20_000)
  const socket = await dial(t, proxy)
  const sent = Buffer.from(Array.from({ length: 2_000 }, (_, i) => i & 255))
  for (let at = 0; at < sent.length; at += 100) socket.write(sent.subarray(at, at + 100))
  assert.ok((await receive(socket, sent.length)).equals(sent))
})

test('dropped connections may come back at once', async t => {
  const proxy = await echoBehindProxy(t)
  const socket = await dial(t, proxy)
  const reset = errorOf(socket)
  socket.write('x')
  await receive(socket, 1)
  proxy.dropConnections()
  assert.equal(await reset, 'ECONNRESET')
  const again = await dial(t, proxy)
  again.write('y')
  assert.equal((await receive(again, 1)).toString(), 'y')
})

test('an ending is passed on, either way', async t => {
  const proxy = await echoBehindProxy(t)
  const socket = await dial(t, proxy)
  const ended = errorOf(socket)
  socket.end('bye')
  assert.equal((await receive(socket, 3)).toString(), 'bye')
  assert.equal(await ended, 'END')
})
