import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Gate } from '../../runtime/replication/lanes/gate.ts'
import { laneOf } from '../../runtime/replication/lanes/lanes.ts'
import { type ValveOptions, Valve } from '../../runtime/replication/lanes/valve.ts'
import type { BridgeOptions } from '../../runtime/replication/bridge.ts'
import { type Time, systemTime } from '../../runtime/replication/time.ts'
import type { Store } from '../../runtime/store/store.ts'
import { Cloud, Edge, append, doors, fasterBy, openTestStore, places, put, until } from './rig.ts'

const hourMs = 3_600_000
const nightly = { open: '0 2 * * *', forMs: 2 * hourMs, zone: 'UTC' }
const at = (text: string): number => Date.parse(text)

async function withEnds(
  run: (cloud: Cloud, edge: Edge) => Promise<void>,
  options: Partial<BridgeOptions>,
): Promise<void> {
  const cloud = await Cloud.open()
  const edge = await Edge.open(cloud, 'gw-1', options)
  try {
    await run(cloud, edge)
  } finally {
    await edge.close()
    await cloud.close()
  }
}

/** Values that do not compress, so that a frame has a size. */
const noise = (count: number): number[] =>
  Array.from({ length: count }, (_, index) => Math.sin(index * 12.9898) * 43758)

describe('lanes', () => {
  it('are control, alerts, records, series', () => {
    const lanesOf = (['clock', 'gaps', 'alerts', 'thresholds'] as const).map(table =>
      laneOf({ table, kind: 'records' }),
    )
    assert.deepEqual(lanesOf, ['control', 'control', 'alerts', 'records'])
    assert.equal(laneOf({ table: 'alerts', kind: 'series' }), 'series')
  })

  it('let an alert overtake all but one frame of a backlog on a slow link', async () => {
    await withEnds(
      async (cloud, edge) => {
        const frames = (): number => cloud.messageCount('/up/entries/readings')
        await until('talking', () => edge.bridge.status().state === 'talking')
        edge.proxy.throttle(12_000)
        await append(edge.store, ...noise(12_000))
        for (const name of ['first', 'second']) {
          const before = frames()
          await until('the backlog flows', () => frames() >= before + 2)
          await put(edge.store, name, 1, 'alerts')
          const from = cloud.order.length
          await until('the alert', () => cloud.store.latest('alerts', name) !== undefined)
          const alert = cloud.order.findIndex((topic, index) => index >= from && topic.endsWith('/entries/alerts'))
          const passed = cloud.order.slice(from, alert).filter(topic => topic.endsWith('/entries/readings'))
          assert.ok(passed.length <= 1, `${passed.length} frames of readings went before the alert`)
        }
        assert.ok(edge.stream('readings').behind > 1_000, 'the backlog was still there')
      },
      { frameBytes: 5_000 },
    )
  })
})

describe('lanes from the hub down to a gateway', () => {
  it('let a row overtake all but one frame of a backlog on a slow link', async () => {
    const cloud = await Cloud.open({ frameBytes: 5_000 })
    const edge = await Edge.open(cloud, 'gw-1', { publish: [], subscribe: ['thresholds', 'readings'] })
    const isReadings = (topic: string): boolean => topic.endsWith('/entries/readings')
    const frames = (): number => edge.arrived.filter(isReadings).length
    try {
      await until('talking', () => edge.bridge.status().state === 'talking')
      edge.proxy.throttle(12_000)
      await append(cloud.store, ...noise(12_000))
      for (const name of ['first', 'second']) {
        const before = frames()
        await until('the backlog flows', () => frames() >= before + 2)
        const from = edge.arrived.length
        await put(cloud.store, name, 1)
        await until('the row', () => edge.store.latest('thresholds', name) !== undefined)
        const row = edge.arrived.findIndex((topic, index) => index >= from && topic.endsWith('/entries/thresholds'))
        const passed = edge.arrived.slice(from, row).filter(isReadings)
        assert.ok(passed.length <= 1, `${passed.length} frames of readings went before the row`)
      }
      assert.ok(edge.stream('readings', 'receive').behind > 1_000, 'the backlog was still there')
    } finally {
      await edge.close()
      await cloud.close()
    }
  })
})

