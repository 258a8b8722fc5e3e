import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Exchange } from '../../runtime/replication/exchange.ts'
import { Receiver } from '../../runtime/replication/receive/receiver.ts'
import { type SenderOptions, Sender } from '../../runtime/replication/send/sender.ts'
import type { Session } from '../../runtime/replication/stream.ts'
import { ourTakes } from '../../runtime/replication/wire/takes.ts'
import { type Time, systemTime } from '../../runtime/replication/time.ts'
import { aheadOf } from '../../runtime/store/ahead.ts'
import type { Store } from '../../runtime/store/store.ts'
import { type Seq, asSeq, seqZero } from '../../runtime/store/types.ts'
import { append, arrival, doors, openTestStore, places, until, values } from './rig.ts'

const tooLarge = 'x'.repeat(20_000)
const appendText = (store: Store, value: string): Promise<unknown> =>
  store.commit([{ kind: 'append', table: 'readings', readings: [{ ...arrival(0), value }] }])

async function rowsOf(store: Store, table: string): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = []
  for await (const { value } of store.rows(table)) rows.push(value as Record<string, unknown>)
  return rows
}

describe('a stream with a live part', () => {
  let edge: Store
  let hub: Store
  let up: Exchange
  let down: Exchange

  beforeEach(async () => {
    edge = await openTestStore(places.memory(), 'gw-1')
    hub = await openTestStore(places.memory(), 'hub')
  })
  afterEach(async () => {
    await Promise.all([up.end(), down.end()])
    await edge.close()
    await hub.close()
  })

  async function connect(more: Partial<SenderOptions> = {}): Promise<void> {
    const stream = { table: 'readings', kind: 'series' as const, label: 'cloud' }
    const options = { ...stream, cursor: 'cloud/readings', start: 'beginning' as const, frameBytes: 400 }
    const sender = new Sender({ ...options, liveFirst: true, ...more }, doors(edge))
    await sender.prepare()
    up = new Exchange([sender], [], doors(edge), () => undefined)
    down = new Exchange([], [new Receiver({ ...stream, label: 'gw-1' }, doors(hub))], doors(hub), () => undefined)
    const session = (to: Exchange, peer: string): Session => ({
      id: 's1',
      peer,
      far: { ...ourTakes, messageBytes: 16 * 1024, rows: 20 },
      post: (name, table, payload) => void setTimeout(() => to.handle(name, table, payload), 2),
    })
    const common = { epochs: new Map([['readings', edge.epoch]]), believedMs: systemTime.wallMs }
    down.begin({ session: session(up, 'gw-1'), positions: new Map(), ...common })
    const positions = new Map([['readings', down.position('readings') ?? seqZero]])
    const ahead = new Map([['readings', down.ahead('readings')]])
    up.begin({ session: session(down, 'hub'), positions, ahead, ...common })
  }
  const drained = (): Promise<void> => until('all of it', () => up.status()[0]?.behind === 0)

  it('lets nobody believe that more is to come, when what came last was none for it', async () => {
    const isChosen = (value: unknown): boolean => typeof value === 'number' && value >= 0
    await append(edge, ...Array.from({ length: 2_000 }, (_, index) => index))
    await connect({
      selection: { choose: entry => (isChosen(entry.value) ? entry : undefined), undecided: 0 },
    })
    await until('the backlog drains', () => hub.head('readings') > 0)
    await append(edge, 7_777)
    await until('the live reading', async () => (await values(hub)).includes(7_777))
    await append(edge, -1, -2, -3)
    assert.ok(hub.head('readings') < 1_500, 'the backlog still drains')
    await drained()
    await until('the hub knows that it has all', () => down.status()[0]?.behind === 0, 3_000)
    assert.equal(down.status()[0]?.state, 'idle')
  })

  it('keeps beside its cursor what the far side has beyond it, and forgets that when it is behind the cursor', async () => {
    await append(edge, ...Array.from({ length: 2_000 }, (_, index) => index))
    await connect()
    await until('the backlog drains', () => hub.head('readings') > 0)
    await until('it is known', async () => {
      // Cursors ride with the next readings.
      await append(edge, 7_777)
      return aheadOf(edge, 'cloud/readings').length > 0
    })
    const [range] = aheadOf(edge, 'cloud/readings')
    assert.ok((range?.[0] ?? 0) >= 2_000)
    await up.end()
    const { behind } = up.status()[0] ?? { behind: 0 }
    assert.ok(behind < edge.head('readings') - (edge.cursor('cloud/readings') ?? 0), 'offline it is known too')
    await down.end()
    await connect()
    await drained()
    await until('the cursor is there', () => edge.cursor('cloud/readings') === edge.head('readings'))
    assert.deepEqual(aheadOf(edge, 'cloud/readings'), [])
  })

  it('parks and counts what cannot travel, in the live part and in the backlog', async () => {
    await append(edge, ...Array.from({ length: 1_000 }, (_, index) => index))
    await appendText(edge, tooLarge)
    await append(edge, ...Array.from({ length: 1_000 }, (_, index) => index))
    await connect()
    await until('the backlog drains', () => hub.head('readings') > 0)
    await appendText(edge, tooLarge)
    await append(edge, 7_777)
    await until('the live reading', async () => (await values(hub)).includes(7_777))
    assert.ok(hub.head('readings') < 900, 'the backlog still drains')
    await drained()
    await until('both are kept', async () => (await rowsOf(edge, 'parked')).length === 2)
    const { parked, gaps } = up.status()[0] ?? { parked: 0, gaps: 0 }
    assert.deepEqual([parked, gaps], [2, 2])
    assert.deepEqual(
      (await rowsOf(edge, 'parked')).map(row => row['seq']),
      [1_001, 2_002],
    )
    assert.equal(down.status()[0]?.gaps, 2)
    await until('both are told', async () => (await rowsOf(edge, 'gaps')).length === 2)
    const told = (await rowsOf(edge, 'gaps')).map(({ first, last }) => [first, last])
    assert.deepEqual(told, [
      [1_001, 1_001],
      [2_002, 2_002],
    ])
  })
})

