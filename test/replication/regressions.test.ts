import assert from 'node:assert/strict'
import { type AddressInfo, type Socket, createServer } from 'node:net'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { crc32 } from 'node:zlib'
import { HoldfastError } from '../../runtime/errors.ts'
import { silentLog } from '../../runtime/log.ts'
import { encodeMessage } from '../../runtime/replication/wire/codec.ts'
import { Exchange } from '../../runtime/replication/exchange.ts'
import { type SentEntry, decodeFrame, encodeFrame } from '../../runtime/replication/wire/frames.ts'
import { Link } from '../../runtime/replication/link/link.ts'
import { decodePosition } from '../../runtime/replication/wire/messages.ts'
import type { PositionAnswer } from '../../runtime/replication/wire/protocol.ts'
import { Receiver } from '../../runtime/replication/receive/receiver.ts'
import { Sender } from '../../runtime/replication/send/sender.ts'
import type { StoreDoor } from '../../runtime/replication/store-door.ts'
import type { Session } from '../../runtime/replication/stream.ts'
import { silentTakes } from '../../runtime/replication/wire/takes.ts'
import { type Time, systemTime } from '../../runtime/replication/time.ts'
import { stampAt } from '../../runtime/stamp.ts'
import type { Store } from '../../runtime/store/store.ts'
import { type Change, type Seq, type TableKind, asSeq, seqZero } from '../../runtime/store/types.ts'
import { readingEntry, series } from './entries.ts'
import { append, doors, flush, openTestStore, places, put, sleep, until } from './rig.ts'

const never = new Promise<never>(() => {})

const reading = (seq: number, device = 'freezer-1'): SentEntry => ({
  entry: readingEntry(seq, {
    stamp: stampAt(systemTime.wallMs() - 1_000 + seq),
    series: series(device, 'temperature', 'far'),
  }),
  joined: false,
})

const frameOf = (kind: TableKind, after: number, sent: readonly SentEntry[]): Buffer => {
  const last = asSeq(sent.at(-1)?.entry.seq ?? after + 1)
  return encodeFrame(
    kind,
    { session: 's1', run: 1, after: asSeq(after), last, head: last, part: 0, parts: 1, gaps: [] },
    sent,
  )
}

