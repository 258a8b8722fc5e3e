import assert from 'node:assert/strict'
import { after, afterEach, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { encodeMessage } from '../../runtime/replication/wire/codec.ts'
import { type FrameHead, type SentEntry, encodeFrame } from '../../runtime/replication/wire/frames.ts'
import { rowsMax, waitingRowsMax } from '../../runtime/replication/limits.ts'
import { decodePosition } from '../../runtime/replication/wire/messages.ts'
import { parkedTable } from '../../runtime/replication/parked/parked.ts'
import { encodePayload } from '../../runtime/replication/wire/payload.ts'
import type { PositionAnswer } from '../../runtime/replication/wire/protocol.ts'
import { Receiver } from '../../runtime/replication/receive/receiver.ts'
import type { StoreDoor } from '../../runtime/replication/store-door.ts'
import type { Session } from '../../runtime/replication/stream.ts'
import { ourTakes, silentTakes } from '../../runtime/replication/wire/takes.ts'
import { systemTime } from '../../runtime/replication/time.ts'
import { HoldfastError } from '../../runtime/errors.ts'
import { stampAt } from '../../runtime/stamp.ts'
import type { Store } from '../../runtime/store/store.ts'
import { type TableKind, asSeq } from '../../runtime/store/types.ts'
import { readingEntry, recordEntry, series } from './entries.ts'
import { doors, openTestStore, places, until, values } from './rig.ts'

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index)
const nowStamp = (seq: number) => stampAt(systemTime.wallMs() - 1_000 + seq)
const reading = (seq: number): SentEntry => ({
  entry: readingEntry(seq, { value: seq, stamp: nowStamp(seq), series: series('freezer-1', 'temperature', 'far') }),
  joined: false,
})
const record = (seq: number, fields: Parameters<typeof recordEntry>[1] = {}): SentEntry => ({
  entry: recordEntry(seq, { stamp: nowStamp(seq), origin: 'far', ...fields }),
  joined: fields.joined ?? false,
})

const frame = (kind: TableKind, after: number, sent: readonly SentEntry[], more: Partial<FrameHead> = {}): Buffer =>
  encodeFrame(
    kind,
    {
      session: 's1',
      run: 1,
      after: asSeq(after),
      last: asSeq(sent.at(-1)?.entry.seq ?? after + 1),
      head: asSeq(sent.at(-1)?.entry.seq ?? after + 1),
      part: 0,
      parts: 1,
      gaps: [],
      ...more,
    },
    sent,
  )

const readings = (from: number, to: number, more: Partial<FrameHead> = {}): Buffer =>
  frame('series', from - 1, range(from, to).map(reading), more)

async function parkedKeys(store: Store): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.rows(parkedTable)) keys.push(key)
  return keys
}

