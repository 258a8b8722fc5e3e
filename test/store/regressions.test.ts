/** Bugs of the store that escaped once, each as one sentence of what must hold. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { ClassicLevel } from 'classic-level'
import { silentLog } from '../../runtime/log.ts'
import type { Json } from '../../runtime/reading.ts'
import type { Stamp } from '../../runtime/stamp.ts'
import { type Home, type Level, openHome } from '../../runtime/store/home.ts'
import { seriesKey } from '../../runtime/store/keys.ts'
import type { Store } from '../../runtime/store/store.ts'
import { type Arrival, asSeq, seqZero } from '../../runtime/store/types.ts'
import { type Place, diskPlace, memoryPlace } from './homes.ts'
import { arrival, collect, startMs } from './suite.ts'

const append = (store: Store, ...readings: Arrival[]) => store.commit([{ kind: 'append', table: 'readings', readings }])
const openPath = (path: string): Promise<Home> => openHome(path, 1 << 20, () => Date.now(), silentLog)

/** A home on disk whose next write fails, and which tells how often it was opened. */
class FaultyHome implements Home {
  opened = 0
  opening: Promise<void> = Promise.resolve()
  failsNext = false
  readonly #home: Home

  constructor(home: Home) {
    this.#home = home
  }

  async open(): Promise<{ level: Level; repaired: boolean }> {
    this.opened++
    await this.opening
    const { level, repaired } = await this.#home.open()
    return { level: this.#faulty(level), repaired }
  }

  settle(bytes: number): void {
    this.#home.settle(bytes)
  }

  isFull(): boolean {
    return this.#home.isFull()
  }

  close(): Promise<void> {
    return this.#home.close()
  }

  #faulty(level: Level): Level {
    return new Proxy(level, {
      get: (target, name) => {
        if (name === 'batch' && this.failsNext) return () => failingBatch(() => (this.failsNext = false))
        const value = Reflect.get(target, name) as unknown
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
  }
}

function failingBatch(failed: () => void) {
  const nothing = (): void => undefined
  return {
    put: nothing,
    del: nothing,
    write: async () => {
      await sleep(20)
      failed()
      throw new Error('EIO')
    },
  }
}

describe('a store whose write has failed', () => {
  let path: string
  let home: FaultyHome
  let store: Store
  const place = diskPlace()
  beforeEach(async () => {
    path = mkdtempSync(join(tmpdir(), 'holdfast-regression-'))
    home = new FaultyHome(await openPath(path))
    store = await place.open({ home })
  })
  afterEach(async () => {
    await store.close()
    rmSync(path, { recursive: true, force: true })
  })

  it('stays closed when it is closed while the database is being opened again', async () => {
    let open = (): void => undefined
    home.opening = new Promise(resolve => {
      open = resolve
    })
    home.failsNext = true
    await assert.rejects(append(store, arrival()), { code: 'STORE_FAILED' })
    while (home.opened < 2) await turn()
    const closing = store.close()
    open()
    await closing
    await assert.rejects(append(store, arrival()), { code: 'STORE_CLOSED' })
    assert.equal(home.opened, 2)
    const again = await openPath(path)
    const { level } = await again.open()
    await level.close()
    await again.close()
  })

  it('is opened again once, though a trim was waiting for the group that failed: it is refused too, and may come again', async () => {
    for (let value = 0; value < 5; value++) await store.commit([{ kind: 'put', table: 'thresholds', key: 'k', value }])
    home.failsNext = true
    const failed = assert.rejects(append(store, arrival()), { code: 'STORE_FAILED' })
    await turn()
    await turn()
    await assert.rejects(store.trim('thresholds', asSeq(3), 'max_rows'))
    await failed
    await store.ready()
    await store.trim('thresholds', asSeq(3), 'max_rows')
    assert.equal(home.opened, 2)
    assert.equal(store.status().failures, 1)
    assert.equal(store.firstSeq('thresholds'), 4)
  })
})

it('a store that finds a log shorter than it told of says so, however far it has grown since', async () => {
  const [whole, shorter] = [diskPlace(), diskPlace()]
  const homes = await Promise.all([1, 2].map(() => openPath(mkdtempSync(join(tmpdir(), 'holdfast-regression-')))))
  const [first, second] = homes as [Home, Home]
  const before = await shorter.open({ home: { ...homeOf(second), close: () => Promise.resolve() } })
  await append(before, arrival())
  await before.close()
  let opened = 0
  const faulty = new FaultyHome({ ...homeOf(first), open: () => (opened++ === 0 ? first.open() : second.open()) })
  const store = await whole.open({ home: faulty })
  await append(store, arrival({ value: 1 }), arrival({ value: 2 }))
  assert.equal(store.lostEnds.of('readings').times, 0)
  faulty.failsNext = true
  await assert.rejects(append(store, arrival({ value: 3 })))
  await store.ready()
  await append(store, arrival({ value: 4 }), arrival({ value: 5 }))
  assert.equal(store.head('readings'), 3)
  assert.deepEqual(store.lostEnds.of('readings'), { times: 1, head: 1 })
  await store.close()
  await second.close()
})

const homeOf = (home: Home): Home => ({
  open: () => home.open(),
  settle: bytes => home.settle(bytes),
  isFull: () => home.isFull(),
  close: () => home.close(),
})

describe('the folder of a store', () => {
  let path: string
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'holdfast-regression-'))
  })
  afterEach(() => rmSync(path, { recursive: true, force: true }))

