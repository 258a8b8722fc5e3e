import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { silentLog } from '../../runtime/log.ts'
import { Bridge } from '../../runtime/replication/bridge.ts'
import { cursorOf } from '../../runtime/replication/send/source.ts'
import { Rollup, type RollupOptions } from '../../runtime/rollup/rollup.ts'
import type { Store } from '../../runtime/store/store.ts'
import { type Arrival, seqZero } from '../../runtime/store/types.ts'
import { Cloud, arrival, doors, logOf, tables, until } from '../replication/rig.ts'
import { type Place, memoryPlace } from '../store/homes.ts'

const log = 'readings.every-1m.cloud'
const startMs = Date.UTC(2026, 0, 1)
const options: RollupOptions = {
  table: 'readings',
  log,
  periodMs: 60_000,
  keep: ['avg', 'min', 'max', 'last', 'count'],
  start: 'beginning',
  where: undefined,
  sentCursor: cursorOf('cloud', log),
  commitMs: 0,
}

/** A clock that the test holds; who waits for it is woken soon, and looks at it again. */
function heldTime() {
  const time = { nowMs: startMs }
  const after = (_ms: number, run: () => void): (() => void) => {
    const timer = setTimeout(run, 5)
    return () => clearTimeout(timer)
  }
  return Object.assign(time, { wallMs: () => time.nowMs, after })
}

const openStore = (place: Place, origin = 'gw-1'): Promise<Store> =>
  place.open({ origin, tables: [...tables, { name: log, kind: 'series' }], commitIntervalMs: 1 })

const reading = (ms: number, value: Arrival['value'], more: Partial<Arrival> = {}): Arrival =>
  arrival(0, { arrivalMs: startMs + ms, value, ...more })

const append = (store: Store, ...readings: Arrival[]): Promise<unknown> =>
  store.commit([{ kind: 'append', table: 'readings', readings }], 'now')

/** The summaries, each as `device metric start value`. */
async function summaries(store: Store): Promise<string[]> {
  return (await store.read(log, seqZero, 1_000_000)).map(entry => {
    if (entry.kind !== 'reading') return entry.kind
    const { series, value } = entry
    const start = (entry.deviceTimeMs ?? entry.arrivalMs) - startMs
    return `${series.device} ${series.metric} ${start} ${JSON.stringify(value)}`
  })
}

async function withRollup(
  work: (store: Store, rollup: Rollup, time: ReturnType<typeof heldTime>) => Promise<void>,
  more: Partial<RollupOptions> = {},
): Promise<void> {
  const place = memoryPlace()
  const time = heldTime()
  const store = await openStore(place)
  const rollup = await Rollup.open({ ...options, ...more }, { store, time, log: silentLog })
  try {
    await work(store, rollup, time)
  } finally {
    await rollup.close()
    await store.close()
    place.remove()
  }
}

describe('the summaries of a table', () => {
  test('are rows of a log of their own, named after what is kept, with the start of the period as time', () =>
    withRollup(async (store, _rollup, time) => {
      await append(store, reading(1_000, 1), reading(2_000, 4), reading(3_000, true, { metric: 'door' }))
      time.nowMs += 70_000
      await until('the period is closed', () => store.head(log) === 8)
      assert.deepEqual((await summaries(store)).toSorted(), [
        'freezer-1 door:avg 0 1',
        'freezer-1 door:count 0 1',
        'freezer-1 door:last 0 true',
        'freezer-1 temperature:avg 0 2.5',
        'freezer-1 temperature:count 0 2',
        'freezer-1 temperature:last 0 4',
        'freezer-1 temperature:max 0 4',
        'freezer-1 temperature:min 0 1',
      ])
      const [avg] = await logOf(store, log)
      assert.equal(avg?.kind === 'reading' && avg.series.unit, '°C')
    }))

  test('leave out what is not chosen, and count what cannot be told', () =>
    withRollup(
      async (store, rollup, time) => {
        await append(store, reading(1_000, 1), reading(2_000, 9), reading(3_000, 'open'))
        time.nowMs += 70_000
        await until('the period is closed', () => store.head(log) === 1)
        assert.deepEqual(await summaries(store), ['freezer-1 temperature:count 0 1'])
        assert.equal(rollup.undecided, 1)
      },
      { keep: ['count'], where: ({ value }) => (typeof value === 'string' ? undefined : value === 9) },
    ))

  test('begin where they are told to', async () => {
    const place = memoryPlace()
    const store = await openStore(place)
    await append(store, reading(1_000, 1), reading(50_000, 2))
    for (const [start, expected] of [
      ['beginning', 2],
      ['now', 0],
      [startMs + 2_000, 1],
    ] as const) {
      const own = { ...options, log, keep: ['count'] as const, start }
      const time = heldTime()
      const before = store.head(log)
      // Each a stream of its own, into the same log.
      const rollup = await Rollup.open(
        { ...own, table: 'readings' },
        { store: forgetful(store, `${start}`), time, log: silentLog },
      )
      time.nowMs += 70_000
      await until('all is read', () => rollup.status().behind === 0 && rollup.status().open === 0)
      await rollup.close()
      const told = (await summaries(store)).slice(before)
      assert.deepEqual(told, expected === 0 ? [] : [`freezer-1 temperature:count 0 ${expected}`])
    }
    await store.close()
    place.remove()
  })

  test('are the same whatever stops and restarts, and however the readings are committed', async () => {
    const steps = fc.array(
      fc.record({
        passMs: fc.integer({ min: 0, max: 40_000 }),
        device: fc.constantFrom('a', 'b'),
        value: fc.integer({ min: -9, max: 9 }),
        lateMs: fc.option(fc.integer({ min: 0, max: 200_000 }), { nil: undefined }),
        move: fc.constantFrom('go on', 'go on', 'wait', 'restart', 'kill'),
      }),
      { minLength: 1, maxLength: 25 },
    )
    await fc.assert(
      fc.asyncProperty(steps, async history => {
        let ms = 0
        const made = history.map(({ passMs, device, value, lateMs, move }, index) => {
          ms += passMs
          const deviceTimeMs = lateMs === undefined ? undefined : startMs + ms - lateMs
          return { move, reading: reading(ms, value, { device, deviceTimeMs, id: `${index}` }) }
        })
        const straight = await played(made.map(step => ({ ...step, move: 'go on' })))
        assert.deepEqual(await played(made), straight)
      }),
      { numRuns: 25 },
    )
  })
})