describe('a receiver', () => {
  let store: Store
  let answers: PositionAnswer[]
  const opened: Receiver[] = []
  const session = (id = 's1'): Session => ({
    id,
    peer: 'far',
    far: silentTakes,
    post: (name, _table, payload) => {
      assert.equal(name, 'position')
      const decoded = decodePosition(payload)
      assert.ok(decoded.ok)
      answers.push(decoded.value)
    },
  })
  const open = (kind: TableKind, over: StoreDoor = store, id = 's1', epoch = 'e1'): Receiver => {
    const table = kind === 'series' ? 'readings' : 'thresholds'
    const receiver = new Receiver({ table, kind, label: 'far' }, { ...doors(store), store: over })
    receiver.begin(session(id), epoch, systemTime.wallMs)
    opened.push(receiver)
    return receiver
  }
  const settledAt = (receiver: Receiver, seq: number): Promise<void> =>
    until(`position ${seq}`, () => receiver.position === seq, 2_000)

  beforeEach(async () => {
    store = await openTestStore(places.memory(), 'here')
    answers = []
  })
  afterEach(async () => {
    for (const receiver of opened.splice(0)) await receiver.end()
    await store.close()
  })
  after(() => assert.equal(opened.length, 0))

  it('commits rows and position together, and answers with the position only then', async () => {
    let commits = 0
    const watching = proxied(store, {
      commit: (changes: Parameters<Store['commit']>[0], urgency: Parameters<Store['commit']>[1]) => {
        commits++
        assert.deepEqual(
          changes.map(({ kind }) => kind),
          ['apply-readings', 'state'],
        )
        assert.equal(answers.length, 0)
        return store.commit(changes, urgency)
      },
    })
    const receiver = open('series', watching)
    receiver.frame(readings(1, 5))
    await settledAt(receiver, 5)
    await until('the answer', () => answers.length > 0)
    assert.equal(commits, 1)
    assert.deepEqual([answers[0]?.seq, answers[0]?.wanted], [5, undefined])
  })

  it('applies each entry once and in order, whatever frames are lost, repeated or come in any order', async () => {
    const pieces = fc.array(
      fc.record({ from: fc.integer({ min: 1, max: 30 }), length: fc.integer({ min: 1, max: 8 }) }),
      {
        minLength: 1,
        maxLength: 40,
      },
    )
    let round = 0
    await fc.assert(
      fc.asyncProperty(pieces, async frames => {
        const epoch = `round-${round++}`
        const head = store.head('readings')
        const receiver = open('series', store, 's1', epoch)
        let expected = 0
        for (const { from, length } of frames) {
          receiver.frame(readings(from, from + length - 1))
          if (from <= expected + 1) expected = Math.max(expected, from + length - 1)
          if (length % 3 === 0) await new Promise(resolve => setImmediate(resolve))
        }
        await settledAt(receiver, expected)
        const applied = (await store.read('readings', head, 1_000)).map(
          entry => entry.kind === 'reading' && entry.value,
        )
        assert.deepEqual(applied, range(1, expected))
        await receiver.end()
      }),
      { numRuns: 60 },
    )
  })

  it('repeats nothing when frames that were cut elsewhere overlap before any is stored', async () => {
    const receiver = open('series')
    receiver.frame(readings(1, 1))
    receiver.frame(readings(1, 2))
    receiver.frame(readings(2, 6))
    receiver.frame(readings(1, 5))
    await settledAt(receiver, 6)
    assert.deepEqual(await values(store), range(1, 6))
  })

  it('asks for what is missing, from where it stands', async () => {
    const receiver = open('series')
    receiver.frame(readings(4, 6, { run: 7 }))
    assert.deepEqual([answers[0]?.seq, answers[0]?.wanted, answers[0]?.run], [0, 0, 7])
  })

  it('drops frames of another session, and counts them', async () => {
    const receiver = open('series')
    receiver.frame(readings(1, 3, { session: 'older' }))
    receiver.frame(readings(1, 1))
    await settledAt(receiver, 1)
    assert.equal(receiver.status().refused, 1)
  })

  it('knows the positions of several databases of one gateway, and forgets the oldest beyond eight', async () => {
    for (const number of range(1, 9)) {
      const receiver = open('series', store, 's1', `epoch-${number}`)
      receiver.frame(readings(1, number))
      await settledAt(receiver, number)
      await receiver.end()
      await new Promise(resolve => setTimeout(resolve, 2))
    }
    assert.equal(open('series', store, 's1', 'epoch-2').position, 2)
    assert.equal(open('series', store, 's1', 'epoch-1').position, 0)
  })

  it('parks a stamp too far ahead, so that one bad clock cannot win for ever, and applies the rest', async () => {
    const receiver = open('records')
    const future = stampAt(systemTime.wallMs() + 2 * 3_600_000)
    receiver.frame(frame('records', 0, [record(1), record(2, { key: 'bad', stamp: future }), record(3)]))
    await settledAt(receiver, 3)
    assert.equal(store.latest('thresholds', 'bad'), undefined)
    assert.ok(store.latest('thresholds', 'key-3') !== undefined)
    const parked = store.latest(parkedTable, 'from:far/thresholds/e1/2')?.value as Record<string, unknown>
    assert.deepEqual([parked['reason'], parked['key'], parked['seq']], ['stamp-too-far-ahead', 'bad', 2])
    assert.equal(receiver.status().parked, 1)
    await until('its own clock', () => store.head('thresholds') === 2)
  })

  it('parks a row that the store refuses, and applies the others of the same frame', async () => {
    const receiver = open('records')
    const nameless = record(2, { key: '' })
    receiver.frame(frame('records', 0, [record(1), nameless, record(3), record(4, { joined: true })]))
    await settledAt(receiver, 4)
    assert.deepEqual(
      (await store.read('thresholds', asSeq(0), 10)).map(entry => entry.kind === 'record' && entry.key),
      ['key-1', 'key-3', 'key-4'],
    )
    const parked = store.latest(parkedTable, 'from:far/thresholds/e1/2')?.value as Record<string, unknown>
    assert.equal(parked['reason'], 'BAD_ARGUMENT')
  })

  it('parks readings whose names or times are nonsense', async () => {
    const receiver = open('series')
    const long = readingEntry(2, { stamp: nowStamp(2), series: series('d'.repeat(200), 'm', 'far') })
    const late = readingEntry(3, { stamp: nowStamp(3), series: series('d', 'm', 'far'), deviceTimeMs: 2 ** 50 })
    receiver.frame(
      frame('series', 0, [reading(1), { entry: long, joined: false }, { entry: late, joined: false }, reading(4)]),
    )
    await settledAt(receiver, 4)
    assert.deepEqual(await values(store), [1, 4])
    assert.deepEqual(await parkedKeys(store), ['from:far/readings/e1/2', 'from:far/readings/e1/3'])
  })

  it('commits a full frame of readings at once, and a few readings with the next group', async () => {
    const urgencies: unknown[] = []
    const watching = proxied(store, {
      commit: (changes: Parameters<Store['commit']>[0], urgency: Parameters<Store['commit']>[1]) => {
        urgencies.push(urgency)
        return store.commit(changes, urgency)
      },
    })
    const receiver = open('series', watching)
    receiver.frame(readings(1, 3))
    await settledAt(receiver, 3)
    receiver.frame(readings(4, 1_003))
    await settledAt(receiver, 1_003)
    assert.deepEqual(urgencies, ['interval', 'now'])
  })

  it('lets no more rows wait than an honest sender sends, however few bytes they are', async () => {
    let release: () => void = () => undefined
    const held = new Promise<void>(resolve => (release = resolve))
    const slow = proxied(store, {
      commit: async (...given: Parameters<Store['commit']>) => {
        await held
        return store.commit(...given)
      },
    })
    const receiver = open('series', slow)
    const rows = range(1, rowsMax).map(reading)
    const dense = (after: number): Buffer => {
      const last = asSeq(after + rowsMax)
      const sent = rows.map(({ entry, joined }) => ({ joined, entry: { ...entry, seq: asSeq(entry.seq + after) } }))
      const head = { session: 's1', run: 1, after: asSeq(after), last, head: last, part: 0, parts: 1, gaps: [] }
      return encodePayload('series', head, sent, ourTakes)
    }
    // One is being committed, and so many wait as rows may.
    for (let index = 0; index < 12; index++) receiver.frame(dense(index * rowsMax))
    assert.ok(receiver.status().refused > 0)
    assert.equal(receiver.status().framesInFlight, waitingRowsMax / rowsMax)
    release()
    await settledAt(receiver, rowsMax + waitingRowsMax)
  })

  it('refuses hostile frames by name, says so, and goes on with the next good one', async () => {
    const receiver = open('series')
    const bignum = Buffer.concat([Buffer.from([0xc2, 0x5a, 0, 1, 0xf0, 0]), Buffer.alloc(126_976, 0xff)])
    const startedMs = systemTime.monotonicMs()
    for (const [bytes, name] of [
      [bignum, 'cbor-tag'],
      [Buffer.from('{"v":1}'), 'cbor-truncated'],
      [encodeMessage({ v: 2 }), 'version'],
      [encodeMessage({ v: 1, session: 's1' }), 'shape'],
      [Buffer.alloc(200_000), 'too-large'],
    ] as const) {
      receiver.frame(bytes)
      const { unreadable, wanted } = answers.at(-1) as PositionAnswer
      assert.equal(unreadable?.reason, name)
      assert.equal(wanted, 0)
    }
    assert.ok(systemTime.monotonicMs() - startedMs < 1_000, 'a bignum of 128 kB must not cost quadratic time')
    receiver.frame(readings(1, 3))
    await settledAt(receiver, 3)
    assert.equal(receiver.status().refused, 5)
  })

  it('applies a transaction that came in parts at once, and not before the last part is there', async () => {
    const receiver = open('records')
    const part = (index: number, sent: SentEntry): Buffer =>
      frame('records', 0, [sent], { part: index, parts: 3, last: asSeq(3) })
    const parts = [part(0, record(1)), part(1, record(2, { joined: true })), part(2, record(3, { joined: true }))]
    receiver.frame(parts[0] as Buffer)
    receiver.frame(parts[1] as Buffer)
    receiver.frame(parts[1] as Buffer)
    receiver.frame(parts[2] as Buffer)
    await new Promise(resolve => setTimeout(resolve, 20))
    assert.equal(store.head('thresholds'), 0, 'a repeated part spoils the transaction: it is sent again')
    for (const one of parts) receiver.frame(one)
    await settledAt(receiver, 3)
    assert.deepEqual(
      (await store.read('thresholds', asSeq(0), 10)).map(entry => entry.joined),
      [false, true, true],
    )
  })

  it('asks again after a pause when a commit fails, and leaves no hole', async () => {
    let failures = 2
    const failing = proxied(store, {
      commit: (changes: Parameters<Store['commit']>[0], urgency: Parameters<Store['commit']>[1]) =>
        failures-- > 0
          ? Promise.reject(new HoldfastError('STORE_FAILED', 'the store could not write'))
          : store.commit(changes, urgency),
    })
    const time = { ...systemTime, after: (_delayMs: number, run: () => void) => systemTime.after(5, run) }
    const receiver = new Receiver(
      { table: 'readings', kind: 'series', label: 'far' },
      { ...doors(store, time), store: failing },
    )
    opened.push(receiver)
    receiver.begin(session(), 'e1', systemTime.wallMs)
    receiver.frame(readings(1, 3))
    receiver.frame(readings(4, 6))
    receiver.frame(readings(7, 9))
    await until('it asks', () => answers.some(answer => answer.wanted === 0))
    assert.equal(receiver.status().state, 'stalled')
    receiver.frame(readings(1, 3))
    await until('it asks again', () => answers.filter(answer => answer.wanted === 0).length === 2)
    for (const from of [1, 4, 7]) receiver.frame(readings(from, from + 2))
    await settledAt(receiver, 9)
    assert.deepEqual(await values(store), range(1, 9))
    assert.equal(receiver.status().state, 'idle')
  })

  it('repeats nothing when a commit that was called failed stands on the disk all the same', async () => {
    let isFirst = true
    const lying = proxied(store, {
      commit: async (changes: Parameters<Store['commit']>[0], urgency: Parameters<Store['commit']>[1]) => {
        const receipt = await store.commit(changes, urgency)
        if (!isFirst) return receipt
        isFirst = false
        throw new HoldfastError('STORE_FAILED', 'it says it could not write')
      },
    })
    const time = { ...systemTime, after: (_delayMs: number, run: () => void) => systemTime.after(5, run) }
    const receiver = new Receiver(
      { table: 'readings', kind: 'series', label: 'far' },
      { ...doors(store, time), store: lying },
    )
    opened.push(receiver)
    receiver.begin(session(), 'e1', systemTime.wallMs)
    receiver.frame(readings(1, 3))
    await until('it tells where it stands', () => answers.some(answer => answer.wanted === 3))
    receiver.frame(readings(1, 3))
    receiver.frame(readings(1, 6))
    await settledAt(receiver, 6)
    assert.deepEqual(await values(store), range(1, 6))
  })

  it('repeats nothing when it learns only later that a commit that failed stands on the disk', async () => {
    let isOpen = true
    let failures = 1
    const reopening = proxied(store, {
      commit: async (changes: Parameters<Store['commit']>[0], urgency: Parameters<Store['commit']>[1]) => {
        const receipt = await store.commit(changes, urgency)
        if (failures-- <= 0) return receipt
        isOpen = false
        throw new HoldfastError('STORE_FAILED', 'it says it could not write')
      },
      state: (owner: string, key: string) => (isOpen ? store.state(owner, key) : undefined),
    })
    const time = { ...systemTime, after: (_delayMs: number, run: () => void) => systemTime.after(5, run) }
    const receiver = new Receiver(
      { table: 'readings', kind: 'series', label: 'far' },
      { ...doors(store, time), store: reopening },
    )
    opened.push(receiver)
    receiver.begin(session(), 'e1', systemTime.wallMs)
    receiver.frame(readings(1, 3))
    await until('it asks for all of it', () => answers.some(answer => answer.wanted === 0))
    isOpen = true
    receiver.frame(readings(1, 6))
    await settledAt(receiver, 6)
    assert.deepEqual(await values(store), range(1, 6))
  })
})

/** The store with some of its methods replaced. */
function proxied(store: Store, methods: Partial<StoreDoor>): StoreDoor {
  return new Proxy(store, {
    get: (target, name) => {
      const own = Object.hasOwn(methods, name) ? (methods as Record<string | symbol, unknown>)[name] : undefined
      if (own !== undefined) return own
      const value = Reflect.get(target, name, target) as unknown
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
