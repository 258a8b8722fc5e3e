import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import type { Log } from '../../runtime/log.ts'
import { backoffFirstMs, backoffMaxMs, backoffMs } from '../../runtime/replication/link/backoff.ts'
import { Link } from '../../runtime/replication/link/link.ts'
import { systemTime } from '../../runtime/replication/time.ts'
import { type Proxy, openProxy } from '../rigs/proxy.ts'
import { Cloud, sleep, until } from './rig.ts'

describe('the back-off', () => {
  it('doubles up to its cap, anywhere between nothing and there', () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
        const ms = backoffMs(attempt, random)
        assert.ok(ms >= 0 && ms <= backoffMaxMs && ms <= backoffFirstMs * 2 ** attempt)
      }),
    )
    assert.equal(backoffMs(0, 1), 1_000)
    assert.equal(backoffMs(3, 0.5), 4_000)
    assert.equal(backoffMs(40, 1), 30_000)
  })
})

describe('a link', () => {
  let cloud: Cloud
  let proxy: Proxy
  let lines: string[]
  const links: Link[] = []
  const log: Log = {
    debug: () => undefined,
    info: (_fields: unknown, line?: string) => lines.push(line ?? ''),
    warn: (_fields: unknown, line?: string) => lines.push(line ?? ''),
    error: (_fields: unknown, line?: string) => lines.push(line ?? ''),
    child: () => log,
  }

  const open = (
    more: { keepaliveMs?: number; filter?: string | undefined; random?: () => number; url?: string } = {},
  ) => {
    const events = { ups: 0, downs: 0, heard: [] as string[] }
    const link = new Link(
      {
        name: 'cloud',
        url: more.url ?? `mqtt://127.0.0.1:${proxy.port}`,
        clientId: 'gw-1-cloud',
        username: 'gw-1',
        password: undefined,
        filter: 'filter' in more ? more.filter : 'holdfast/v1/gw-1/down/#',
        keepaliveMs: more.keepaliveMs ?? 5_000,
        tls: undefined,
      },
      {
        onUp: () => events.ups++,
        onDown: () => events.downs++,
        onMessage: topic => events.heard.push(topic),
      },
      systemTime,
      more.random ?? (() => 0.02),
      log,
    )
    links.push(link)
    link.open()
    return { link, events }
  }

  beforeEach(async () => {
    lines = []
    cloud = await Cloud.open()
    proxy = await openProxy({ target: { host: '127.0.0.1', port: cloud.port } })
  })
  afterEach(async () => {
    for (const link of links.splice(0)) await link.close()
    await proxy.close()
    await cloud.close()
  })

  it('asks whether the url should begin with mqtts when a port for TLS closes it at once', async () => {
    const server = createTlsServer()
    server.on('tlsClientError', () => undefined)
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    try {
      const { link } = open({ url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}` })
      await until('a reason', () => link.status().reason !== undefined)
      assert.match(link.status().reason ?? '', /does this port speak TLS, so that the url begins with mqtts:\/\/\?$/)
    } finally {
      server.close()
    }
  })

  it('comes back by itself after every cut, and subscribes again', async () => {
    const { link, events } = open()
    for (let round = 1; round <= 5; round++) {
      await until('up', () => events.ups === round)
      const topic = 'holdfast/v1/gw-1/up/hello'
      const before = events.heard.length
      link.publish(topic, Buffer.from('garbage'))
      await until('the answer', () => events.heard.length > before)
      proxy.dropConnections()
      await until('down', () => events.downs === round)
    }
  })

  it('says once that it is lost and once that it is back, however often it tries in between', async () => {
    const { link, events } = open()
    await until('up', () => events.ups === 1)
    proxy.cut()
    await until('five attempts', () => link.status().attempts >= 5)
    assert.equal(link.status().state === 'connected', false)
    assert.ok((link.status().reason ?? '').length > 0)
    proxy.restore()
    await until('up again', () => events.ups === 2)
    assert.deepEqual(lines, ['connecting', 'connected', 'lost', 'connected'])
  })

  it('notices a half-open connection within one and a half keepalives', async () => {
    const { events } = open({ keepaliveMs: 1_000 })
    await until('up', () => events.ups === 1)
    proxy.stall('both')
    // Generous towards a busy machine; without keepalive it would take minutes.
    await until('down', () => events.downs === 1, 5_000)
  })

  it('does not storm a host that refuses it: attempts spread out', async () => {
    const delays: number[] = []
    const time = {
      ...systemTime,
      after: (ms: number, run: () => void) => {
        delays.push(ms)
        return systemTime.after(1, run)
      },
    }
    const events = { onUp: () => undefined, onDown: () => undefined, onMessage: () => undefined }
    const options = {
      name: 'cloud',
      url: 'mqtt://127.0.0.1:1',
      clientId: 'x',
      username: 'gw-1',
      password: undefined,
      filter: 'x',
      keepaliveMs: 5_000,
      tls: undefined,
    }
    const link = new Link(options, events, time, () => 1, log)
    links.push(link)
    link.open()
    await until('eight attempts', () => delays.length >= 8)
    assert.deepEqual(delays.slice(0, 8), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
    assert.deepEqual(lines, ['connecting', 'lost'])
  })

  it('tries a host that does not exist for a day: one line, few attempts, and nothing is kept of them', async () => {
    const dayMs = 86_400_000
    let nowMs = 0
    const waiting: { run: () => void; atMs: number }[] = []
    const time = {
      wallMs: () => nowMs,
      monotonicMs: () => nowMs,
      after: (ms: number, run: () => void) => {
        const timer = { run, atMs: nowMs + ms }
        waiting.push(timer)
        return () => void (waiting.includes(timer) && waiting.splice(waiting.indexOf(timer), 1))
      },
    }
    const events = { onUp: () => undefined, onDown: () => undefined, onMessage: () => undefined }
    const options = { clientId: 'x', username: 'gw-1', password: undefined, filter: 'x', keepaliveMs: 5_000 }
    const url = 'mqtt://127.0.0.1:1'
    const link = new Link({ name: 'cloud', url, ...options, tls: undefined }, events, time, () => 0.99, log)
    links.push(link)
    link.open()
    while (nowMs < dayMs) {
      while (link.status().state !== 'waiting') await new Promise(resolve => setImmediate(resolve))
      assert.equal(waiting.length, 1, 'one timer, however long it goes on')
      const [timer] = waiting.splice(0)
      nowMs = timer?.atMs ?? dayMs
      timer?.run()
    }
    assert.deepEqual(lines, ['connecting', 'lost'])
    const { attempts } = link.status()
    assert.ok(attempts > 2_500 && attempts < 3_500, `${attempts} attempts`)
  })

  it('keeps backing off from a broker that lets it in and throws it out again', async () => {
    const { link, events } = open()
    await until('up', () => events.ups === 1)
    for (let round = 1; round <= 4; round++) {
      link.publish('holdfast/v1/gw-2/up/hello', Buffer.from('not mine'))
      await until('thrown out', () => events.downs === round)
      await until('up again', () => events.ups === round + 1)
    }
    assert.ok(link.status().attempts >= 4)
    link.settled()
    assert.equal(link.status().attempts, 0)
  })

  it('is lost, with the reason, when the broker refuses its subscription', async () => {
    const { link, events } = open({ filter: 'holdfast/v1/gw-2/down/#' })
    await until('refused', () => link.status().reason !== undefined)
    assert.match(link.status().reason ?? '', /refused our subscription/)
    assert.equal(events.ups, 0)
  })

  it('tells the acknowledgement of each message, and nothing of messages that went with their connection', async () => {
    const { link, events } = open({ filter: undefined })
    await until('up', () => events.ups === 1)
    const answers: boolean[] = []
    const say = () =>
      link.publish('holdfast/v1/gw-1/up/hello', Buffer.from('x'), ({ isTaken }) => answers.push(isTaken))
    say()
    await until('answered', () => answers.length === 1)
    assert.deepEqual(answers, [true])
    assert.equal(link.receiveMaximum, 100)
    proxy.stall('down')
    say()
    await sleep(20)
    proxy.cut()
    await until('down', () => events.downs === 1)
    say()
    assert.deepEqual(answers, [true])
  })

  it('drops what is published while it is down, and goes quietly when closed', async () => {
    const { link, events } = open()
    await until('up', () => events.ups === 1)
    proxy.cut()
    await until('down', () => events.downs === 1)
    link.publish('holdfast/v1/gw-1/up/hello', Buffer.from('lost'))
    proxy.restore()
    await until('up again', () => events.ups === 2)
    await sleep(50)
    assert.equal(cloud.messageCount('/up/hello'), 0)
    await link.close()
    assert.deepEqual([link.status().state, events.downs], ['closed', 2])
  })
})