describe('a stream', () => {
  let store: Store
  const answers: PositionAnswer[] = []
  const frames: Buffer[] = []
  const receivers: Receiver[] = []
  const session: Session = {
    id: 's1',
    peer: 'far',
    far: silentTakes,
    post: (name, _table, payload) => {
      if (name === 'entries') frames.push(payload)
      if (name !== 'position') return
      const decoded = decodePosition(payload)
      assert.ok(decoded.ok)
      answers.push(decoded.value)
    },
  }
  const over = (fields: object): StoreDoor =>
    new Proxy(store, {
      get: (target, name) => {
        const own: unknown = Reflect.get(fields, name) ?? Reflect.get(target, name, target)
        return typeof own === 'function' ? own.bind(target) : own
      },
    })
  const receive = (kind: TableKind, door: StoreDoor = store): Receiver => {
    const table = kind === 'series' ? 'readings' : 'thresholds'
    const receiver = new Receiver({ table, kind, label: 'far' }, { ...doors(store), store: door })
    receiver.begin(session, 'e1', systemTime.wallMs)
    receivers.push(receiver)
    return receiver
  }
  const send = (door: StoreDoor = store): Sender =>
    new Sender(
      { table: 'readings', kind: 'series', label: 'far', cursor: 'c', start: 'beginning', frameBytes: 64_000 },
      { ...doors(store), store: door },
    )

  beforeEach(async () => {
    store = await openTestStore(places.memory(), 'here')
    answers.length = 0
    frames.length = 0
  })
  afterEach(async () => {
    for (const receiver of receivers.splice(0)) await receiver.end()
    await store.close()
  })

  it('commits a frame that comes in the very moment when the commit before it is done', async () => {
    for (let gap = 0; gap < 8; gap++) {
      const before = receivers.length
      const receiver = receive(
        'series',
        over({
          commit: async (changes: readonly Change[]) => {
            const receipt = await store.commit(changes, 'now')
            if (receivers.length === before + 1 && receiver.position === asSeq(gap * 2 + 1)) soon(gap)
            return receipt
          },
        }),
      )
      const soon = (turns: number): void => {
        if (turns === 0) receiver.frame(frameOf('series', gap * 2 + 1, [reading(gap * 2 + 2)]))
        else queueMicrotask(() => soon(turns - 1))
      }
      receiver.frame(frameOf('series', gap * 2, [reading(gap * 2 + 1)]))
      await until(`the frame that came ${gap} turns later`, () => receiver.position === gap * 2 + 2, 1_000)
      await receiver.end()
    }
  })

  it('parks a row that is nested too deep for anybody, and goes on', async () => {
    const receiver = receive('records')
    const json = '['.repeat(50_000) + ']'.repeat(50_000)
    const stamp = stampAt(systemTime.wallMs())
    receiver.frame(
      encodeMessage({
        v: 1,
        session: 's1',
        run: 1,
        after: 0,
        last: 1,
        head: 1,
        part: [0, 1],
        gaps: [],
        origins: ['far'],
        records: [[1, 0, stamp, 0, 'deep', null, json]],
      }),
    )
    await until('an answer', () => answers.length > 0, 500)
    assert.ok(answers[0]?.unreadable !== undefined || receiver.position === asSeq(1))
  })

  it('puts one row aside of a frame of many with few commits', async () => {
    let commits = 0
    const refuse = (changes: readonly Change[]): boolean =>
      changes.some(change => change.kind === 'apply-readings' && change.readings.some(one => one.device === 'bad'))
    const receiver = receive(
      'series',
      over({
        commit: async (changes: readonly Change[]) => {
          commits++
          if (refuse(changes)) throw new HoldfastError('TOO_MANY_SERIES', 'full', '')
          return store.commit(changes, 'now')
        },
      }),
    )
    const rows = Array.from({ length: 512 }, (_, index) => reading(index + 1, index === 300 ? 'bad' : 'freezer-1'))
    receiver.frame(frameOf('series', 0, rows))
    await until('the answer', () => answers.some(({ seq }) => seq === asSeq(512)), 5_000)
    assert.equal(store.head('readings'), 511)
    assert.equal(receiver.status().parked, 1)
    assert.ok(commits < 40, `${commits} commits`)
  })

  it('sends what was stored after the database lost its end, though the numbers have grown past the far side', async () => {
    await append(store, 1, 2, 3)
    const sender = send()
    await sender.prepare()
    const { epoch } = sender
    let restarted = 0
    sender.onRestart = () => restarted++
    await append(store, 4, 5, 6, 7) // the far side has seen other entries 4 and 5, before the end was lost
    sender.begin(session, asSeq(5))
    await until('the stream starts anew', () => restarted === 1, 1_000)
    assert.notEqual(sender.epoch, epoch)
    sender.begin({ ...session, id: 's2' }, seqZero)
    await until('it may send', () => sender.isReady, 1_000)
    await sender.send()
    const decoded = decodeFrame(frames.at(-1) ?? Buffer.alloc(0), 'series')
    assert.ok(decoded.ok)
    assert.deepEqual(
      decoded.value.rows.map(({ seq }) => seq),
      [4, 5, 6, 7],
      'the far side has the first three: it has more than those of this very stream',
    )
    sender.end()
  })

  it('leaves out what the far side has before its turn, after the database was set back', async () => {
    await append(store, 1, 2, 3, 4, 5, 6)
    const sender = send()
    await sender.prepare()
    let restarted = 0
    sender.onRestart = () => restarted++
    await append(store, 7, 8) // the far side has seen another seventh
    sender.begin(session, asSeq(2), [[asSeq(4), asSeq(7)]])
    await until('the stream starts anew', () => restarted === 1, 1_000)
    sender.begin({ ...session, id: 's2' }, seqZero)
    await until('it may send', () => sender.isReady, 1_000)
    while ((await sender.send()) !== 'nothing');
    const sent = frames.map(payload => decodeFrame(payload, 'series')).flatMap(one => (one.ok ? one.value.rows : []))
    assert.deepEqual(
      sent.map(({ seq }) => seq),
      [3, 4, 7, 8],
    )
    sender.end()
  })

  it('knows an older copy of the database, however often it starts before it meets the far side again', async () => {
    await append(store, 1, 2, 3)
    await send().prepare()
    await append(store, 4, 5, 6, 7) // the far side has seen other entries 4 and 5, before the copy took the card's place
    await flush(store)
    const sender = send()
    await sender.prepare()
    let restarted = 0
    sender.onRestart = () => restarted++
    sender.begin(session, asSeq(5))
    await until('the stream starts anew', () => restarted === 1, 1_000)
    sender.end()
  })

  it('takes no entries for those of an older copy that it sent itself before it was started again', async () => {
    await append(store, 1, 2, 3)
    const first = send()
    await first.prepare()
    await append(store, 4, 5)
    first.begin(session, seqZero)
    await until('it may send', () => first.isReady, 1_000)
    await first.send()
    first.end()
    const second = send()
    await second.prepare()
    second.onRestart = () => assert.fail('started anew')
    second.begin({ ...session, id: 's2' }, asSeq(5))
    await until('it goes on', () => second.status().confirmed === 5, 1_000)
    second.end()
  })

  it('goes on where the far side is, if that is something it was sent since the start', async () => {
    await append(store, 1)
    const sender = send()
    await sender.prepare()
    sender.onRestart = () => assert.fail('started anew')
    await append(store, 2, 3)
    sender.begin(session, seqZero)
    await until('it may send', () => sender.isReady, 1_000)
    await sender.send()
    sender.begin({ ...session, id: 's2' }, asSeq(3))
    assert.equal(sender.status().confirmed, 3)
    sender.end()
  })

  it('tells as a gap what cannot be read, also if the far side has read a frame of the same run before', async () => {
    await append(store, 1, 2, 3)
    const sender = send()
    await sender.prepare()
    sender.begin(session, seqZero)
    await until('it may send', () => sender.isReady, 1_000)
    for (let answer = 0; answer < 20 && sender.status().confirmed < 3; answer++) {
      await sender.send()
      const payload = frames.at(-1) ?? Buffer.alloc(0)
      const decoded = decodeFrame(payload, 'series')
      assert.ok(decoded.ok)
      const { run, last, rows } = decoded.value
      const seq = asSeq(sender.status().confirmed)
      const unreadable = { reason: 'shape', sum: crc32(payload) }
      // A far side that knows the run of what it can't read, and says so.
      const isRead = rows.every(row => row.seq !== 2)
      const told = isRead ? { seq: last, wanted: undefined, unreadable: undefined } : { seq, wanted: seq, unreadable }
      sender.position({ v: 1, session: 's1', run, ahead: [], base: undefined, ...told })
    }
    const told = frames.map(payload => decodeFrame(payload, 'series')).flatMap(one => (one.ok ? one.value.gaps : []))
    assert.deepEqual(told[0], { first: 2, last: 2, reason: 'shape' })
    assert.deepEqual([sender.status().confirmed, sender.status().parked], [3, 1])
    sender.end()
  })

  it('starts anew when a repair takes the end of the log away under it', async () => {
    await append(store, 1, 2, 3)
    let lost = 0
    const sender = send(over({ head: (table: string) => asSeq(store.head(table) - lost) }))
    await sender.prepare()
    let restarted = 0
    sender.onRestart = () => restarted++
    sender.begin(session, seqZero)
    await until('it may send', () => sender.isReady, 1_000)
    await sender.send()
    await sender.lookAtOldest()
    await sleep(20)
    assert.equal(restarted, 0)
    lost = 1
    await sender.lookAtOldest()
    await until('the stream starts anew', () => restarted === 1, 1_000)
    sender.end()
  })

  it('starts anew when the log has lost its end, and has grown past it before anybody looked', async () => {
    await append(store, 1, 2, 3)
    let times = 0
    const sender = send(over({ lostEnds: { of: () => ({ times, head: asSeq(2) }) } }))
    await sender.prepare()
    let restarted = 0
    sender.onRestart = () => restarted++
    sender.begin(session, seqZero)
    await until('it may send', () => sender.isReady, 1_000)
    await sender.send()
    times = 1
    await append(store, 4) // another third entry was lost
    await sender.lookAtOldest()
    await until('the stream starts anew', () => restarted === 1, 1_000)
    await sender.lookAtOldest()
    await sleep(20)
    assert.equal(restarted, 1)
    sender.end()
  })

  it('notices the lost end while nobody is connected too', async () => {
    await append(store, 1, 2, 3)
    let lost = 0
    const sender = send(over({ head: (table: string) => asSeq(store.head(table) - lost) }))
    await sender.prepare()
    let restarted = 0
    sender.onRestart = () => restarted++
    lost = 1
    await sender.lookAtOldest()
    lost = 0 // new entries have taken the numbers of those that were lost
    sender.begin(session, asSeq(3))
    await until('the stream starts anew', () => restarted === 1, 1_000)
    sender.end()
  })

  it('reads few records at once, because each may be large', async () => {
    const limits: number[] = []
    const door = over({
      read: (table: string, after: Seq, limit: number) => {
        limits.push(limit)
        return store.read(table, after, limit)
      },
    })
    const { options } = send()
    const sender = new Sender({ ...options, table: 'alerts', kind: 'records' }, { ...doors(store), store: door })
    await sender.prepare()
    await put(store, 'a', 1, 'alerts')
    sender.begin(session, seqZero)
    await until('it may send', () => sender.isReady, 1_000)
    assert.equal(await sender.send(), 'sent')
    assert.ok(limits.length === 1 && limits.every(limit => limit <= 128))
    sender.end()
  })

  it('ends though the disk does not answer', { timeout: 60_000 }, async () => {
    await append(store, 1)
    let reads = 0
    const door = over({
      read: () => {
        reads++
        return never
      },
    })
    const sender = send(door)
    await sender.prepare()
    const exchange = new Exchange([sender], [], { ...doors(store), store: door }, () => {})
    exchange.begin({
      session,
      positions: new Map([['readings', seqZero]]),
      epochs: new Map(),
      believedMs: systemTime.wallMs,
    })
    await until('it reads', () => reads > 0)
    await exchange.end()
  })

  it('does not end the process, nor keep it busy, if waiting for the log fails', async () => {
    let waits = 0
    const door = over({
      waitPast: () => {
        waits++
        return Promise.reject(new Error('the disk is gone'))
      },
    })
    const sender = send(door)
    await sender.prepare()
    const exchange = new Exchange([sender], [], { ...doors(store), store: door }, () => {})
    exchange.begin({
      session,
      positions: new Map([['readings', seqZero]]),
      epochs: new Map(),
      believedMs: systemTime.wallMs,
    })
    await sleep(20)
    assert.ok(waits >= 1 && waits < 5, `${waits} waits`)
    await exchange.end()
  })
})

