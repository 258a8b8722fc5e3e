/** The disk floor: when what is given, on disks and in stores that only pretend to have a size. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Log } from '../../runtime/log.ts'
import { silentLog } from '../../runtime/log.ts'
import { type Floor, type Pressure, floorOf, pressureAfter } from '../../runtime/retention/floor.ts'
import { refusedLooks } from '../../runtime/retention/limits.ts'
import { Relief } from '../../runtime/retention/relief.ts'

const GB = 1e9
const MB = 1e6
const fivePercent = { kind: 'share', share: 0.05 } as const

describe('the floor of a disk', () => {
  const bytes = (minFree: Parameters<typeof floorOf>[0], disk: number, ballast = MB): number | undefined =>
    floorOf(minFree, disk, ballast)?.bytes

  it('is a share of a large disk, 256 MB of a middling one, and an eighth of a small one', () => {
    assert.equal(bytes(fivePercent, 32 * GB), 1.6 * GB)
    assert.equal(bytes(fivePercent, 4 * GB), 256 * MB)
    assert.equal(bytes(fivePercent, GB), 125 * MB)
    assert.equal(bytes(fivePercent, 96 * MB), 12 * MB)
  })

  it('is what the file says where it says a size, also a small one, or none', () => {
    assert.equal(bytes({ kind: 'bytes', bytes: 20 * MB }, 32 * GB), 20 * MB)
    assert.equal(bytes({ kind: 'bytes', bytes: 0 }, GB), undefined)
    assert.equal(bytes({ kind: 'share', share: 0 }, GB), undefined)
  })

  it('is above the ballast, so that readings are not refused before something was given', () => {
    assert.equal(bytes({ kind: 'bytes', bytes: 20 * MB }, GB, 64 * MB), 96 * MB)
  })
})

describe('the pressure on a disk', () => {
  const floor: Floor = { bytes: 100, roomyBytes: 112 }
  const states: readonly Pressure[] = ['plenty', 'tidy', 'thin', 'drop', 'refuse']

  it('begins below the floor, goes on while a step has nothing more to give, and ends well above the floor', () => {
    const looks: [number, number | undefined][] = [
      [100, undefined],
      [99, undefined],
      [99, 50],
      [105, 0],
      [105, 7],
      [100, 0],
      [90, 0],
      [99, 3],
      [100, undefined],
      [100, undefined],
    ]
    let pressure: Pressure = 'plenty'
    const seen = looks.map(([free, gave]) => (pressure = pressureAfter(pressure, free, floor, gave)))
    assert.deepEqual(seen, ['plenty', 'tidy', 'tidy', 'thin', 'thin', 'drop', 'refuse', 'refuse', 'plenty', 'plenty'])
  })

  it('never takes anything above the floor, and never skips a step that could give', () => {
    const pressure = fc.constantFrom(...states)
    fc.assert(
      fc.property(pressure, fc.nat(200), fc.option(fc.nat(50), { nil: undefined }), (now, free, gave) => {
        const next = pressureAfter(now, free, floor, gave)
        if (free >= floor.roomyBytes) assert.equal(next, 'plenty')
        if (now === 'plenty' && free >= floor.bytes) assert.equal(next, 'plenty')
        const isSpent = now === 'refuse' || (now === 'drop' && gave === 0)
        if (isSpent && free >= floor.bytes) assert.equal(next, 'plenty')
        else if (now !== 'plenty' && free < floor.roomyBytes)
          assert.equal(states.indexOf(next) - states.indexOf(now), gave === 0 && now !== 'refuse' ? 1 : 0)
      }),
    )
  })
})

/** A disk of 1 GB with a store on it that gives as it is asked. */
class Pretend {
  others = 0
  clutter = 0
  /** Bytes of readings that may still be thinned, and all. */
  thinnable = 0
  readings = 0
  /** Something reads the store as it was: what goes is not free. */
  isPinned = false
  #pinned = 0
  readonly asked: string[] = []
  readonly lines: string[] = []
  readonly relief: Relief