  it('lets go of the database when what comes after its opening fails, so that the next try can have it', async () => {
    const home = await openPath(path)
    symlinkSync(join(path, 'nowhere', 'ballast'), join(path, 'ballast'))
    await assert.rejects(home.open(), { code: 'ENOENT' })
    rmSync(join(path, 'ballast'))
    const { level } = await home.open()
    await level.close()
    await home.close()
  })

  it('takes the place of its ballast back from whatever stands there', async () => {
    const home = await openPath(path)
    mkdirSync(join(path, 'ballast', 'of', 'something'), { recursive: true })
    const { level } = await home.open()
    assert.equal(statSync(join(path, 'ballast')).size, 1 << 20)
    await level.close()
    await home.close()
  })

  it('says what it knows when the disk cannot be asked how full it is', async () => {
    const home = await openPath(path)
    rmSync(path, { recursive: true })
    assert.equal(home.isFull(), false)
    await home.close()
  })

  it('opens a database with a damaged series: its readings have another name, its number is not given again', async () => {
    const place = diskPlace()
    const open = async (): Promise<Store> => place.open({ home: await openPath(path) })
    let store = await open()
    await append(store, arrival({ device: 'one' }), arrival({ device: 'two' }))
    await store.close()
    const level = new ClassicLevel<Buffer, Buffer>(join(path, 'db'), { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    const key = seriesKey(1, 2)
    const value = Buffer.from((await level.get(key)) as Buffer)
    value[3] = (value[3] ?? 0) ^ 1
    await level.put(key, value)
    await level.close()
    store = await open()
    await append(store, arrival({ device: 'three' }))
    const told = await store.read('readings', seqZero, 10)
    assert.deepEqual(
      told.map(entry => (entry.kind === 'reading' ? entry.series.device : entry.kind)),
      ['one', 'lost', 'three'],
    )
    await store.close()
    assert.ok(readdirSync(path).includes('db'))
  })
})

describe('a store', () => {
  let place: Place
  let store: Store
  let nowMs: number
  beforeEach(async () => {
    place = memoryPlace()
    nowMs = 0
    store = await place.open({ monotonicMs: () => nowMs })
  })
  afterEach(async () => {
    await store.close()
    place.remove()
  })

  it('lets those who wait for its log sleep on when it is closed, instead of turning in circles', async () => {
    const stop = new AbortController()
    await store.close()
    const woke = store.waitPast('readings', seqZero, stop.signal).then(() => 'woke')
    assert.equal(await Promise.race([woke, turn('asleep')]), 'asleep')
    stop.abort()
    assert.equal(await woke, 'woke')
  })

  it('refuses a row that is nested too deep, and takes its neighbours', async () => {
    const deep = JSON.parse('['.repeat(10_000) + ']'.repeat(10_000)) as Json
    const refused = store.commit([{ kind: 'put', table: 'thresholds', key: 'deep', value: deep }])
    const taken = append(store, arrival())
    await assert.rejects(refused, { code: 'BAD_ARGUMENT' })
    assert.equal((await taken).stored, 1)
    assert.equal(store.status().failures, 0)
  })

  it("never joins a peer's transaction to the entry of a stranger, though its first row has lost", async () => {
    const row = (key: string, stamp: number, joined: boolean) =>
      ({ key, value: 1, origin: 'x', stamp: stamp as Stamp, joined }) as const
    await store.commit([{ kind: 'put', table: 'thresholds', key: 'a', value: 1 }])
    const records = [row('a', 5, false), row('b', 6, true), row('c', 7, true)]
    await store.commit([{ kind: 'apply-records', table: 'thresholds', via: 'hub', records }])
    const reading = { ...arrival({ joined: true }), origin: 'x', stamp: 8 as Stamp }
    await append(store, arrival())
    await store.commit([{ kind: 'apply-readings', table: 'readings', via: 'hub', readings: [reading] }])
    assert.deepEqual(
      (await store.read('thresholds', seqZero, 10)).map(entry => entry.joined),
      [false, false, true],
    )
    assert.deepEqual(
      (await store.read('readings', seqZero, 10)).map(entry => entry.joined),
      [false, false],
    )
  })

  it('matches names with any number of stars in no time', async () => {
    await append(store, arrival({ device: 'a'.repeat(128) }), arrival({ device: `${'ab'.repeat(20)}c` }))
    const found = async (device: string): Promise<number> => (await collect(store.query('readings', { device }))).length
    assert.equal(await found(`${'*a'.repeat(40)}*b`), 0)
    assert.equal(await found(`${'*a'.repeat(20)}*c`), 1)
    assert.deepEqual([await found('a*a'), await found('ab*abc'), await found('*')], [1, 1, 2])
    assert.equal(await found(`${'a'.repeat(100)}*${'a'.repeat(100)}`), 0, 'its ends may not overlap')
  })

  it('packs long texts before they fill the memory', async () => {
    for (let group = 0; group < 6; group++)
      await append(store, ...Array.from({ length: 1000 }, () => arrival({ value: 'x'.repeat(4000) })))
    assert.ok((store.cursor('pack/readings') ?? 0) > 0)
  })

  it('knows readings that are sent again from more hours than it keeps in mind', async () => {
    const hours = Array.from({ length: 40 }, (_, hour) =>
      Array.from({ length: 3000 }, (__, second) =>
        arrival({ deviceTimeMs: startMs + hour * 3_600_000 + second * 1000, value: second }),
      ),
    )
    for (const hour of hours) await append(store, ...hour)
    nowMs = 3_600_000
    await store.commit([{ kind: 'put', table: 'alerts', key: 'tick', value: 1 }])
    assert.equal(store.cursor('pack/readings'), 120_000)
    for (let round = 0; round < 2; round++) {
      const mixed = hours.map(hour => hour[round] as Arrival)
      assert.equal((await append(store, ...mixed)).duplicates, 40)
    }
  })

  it('keeps room for one more message and for the rejects when devices have invented too many names', async () => {
    const series = (from: number, to: number): Arrival[] =>
      Array.from({ length: to - from }, (_, index) => arrival({ device: `d${from + index}` }))
    let made = 0
    while (store.hasRoomFor('readings', 'new', 'm', undefined)) {
      await append(store, ...series(made, made + 1000))
      made += 1000
    }
    assert.ok(store.hasRoomFor('readings', 'd0', 'temperature', '°C'), 'what is known stays welcome')
    assert.equal((await append(store, ...series(made, made + 1000))).stored, 1000)
    const one = Array.from({ length: 1500 }, (_, index) => arrival({ device: 'one more', value: index }))
    assert.equal((await append(store, ...one)).stored, 1500, 'a new series counts once')
  })
})
