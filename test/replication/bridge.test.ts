import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { systemTime } from '../../runtime/replication/time.ts'
import { Cloud, Edge, append, arrival, flush, logOf, put, places, remove, rowsOf, until, values } from './rig.ts'

const range = (count: number, from = 0): number[] => Array.from({ length: count }, (_, index) => from + index)

/** Opens both ends, and closes them whatever happens. */
async function withEnds(
  run: (cloud: Cloud, edge: Edge) => Promise<void>,
  options: Parameters<typeof Edge.open>[2] = {},
  place = places.memory,
): Promise<void> {
  const cloud = await Cloud.open({}, place())
  const edge = await Edge.open(cloud, 'gw-1', options, place())
  try {
    await run(cloud, edge)
  } finally {
    await edge.close()
    await cloud.close()
  }
}

const both = { publish: [{ table: 'thresholds', start: 'beginning' as const }], subscribe: ['thresholds'] }

describe('a bridge', () => {
  for (const [name, place] of Object.entries(places)) {
    it(`brings readings and alerts up and thresholds down, in order and whole (${name})`, async () => {
      await withEnds(
        async (cloud, edge) => {
          await put(cloud.store, 'freezer', 8)
          await append(edge.store, ...range(3_000))
          await put(edge.store, 'alert-1', { snippet: [1, 2, 3] }, 'alerts')
          await until('readings at the hub', () => cloud.store.head('readings') === 3_000)
          await until('the alert at the hub', () => cloud.store.latest('alerts', 'alert-1') !== undefined)
          await until('the threshold at the edge', () => edge.store.latest('thresholds', 'freezer')?.value === 8)
          assert.deepEqual(await values(cloud.store), range(3_000))
          const [local, far] = [await logOf(edge.store, 'readings'), await logOf(cloud.store, 'readings')]
          assert.deepEqual(
            far.map(({ stamp, origin, via }) => [stamp, origin, via]),
            local.map(({ stamp, origin }) => [stamp, origin, 'gw-1']),
          )
          await until('the cursor', async () => {
            await flush(edge.store)
            return edge.store.cursor('bridge/cloud/readings') === 3_000
          })
          assert.equal(edge.stream('readings').state, 'idle')
          assert.equal(edge.stream('readings').behind, 0)
          assert.ok(edge.stream('readings').lastConfirmedAtMs !== undefined)
          assert.equal(edge.stream('thresholds', 'receive').confirmed, 1)
          const [gateway] = cloud.hub.status().gateways
          assert.equal(gateway?.state, 'talking')
        },
        {},
        place,
      )
    })
  }

  it('takes deletions across', async () => {
    await withEnds(async (cloud, edge) => {
      await put(cloud.store, 'a', 1)
      await until('the row', () => edge.store.latest('thresholds', 'a') !== undefined)
      await remove(cloud.store, 'a')
      await until('its end', () => edge.store.latest('thresholds', 'a') === undefined)
    })
  })

  it('carries one table both ways without a loop: after the last change not one more frame', async () => {
    await withEnds(async (cloud, edge) => {
      for (const step of range(20)) {
        await put(edge.store, `edge-${step}`, step)
        await put(cloud.store, `hub-${step}`, step)
        await put(step % 2 ? edge.store : cloud.store, 'shared', step)
      }
      await until('both agree', async () => {
        const [there, here] = [await rowsOf(cloud.store), await rowsOf(edge.store)]
        return Object.keys(here).length === 41 && JSON.stringify(here) === JSON.stringify(there)
      })
      await until('nothing on its way', () => edge.stream('thresholds').framesInFlight === 0)
      const before = cloud.messageCount('/entries/')
      const heads = [edge.store.head('thresholds'), cloud.store.head('thresholds')]
      await new Promise(resolve => setTimeout(resolve, 1_200))
      assert.equal(cloud.messageCount('/entries/'), before)
      assert.deepEqual([edge.store.head('thresholds'), cloud.store.head('thresholds')], heads)
      assert.equal(edge.stream('thresholds').behind, 0, 'what came from the hub is not waiting to go there')
    }, both)
  })

  it('sends nothing back to where it came from, neither records nor readings', async () => {
    const everything = {
      publish: ['readings', 'thresholds'].map(table => ({ table, start: 'beginning' as const })),
      subscribe: ['readings', 'thresholds'],
    }
    await withEnds(async (cloud, edge) => {
      for (const step of range(20)) await put(cloud.store, `hub-${step}`, step)
      await append(cloud.store, ...range(50))
      await until('all of it', () => edge.store.head('readings') === 50 && edge.store.head('thresholds') === 20)
      await put(edge.store, 'own', 1)
      await append(edge.store, 50)
      await until('its own', () => cloud.store.head('readings') === 51 && cloud.store.head('thresholds') === 21)
      assert.equal(cloud.messageCount('/up/entries/'), 2)
      assert.deepEqual(await values(cloud.store), range(51))
      assert.deepEqual(await values(edge.store), range(51))
    }, everything)
  })

  it('has one frame of readings on a road that tells of no arrival, and lets an alert pass a backlog', async () => {
    await withEnds(
      async (cloud, edge) => {
        await until('talking', () => edge.bridge.status().state === 'talking')
        edge.proxy.stall('down')
        // Values that no compression makes small.
        await append(edge.store, ...range(4_000).map(Math.sin))
        await until('frames in flight', () => edge.stream('readings').framesInFlight === 1)
        await put(edge.store, 'fire', 1, 'alerts')
        await until('the alert at the hub', () => cloud.store.latest('alerts', 'fire') !== undefined)
        assert.equal(cloud.messageCount('/up/entries/readings'), 1)
        assert.ok(edge.stream('readings').behind > 1_000)
      },
      { frameBytes: 2_000 },
    )
  })

  it('lets a second gateway see what the first published, through the hub', async () => {
    await withEnds(async (cloud, edge) => {
      const second = await Edge.open(cloud, 'gw-2', both)
      await put(edge.store, 'from-first', 1)
      await put(second.store, 'from-second', 2)
      await put(cloud.store, 'from-hub', 3)
      const all = [cloud.store, edge.store, second.store]
      await until('all three agree', async () => {
        const rows = await Promise.all(all.map(async store => JSON.stringify(await rowsOf(store))))
        return Object.keys(await rowsOf(cloud.store)).length === 3 && new Set(rows).size === 1
      })
      assert.equal((await logOf(second.store, 'thresholds')).find(entry => entry.origin === 'gw-1')?.via, 'hub')
      await second.close()
    }, both)
  })

  it('loses nothing and repeats nothing when the link is cut again and again in the middle', async () => {
    await withEnds(async (cloud, edge) => {
      const rounds = range(25)
      for (const round of rounds) {
        await append(edge.store, ...range(400, round * 400))
        await put(cloud.store, `t-${round}`, round)
        edge.proxy.dropConnections()
        if (round % 5 === 0) await until('connected', () => edge.bridge.status().state === 'talking')
      }
      await until('all readings', () => cloud.store.head('readings') >= 10_000, 40_000)
      await until('all thresholds', () => edge.store.head('thresholds') >= 25)
      assert.deepEqual(await values(cloud.store), range(10_000))
      assert.deepEqual(await values(edge.store, 'thresholds'), rounds)
    })
  })

  it('drains by itself what was stored while there was no link', async () => {
    await withEnds(async (cloud, edge) => {
      edge.proxy.cut()
      await until('the loss is noticed', () => edge.bridge.status().state === 'offline')
      await append(edge.store, ...range(5_000))
      assert.equal(edge.stream('readings').behind, 5_000)
      assert.equal(edge.stream('readings').state, 'offline')
      edge.proxy.restore()
      await until('all readings', () => cloud.store.head('readings') === 5_000)
      assert.deepEqual(await values(cloud.store), range(5_000))
    })
  })

  it('goes on where it was when the hub is restarted', async () => {
    await withEnds(async (cloud, edge) => {
      await append(edge.store, ...range(500))
      await until('the first half', () => cloud.store.head('readings') === 500)
      await cloud.stop()
      await append(edge.store, ...range(500, 500))
      await cloud.start()
      await put(cloud.store, 'after', 1)
      await until('the second half', () => cloud.store.head('readings') === 1_000)
      await until('the threshold', () => edge.store.latest('thresholds', 'after') !== undefined)
      assert.deepEqual(await values(cloud.store), range(1_000))
    })
  })

  it('repeats nothing when the hub dies between its commit and its answer', async () => {
    await withEnds(async (cloud, edge) => {
      // Everything the hub says is swallowed from here on: it commits, and its answers never arrive.
      await until('talking', () => edge.bridge.status().state === 'talking')
      edge.proxy.stall('down')
      await append(edge.store, ...range(500))
      await until('committed at the hub', () => cloud.store.head('readings') === 500)
      assert.equal(edge.stream('readings').confirmed, 0)
      await cloud.stop()
      edge.proxy.restore()
      edge.proxy.dropConnections()
      await cloud.start()
      await until('confirmed', () => edge.stream('readings').confirmed === 500)
      await append(edge.store, 500)
      await until('the next reading', () => cloud.store.head('readings') > 500)
      assert.deepEqual(await values(cloud.store), range(501))
    })
  })

  it('repeats nothing when the edge comes back with an older cursor', async () => {
    await withEnds(async (cloud, edge) => {
      await append(edge.store, ...range(1_000))
      await until('all readings', () => cloud.store.head('readings') === 1_000)
      await edge.bridge.close()
      await edge.store.commit([{ kind: 'cursor', name: 'bridge/cloud/readings', seq: 0 as never }], 'now')
      await edge.store.close()
      await edge.start()
      await append(edge.store, 1_000)
      await until('the next reading', () => cloud.store.head('readings') > 1_000)
      assert.deepEqual(await values(cloud.store), range(1_001))
    })
  })

  it('starts a stream that is new at its beginning, or now', async () => {
    const cloud = await Cloud.open()
    const place = places.memory()
    const edge = await Edge.open({ port: 1 }, 'gw-1', { publish: [], subscribe: [] }, place)
    await append(edge.store, 1, 2, 3)
    await put(edge.store, 'old', 1, 'alerts')
    await edge.stop()
    const again = await Edge.open(
      cloud,
      'gw-1',
      {
        publish: [
          { table: 'readings', start: 'now' },
          { table: 'alerts', start: 'beginning' },
        ],
        subscribe: [],
      },
      place,
    )
    await append(again.store, 4)
    await until('the new reading', () => cloud.store.head('readings') > 0)
    await until('the old alert', () => cloud.store.latest('alerts', 'old') !== undefined)
    assert.deepEqual(await values(cloud.store), [4])
    await again.stop()
    await again.start()
    await append(again.store, 5)
    await until('the next reading', () => cloud.store.head('readings') > 1)
    assert.deepEqual(await values(cloud.store), [4, 5])
    await again.close()
    await edge.proxy.close()
    await cloud.close()
  })

  it('starts a stream that is new with the first entry of a time, found once and kept', async t => {
    const cloud = await Cloud.open()
    t.after(() => cloud.close())
    const place = places.memory()
    const edge = await Edge.open({ port: 1 }, 'gw-1', { publish: [], subscribe: [] }, place)
    const dayMs = 86_400_000
    const todayMs = systemTime.wallMs()
    // More than is read at once while the beginning is looked for.
    const history = Array.from({ length: 2_500 }, (_, index) =>
      arrival(index, { arrivalMs: todayMs - 10 * dayMs + index * 60_000 }),
    )
    await edge.store.commit([{ kind: 'append', table: 'readings', readings: history }])
    await edge.stop()
    await edge.proxy.close()
    const start = todayMs - 10 * dayMs + 2_400 * 60_000
    const options = { publish: [{ table: 'readings', start }], subscribe: [] }
    const again = await Edge.open(cloud, 'gw-1', options, place)
    t.after(() => again.close())
    await until('what is of that time or later', () => cloud.store.head('readings') === 100)
    assert.deepEqual(
      await values(cloud.store),
      history.slice(2_400).map(({ value }) => value),
    )
    await again.stop()
    await again.start()
    // Of an older time, but written later: a stream that has begun goes on.
    await again.store.commit([
      { kind: 'append', table: 'readings', readings: [arrival(-1, { arrivalMs: todayMs - 20 * dayMs })] },
    ])
    await until('what came since', () => cloud.store.head('readings') === 101)
  })

  it('says what the hub refuses, and carries the rest', async () => {
    const cloud = await Cloud.open({ accept: ['readings'], offer: [] })
    const edge = await Edge.open(cloud, 'gw-1')
    await append(edge.store, 1)
    await put(edge.store, 'a', 1, 'alerts')
    await until('the reading', () => cloud.store.head('readings') === 1)
    const { state, reason } = edge.stream('alerts')
    assert.deepEqual([state, reason], ['refused', 'the hub does not accept this table'])
    assert.equal(edge.stream('thresholds', 'receive').state, 'refused')
    await edge.close()
    await cloud.close()
  })

  it("refuses another side's parked rows, whatever it accepts: tried again there, they would be applied there", async () => {
    const cloud = await Cloud.open({ accept: ['readings', 'parked'], offer: ['parked'] })
    const edge = await Edge.open(cloud, 'gw-1', { publish: [{ table: 'parked', start: 'beginning' }] })
    await until('an answer', () => edge.stream('parked').state === 'refused')
    assert.equal(edge.stream('parked').reason, 'parked rows stay where they are')
    await edge.close()
    await cloud.close()
  })

  it('names a table that does not exist when it is opened', async () => {
    await assert.rejects(
      Edge.open({ port: 1 }, 'gw-1', { subscribe: ['nonsense'] }),
      /bridge "cloud" names the table "nonsense", which does not exist/,
    )
  })

  it('goes on with a new epoch when its database turns out to be older than what the hub has of it', async () => {
    await withEnds(async (cloud, edge) => {
      await append(edge.store, ...range(100))
      await until('all readings', () => cloud.store.head('readings') === 100)
      await edge.bridge.close()
      // A card from before: the hub has 100 of this very database, which has only 60, of which it knows 50 are confirmed.
      const older = places.memory()
      await edge.proxy.close()
      const epochOfBoth = edge.store.epoch
      const restored = await Edge.open(cloud, 'gw-1', { publish: [], subscribe: [] }, older)
      await append(restored.store, ...range(60))
      await restored.bridge.close()
      await restored.store.commit([
        { kind: 'cursor', name: 'bridge/cloud/readings', seq: 50 as never },
        { kind: 'state', owner: 'streams', key: 'bridge/cloud/readings', value: { epoch: epochOfBoth, floor: 0 } },
      ])
      const second = await Edge.open(cloud, 'gw-1', {}, { ...older, open: async () => restored.store })
      await append(second.store, 1_000)
      await until('the new reading at the hub', async () => (await values(cloud.store)).includes(1_000))
      assert.deepEqual(await values(cloud.store), [...range(100), 1_000], 'what both have is not sent again')
      await second.close()
      await restored.proxy.close()
    })
  })
})
