import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import type { Frame } from '../../runtime/replication/wire/frames.ts'
import { unreadableInARowMax } from '../../runtime/replication/limits.ts'
import { decodePayload } from '../../runtime/replication/wire/payload.ts'
import type { Takes } from '../../runtime/replication/wire/protocol.ts'
import { Sender } from '../../runtime/replication/send/sender.ts'
import type { StoreDoor } from '../../runtime/replication/store-door.ts'
import type { Session } from '../../runtime/replication/stream.ts'
import { ourTakes, silentTakes } from '../../runtime/replication/wire/takes.ts'
import type { Store } from '../../runtime/store/store.ts'
import { type Entry, type Seq, asSeq, seqZero } from '../../runtime/store/types.ts'
import { append, doors, openTestStore, places, until } from './rig.ts'

const rows = 4_000
const halvings = Math.ceil(Math.log2(rows))

type Trial = {
  readonly far: Takes
  /** Positions of rows that the far side can't read. */
  readonly bad: ReadonlySet<number>
  /** Is the frame that comes as the nth one bent on the way? */
  readonly isBent?: (nth: number, bytes: number) => boolean
}

/** What receiver.ts does with one table, without a disk: takes what it can read and what is next, and says where it is. */
class Far {
  position = seqZero
  frames = 0
  readonly read = new Set<number>()
  readonly lost = new Map<number, string>()
  readonly #trial: Trial
  #run = 0

  constructor(trial: Trial) {
    this.#trial = trial
  }

  hear(sender: Sender, sent: Buffer): void {
    const nth = this.frames++
    const payload = this.#trial.isBent?.(nth, sent.length) === true ? Buffer.concat([Buffer.of(0), sent]) : sent
    const decoded = decodePayload(payload, 'series')
    const reason = decoded.ok ? this.#objection(decoded.value) : decoded.refused
    if (!decoded.ok || reason !== undefined) {
      const unreadable = { reason: reason ?? 'shape', sum: crc32(payload) }
      return this.#answer(sender, { wanted: this.position, unreadable })
    }
    const { run, after, last, gaps, rows: taken } = decoded.value
    this.#run = Math.max(this.#run, run)
    if (last <= this.position) return this.#answer(sender, {})
    if (after > this.position) return this.#answer(sender, { wanted: this.position })
    for (const { seq } of taken) this.read.add(seq)
    for (const gap of gaps) for (let seq = gap.first; seq <= gap.last; seq++) this.lost.set(seq, gap.reason)
    this.position = last
    this.#answer(sender, {})
  }

  #objection(frame: Frame): string | undefined {
    return frame.rows.some(({ seq }) => this.#trial.bad.has(seq)) ? 'shape' : undefined
  }

