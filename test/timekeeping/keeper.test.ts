import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { stampMs } from '../../runtime/stamp.ts'
import { seqZero } from '../../runtime/store/types.ts'
import { collect } from '../store/suite.ts'
import { Board, type World, battery, dayMs, hourMs, newWorld, nothing, synchronised, yearMs } from './board.ts'

const minuteMs = 60_000

async function pair(world: World): Promise<{ edge: Board; hub: Board }> {
  const edge = new Board('edge', world)
  const hub = new Board('hub', world)
  await hub.boot(world.nowMs, synchronised)
  return { edge, hub }
}

/** What a reading was told with against when it was: all right, or marked. */
async function timesOf(board: Board): Promise<{ right: number; marked: number; wrong: number }> {
  const counts = { right: 0, marked: 0, wrong: 0 }
  for (const { arrivalMs, value, boot } of await board.readings()) {
    const isRight = Math.abs(arrivalMs - Number(value)) <= 1
    counts[boot !== undefined ? 'marked' : isRight ? 'right' : 'wrong']++
  }
  return counts
}

describe('a board that boots in 1970', () => {
  it('ends up with right times, whatever its clock does, and overwrites nothing newer with anything older', async () => {
    const world = newWorld()
    const { edge, hub } = await pair(world)
    await edge.boot(5_000, { ...synchronised, service: { name: 'timesyncd', isSynchronised: false } })
    for (let minute = 0; minute < 5; minute++) {
      world.nowMs += minuteMs
      await edge.ingest()
    }
    await edge.put('limit', 'first, at the edge')
    assert.deepEqual(await timesOf(edge), { right: 0, marked: 5, wrong: 0 })

    // Time steps forward.
    edge.setWall(world.nowMs)
    edge.facts = synchronised
    await edge.keeper.look()
    assert.deepEqual(await timesOf(edge), { right: 5, marked: 0, wrong: 0 })
    world.nowMs += minuteMs
    await hub.put('limit', 'second, at the hub')
    await edge.syncWith(hub)
    world.nowMs += minuteMs
    await edge.put('limit', 'third, at the edge')
    await edge.ingest()

    // A day back: the flag of the time service still stands.
    world.nowMs += minuteMs
    edge.setWall(world.nowMs - dayMs)
    await edge.keeper.look()
    world.nowMs += minuteMs
    await edge.ingest()
    await edge.put('limit', 'fourth, at the edge')
    await edge.syncWith(hub)
    assert.equal(hub.value('limit'), 'fourth, at the edge')

    // And a reboot, with the clock still a day back.
    await edge.stop()
    world.nowMs += minuteMs
    await edge.boot(world.nowMs - dayMs, nothing)
    await edge.ingest()
    await edge.put('limit', 'fifth, at the edge')
    assert.deepEqual(await timesOf(edge), { right: 7, marked: 1, wrong: 0 })
    await edge.syncWith(hub)
    assert.deepEqual(await timesOf(edge), { right: 8, marked: 0, wrong: 0 })
    assert.deepEqual([edge.value('limit'), hub.value('limit')], ['fifth, at the edge', 'fifth, at the edge'])
    assert.deepEqual([edge.parked, hub.parked], [0, 0])
    const stamps = (await edge.store.read('readings', seqZero, 100)).map(entry => entry.stamp)
    assert.deepEqual(
      stamps,
      stamps.toSorted((a, b) => a - b),
    )
    await Promise.all([edge.stop(), hub.stop()])
  })

  it('keeps one base for all of its boot, across restarts of the program, and corrects all of it by one row', async () => {
    const world = newWorld()
    const edge = new Board('edge', world)
    await edge.boot(5_000, nothing)
    await edge.ingest()
    await edge.stop()
    world.nowMs += hourMs
    edge.setWall(world.nowMs - yearMs)
    await edge.start()
    await edge.ingest()
    edge.setWall(world.nowMs)
    edge.facts = synchronised
    await edge.keeper.look()
    assert.deepEqual(await timesOf(edge), { right: 2, marked: 0, wrong: 0 })
    assert.equal((await collect(edge.store.rows('clock'))).length, 1)
    // The same boot later, without anybody to say what time it is: uptime tells it.
    await edge.stop()
    world.nowMs += hourMs
    edge.facts = nothing
    edge.setWall(7_000)
    await edge.start()
    await edge.ingest()
    assert.deepEqual(await timesOf(edge), { right: 3, marked: 0, wrong: 0 })
    await edge.stop()
  })

  it('goes by its uptime when its clock is moved after the time was known, though the flag of the service stands', async () => {
    const world = newWorld()
    const edge = new Board('edge', world)
    await edge.boot(world.nowMs, synchronised)
    await edge.put('limit', 1)
    for (const movedMs of [-dayMs, 10 * yearMs]) {
      edge.setWall(world.nowMs + movedMs)
      await edge.keeper.look()
      await edge.ingest()
      await edge.put('limit', movedMs)
      assert.ok(Math.abs(stampMs(edge.stamps.last) - world.nowMs) < 1000)
    }
    assert.deepEqual(await timesOf(edge), { right: 2, marked: 0, wrong: 0 })
    assert.equal(edge.keeper.status().state, 'untrusted')
    await edge.stop()
  })

  it('keeps nobody waiting for the time who wants to close, though the rules cannot be paused', async () => {
    const world = newWorld()
    const { edge, hub } = await pair(world)
    await edge.boot(5_000, nothing)
    let resume: () => void = () => undefined
    edge.keeper.whileRulesPause = work =>
      new Promise<void>(resolve => {
        resume = resolve
      }).then(work)
    const synced = edge.syncWith(hub)
    edge.keeper.stop()
    await synced
    assert.equal(edge.clock.isTrusted, false)
    resume()
    await Promise.all([edge.stop(), hub.stop()])
  })

  it('leaves readings of a boot that nobody could correct marked for ever', async () => {
    const world = newWorld()
    const edge = new Board('edge', world)
    await edge.boot(5_000, nothing)
    await edge.ingest()
    await edge.stop()
    world.nowMs += dayMs
    await edge.boot(world.nowMs, synchronised)
    await edge.ingest()
    assert.deepEqual(await timesOf(edge), { right: 1, marked: 1, wrong: 0 })
    await edge.stop()
  })

  it('moves the states of rules with the time, so that a hold is neither over at once nor lost', async () => {
    const world = newWorld()
    const edge = new Board('edge', world)
    await edge.boot(5_000, nothing)
    const sinceMs = edge.clock.now()
    const state = { kind: 'pending', violation: {}, sinceMs, dueMs: sinceMs + 10 * minuteMs }
    const key = ['rule', 'readings', 'edge', 'freezer', 'temperature'].join('\0')
    await edge.store.commit([{ kind: 'state', owner: 'alerting', key, value: { fingerprint: 'f', state } }], 'now')
    world.nowMs += 7 * minuteMs
    edge.setWall(world.nowMs)
    edge.facts = synchronised
    await edge.keeper.look()
    const moved = edge.store.state('alerting', key) as unknown as { state: typeof state }
    assert.equal(moved.state.dueMs, world.nowMs + 3 * minuteMs)
    await edge.stop()
  })
})