describe('a link', () => {
  /** A broker that greets, answers pings, and says nothing else; one that is not even greeting; both accept. */
  const deaf = async (greets: boolean): Promise<{ url: string; close: () => void }> => {
    const sockets = new Set<Socket>()
    const server = createServer(socket => {
      sockets.add(socket)
      socket.on('data', chunk => {
        if (greets && chunk[0] === 0x10) socket.write(Buffer.of(0x20, 2, 0, 0))
        if (greets && chunk[0] === 0xc0) socket.write(Buffer.of(0xd0, 0))
      })
      socket.on('error', () => socket.destroy())
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const close = (): void => {
      for (const socket of sockets) socket.destroy()
      server.close()
    }
    return { url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`, close }
  }
  const linkTo = (url: string, time: Time): Link =>
    new Link(
      {
        name: 'cloud',
        url,
        clientId: 'gw-1',
        username: 'gw-1',
        password: undefined,
        tls: undefined,
        filter: 'holdfast/v1/gw-1/down/#',
        keepaliveMs: 60_000,
      },
      { onUp: () => {}, onDown: () => {}, onMessage: () => {} },
      time,
      () => 0.5,
      silentLog,
    )

  it('begins again when the broker never answers its subscription', { timeout: 60_000 }, async () => {
    const broker = await deaf(true)
    const waits: { delayMs: number; run: () => void }[] = []
    const after = (delayMs: number, run: () => void): (() => void) => {
      const wait = { delayMs, run }
      waits.push(wait)
      return () => waits.splice(waits.indexOf(wait) >>> 0, 1)
    }
    const link = linkTo(broker.url, { ...systemTime, after })
    link.open()
    try {
      await until('it waits for an answer', () => waits.length > 0, 2_000)
      waits[0]?.run()
      assert.equal(link.status().state, 'waiting')
      assert.match(link.status().reason ?? '', /subscription/)
    } finally {
      await link.close()
      broker.close()
    }
  })

  for (const greets of [true, false]) {
    it(`closes while a broker that ${greets ? 'only greets' : 'says nothing'} keeps it waiting`, {
      timeout: 60_000,
    }, async () => {
      const broker = await deaf(greets)
      const link = linkTo(broker.url, systemTime)
      link.open()
      await sleep(50)
      await link.close()
      broker.close()
    })
  }
})
