/** The follower of packed readings: it keeps up, stops at once, and goes on where a failed write or a restart has left it. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { silentLog } from '../../runtime/log.ts'
import { TableRollups } from '../../runtime/rollup/tables.ts'
import { type Intervals, intervalsOf } from '../../runtime/store/intervals.ts'
import { packEveryMs } from '../../runtime/store/packer.ts'
import type { Store } from '../../runtime/store/store.ts'
import { memoryPlace } from '../store/homes.ts'
import { arrival, collect, startMs } from '../store/suite.ts'

const hourMs = 3_600_000

/** Everything that waits runs as soon as whoever holds the clock says so. */
class Clock {
  readonly #waiting = new Set<() => void>()
  readonly after = (_ms: number, run: () => void): (() => void) => {
    this.#waiting.add(run)
    return () => this.#waiting.delete(run)
  }

  tick(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const run of waiting) run()
  }
}

class Scene {
  readonly place = memoryPlace()
  readonly clock = new Clock()
  failures = 0
  store!: Store
  rollups!: TableRollups
  #nowMs = 0
  #count = 0

  async open(periodsMs: readonly number[]): Promise<void> {
    this.store = await this.place.open({ monotonicMs: () => this.#nowMs })
    this.store.readings.keeper = this.store.upkeep.rollupKeeper(() => periodsMs)
    const { store } = this
    this.rollups = new TableRollups([{ table: 'readings', periodsMs, ageMsMax: undefined }], {
      store: {
        upkeep: store.upkeep,
        ready: () => store.ready(),
        status: () => store.status(),
        commit: async (changes, urgency) => {
          if (changes.length > 0 && this.failures-- > 0) throw new Error('the disk said no')
          return store.commit(changes, urgency === 'lazy' ? 'now' : urgency)
        },
      },
      trustedMs: () => undefined,
      after: this.clock.after,
      log: silentLog,
    })
  }

  async pack(readings: number): Promise<void> {
    const batch = Array.from({ length: readings }, () => {
      const arrivalMs = startMs + this.#count++ * 1_000
      return arrival({ arrivalMs, value: this.#count, device: `d-${this.#count % 3}` })
    })
    await this.store.commit([{ kind: 'append', table: 'readings', readings: batch }], 'now')
    this.#nowMs += packEveryMs + 1
    for (let value = 0; value < 4; value++)
      await this.store.commit([{ kind: 'state', owner: 'test', key: 'tick', value: this.#count + value }], 'now')
  }

  async keptUp(): Promise<void> {
    for (let turn = 0; turn < 10_000; turn++) {
      const [status] = this.rollups.status()
      if (status?.periods.every(({ behind }) => behind === 0) === true) return
      this.clock.tick()
      await new Promise(resolve => setImmediate(resolve))
    }
    assert.fail('it does not keep up')
  }

  async counts(): Promise<number> {
    const question = {
      intervals: intervalsOf(hourMs) as Intervals,
      functions: ['count'] as const,
      fill: 'none' as const,
    }
    const rows = await collect(this.store.readings.aggregate('readings', {}, question))
    return rows.reduce((sum, { values }) => sum + (values[0] as number), 0)
  }

  async close(): Promise<void> {
    await this.rollups.close()
    await this.store.close()
  }
}

it('rollups keep up with what is packed, over writes that fail and restarts, with another list too', async () => {
  const scene = new Scene()
  await scene.open([hourMs])
  await scene.pack(5_000)
  await scene.keptUp()
  scene.failures = 2
  await scene.pack(12_000)
  await scene.keptUp()
  assert.ok(scene.failures <= 0)
  assert.equal(await scene.counts(), 17_000)
  await scene.close()
  await scene.open([60_000, hourMs])
  assert.deepEqual(scene.rollups.status(), [
    {
      table: 'readings',
      periods: [
        { periodMs: 60_000, behind: 17_000 },
        { periodMs: hourMs, behind: 0 },
      ],
    },
  ])
  await scene.keptUp()
  await scene.pack(100)
  await scene.keptUp()
  await scene.store.trim('readings', scene.store.head('readings'), 'test')
  assert.ok((await scene.counts()) >= 17_000, 'of the rollups alone')
  await scene.close()
})

it('rollups end at once, also while a step waits for company', async () => {
  const scene = new Scene()
  await scene.open([hourMs])
  await scene.pack(10)
  await scene.close()
  await scene.open([])
  assert.deepEqual(scene.rollups.status(), [])
  await scene.close()
})
