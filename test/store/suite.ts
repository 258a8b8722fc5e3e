/** What every store must do, whatever it stands on. Run by memory.test.ts and disk.test.ts. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Stamp } from '../../runtime/stamp.ts'
import type { Store } from '../../runtime/store/store.ts'
import {
  type Arrival,
  type Entry,
  type ReadingEntry,
  type ReadingQuery,
  asSeq,
  seqZero,
} from '../../runtime/store/types.ts'
import { type Place, testStamps } from './homes.ts'

export const startMs = 1_700_000_000_000

export function arrival(fields: Partial<Arrival> = {}): Arrival {
  return {
    device: 'freezer-1',
    metric: 'temperature',
    value: -18.5,
    deviceTimeMs: undefined,
    id: undefined,
    unit: '°C',
    arrivalMs: startMs,
    joined: false,
    ...fields,
  }
}

export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of source) found.push(item)
  return found
}

const append = (store: Store, ...readings: Arrival[]) => store.commit([{ kind: 'append', table: 'readings', readings }])
const readAll = (store: Store, table = 'readings') => store.read(table, seqZero, 1_000_000)
const query = (store: Store, where: ReadingQuery = {}) => collect(store.query('readings', where))

export function storeSuite(name: string, makePlace: () => Place): void {
  describe(`a store ${name}`, () => {
    let place: Place
    let store: Store
    before(async () => {
      place = makePlace()
      store = await place.open()
    })
    after(async () => {
      await store.close()
      place.remove()
    })
    const reopen = async (): Promise<void> => {
      await store.close()
      store = await place.open()
    }

    it('gives readings neighbouring positions and later stamps, and tells them after a restart', async () => {
      const receipt = await append(store, arrival({ value: 1 }), arrival({ value: 2, metric: 'humidity' }))
      assert.deepEqual(receipt, { stored: 2, duplicates: 0, applied: 0, superseded: 0 })
      await append(store, arrival({ value: 3 }))
      const told = await readAll(store)
      assert.deepEqual(
        told.map(entry => entry.seq),
        [1, 2, 3],
      )
      assert.ok(
        (told[0] as Entry).stamp < (told[1] as Entry).stamp && (told[1] as Entry).stamp < (told[2] as Entry).stamp,
      )
      await reopen()
      assert.deepEqual(strip(await readAll(store)), strip(told))
      assert.equal(store.head('readings'), 3)
    })

    it('keeps every form of value, device time, id and unit exactly', async () => {
      const values = [
        0,
        -0,
        21.5,
        -18.25,
        0.1,
        1 / 3,
        1e300,
        -2147483648,
        9007199254740991,
        0.001,
        true,
        false,
        '',
        'offen ✓',
        { lat: 1.5, tags: ['a', null] },
        [1, 'x'],
      ]
      const head = store.head('readings')
      await append(
        store,
        ...values.map((value, index) =>
          arrival({
            value,
            deviceTimeMs: startMs - 86_400_000 + index,
            id: `é${index}`,
            unit: index % 2 ? 'K' : undefined,
          }),
        ),
      )
      const check = async (): Promise<void> => {
        const told = (await store.read('readings', head, 1000)) as ReadingEntry[]
        assert.deepEqual(
          told.map(entry => entry.value),
          values,
        )
        assert.deepEqual(
          told.map(entry => entry.id),
          values.map((_, index) => `é${index}`),
        )
        assert.deepEqual(
          told.map(entry => entry.deviceTimeMs),
          values.map((_, index) => startMs - 86_400_000 + index),
        )
        assert.deepEqual(
          told.map(entry => entry.series.unit),
          values.map((_, index) => (index % 2 ? 'K' : undefined)),
        )
      }
      await check()
      await reopen()
      await check()
    })

    it('stores a reading with a device time or an id once, however often it is sent, across restarts', async () => {
      const timed = arrival({ device: 'once', deviceTimeMs: startMs + 5, value: 1 })
      const named = arrival({ device: 'once', metric: 'door', id: 'a7', value: true })
      const both = arrival({ device: 'once', metric: 'both', deviceTimeMs: startMs + 5, id: 'x', value: 1 })
      assert.equal((await append(store, timed, named, both, timed, named, both)).stored, 3)
      assert.equal((await append(store, timed, named, both)).duplicates, 3)
      await reopen()
      assert.equal((await append(store, { ...timed, arrivalMs: startMs + 60_000 }, named, both)).duplicates, 3)
      assert.equal(
        (await append(store, { ...both, id: 'y' }, { ...timed, deviceTimeMs: startMs + 4 })).stored,
        2,
        'another id or an earlier time is another reading',
      )
      assert.equal((await append(store, { ...timed, deviceTimeMs: startMs + 4 })).duplicates, 1)
      assert.equal((await append(store, { ...timed, value: 2 })).stored, 1, 'a clock of whole seconds loses nothing')
    })

    it('answers by device, metric and time, across packed and recent readings', async () => {
      const device = 'pump-9'
      const all = Array.from({ length: 400 }, (_, index) =>
        arrival({
          device,
          metric: index % 2 ? 'flow' : 'pressure',
          value: index,
          deviceTimeMs: startMs + index * 60_000,
        }),
      )
      await append(store, ...all.slice(0, 300))
      await packNow(store, place)
      await append(store, ...all.slice(300))
      const told = await query(store, {
        device: 'pump-*',
        metric: 'flow',
        fromMs: startMs + 100 * 60_000,
        toMs: startMs + 350 * 60_000,
      })
      assert.deepEqual(
        told.map(entry => entry.value),
        Array.from({ length: 125 }, (_, index) => 101 + index * 2),
      )
      assert.deepEqual(
        (await query(store, { device, limit: 3 })).map(entry => entry.value),
        [397, 398, 399],
      )
      assert.deepEqual(await query(store, { device: 'pump' }), [])
      async function packNow(open: Store, at: Place): Promise<void> {
        // Packing by time happens with the first commit after packEveryMs.
        await open.close()
        let nowMs = 0
        store = await at.open({ monotonicMs: () => nowMs })
        nowMs = 3_600_000
        await store.commit([{ kind: 'put', table: 'alerts', key: 'tick', value: nowMs }])
        await store.close()
        store = await at.open()
      }
    })

    it('keeps the latest row of each key, forgets deleted ones, and counts their log', async () => {
      await store.commit([
        { kind: 'put', table: 'thresholds', key: 'freezer-1/temperature', value: { max: 8 } },
        { kind: 'put', table: 'thresholds', key: 'freezer-2/temperature', value: 5 },
      ])
      await store.commit([{ kind: 'put', table: 'thresholds', key: 'freezer-1/temperature', value: { max: 9 } }])
      await store.commit([{ kind: 'delete', table: 'thresholds', key: 'freezer-2/temperature' }])
      for (const again of [false, true]) {
        if (again) await reopen()
        assert.deepEqual(store.latest('thresholds', 'freezer-1/temperature')?.value, { max: 9 })
        assert.equal(store.latest('thresholds', 'freezer-2/temperature'), undefined)
        assert.deepEqual(
          (await collect(store.rows('thresholds'))).map(row => row.key),
          ['freezer-1/temperature'],
        )
        assert.deepEqual(
          (await readAll(store, 'thresholds')).map(entry => [entry.seq, entry.joined]),
          [
            [1, false],
            [2, true],
            [3, false],
            [4, false],
          ],
        )
      }
    })

    it("lets the later stamp win whatever the order in which peers' rows come, and the greater origin on a tie", async () => {
      const row = (stamp: number, origin: string, value: number) => ({
        key: 'lww',
        value,
        origin,
        stamp: stamp as Stamp,
        joined: false,
      })
      const apply = (...records: ReturnType<typeof row>[]) =>
        store.commit([{ kind: 'apply-records', table: 'thresholds', via: 'hub', records }])
      assert.deepEqual(await apply(row(100, 'b', 1)), { stored: 0, duplicates: 0, applied: 1, superseded: 0 })
      assert.equal((await apply(row(99, 'z', 2), row(100, 'a', 3), row(100, 'b', 4))).superseded, 3)
      assert.equal((await apply(row(100, 'c', 5))).applied, 1)
      assert.deepEqual([store.latest('thresholds', 'lww')?.value, store.latest('thresholds', 'lww')?.origin], [5, 'c'])
      const future = row(Number.MAX_SAFE_INTEGER - 1_000_000, 'c', 6)
      await apply(future)
      await store.commit([{ kind: 'put', table: 'thresholds', key: 'lww', value: 7 }])
      assert.equal(
        store.latest('thresholds', 'lww')?.value,
        7,
        'what is written here next is later than all that was seen',
      )
    })

    it('keeps cursors and follower state with the rows of the same commit', async () => {
      await store.commit([
        { kind: 'put', table: 'alerts', key: 'a', value: 1 },
        { kind: 'cursor', name: 'alerting/readings', seq: asSeq(3) },
        { kind: 'state', owner: 'alerting', key: 'r/1', value: { kind: 'pending' } },
        { kind: 'state', owner: 'alerting', key: 'r/2', value: 1 },
      ])
      await store.commit([{ kind: 'state', owner: 'alerting', key: 'r/2', value: undefined }])
      await reopen()
      assert.equal(store.cursor('alerting/readings'), 3)
      assert.deepEqual([...store.states('alerting')], [['r/1', { kind: 'pending' }]])
      assert.equal(store.cursor('nobody'), undefined)
    })

    it('refuses a commit that cannot be, by name and whole, and takes its neighbours', async () => {
      const head = store.head('alerts')
      const bad = store.commit([
        { kind: 'put', table: 'alerts', key: 'half', value: 1 },
        { kind: 'put', table: 'alrets', key: 'half', value: 1 },
      ])
      const good = store.commit([{ kind: 'put', table: 'alerts', key: 'neighbour', value: 1 }])
      await assert.rejects(bad, { code: 'TABLE_UNKNOWN' })
      await good
      assert.equal(store.head('alerts'), head + 1)
      assert.equal(store.latest('alerts', 'half'), undefined)
      await assert.rejects(store.commit([{ kind: 'put', table: 'readings', key: 'x', value: 1 }]), {
        code: 'TABLE_KIND',
      })
      await assert.rejects(store.commit([{ kind: 'put', table: 'alerts', key: 'x', value: 'y'.repeat(200_000) }]), {
        code: 'RECORD_TOO_LARGE',
      })
      await assert.rejects(store.commit([{ kind: 'put', table: 'alerts', key: '', value: 1 }]), {
        code: 'BAD_ARGUMENT',
      })
    })

    it('wakes a follower for what is new, and never cuts a transaction in two', async () => {
      const stop = new AbortController()
      const from = store.head('readings')
      const seen: Entry[] = []
      const following = (async () => {
        for await (const entries of store.follow('readings', from, stop.signal, 2)) {
          assert.equal((entries[0] as Entry).joined, false, 'a batch begins with a transaction')
          seen.push(...entries)
          if (seen.length >= 7) stop.abort()
        }
      })()
      await append(store, arrival({ device: 'tx' }))
      await append(
        store,
        ...Array.from({ length: 5 }, (_, index) => arrival({ device: 'tx', value: index, joined: index > 0 })),
      )
      await append(store, arrival({ device: 'tx' }))
      await following
      assert.deepEqual(
        seen.map(entry => entry.seq - from),
        [1, 2, 3, 4, 5, 6, 7],
      )
    })

    it('closes every iterator, also of a reader that leaves in the middle [L11]', async () => {
      for await (const _ of store.query('readings', {})) break
      for await (const _ of store.rows('thresholds')) break
      await store.read('readings', seqZero, 1)
      assert.equal(place.openIterators?.() ?? 0, 0)
    })

    it("keeps a peer's readings with their stamp and origin, apart from the same device here", async () => {
      const peer = { ...arrival({ device: 'freezer-1' }), origin: 'gw-2', stamp: 5 as Stamp, joined: false }
      const head = store.head('readings')
      await store.commit([
        { kind: 'apply-readings', table: 'readings', via: 'gw-2', readings: [peer, { ...peer, stamp: 6 as Stamp }] },
        { kind: 'cursor', name: 'peer/gw-2', seq: asSeq(2) },
      ])
      await reopen()
      const told = (await store.read('readings', head, 10)) as ReadingEntry[]
      assert.deepEqual(
        told.map(({ origin, via, stamp }) => ({ origin, via, stamp })),
        [
          { origin: 'gw-2', via: 'gw-2', stamp: 5 },
          { origin: 'gw-2', via: 'gw-2', stamp: 6 },
        ],
      )
    })

    it('never gives a stamp behind its floor after a restart with a clock that has jumped back', async () => {
      await append(store, arrival({ device: 'clock' }))
      const before = ((await readAll(store)).at(-1) as Entry).stamp
      await store.close()
      store = await place.open({ stamps: testStamps(() => 5_000) })
      await append(store, arrival({ device: 'clock' }))
      assert.ok(((await readAll(store)).at(-1) as Entry).stamp > before)
    })

    it('tells a reader who comes too late for a trimmed log that there is a gap, and how large', async () => {
      const through = store.head('readings')
      await append(store, arrival({ value: 100, arrivalMs: startMs + 1_000_000_000 }))
      await store.trim('readings', through, 'max_rows')
      for (const again of [false, true]) {
        if (again) await reopen()
        const [gap, ...rest] = await readAll(store)
        assert.deepEqual(
          { ...gap },
          {
            kind: 'gap',
            seq: through,
            firstSeq: 1,
            count: through,
            reason: 'max_rows',
            stamp: 0,
            origin: '',
            via: '',
            joined: false,
          },
        )
        assert.deepEqual(
          rest.map(entry => entry.seq),
          [through + 1],
        )
        assert.equal((await query(store)).length, 1, 'queries have lost the same')
      }
    })
  })
}

const strip = (entries: readonly Entry[]): unknown[] =>
  entries.map(entry => (entry.kind === 'reading' ? { ...entry, series: entry.series.id } : entry))