it('a hub whose database loses what it has confirmed gets it again, without anybody reconnecting', async () => {
  const [edge, hub] = [await openTestStore(places.memory(), 'gw-1'), await openTestStore(places.memory(), 'hub')]
  const stream = { table: 'readings', kind: 'series' as const, label: 'cloud' }
  let greetings = 0
  let id = ''
  let lost: Seq | undefined
  const forgetful = new Proxy(hub, {
    get: (target, name) => {
      if (name === 'state' && lost !== undefined) {
        const seq = lost
        return (owner: string, key: string) =>
          owner.startsWith('position/') ? { seq, atMs: 0 } : target.state(owner, key)
      }
      // What is stored from here on is there again.
      if (name === 'commit')
        return (...given: Parameters<Store['commit']>) => {
          lost = undefined
          return target.commit(...given)
        }
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  const time: Time = { ...systemTime, after: (delayMs, run) => systemTime.after(delayMs / 100, run) }
  const sender = new Sender(
    { ...stream, cursor: 'cloud/readings', start: 'beginning', frameBytes: 400 },
    doors(edge, time),
  )
  const receiver = new Receiver({ ...stream, label: 'gw-1' }, { ...doors(hub, time), store: forgetful })
  await sender.prepare()
  const up = new Exchange([sender], [], doors(edge, time), () => undefined)
  const down = new Exchange([], [receiver], doors(hub, time), () => undefined)
  const session = (to: Exchange, peer: string): Session => ({
    id,
    peer,
    far: ourTakes,
    post: (name, table, payload) => void setTimeout(() => to.handle(name, table, payload), 1),
  })
  const common = { epochs: new Map([['readings', edge.epoch]]), believedMs: systemTime.wallMs }
  const greet = async (): Promise<void> => {
    await Promise.all([up.end(), down.end()])
    id = `s${++greetings}`
    down.begin({ session: session(up, 'gw-1'), positions: new Map(), ...common })
    const positions = new Map([['readings', down.position('readings') ?? seqZero]])
    up.begin({ session: session(down, 'hub'), positions, ...common })
  }
  sender.onRestart = () => void greet()
  await greet()
  try {
    await append(edge, 1, 2, 3, 4, 5)
    await until('all of it', () => up.status()[0]?.confirmed === 5)
    lost = asSeq(2)
    await append(edge, 6)
    await until('what was lost, and the new one', () => hub.head('readings') === 9)
    assert.deepEqual(await values(hub), [1, 2, 3, 4, 5, 3, 4, 5, 6])
    assert.equal(greetings, 2)
  } finally {
    await Promise.all([up.end(), down.end()])
    await edge.close()
    await hub.close()
  }
})
