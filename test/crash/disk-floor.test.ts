/**
 * The disk floor on a real small file system: somebody fills it while readings come in. The oldest are thinned, then
 * dropped; at the last byte readings are refused and alerts are not; with space again everything goes on by itself. What
 * anybody lost by it is in the rows of `gaps`.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { silentLog } from '../../runtime/log.ts'
import { floorOf } from '../../runtime/retention/floor.ts'
import { Retention } from '../../runtime/retention/retention.ts'
import { clearSpare, diskSpace, pathBytes } from '../../runtime/store/disk-space.ts'
import { gapsTable } from '../../runtime/store/gap-rows.ts'
import { packEveryMs } from '../../runtime/store/packer.ts'
import { Store } from '../../runtime/store/store.ts'
import { type Entry, asSeq } from '../../runtime/store/types.ts'
import { fill, mountSmallDisk, type SmallDisk } from '../rigs/disk-full.ts'
import { testStamps } from '../store/homes.ts'
import { arrival, startMs } from '../store/suite.ts'

const MB = 1e6
const minFree = { kind: 'bytes', bytes: 100 * MB } as const
const ballastBytes = 16 * MB
/** Readings of one commit, and of its text, which nothing compresses: half a megabyte. */
const perCommit = 500
const textBytes = 750

class Plant {
  readonly #disk: SmallDisk
  readonly #filler: string
  nowMs = startMs
  #monotonicMs = 0
  store!: Store
  retention!: Retention
  refused = 0

  constructor(disk: SmallDisk) {
    this.#disk = disk
    this.#filler = join(disk.folder, 'filler')
  }

