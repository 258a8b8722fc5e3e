/** [I11] The gateway listens where its broker was told to and nowhere else, and opens the one connection of its bridge. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { test } from 'node:test'
import { Publisher } from './publisher.ts'
import { eventually, freePort, Site, storeConfig } from './programs.ts'

type Socket = { readonly protocol: string; readonly local: string; readonly remote: string; readonly state: string }

const skip = process.platform === 'linux' ? false : 'only Linux tells the sockets of a process in /proc'

test('a gateway has its broker port and one outbound connection; a hub has its port and dials nobody', {
  skip,
  timeout: 120_000,
}, async t => {
  const site = new Site(t)
  const [port, hubPort] = [await freePort(), await freePort()]
  const hub = site.program('hub', {
    config: `gateway: { id: hub }\n${storeConfig}\nhub: { listen: '127.0.0.1:${hubPort}' }\n`,
  })
  const bridge = `{ name: up, url: 'mqtt://127.0.0.1:${hubPort}', publish: [readings], subscribe: [thresholds] }`
  const gateway = site.program('gateway', {
    config: `gateway: { id: gw }\n${storeConfig}\nbroker: { listen: '127.0.0.1:${port}' }\nbridges: [${bridge}]\n`,
  })
  await Promise.all([hub.start(), gateway.start()])
  await new Publisher(port).publish(10)
  await eventually(async () => assert.equal((await hub.readings()).length, 10))

  const ours = socketsOf(gateway.pid)
  assert.deepEqual(listening(ours), [`tcp 127.0.0.1:${port}`])
  // What is connected and did not come in through the broker's door, we have opened.
  const opened = connected(ours).filter(({ local }) => local !== `127.0.0.1:${port}`)
  assert.deepEqual(
    opened.map(({ remote }) => remote),
    [`127.0.0.1:${hubPort}`],
  )
  const theirs = socketsOf(hub.pid)
  assert.deepEqual(listening(theirs), [`tcp 127.0.0.1:${hubPort}`])
  assert.deepEqual(
    connected(theirs).map(({ local }) => local),
    [`127.0.0.1:${hubPort}`],
  )
})

test('the broker port speaks no HTTP', { timeout: 120_000 }, async t => {
  const port = await freePort()
  const config = `gateway: { id: gw }\n${storeConfig}\nbroker: { listen: '127.0.0.1:${port}' }\n`
  await new Site(t).program('gateway', { config }).start()
  const answer = await new Promise<string>((resolve, reject) => {
    let heard = ''
    const socket = connect(port, '127.0.0.1', () =>
      socket.write('GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    )
    socket.on('data', bytes => (heard += bytes.toString()))
    socket.on('close', () => resolve(heard)).on('error', reject)
  })
  assert.equal(answer, '')
})

const listening = (sockets: readonly Socket[]): string[] =>
  sockets
    .filter(({ state }) => state === 'listen' || state === 'udp')
    .map(({ protocol, local }) => `${protocol} ${local}`)

const connected = (sockets: readonly Socket[]): Socket[] => sockets.filter(({ state }) => state === 'connected')

/** Every TCP and UDP socket of a process: its file descriptors name inodes, and /proc/PID/net tells what those are. */
function socketsOf(pid: number): Socket[] {
  const inodes = new Set(readdirSync(`/proc/${pid}/fd`).flatMap(fd => socketInode(`/proc/${pid}/fd/${fd}`)))
  assert.ok(inodes.size > 0, 'a process without sockets is not the one that we mean')
  return ['tcp', 'tcp6', 'udp', 'udp6'].flatMap(protocol => {
    const [, ...lines] = readFileSync(`/proc/${pid}/net/${protocol}`, 'utf8').trimEnd().split('\n')
    return lines.flatMap(line => {
      const [, local = '', remote = '', state = '', , , , , , inode = ''] = line.trim().split(/\s+/)
      if (!inodes.has(inode)) return []
      return [{ protocol, local: address(local), remote: address(remote), state: stateOf(protocol, state) }]
    })
  })
}

/** A descriptor may be gone by the time that it is looked at. */
function socketInode(path: string): string[] {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.[1]
    return inode === undefined ? [] : [inode]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function stateOf(protocol: string, hex: string): string {
  if (protocol.startsWith('udp')) return 'udp'
  return hex === '0A' ? 'listen' : hex === '01' ? 'connected' : 'other'
}

/** `0100007F:075B` is 127.0.0.1:1883, least byte first; IPv6 is shown as it stands. */
function address(hex: string): string {
  const [host = '', port = ''] = hex.split(':')
  const shown =
    host.length === 8 ? [6, 4, 2, 0].map(at => Number.parseInt(host.slice(at, at + 2), 16)).join('.') : `[${host}]`
  return `${shown}:${Number.parseInt(port, 16)}`
}