  #answer(sender: Sender, said: { wanted?: Seq; unreadable?: { reason: string; sum: number } }): void {
    const { wanted, unreadable } = said
    const place = { seq: this.position, ahead: [], base: undefined }
    sender.position({ v: 1, session: 's1', run: this.#run, ...place, wanted, unreadable })
  }
}

describe('the search for what cannot be read', () => {
  let store: Store
  let entries: readonly Entry[] = []
  let trials = 0

  before(async () => {
    store = await openTestStore(places.memory(), 'here')
    await append(store, ...Array.from({ length: rows }, (_, index) => index))
    entries = await store.read('readings', seqZero, rows)
  })
  after(() => store.close())

  /** Sends the whole log, a window of frames at a time; resolves when nothing more goes. */
  const run = async (trial: Trial): Promise<{ far: Far; sender: Sender }> => {
    const far = new Far(trial)
    const frames: Buffer[] = []
    const read = (_table: string, from: Seq, limit: number): Promise<readonly Entry[]> =>
      Promise.resolve(entries.slice(from, from + limit))
    const door = new Proxy(store, {
      get: (target, name) => {
        const own: unknown = name === 'read' ? read : Reflect.get(target, name, target)
        return typeof own === 'function' ? own.bind(target) : own
      },
    }) as StoreDoor
    const name = `far-${++trials}`
    const options = { table: 'readings', kind: 'series', label: name, cursor: name, start: 'beginning' } as const
    const sender = new Sender({ ...options, frameBytes: 64_000 }, { ...doors(store), store: door })
    const post: Session['post'] = (kind, _table, payload) => void (kind === 'entries' && frames.push(payload))
    await sender.prepare()
    sender.begin({ id: 's1', peer: 'far', far: trial.far, post }, seqZero)
    await until('it may send', () => sender.isReady)
    while (sender.isReady || frames.length > 0) {
      while (sender.isReady && (await sender.send()) !== 'nothing');
      for (const frame of frames.splice(0)) far.hear(sender, frame)
    }
    return { far, sender }
  }

  /** All that is good has come, and nothing that is good is told as a gap. */
  const holds = ({ far, sender }: Awaited<ReturnType<typeof run>>, bad: ReadonlySet<number>): void => {
    assert.equal(sender.status().confirmed, asSeq(rows))
    assert.deepEqual(
      [...far.lost.keys()],
      [...bad].toSorted((a, b) => a - b),
    )
    assert.equal(far.read.size, rows - bad.size)
    assert.equal(sender.status().parked, bad.size)
    sender.end()
  }

  const place = fc.integer({ min: 1, max: rows })
  const ends = { today: ourTakes, 'the version before': silentTakes }

  for (const [name, far] of Object.entries(ends)) {
    // What is in flight behind the bad frame goes again.
    const usual = Math.ceil(rows / far.rows) + 6

    it(`finds one row anywhere in ${rows} after a few frames more than its logarithm, with ${name}`, async () => {
      const search = async (bad: number): Promise<void> => {
        const done = await run({ far, bad: new Set([bad]) })
        holds(done, new Set([bad]))
        assert.ok(done.far.frames <= usual + halvings + 4, `${done.far.frames} frames for row ${bad}`)
      }
      for (const bad of [1, 2, 999, 1_000, 1_001, rows / 2, rows / 2 + 1, rows - 1, rows]) await search(bad)
      await fc.assert(fc.asyncProperty(place, search), { numRuns: 25 })
    })

    it(`finds several, each for itself, with ${name}`, async () => {
      const several = fc.uniqueArray(place, { minLength: 2, maxLength: 8 })
      const search = async (positions: number[]): Promise<void> => {
        const bad = new Set(positions)
        const done = await run({ far, bad })
        holds(done, bad)
        assert.ok(done.far.frames <= usual + bad.size * (halvings + 10), `${done.far.frames} frames for ${bad.size}`)
      }
      await search([2_000, 2_001, 2_002, 2_003, 2_004])
      await fc.assert(fc.asyncProperty(several, search), { numRuns: 15 })
    })

    it(`sends a frame again that was bent on the way, and parks nothing, with ${name}`, async () => {
      const once = async (nth: number): Promise<void> => {
        const done = await run({ far, bad: new Set(), isBent: frame => frame === nth })
        holds(done, new Set())
        assert.ok(done.far.frames <= usual + 2, `${done.far.frames} frames`)
      }
      for (let nth = 0; nth < Math.ceil(rows / far.rows); nth++) await once(nth)
    })

    it(`parks what is bad and nothing else, though frames are bent on the way, with ${name}`, async () => {
      const weather = fc.uniqueArray(fc.nat(60), { maxLength: 9 })
      await fc.assert(
        fc.asyncProperty(weather, fc.uniqueArray(place, { maxLength: 3 }), async (bent, positions) => {
          const bad = new Set(positions)
          const done = await run({ far, bad, isBent: nth => bent.includes(nth) })
          holds(done, bad)
          // A piece that is bent twice is searched from its full size again.
          const most = usual + bad.size * (halvings + 10) + bent.length * (halvings + 8)
          assert.ok(done.far.frames <= most, `${done.far.frames} frames`)
        }),
        { numRuns: 40 },
      )
    })
  }

  it('gets through a link that bends every large frame', async () => {
    const done = await run({ far: silentTakes, bad: new Set(), isBent: (_nth, bytes) => bytes > 4_000 })
    assert.ok(done.far.frames > 40, `${done.far.frames} frames`)
    holds(done, new Set())
  })

  it('rests on a link that bends everything, and parks nothing', async () => {
    const { far, sender } = await run({ far: ourTakes, bad: new Set(), isBent: () => true })
    assert.ok(far.frames <= 20, `${far.frames} frames`)
    assert.equal(sender.status().parked, 0)
    assert.notEqual(sender.status().state, 'refused')
    sender.end()
  })

  it('stops a stream of which nothing can be read, soon', async () => {
    const all = new Set(Array.from({ length: rows }, (_, index) => index + 1))
    const { far, sender } = await run({ far: ourTakes, bad: all })
    assert.equal(sender.status().state, 'refused')
    assert.equal(sender.status().parked, unreadableInARowMax)
    assert.ok(far.frames <= halvings + 4 + 3 * unreadableInARowMax, `${far.frames} frames`)
  })
})
