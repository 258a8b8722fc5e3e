/** Day one 7: two writers, one key, the same millisecond, both directions, a thousand times: one winner on both sides. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { hybridClock } from '../../runtime/clock/hybrid.ts'
import { Exchange } from '../../runtime/replication/exchange.ts'
import { Receiver } from '../../runtime/replication/receive/receiver.ts'
import { Sender } from '../../runtime/replication/send/sender.ts'
import type { Session } from '../../runtime/replication/stream.ts'
import { ourTakes } from '../../runtime/replication/wire/takes.ts'
import { systemTime } from '../../runtime/replication/time.ts'
import type { Store } from '../../runtime/store/store.ts'
import { doors, places, put, rowsOf, tables } from './rig.ts'

const rounds = 1_000
const startMs = Date.UTC(2026, 10, 1)

it('two writers of one key in the same millisecond have the same winner on both sides, a thousand times', async () => {
  let wallMs = startMs
  const open = (origin: string): Promise<Store> =>
    places.memory().open({ origin, tables, stamps: hybridClock(() => wallMs), commitIntervalMs: 0 })
  const [edge, hub] = [await open('gw-1'), await open('hub')]
  const ends = [endOf(edge, 'hub'), endOf(hub, 'gw-1')] as const
  connect(edge, ends[0], hub, ends[1])
  const winners = new Set<unknown>()
  for (let round = 0; round < rounds; round++) {
    // Later than anything either side has seen, so that both take the first stamp of the same millisecond.
    wallMs += 1_000
    const key = `key-${round}`
    // One key of its own for each round, to look at in the end, and one that all rounds fight for.
    await Promise.all([put(edge, key, 'edge'), put(hub, key, 'hub'), put(edge, 'one', round), put(hub, 'one', -round)])
    await bothHaveSeen(edge, hub, 'one')
    const [row, other] = [edge.latest('thresholds', key), hub.latest('thresholds', key)]
    assert.deepEqual([row?.value, row?.stamp, row?.origin], [other?.value, other?.stamp, other?.origin])
    winners.add(row?.value)
  }
  assert.deepEqual(await rowsOf(edge), await rowsOf(hub))
  // A tie goes to the greater origin, and these were ties.
  assert.deepEqual([...winners], ['hub'])
  await Promise.all(ends.map(end => end.end()))
  await Promise.all([edge.close(), hub.close()])
})

/** Asks in every turn: what `until` rests between two questions would be most of the test. */
async function bothHaveSeen(edge: Store, hub: Store, key: string): Promise<void> {
  for (let turns = 0; !agree(edge, hub, key); turns++) {
    assert.ok(turns < 1_000_000, 'the two sides never agreed')
    await new Promise(resolve => setImmediate(resolve))
  }
}

const agree = (edge: Store, hub: Store, key: string): boolean => {
  const [row, other] = [edge.latest('thresholds', key), hub.latest('thresholds', key)]
  return row?.stamp === other?.stamp && row?.origin === other?.origin && row?.origin === 'hub'
}

function endOf(store: Store, label: string): Exchange {
  const all = doors(store)
  const stream = { table: 'thresholds', kind: 'records', label } as const
  const sender = new Sender({ ...stream, cursor: `${label}/thresholds`, start: 'beginning', frameBytes: 60_000 }, all)
  return new Exchange([sender], [new Receiver(stream, all)], all, () => undefined)
}

/** A link that loses nothing. */
function connect(edge: Store, edgeEnd: Exchange, hub: Store, hubEnd: Exchange): void {
  const sessionTo = (peer: string, far: Exchange): Session => ({
    id: 'session',
    peer,
    far: ourTakes,
    post: (name, table, payload) => void setImmediate(() => far.handle(name, table, payload)),
  })
  const positions = new Map([['thresholds', edge.head('thresholds')]])
  const begin = { believedMs: systemTime.wallMs, positions }
  edgeEnd.begin({ ...begin, session: sessionTo('hub', hubEnd), epochs: new Map([['thresholds', hub.epoch]]) })
  hubEnd.begin({ ...begin, session: sessionTo('gw-1', edgeEnd), epochs: new Map([['thresholds', edge.epoch]]) })
}
