import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { Devices, type DevicesOptions } from '../../runtime/devices/devices.ts'
import { silentLog } from '../../runtime/log.ts'
import type { Json } from '../../runtime/reading.ts'
import type { Store } from '../../runtime/store/store.ts'
import { memoryPlace } from '../store/homes.ts'

const minuteMs = 60_000
const startMs = Date.UTC(2026, 0, 1)
const tables = [{ name: 'devices', kind: 'records' }] as const

let place: ReturnType<typeof memoryPlace>
let store: Store
/** Since the board was switched on, and by how much its wall clock is ahead of that. */
let upMs: number
let offMs: number
let isTrusted: boolean
let labels: Record<string, string>
let isFull: boolean
let commits: number

beforeEach(async () => {
  place = memoryPlace()
  ;[upMs, offMs, isTrusted, labels, isFull, commits] = [1_000, startMs, true, { site: 'lyon' }, false, 0]
  store = await place.open({ origin: 'gw-1', tables, commitIntervalMs: 0 })
})
afterEach(async () => {
  await store.close()
  place.remove()
})

const open = (options: Partial<DevicesOptions> = {}): Promise<Devices> =>
  Devices.open(
    { offlineAfterMs: 15 * minuteMs, expected: new Map(), ...options },
    {
      store: {
        origin: store.origin,
        rows: table => store.rows(table),
        commit: changes => {
          commits += 1
          return isFull ? Promise.reject(new Error('disk full')) : store.commit(changes, 'now')
        },
      },
      labels: () => labels,
      now: () => upMs + offMs,
      isTimeTrusted: () => isTrusted,
      monotonicMs: () => upMs,
      after: () => () => undefined,
      log: silentLog,
    },
  )

const seen = new Map([['freezer-1', 'json']])
const row = (): Record<string, Json> => store.latest('devices', 'freezer-1')?.value as Record<string, Json>
async function pass(devices: Devices, ms: number, step = ms, each: () => void = () => undefined): Promise<void> {
  for (let passed = 0; passed < ms; passed += step) {
    upMs += step
    each()
    await devices.tick()
  }
}

describe('the table devices', () => {
  test('tells who was seen first and last, by which adapter, and whether it is here', async () => {
    const devices = await open()
    devices.saw(seen)
    await devices.tick()
    assert.deepEqual(row(), {
      online: true,
      why: 'reading',
      adapter: 'json',
      labels: { site: 'lyon' },
      since_ms: startMs + 1_000,
      first_seen_ms: startMs + 1_000,
      last_seen_ms: startMs + 1_000,
    })
    await pass(devices, 16 * minuteMs)
    assert.deepEqual([row()['online'], row()['why']], [false, 'silence'])
    devices.told([{ device: 'freezer-1', isOnline: true }], 'tasmota')
    await devices.tick()
    assert.deepEqual([row()['online'], row()['why'], row()['adapter']], [true, 'presence', 'tasmota'])
    assert.equal(row()['first_seen_ms'], startMs + 1_000)
  })

  test('is written every ten minutes of a device that goes on, and at the end', async () => {
    const devices = await open()
    await pass(devices, 60 * minuteMs, minuteMs, () => devices.saw(seen))
    assert.ok(commits >= 5 && commits <= 7, `${commits} commits`)
    upMs += 1_000
    devices.saw(seen)
    await devices.close()
    assert.equal(row()['last_seen_ms'], startMs + upMs)
  })

  test('is written again when labels change', async () => {
    const devices = await open()
    devices.saw(seen)
    await devices.tick()
    labels = { site: 'paris' }
    await devices.tick()
    assert.deepEqual([row()['labels'], commits], [{ site: 'paris' }, 2])
    await devices.tick()
    assert.equal(commits, 2)
  })

  test('is written when the store can, where it could not', async () => {
    const devices = await open()
    isFull = true
    devices.saw(seen)
    await devices.tick()
    assert.equal(store.latest('devices', 'freezer-1'), undefined)
    isFull = false
    await devices.tick()
    assert.equal(row()['online'], true)
  })

  test('goes on after a restart: what was first seen stays, and rows of other gateways are left alone', async () => {
    const first = await open()
    first.saw(seen)
    await first.close()
    const other = { online: true, first_seen_ms: 1, last_seen_ms: 2 }
    await store.close()
    store = await place.open({ origin: 'gw-2', tables, commitIntervalMs: 0 })
    await store.commit([{ kind: 'put', table: 'devices', key: 'pump-1', value: other }], 'now')
    await store.close()
    store = await place.open({ origin: 'gw-1', tables, commitIntervalMs: 0 })
    ;[upMs, offMs] = [500, startMs + 60 * minuteMs]
    const again = await open()
    assert.deepEqual(
      again.list().map(({ device, state, first_seen_ms }) => [device, state, first_seen_ms]),
      [['freezer-1', 'online', startMs + 1_000]],
    )
    await pass(again, 16 * minuteMs)
    assert.deepEqual([row()['online'], row()['last_seen_ms']], [false, startMs + 1_000])
  })

  test('says of times by a clock that nobody vouched for that they are, and is right once it is known', async () => {
    ;[offMs, isTrusted] = [0, false]
    const devices = await open()
    devices.saw(seen)
    await devices.tick()
    assert.deepEqual([row()['clock'], row()['first_seen_ms']], ['untrusted', 1_000])
    upMs += 1_000
    ;[offMs, isTrusted] = [startMs, true]
    await devices.tick()
    assert.deepEqual([row()['clock'], row()['first_seen_ms']], [undefined, startMs + 1_000])
  })
})

describe('the list of devices', () => {
  test('has those of the configuration that were never heard, and each its own patience', async () => {
    const expected = new Map([
      ['freezer-1', { offlineAfterMs: minuteMs }],
      ['freezer-2', { offlineAfterMs: undefined }],
    ])
    const devices = await open({ expected })
    devices.saw(seen)
    devices.saw(new Map([['pump-1', 'number']]))
    await pass(devices, 2 * minuteMs)
    assert.deepEqual(
      devices.list().map(({ device, state }) => [device, state]),
      [
        ['freezer-1', 'offline'],
        ['freezer-2', 'never'],
        ['pump-1', 'online'],
      ],
    )
    assert.deepEqual(devices.counts(), { online: 1, offline: 1, left_out: 0 })
  })
})