type Move = { readonly reading: Arrival; readonly move: string }

/** The summaries of a history that is stored one by one, while the follower goes through what is told of it. */
async function played(moves: readonly Move[]): Promise<string[]> {
  const place = memoryPlace()
  const time = heldTime()
  let store = await openStore(place)
  let rollup = await Rollup.open(options, { store, time, log: silentLog })
  for (const { reading: taken, move } of moves) {
    time.nowMs = taken.arrivalMs
    await append(store, taken)
    if (move === 'wait') await until('it is read', () => rollup.status().behind === 0)
    if (move === 'restart') await rollup.close()
    if (move === 'restart' || move === 'kill') {
      // Killed: the store goes away under it, with whatever was not on disk.
      await store.close()
      await rollup.close()
      store = await openStore(place)
      rollup = await Rollup.open(options, { store, time, log: silentLog })
    }
  }
  time.nowMs += 10_000_000
  await until('all is closed', () => rollup.status().behind === 0 && rollup.status().open === 0)
  await rollup.close()
  const told = await summaries(store)
  await store.close()
  place.remove()
  return told.toSorted()
}

/** A store in which a follower finds no place of its own from before. */
function forgetful(store: Store, name: string) {
  const own = (text: string): string => (text.startsWith('every/') ? `${text}/${name}` : text)
  return {
    commit: (changes: Parameters<Store['commit']>[0], urgency?: Parameters<Store['commit']>[1]) =>
      store.commit(
        changes.map(change =>
          change.kind === 'cursor'
            ? { ...change, name: own(change.name) }
            : change.kind === 'state'
              ? { ...change, owner: own(change.owner) }
              : change,
        ),
        urgency,
      ),
    head: (table: string) => store.head(table),
    cursor: (text: string) => store.cursor(own(text)),
    states: (owner: string) => store.states(own(owner)),
    read: store.read.bind(store),
    waitPast: store.waitPast.bind(store),
    trim: store.trim.bind(store),
    ready: store.ready.bind(store),
    hasRoomFor: store.hasRoomFor.bind(store),
  }
}

describe('a stream of summaries', () => {
  test('comes to the hub as readings of the table, and another stream of it has positions of its own', async () => {
    const cloud = await Cloud.open()
    const place = memoryPlace()
    const time = heldTime()
    const store = await openStore(place)
    await append(store, ...Array.from({ length: 20 }, (_, index) => reading(index, index)))
    const bridge = (summarised: boolean): Promise<Bridge> =>
      Bridge.open(
        {
          name: 'cloud',
          url: `mqtt://127.0.0.1:${cloud.port}`,
          gateway: 'gw-1',
          username: 'gw-1',
          password: undefined,
          publish: [
            { table: 'readings', start: 'beginning', ...(summarised && { summaries: { log, undecided: () => 3 } }) },
          ],
          subscribe: [],
          keepaliveMs: 5_000,
          frameBytes: undefined,
          tls: undefined,
        },
        { ...doors(store), random: () => 0.02 },
      )
    const plain = await bridge(false)
    await until('the readings are there', () => cloud.store.head('readings') === 20)
    await plain.close()
    const rollup = await Rollup.open({ ...options, keep: ['count', 'avg'] }, { store, time, log: silentLog })
    const summarised = await bridge(true)
    try {
      time.nowMs += 70_000
      await until('the summary is there', () => cloud.store.head('readings') === 22)
      const told = (await logOf(cloud.store, 'readings')).slice(20)
      assert.deepEqual(
        told.map(
          entry =>
            entry.kind === 'reading' && [
              entry.series.metric,
              entry.value,
              entry.deviceTimeMs,
              entry.origin,
              entry.joined,
            ],
        ),
        [
          ['temperature:count', 20, startMs, 'gw-1', false],
          ['temperature:avg', 9.5, startMs, 'gw-1', true],
        ],
      )
      const [stream] = summarised.status().streams
      assert.deepEqual([stream?.table, stream?.undecided], ['readings', 3])
      await until('it is confirmed', () => summarised.status().streams[0]?.behind === 0)
    } finally {
      await summarised.close()
      await rollup.close()
      await store.close()
      place.remove()
      await cloud.close()
    }
  })
})
