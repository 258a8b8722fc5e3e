/** Old readings thinned and dropped to give space: what is left is told by position and by time, and counted exactly. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Store } from '../../runtime/store/store.ts'
import { type ThinPlace, thinBeginning } from '../../runtime/store/thin.ts'
import { packEveryMs } from '../../runtime/store/packer.ts'
import { type Arrival, type Entry, type ReadingEntry, asSeq } from '../../runtime/store/types.ts'
import { type Place, memoryPlace, testStamps } from './homes.ts'
import { arrival, collect, startMs } from './suite.ts'

/** A store whose readings can be packed at will. */
class Bench {
  readonly place: Place = memoryPlace()
  readonly #stamps = testStamps()
  #nowMs = 0
  store!: Store
  thinPlace: ThinPlace = thinBeginning

  async open(): Promise<this> {
    this.store = await this.place.open({ stamps: this.#stamps, monotonicMs: () => this.#nowMs })
    return this
  }

  async restart(): Promise<void> {
    await this.store.close()
    await this.open()
  }

  async append(readings: readonly Arrival[]): Promise<void> {
    await this.store.commit([{ kind: 'append', table: 'readings', readings }])
  }

  /** Packs what waits, and nothing else. */
  async pack(): Promise<void> {
    this.#nowMs += packEveryMs + 1
    for (let commits = 0; commits < 3; commits++)
      await this.store.commit([{ kind: 'state', owner: 'test', key: 'tick', value: this.#nowMs + commits }])
  }

  /** One step; the positions it took, or undefined if there is nothing left. */
  async thin(bytesMax?: number): Promise<readonly number[] | undefined> {
    const { step, place } = await this.store.upkeep.planThin('readings', this.thinPlace, bytesMax)
    this.thinPlace = place
    if (step === undefined) return undefined
    await this.store.commit([step.change])
    return step.taken
  }

  async drop(bytes: number): Promise<number | undefined> {
    const trim = await this.store.upkeep.planDrop('readings', bytes, 'disk')
    if (trim) await this.store.commit([trim])
    return trim?.through
  }

  async log(limit = 1_000): Promise<Entry[]> {
    const { store } = this
    const found: Entry[] = []
    for (let after = asSeq(0); after < store.head('readings'); after = (found.at(-1) as Entry).seq)
      found.push(...(await store.read('readings', after, limit)))
    return found
  }

  queried = (): Promise<ReadingEntry[]> => collect(this.store.query('readings', {}))

  /** What log, ranges and chunks of the first table really take. */
  async bytesOnDisk(): Promise<number> {
    let bytes = 0
    for await (const pairs of this.store.snapshot())
      for (const [key, sealed] of pairs)
        if ('LPH'.includes(String.fromCharCode(key[0] as number)) && key.readUInt16BE(1) === 1)
          bytes += key.length + sealed.length
    return bytes
  }
}

/** A fleet that is read in step, each series once a second. */
const fleet = (fromSecond: number, seconds: number, devices: number): Arrival[] =>
  Array.from({ length: seconds * devices }, (_, index) =>
    arrival({
      device: `d${index % devices}`,
      value: Math.sin(index * 1.7) * 100,
      arrivalMs: startMs + (fromSecond + Math.floor(index / devices)) * 1_000,
    }),
  )

const seqs = (entries: readonly Entry[]): number[] =>
  entries.filter(({ kind }) => kind === 'reading').map(({ seq }) => seq)

describe('thinning', () => {
  it('takes every second reading of each series, so that the holes of a fleet are whole moments', async () => {
    const bench = await new Bench().open()
    for (let part = 0; part < 8; part++) {
      await bench.append(fleet(part * 100, 100, 5))
      await bench.pack()
    }
    const before = bench.store.bytes('readings')
    const taken = await bench.thin()
    await bench.restart()
    assert.equal(taken?.length, 7 * 250, 'all but the newest eighth')
    assert.deepEqual(taken.slice(0, 10), [6, 7, 8, 9, 10, 16, 17, 18, 19, 20])
    const [first, hole] = [(await bench.log()).slice(0, 5), (await bench.log())[5]]
    assert.deepEqual(seqs(first), [1, 2, 3, 4, 5])
    assert.ok(hole?.kind === 'gap' && hole.reason === 'thinned' && hole.count === 5 && hole.seq === 10)
    assert.equal(bench.store.rowCount('readings'), 4_000 - 1_750)
    const saved = 1 - bench.store.bytes('readings') / before
    assert.ok(saved > 0.3 && saved < 0.5, `${saved} of 7/16`)
    await bench.store.close()
  })

  it('makes the oldest thinnest, the newest never thin, and comes to an end', async () => {
    const bench = await new Bench().open()
    for (let part = 0; part < 32; part++) {
      await bench.append(fleet(part * 64, 64, 1))
      await bench.pack()
    }
    while ((await bench.thin()) !== undefined);
    await bench.restart()
    const left = seqs(await bench.log())
    const count = (from: number, to: number): number =>
      left.filter(seq => seq > from * 2_048 && seq <= to * 2_048).length / ((to - from) * 2_048)
    assert.deepEqual(
      [count(0, 1 / 2), count(1 / 2, 3 / 4), count(3 / 4, 7 / 8), count(7 / 8, 1)],
      [1 / 8, 1 / 4, 1 / 2, 1],
    )
    bench.thinPlace = thinBeginning
    assert.equal(await bench.thin(), undefined, 'not once more after a restart')
    await bench.store.close()
  })

  it('takes the same in many small steps as in one large, each of them whole', async () => {
    const left = async (bytesMax: number): Promise<{ seqs: number[]; steps: number }> => {
      const bench = await new Bench().open()
      for (let part = 0; part < 8; part++) {
        await bench.append(fleet(part * 700, 20, 6))
        await bench.pack()
      }
      let steps = 0
      while ((await bench.thin(bytesMax)) !== undefined) {
        steps++
        assert.equal(bench.store.bytes('readings'), await bench.bytesOnDisk())
        const count = seqs(await bench.queried()).length
        assert.equal(bench.store.rowCount('readings'), count)
      }
      await bench.restart()
      const found = seqs(await bench.log())
      await bench.store.close()
      return { seqs: found, steps }
    }
    const [small, large] = [await left(1), await left(1 << 20)]
    assert.deepEqual(small.seqs, large.seqs)
    assert.ok(small.steps > 4 * large.steps)
  })

  it('is passed over, with what was to be told of it, if the packed readings have changed meanwhile', async () => {
    const bench = await new Bench().open()
    for (let part = 0; part < 4; part++) {
      await bench.append(fleet(part * 10, 10, 2))
      await bench.pack()
    }
    const { step } = await bench.store.upkeep.planThin('readings', thinBeginning)
    assert.ok(step)
    await bench.drop(1)
    const along = [{ kind: 'put', table: 'thresholds', key: 'told', value: 1 }] as const
    await bench.store.commit([{ ...step.change, along }])
    assert.equal(bench.store.latest('thresholds', 'told'), undefined)
    assert.equal(bench.store.rowCount('readings'), 60)
    assert.equal(await bench.bytesOnDisk(), bench.store.bytes('readings'))
    await bench.store.close()
  })

  it('or not, a limit in rows is kept to the reading, though it ends amid what was packed together', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 260 }), { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        async (limits, isThinned) => {
          const bench = await new Bench().open()
          for (let part = 0; part < 4; part++) {
            await bench.append(fleet(part * 700, 16, 4))
            await bench.pack()
          }
          if (isThinned) await bench.thin()
          let stand = seqs(await bench.queried()).toSorted((a, b) => a - b)
          for (const rowsMax of limits) {
            for (let steps = 0; steps < 10; steps++) {
              const unlimited = { bytesMax: Number.POSITIVE_INFINITY, keepFromMs: undefined }
              const trim = await bench.store.planTrim('readings', { ...unlimited, rowsMax })
              if (trim === undefined) break
              await bench.store.commit([trim])
            }
            stand = stand.slice(Math.max(0, stand.length - rowsMax))
            await bench.restart()
            assert.equal(bench.store.rowCount('readings'), stand.length)
            assert.deepEqual(seqs(await bench.log()), stand)
            assert.deepEqual(
              seqs(await bench.queried()).toSorted((a, b) => a - b),
              stand,
            )
            assert.equal(bench.store.bytes('readings'), await bench.bytesOnDisk())
          }
          await bench.store.close()
        },
      ),
      { numRuns: 40 },
    )
  })

  it('and dropping leave what a model of plain arrays holds, counted exactly, over restarts', async () => {
    const step = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.array(
          fc.record({
            device: fc.constantFrom('a', 'b', 'c'),
            hours: fc.integer({ min: -2, max: 0 }),
            isTimed: fc.boolean(),
            id: fc.option(fc.uuid(), { nil: undefined }),
            joined: fc.boolean(),
          }),
          { minLength: 1, maxLength: 12 },
        ),
      },
      { weight: 3, arbitrary: fc.constant('pack' as const) },
      { weight: 3, arbitrary: fc.constant('thin' as const) },
      { weight: 1, arbitrary: fc.constant('drop' as const) },
      { weight: 1, arbitrary: fc.constant('restart' as const) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 9 }), async (steps, limit) => {
        const bench = await new Bench().open()
        let [count, dropped] = [0, 0]
        const gone = new Set<number>()
        for (const one of steps) {
          if (one === 'pack') await bench.pack()
          else if (one === 'restart') await bench.restart()
          else if (one === 'drop') dropped = (await bench.drop(200)) ?? dropped
          else if (one === 'thin') {
            const taken = await bench.thin(80)
            if (taken === undefined) bench.thinPlace = thinBeginning
            for (const seq of taken ?? []) gone.add(seq)
          } else {
            await bench.append(
              one.map(({ device, hours, isTimed, id, joined }) => {
                const timeMs = startMs + hours * 3_600_000 + count++
                return arrival({ device, id, joined, value: count, deviceTimeMs: isTimed ? timeMs : undefined })
              }),
            )
          }
        }
        await bench.restart()
        const head = bench.store.head('readings')
        const stand = Array.from({ length: head }, (_, at) => at + 1).filter(seq => seq > dropped && !gone.has(seq))
        const log = await bench.log(limit)
        assert.deepEqual(seqs(log), stand)
        const holes = log.reduce((sum, entry) => sum + (entry.kind === 'gap' ? entry.count : 0), 0)
        assert.equal(holes, head - stand.length)
        assert.ok(
          log.every((entry, at) => entry.kind !== 'reading' || !entry.joined || log[at - 1]?.kind === 'reading'),
        )
        assert.deepEqual(
          seqs(await bench.queried()).toSorted((a, b) => a - b),
          stand,
        )
        assert.equal(bench.store.rowCount('readings'), stand.length)
        assert.equal(bench.store.bytes('readings'), await bench.bytesOnDisk())
        await bench.store.close()
        assert.equal(bench.place.openIterators?.(), 0)
      }),
      { numRuns: 120 },
    )
  })
})