  constructor() {
    const say = (_fields: object, text: string): void => void this.lines.push(text)
    this.relief = new Relief({
      space: () => Promise.resolve({ freeBytes: this.free, totalBytes: GB }),
      floorOf: disk => floorOf(fivePercent, disk, MB),
      tidy: () => this.#give('tidy', 'clutter', GB),
      thin: bytes => this.#give('thin', 'thinnable', bytes),
      drop: bytes => this.#give('drop', 'readings', bytes),
      storeBytes: () => Promise.resolve(this.readings + this.clutter + this.#pinned),
      log: { ...silentLog, info: say, warn: say, error: say } as unknown as Log,
    })
  }

  get free(): number {
    return Math.max(0, GB - this.others - this.clutter - this.readings - this.#pinned)
  }

  #give(what: string, from: 'clutter' | 'thinnable' | 'readings', bytes: number): Promise<number> {
    const gave = Math.min(bytes, this[from])
    this.asked.push(`${what} ${Math.round(gave / MB)}`)
    this[from] -= gave
    if (from === 'thinnable') this.readings -= gave
    this.thinnable = Math.min(this.thinnable, this.readings / 2)
    if (this.isPinned) this.#pinned += gave
    return Promise.resolve(gave)
  }
}

describe('a disk that is below its floor', () => {
  it('is given what nobody misses first, and nothing else if that is enough', async () => {
    const disk = new Pretend()
    Object.assign(disk, { others: 500 * MB, clutter: 50 * MB, readings: 350 * MB, thinnable: 100 * MB })
    await disk.relief.look()
    assert.deepEqual([disk.asked, disk.relief.status().pressure], [['tidy 50'], 'plenty'])
  })

  it('has readings thinned by no more than what is missing, in portions', async () => {
    const disk = new Pretend()
    Object.assign(disk, { others: 500 * MB, readings: 400 * MB, thinnable: 200 * MB })
    await disk.relief.look()
    assert.deepEqual(disk.asked, ['tidy 0', 'thin 16', 'thin 16', 'thin 9'])
    assert.equal(disk.relief.status().thinnedBytes, disk.free - 100 * MB)
    assert.deepEqual(disk.lines, [
      'the disk is below store.min_free: space is being made',
      'the oldest readings are being thinned, because the disk is below store.min_free',
      'the disk is above store.min_free again',
    ])
  })

  it('has them dropped once none can be thinned, or thinned ones have no room to be written', async () => {
    const disk = new Pretend()
    Object.assign(disk, { others: 500 * MB, readings: 400 * MB, thinnable: 10 * MB })
    await disk.relief.look()
    assert.deepEqual(disk.asked.slice(0, 4), ['tidy 0', 'thin 10', 'thin 0', 'drop 16'])
    const fuller = new Pretend()
    Object.assign(fuller, { others: 580 * MB, readings: 400 * MB, thinnable: 100 * MB })
    await fuller.relief.look()
    assert.deepEqual(fuller.asked.slice(0, 2), ['tidy 0', 'drop 16'])
    assert.equal(fuller.relief.status().pressure, 'plenty')
  })

  it('is told once that nothing is left, asked again after a while, and is well by itself when others give space', async () => {
    const disk = new Pretend()
    Object.assign(disk, { others: 980 * MB, readings: 5 * MB })
    for (let look = 0; look < 2 * refusedLooks + 5; look++) await disk.relief.look()
    assert.equal(disk.relief.status().pressure, 'refuse')
    assert.equal(disk.asked.filter(asked => asked === 'tidy 0').length, 3)
    assert.equal(disk.lines.length, 3)
    disk.others = 500 * MB
    await disk.relief.look()
    assert.equal(disk.relief.status().pressure, 'plenty')
    assert.equal(disk.lines.length, 4)
  })

  it('is not given everything there is while a reader keeps what has gone', async () => {
    const disk = new Pretend()
    Object.assign(disk, { others: 500 * MB, readings: 450 * MB, isPinned: true })
    for (let look = 0; look < 10; look++) await disk.relief.look()
    assert.ok(disk.readings > 350 * MB, `${disk.readings / MB} MB are left`)
    assert.match(disk.lines.at(-1) ?? '', /not free yet/)
  })

  it('is looked at again though it did not answer', async () => {
    const lines: string[] = []
    let isThere = false
    const relief = new Relief({
      space: () => (isThere ? Promise.resolve({ freeBytes: 1, totalBytes: GB }) : Promise.reject(new Error('EIO'))),
      floorOf: disk => floorOf(fivePercent, disk, MB),
      tidy: () => Promise.resolve(0),
      thin: () => Promise.resolve(0),
      drop: () => Promise.resolve(0),
      storeBytes: () => Promise.resolve(undefined),
      log: { ...silentLog, warn: (_: object, text: string) => lines.push(text) } as unknown as Log,
    })
    await relief.look()
    await relief.look()
    assert.deepEqual(lines, ['the disk could not be kept free: trying again'])
    isThere = true
    await relief.look()
    assert.equal(relief.status().pressure, 'refuse')
  })
})
