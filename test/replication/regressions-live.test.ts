import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Exchange } from '../../runtime/replication/exchange.ts'
import { Receiver } from '../../runtime/replication/receiver.ts'
import { type SenderOptions, Sender } from '../../runtime/replication/sender.ts'
import type { Session } from '../../runtime/replication/stream.ts'
import { ourTakes } from '../../runtime/replication/takes.ts'
import { systemTime } from '../../runtime/replication/time.ts'
import { aheadOf } from '../../runtime/store/ahead.ts'
import type { Store } from '../../runtime/store/store.ts'
import { seqZero } from '../../runtime/store/types.ts'
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