describe('a rate and a daily budget', () => {
  it('hold back readings and never an alert, and the status says until when', async () => {
    const cloud = await Cloud.open()
    const place = places.memory()
    const options = { dailyBytes: 20_000, frameBytes: 4_000 }
    const edge = await Edge.open(cloud, 'gw-1', options, place)
    try {
      await append(edge.store, ...noise(5_000))
      await until('the budget is used up', () => edge.stream('readings').state === 'waiting')
      const { reason, goesOnAtMs } = edge.stream('readings')
      assert.equal(reason, 'the 20 kB of today are used up')
      assert.equal((goesOnAtMs ?? 1) % (24 * hourMs), 0)
      assert.equal(edge.bridge.status().valve.daily?.leftBytes, 0)
      await put(edge.store, 'fire', 1, 'alerts')
      await until('the alert', () => cloud.store.latest('alerts', 'fire') !== undefined)
      await until('what was on its way is there', () => edge.stream('readings').framesInFlight === 0)
      const arrived = cloud.store.head('readings')
      assert.ok(arrived > 0 && arrived < 5_000)
      // Nothing but a new day refills it.
      await edge.stop()
      await edge.start()
      await until('talking again', () => edge.bridge.status().state === 'talking')
      await put(edge.store, 'smoke', 1, 'alerts')
      await until('the next alert', () => cloud.store.latest('alerts', 'smoke') !== undefined)
      assert.equal(edge.stream('readings').state, 'waiting')
      assert.equal(cloud.store.head('readings'), arrived)
    } finally {
      await edge.close()
      await cloud.close()
    }
  })

  it('keeps to the rate', async () => {
    await withEnds(
      async (cloud, edge) => {
        await until('talking', () => edge.bridge.status().state === 'talking')
        const startMs = systemTime.monotonicMs()
        await append(edge.store, ...noise(2_000))
        await until('all of it', () => cloud.store.head('readings') === 2_000)
        const seconds = (systemTime.monotonicMs() - startMs) / 1_000
        const { bytes } = edge.stream('readings')
        // One burst of a second, and the last frame, beyond what the rate allows.
        assert.ok(bytes <= 20_000 * (seconds + 1) + 20_000, `${bytes} bytes in ${seconds} s`)
      },
      { rateBytes: 20_000 },
    )
  })
})

describe('the window of a stream', () => {
  const now = (wall: string, monotonicMs: number, isTrusted = true) => ({
    wallMs: at(wall),
    monotonicMs,
    isTrusted,
  })

  it('follows the clock when it is set, forward and back, and by years', () => {
    const gate = new Gate(nightly)
    const isOpen = (wall: string, monotonicMs: number): boolean => gate.state(now(wall, monotonicMs)).isOpen
    assert.equal(isOpen('1970-01-01T00:00Z', 0), false)
    assert.equal(isOpen('2026-11-23T03:00Z', 1_000), true, 'from 1970')
    assert.equal(isOpen('2026-11-23T01:00Z', 2_000), false, 'two hours back')
    assert.equal(isOpen('2026-11-24T03:00Z', 3_000), true, 'a day forward')
    assert.equal(isOpen('2026-11-24T03:59:59Z', 3_602_000), true)
    assert.equal(isOpen('2026-11-24T04:00Z', 3_603_000), false)
  })

  it('is closed while the clock is not trusted', () => {
    const gate = new Gate(nightly)
    assert.deepEqual(gate.state(now('2026-11-23T03:00Z', 0, false)), { isOpen: false, untilMs: undefined })
    assert.equal(gate.state(now('2026-11-23T03:00Z', 1_000)).isOpen, true)
  })

  it('holds back its stream, never alerts, and says when it opens', async () => {
    const opens = (hours: number) => {
      const hour = (new Date(systemTime.wallMs()).getUTCHours() + hours) % 24
      return { open: `0 ${hour} * * *`, forMs: hourMs, zone: 'UTC' }
    }
    await withEnds(
      async (cloud, edge) => {
        await append(edge.store, 1, 2, 3)
        await put(edge.store, 'fire', 1, 'alerts')
        await put(edge.store, 'limit', 1)
        await until('the alert', () => cloud.store.latest('alerts', 'fire') !== undefined)
        await until('records whose window is open', () => cloud.store.latest('thresholds', 'limit') !== undefined)
        const { state, reason, goesOnAtMs = 0, behind } = edge.stream('readings')
        assert.deepEqual([state, reason, behind], ['waiting', 'outside its window', 3])
        assert.ok(goesOnAtMs > systemTime.wallMs())
        assert.equal(cloud.store.head('readings'), 0)
      },
      {
        publish: [
          { table: 'readings', start: 'beginning', window: opens(12) },
          { table: 'alerts', start: 'beginning', window: opens(12) },
          { table: 'thresholds', start: 'beginning', window: { open: '* * * * *', forMs: hourMs, zone: 'UTC' } },
        ],
        subscribe: [],
      },
    )
  })
})