  async open(): Promise<void> {
    const path = join(this.#disk.folder, 'store')
    this.store = await Store.open({
      path,
      tables: [
        { name: 'readings', kind: 'series' },
        { name: 'alerts', kind: 'records' },
        { name: gapsTable, kind: 'records' },
      ],
      stamps: testStamps(() => this.nowMs),
      origin: 'gw-1',
      commitIntervalMs: 0,
      ballastBytes,
      monotonicMs: () => this.#monotonicMs,
      now: () => this.nowMs,
      log: silentLog,
    })
    this.retention = Retention.open([], {
      store: this.store,
      trustedMs: () => this.nowMs,
      wallMs: () => this.nowMs,
      monotonicMs: () => this.#monotonicMs,
      // The test sweeps by itself.
      after: (delayMs, run) => {
        if (delayMs < 100) setImmediate(run)
        return () => undefined
      },
      tableOf: cursor => (cursor.startsWith('bridge/') ? 'readings' : undefined),
      mayForget: () => true,
      disk: {
        space: () => diskSpace(path),
        floorOf: bytes => floorOf(minFree, bytes, ballastBytes),
        folderBytes: () => pathBytes(join(path, 'db')),
        clear: () => clearSpare(path),
        rankOf: () => 'usual',
        compactAt: undefined,
      },
      log: silentLog,
    })
  }

  async close(): Promise<void> {
    await this.retention.close()
    await this.store.close()
  }

  async ingest(commits: number): Promise<void> {
    for (let commit = 0; commit < commits; commit++) {
      this.nowMs += 1_000
      const readings = Array.from({ length: perCommit }, (_, index) =>
        arrival({ device: `d${index % 10}`, value: randomBytes(textBytes).toString('latin1'), arrivalMs: this.nowMs }),
      )
      await this.store.commit([{ kind: 'append', table: 'readings', readings }]).catch((error: unknown) => {
        if ((error as { code?: string }).code !== 'STORE_FULL') throw error
        this.refused++
      })
      if (commit % 8 === 7) this.#monotonicMs += packEveryMs + 1
    }
  }

  /** As alerting does it: tried again while the store cannot write, which gives its ballast for it. */
  async alert(): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        await this.store.commit([{ kind: 'put', table: 'alerts', key: 'a', value: { state: 'firing' } }], 'now')
        return
      } catch (error) {
        if (tries === 100) throw error
        await new Promise(resolve => setTimeout(resolve, 100))
      }
    }
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.#disk.folder)
    return bavail * bsize
  }

  /** Others take the disk until so much is free; all of it with 0. */
  othersLeave(freeBytes: number): void {
    if (freeBytes === 0) return fill(this.#filler)
    const descriptor = openSync(this.#filler, 'a')
    const piece = Buffer.alloc(MB)
    while (this.freeBytes > freeBytes + MB) writeSync(descriptor, piece)
    closeSync(descriptor)
  }

  othersGo(): void {
    rmSync(this.#filler)
  }

  async log(): Promise<Entry[]> {
    const found: Entry[] = []
    for (let after = asSeq(0); after < this.store.head('readings'); after = (found.at(-1) as Entry).seq)
      for (const entry of await this.store.read('readings', after, 2_000))
        found.push(entry.kind === 'reading' ? { ...entry, value: 0 } : entry)
    return found
  }

  /** Once more, as the store looks by its own watch. */
  async settled(): Promise<void> {
    await new Promise(resolve => setTimeout(resolve, 1_200))
  }
}

for (const fileSystem of ['ext4', 'tmpfs'] as const) {
  test(`a disk below its floor is given the oldest readings, and nothing is missing that is not told (${fileSystem})`, async t => {
    const disk = mountSmallDisk(fileSystem, 500)
    if (typeof disk === 'string') return t.skip(disk)
    t.after(() => disk.unmount())
    const plant = new Plant(disk)
    await plant.open()
    try {
      await plant.ingest(200)
      const passed = asSeq(30_000)
      await plant.store.commit([{ kind: 'cursor', name: 'bridge/cloud/readings', seq: passed }], 'now')

      // What was packed stood in the log before: that space is given first, and is enough.
      plant.othersLeave(95 * MB)
      await plant.retention.sweep()
      assert.deepEqual(
        [plant.retention.status().disk?.pressure, plant.retention.status().disk?.thinnedBytes],
        ['plenty', 0],
      )

      plant.othersLeave(90 * MB)
      await Promise.all([plant.retention.sweep(), plant.ingest(10)])
      const { thinned = 0, dropped = -1 } = plant.retention.status().tables.get('readings') ?? {}
      assert.equal(plant.retention.status().disk?.pressure, 'plenty')
      assert.ok(thinned > 0 && dropped === 0, `thinned ${thinned}, dropped ${dropped}`)
      assert.ok(plant.freeBytes >= 95 * MB, `${plant.freeBytes} are free`)

      plant.othersLeave(40 * MB)
      await plant.retention.sweep()
      const after = plant.retention.status().tables.get('readings')
      assert.ok((after?.dropped ?? 0) > 0, 'too little room to thin: dropped')
      assert.ok(plant.freeBytes >= 100 * MB, `${plant.freeBytes} are free`)

      plant.othersLeave(0)
      await plant.settled()
      await plant.ingest(2)
      assert.equal(plant.refused, 2, 'readings are refused at the last byte')
      await plant.alert()
      // What is left is given too, and is enough for readings to be taken again.
      await plant.retention.sweep()

      plant.othersGo()
      await plant.settled()
      await plant.retention.sweep()
      assert.equal(plant.retention.status().disk?.pressure, 'plenty')
      await plant.ingest(3)
      assert.equal(plant.refused, 2, 'ingest has resumed by itself')

      const lost = plant.retention.status().tables.get('readings')?.lost ?? 0
      await plant.close()
      await plant.open()
      await tellsWhatIsMissing(plant, passed, lost)
      assert.deepEqual(plant.store.latest('alerts', 'a')?.value, { state: 'firing' })
    } finally {
      await plant.close()
    }
  })
}

/** Every position is a reading or in a gap; what is missing above the cursor is in the rows of `gaps`, counted. */
async function tellsWhatIsMissing(plant: Plant, passed: number, lost: number): Promise<void> {
  const ranges: { first: number; last: number; count: number }[] = []
  for await (const { value } of plant.store.rows(gapsTable)) ranges.push(value as (typeof ranges)[number])
  let [next, missing] = [1, 0]
  for (const entry of await plant.log()) {
    const first = entry.kind === 'gap' ? entry.firstSeq : entry.seq
    assert.equal(first, next, 'the log has no hole without a gap')
    next = entry.seq + 1
    if (entry.kind !== 'gap' || entry.seq <= passed) continue
    const from = Math.max(first, passed + 1)
    missing += entry.seq - from + 1
    assert.ok(
      ranges.some(range => range.first <= from && entry.seq <= range.last),
      `${from} to ${entry.seq} is told by no row`,
    )
  }
  assert.equal(
    ranges.reduce((sum, { count }) => sum + count, 0),
    lost,
  )
  assert.ok(Math.abs(missing - lost) <= missing * 0.02, `${missing} are missing, ${lost} were told`)
}
