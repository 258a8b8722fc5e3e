/**
 * What every far side promises (runtime/replication/far-side.ts), run on each: give it a way to open one, and it tries
 * the promises over a real connection that can be cut and stalled. Time goes ten times as fast, so that half a minute
 * of silence does not take one.
 */
import assert from 'node:assert/strict'
import { type TestContext, describe, it } from 'node:test'
import type { FarSide } from '../../runtime/replication/far-side.ts'
import type { StreamStatus } from '../../runtime/replication/stream.ts'
import type { Time } from '../../runtime/replication/time.ts'
import type { Store } from '../../runtime/store/store.ts'
import type { Proxy } from '../rigs/proxy.ts'
import { append, arrival, fasterBy, sleep, until } from './rig.ts'

export type FarEnd = {
  readonly proxy: Proxy
  /** The gateway's side, as it is open now. */
  store(): Store
  farSide(): FarSide
  /** The values of the readings that are there, in the order in which they came, each time that they came. */
  arrived(): Promise<readonly number[]>
  /** Rows that were put aside, wherever that is done. */
  parked(): number
  /** Restarts, in peace. */
  restartFarSide(): Promise<void>
  restartGateway(): Promise<void>
  /** It keeps the connection, and does not answer any more, until `speak`. */
  hush(): Promise<void>
  speak(): void
}

export type FarSideKind = {
  readonly name: string
  readonly skip: string | false
  /** Opened with the table `readings`, from its beginning or from now; everything is closed after the test. */
  readonly open: (
    t: TestContext,
    options: { readonly time: Time; readonly start: 'beginning' | 'now' },
  ) => Promise<FarEnd>
  /** True where it keeps the position: then each entry is there once, whatever happens. Else at least once. */
  readonly isOnce: boolean
}

const fastTime = fasterBy(10)

const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index)

/** A device that no far side takes: its name does not fit. */
const impossible = { device: 'x'.repeat(3_000) }

export function farSideSuite({ name, skip, open, isOnce }: FarSideKind): void {
  describe(`the far side "${name}"`, { skip, timeout: 180_000 }, () => {
    const start = async (t: TestContext, from: 'beginning' | 'now' = 'beginning'): Promise<FarEnd> =>
      open(t, { time: fastTime, start: from })

    const stream = (end: FarEnd): StreamStatus => {
      const found = end
        .farSide()
        .status()
        .streams.find(({ table, direction }) => table === 'readings' && direction === 'send')
      return found ?? assert.fail('there is no stream')
    }

    const done = (end: FarEnd): Promise<void> => until('confirmed', () => stream(end).behind === 0, 60_000)

    /** All are there, in order; once, or at least once, as it promises. */
    async function isThere(end: FarEnd, expected: readonly number[]): Promise<void> {
      await done(end)
      await until('arrived', async () => new Set(await end.arrived()).size >= expected.length)
      const arrived = await end.arrived()
      assert.deepEqual(isOnce ? arrived : [...new Set(arrived)], expected)
    }

    it('takes every entry, in order, and then there is nothing left to say', async t => {
      const end = await start(t)
      await append(end.store(), ...numbers(1, 300))
      await isThere(end, numbers(1, 300))
      assert.deepEqual([stream(end).state, stream(end).oldestUnsentMs, end.parked()], ['idle', undefined, 0])
      await sleep(300)
      const before = { ...end.proxy.bytes }
      // Five seconds of its time: it is not as if there were something to say.
      await sleep(500)
      assert.deepEqual({ ...end.proxy.bytes }, before)
    })

    it('goes on after every cut, from what had arrived', async t => {
      const end = await start(t)
      for (let round = 0; round < 6; round++) {
        await append(end.store(), ...numbers(round * 100 + 1, round * 100 + 100))
        if (round % 2 === 0)
          await until('some', () => stream(end).confirmed > round * 100 || stream(end).framesInFlight > 0)
        end.proxy.dropConnections()
      }
      await isThere(end, numbers(1, 600))
    })

    it('goes on after a restart of either side, what was committed meanwhile included', async t => {
      const end = await start(t)
      await append(end.store(), ...numbers(1, 100))
      await done(end)
      await end.restartFarSide()
      await append(end.store(), ...numbers(101, 200))
      await done(end)
      end.proxy.cut()
      await append(end.store(), ...numbers(201, 300))
      await end.restartGateway()
      await append(end.store(), ...numbers(301, 400))
      end.proxy.restore()
      await isThere(end, numbers(1, 400))
    })

    it('puts aside the one entry that it refuses, and the rest flows', async t => {
      const end = await start(t)
      await append(end.store(), 1, 2)
      await end.store().commit([{ kind: 'append', table: 'readings', readings: [arrival(3, impossible)] }])
      await append(end.store(), 4, 5)
      await isThere(end, [1, 2, 4, 5])
      assert.deepEqual([end.parked(), stream(end).state], [1, 'idle'])
    })

    it('is not green while it does not answer, the oldest entry gets older, and it goes on by itself', async t => {
      const end = await start(t)
      await append(end.store(), 1)
      await done(end)
      await end.hush()
      await append(end.store(), ...numbers(2, 200))
      await until('not green', () => !['idle', 'moving'].includes(stream(end).state), 60_000)
      const { confirmed, behind, oldestUnsentMs = 0 } = stream(end)
      assert.deepEqual([confirmed, behind], [1, 199])
      await until('older', () => (stream(end).oldestUnsentMs ?? 0) > oldestUnsentMs)
      assert.equal(stream(end).confirmed, 1)
      end.speak()
      await isThere(end, numbers(1, 200))
    })

    it('holds nothing but counts while it is away, and says how much waits and for how long', async t => {
      const end = await start(t)
      await append(end.store(), 1)
      await done(end)
      end.proxy.cut()
      await until('offline', () => stream(end).state === 'offline')
      const reads = watchReads(end.store())
      for (let batch = 0; batch < 50; batch++) await append(end.store(), ...numbers(batch * 100 + 2, batch * 100 + 101))
      await until('age', () => (stream(end).oldestUnsentMs ?? 0) > 0)
      const { behind, framesInFlight } = stream(end)
      assert.deepEqual([behind, framesInFlight], [5_000, 0])
      // One look at the oldest now and then, and never at what comes after it.
      assert.ok(reads.every(limit => limit === 1))
      end.proxy.restore()
      await isThere(end, numbers(1, 5_001))
    })

    it('begins where it was told to: with what comes after it was first opened, also after a restart', async t => {
      const end = await start(t, 'now')
      await append(end.store(), 1, 2, 3)
      await isThere(end, [1, 2, 3])
      await end.restartGateway()
      await append(end.store(), 4)
      await isThere(end, [1, 2, 3, 4])
    })
  })
}

/** How many entries each read of the log asked for from now on. */
function watchReads(store: Store): number[] {
  const limits: number[] = []
  const read = store.read.bind(store)
  store.read = (table, after, limit) => {
    limits.push(limit)
    return read(table, after, limit)
  }
  return limits
}