describe('a board that boots ten years ahead', () => {
  it('loses to the cloud where the cloud wrote later, and wins where it did itself: a thousand times', async () => {
    let seen = { edge: 0, hub: 0 }
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          // Still further ahead than `max_ahead` when the time is known: less is within what clocks honestly differ.
          aheadMs: fc.integer({ min: 8 * dayMs, max: 20 * yearMs }),
          hasBattery: fc.boolean(),
          isHubFirst: fc.boolean(),
          apartMs: fc.integer({ min: 1, max: 3 * dayMs }),
          isStepped: fc.boolean(),
          isRestarted: fc.boolean(),
          first: fc.constantFrom('up' as const, 'down' as const),
          isDeletion: fc.boolean(),
        }),
        async ({ aheadMs, hasBattery, isHubFirst, apartMs, isStepped, isRestarted, first, isDeletion }) => {
          const world = newWorld()
          const { edge, hub } = await pair(world)
          await edge.boot(world.nowMs + aheadMs, hasBattery ? battery : nothing)
          const writes = [
            async () =>
              isDeletion
                ? edge.store.commit([{ kind: 'delete', table: 'thresholds', key: 'limit' }], 'now')
                : edge.put('limit', 'edge'),
            async () => hub.put('limit', 'hub'),
          ]
          for (const write of isHubFirst ? writes.toReversed() : writes) {
            await write()
            world.nowMs += apartMs
          }
          if (isStepped) {
            edge.setWall(world.nowMs)
            await edge.keeper.look()
          }
          if (isRestarted) {
            await edge.stop()
            await edge.start()
          }
          await edge.syncWith(hub, first)
          const winner = isHubFirst ? (isDeletion ? undefined : 'edge') : 'hub'
          seen = { ...seen, [winner === 'hub' ? 'hub' : 'edge']: 1 }
          assert.deepEqual([edge.value('limit'), hub.value('limit')], [winner, winner])
          // What is written from here on is stamped honestly at both sides.
          assert.ok(stampMs(edge.stamps.last) <= world.nowMs + hourMs)
          await edge.put('limit', 'later')
          await edge.syncWith(hub)
          assert.deepEqual([edge.value('limit'), hub.value('limit')], ['later', 'later'])
          await Promise.all([edge.stop(), hub.stop()])
        },
      ),
      { numRuns: 1000 },
    )
    assert.deepEqual(seen, { edge: 1, hub: 1 })
  })

  it('lets go of a row of another board that was ahead too, once it knows the time', async () => {
    const world = newWorld()
    const { edge, hub } = await pair(world)
    const twin = new Board('twin', world)
    for (const board of [edge, twin]) await board.boot(world.nowMs + 10 * yearMs, battery)
    await twin.put('limit', 'twin')
    await twin.syncWith(edge)
    assert.equal(edge.value('limit'), 'twin')
    world.nowMs += minuteMs
    await hub.put('limit', 'hub')
    await edge.syncWith(hub)
    await twin.syncWith(hub)
    await edge.syncWith(hub)
    assert.deepEqual([edge.value('limit'), twin.value('limit'), hub.value('limit')], ['hub', 'hub', 'hub'])
    await Promise.all([edge.stop(), twin.stop(), hub.stop()])
  })

  it('lets the cloud win after a reboot with the right time, in one sync', async () => {
    for (const facts of [synchronised, battery, nothing]) {
      const world = newWorld()
      const { edge, hub } = await pair(world)
      await edge.boot(world.nowMs + 10 * yearMs, battery)
      await edge.put('limit', 'edge')
      await edge.put('other', 'edge alone')
      await edge.stop()
      world.nowMs += dayMs
      await edge.boot(world.nowMs, facts)
      world.nowMs += minuteMs
      await hub.put('limit', 'hub')
      await edge.syncWith(hub)
      assert.deepEqual([edge.value('limit'), hub.value('limit')], ['hub', 'hub'])
      assert.equal(hub.value('other'), 'edge alone')
      await Promise.all([edge.stop(), hub.stop()])
    }
  })
})