describe('a stream that waits', () => {
  const publish = [{ table: 'readings', start: 'beginning' as const }]
  const atHub = (cloud: Cloud) => cloud.hub.status().gateways[0]?.streams.find(one => one.table === 'readings')

  it('for its budget says so at the hub too, with what it has', async () => {
    const cloud = await Cloud.open()
    const options = { dailyBytes: 20_000, frameBytes: 4_000, publish, subscribe: [] }
    const edge = await Edge.open(cloud, 'gw-1', options, places.memory(), undefined, fasterBy(20))
    try {
      await append(edge.store, ...noise(5_000))
      await until('the hub knows', () => atHub(cloud)?.state === 'waiting')
      assert.equal(atHub(cloud)?.reason, 'the 20 kB of today are used up')
      await until('both say the same', () => atHub(cloud)?.behind === edge.stream('readings').behind)
      assert.equal(atHub(cloud)?.behind, 5_000 - cloud.store.head('readings'))
    } finally {
      await edge.close()
      await cloud.close()
    }
  })

  it('for its window says so at the hub, until it is open', async () => {
    const cloud = await Cloud.open()
    let aheadMs = 0
    const time: Time = { ...fasterBy(20), wallMs: () => systemTime.wallMs() + aheadMs }
    const hour = (new Date(systemTime.wallMs()).getUTCHours() + 12) % 24
    const window = { open: `0 ${hour} * * *`, forMs: hourMs, zone: 'UTC' }
    const options = { publish: [{ table: 'readings', start: 'beginning' as const, window }], subscribe: [] }
    const edge = await Edge.open(cloud, 'gw-1', options, places.memory(), undefined, time)
    try {
      await append(edge.store, 1, 2, 3)
      await until('the hub knows', () => atHub(cloud)?.state === 'waiting')
      assert.deepEqual([atHub(cloud)?.reason, atHub(cloud)?.behind], ['outside its window', 3])
      aheadMs = 12 * hourMs
      await until('all there', () => cloud.store.head('readings') === 3)
      await until('the hub is content', () => atHub(cloud)?.state === 'idle')
      assert.deepEqual([atHub(cloud)?.reason, atHub(cloud)?.behind], [undefined, 0])
    } finally {
      await edge.close()
      await cloud.close()
    }
  })
})

describe('a valve', () => {
  const keys: ValveOptions = {
    name: 'cloud',
    rateBytes: undefined,
    dailyBytes: 10_000,
    windows: new Map(),
    clockTrusted: () => true,
  }
  const valveOf = (store: Store, time: Time, more: Partial<ValveOptions> = {}): Valve =>
    new Valve({ ...keys, ...more }, doors(store, time))

  it('tells by itself when there are tokens again', async () => {
    const store = await openTestStore(places.memory(), 'here')
    let nowMs = 0
    const timers: { atMs: number; run: () => void }[] = []
    const time: Time = {
      wallMs: () => nowMs,
      monotonicMs: () => nowMs,
      after: (delayMs, run) => {
        timers.push({ atMs: nowMs + delayMs, run })
        return () => {}
      },
    }
    const valve = valveOf(store, time, { rateBytes: 1_000, dailyBytes: undefined })
    let told = 0
    valve.onRoom = () => told++
    assert.ok(valve.isOpen('readings', 'series'))
    valve.spent(3_000)
    assert.ok(!valve.isOpen('readings', 'series'))
    assert.ok(!valve.isOpen('thresholds', 'records'))
    assert.ok(valve.isOpen('alerts', 'alerts'))
    assert.equal(timers.length, 1)
    nowMs = timers[0]?.atMs ?? 0
    timers[0]?.run()
    assert.equal(told, 1)
    assert.ok(valve.isOpen('readings', 'series'))
    await store.close()
  })

  it('writes nothing while nothing is spent', async () => {
    const store = await openTestStore(places.memory(), 'here')
    let nowMs = at('2026-11-23T00:00Z')
    const time: Time = { wallMs: () => nowMs, monotonicMs: () => nowMs, after: () => () => {} }
    const valve = valveOf(store, time)
    for (let seconds = 0; seconds < 300; seconds++) {
      nowMs += 1_000
      valve.tick()
    }
    await valve.close()
    assert.equal(store.state('budgets', 'cloud'), undefined)
    valve.spent(100)
    await valve.close()
    assert.equal((store.state('budgets', 'cloud') as Record<string, unknown>)['usedBytes'], 100)
    await store.close()
  })
})
