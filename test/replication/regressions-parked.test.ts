import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { HoldfastError } from '../../runtime/errors.ts'
import { silentLog } from '../../runtime/log.ts'
import { type FrameHead, type SentEntry, encodeFrame } from '../../runtime/replication/wire/frames.ts'
import { park, parkedTable } from '../../runtime/replication/parked/parked.ts'
import { ParkedRows } from '../../runtime/replication/parked/parked-rows.ts'
import { Receiver } from '../../runtime/replication/receive/receiver.ts'
import type { StoreDoor } from '../../runtime/replication/store-door.ts'
import type { Session } from '../../runtime/replication/stream.ts'
import { silentTakes } from '../../runtime/replication/wire/takes.ts'
import { type Time, systemTime } from '../../runtime/replication/time.ts'
import { stampAt } from '../../runtime/stamp.ts'
import { gapsTable } from '../../runtime/store/gap-rows.ts'
import type { Store } from '../../runtime/store/store.ts'
import { type Change, type TableKind, asSeq } from '../../runtime/store/types.ts'
import { readingEntry, recordEntry, series } from './entries.ts'
import { doors, openTestStore, places, until, values } from './rig.ts'

const hourMs = 3_600_000

async function keysOf(store: Store, table: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.rows(table)) keys.push(key)
  return keys
}

describe('a receiver that parks rows and is told of gaps', () => {
  let store: Store
  let wallMs: number
  const receivers: Receiver[] = []
  const time: Time = {
    ...systemTime,
    wallMs: () => wallMs,
    after: (_delayMs, run) => systemTime.after(5, run),
  }
  const session: Session = { id: 's1', peer: 'far', far: silentTakes, post: () => undefined }
  const open = (kind: TableKind, over: Partial<StoreDoor> = {}): Receiver => {
    const table = kind === 'series' ? 'readings' : 'thresholds'
    const methods = new Map(Object.entries(over))
    const door = new Proxy(store, {
      get: (target, name) => {
        const value = methods.get(String(name)) ?? (Reflect.get(target, name, target) as unknown)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    }) as unknown as StoreDoor
    const receiver = new Receiver({ table, kind, label: 'far' }, { ...doors(store, time), store: door })
    receiver.begin(session, 'e1', time.wallMs)
    receivers.push(receiver)
    return receiver
  }
  const frame = (kind: TableKind, after: number, sent: readonly SentEntry[], more: Partial<FrameHead> = {}): Buffer => {
    const last = asSeq(sent.at(-1)?.entry.seq ?? after + 1)
    return encodeFrame(
      kind,
      { session: 's1', run: 1, after: asSeq(after), last, head: last, part: 0, parts: 1, gaps: [], ...more },
      sent,
    )
  }
  const row = (seq: number, key: string, value: string, ms: number): SentEntry => ({
    entry: recordEntry(seq, { key, value, stamp: stampAt(ms), origin: 'far' }),
    joined: false,
  })
  const reading = (seq: number): SentEntry => ({
    entry: readingEntry(seq, { value: seq, stamp: stampAt(wallMs - 1_000 + seq), series: series('d', 'm', 'far') }),
    joined: false,
  })
  const settledAt = (receiver: Receiver, seq: number): Promise<void> =>
    until(`position ${seq}`, () => receiver.position === seq, 2_000)
  const gapRows = async (): Promise<readonly (readonly unknown[])[]> => {
    const rows: (readonly unknown[])[] = []
    for await (const { value } of store.rows(gapsTable)) {
      const { first, last, count } = value as Record<string, unknown>
      rows.push([first, last, count])
    }
    return rows
  }

  beforeEach(async () => {
    wallMs = systemTime.wallMs()
    store = await openTestStore(places.memory(), 'here')
  })
  afterEach(async () => {
    for (const receiver of receivers.splice(0)) await receiver.end()
    await store.close()
  })

  it('never brings back a parked row whose sender has written its key again under a right stamp', async () => {
    const rows = await ParkedRows.open({ store, time: { ...time, after: () => () => undefined }, log: silentLog })
    const receiver = open('records')
    receiver.frame(frame('records', 0, [row(1, 'limit', 'of a wrong clock', wallMs + 2 * hourMs)]))
    await settledAt(receiver, 1)
    assert.equal((await keysOf(store, parkedTable)).length, 1)
    // The clock is put right: the same row again, and a newer one.
    receiver.frame(
      frame('records', 1, [row(2, 'limit', 'of a wrong clock', wallMs - 2), row(3, 'limit', 'new', wallMs)]),
    )
    await settledAt(receiver, 3)
    wallMs += 90 * 60_000
    await rows.retryDue()
    assert.equal(store.latest('thresholds', 'limit')?.value, 'new')
    assert.deepEqual(await keysOf(store, parkedTable), [], 'it is nobody’s to look at any more')
    await rows.close()
  })

  it('forgets no gap when the rows behind it had to be stored apart and the disk failed in between', async () => {
    let commits = 0
    const receiver = open('records', {
      commit: (changes: readonly Change[], urgency) => {
        // All of it, both apart, the bad one alone; the good one is stored then.
        if (++commits === 5) return Promise.reject(new HoldfastError('STORE_FAILED', 'the store could not write'))
        return store.commit(changes, urgency)
      },
    })
    const gaps = [{ first: asSeq(1), last: asSeq(10), reason: 'max_bytes' }]
    const bad = row(11, '', 'no key', wallMs)
    const sent = frame('records', 0, [bad, row(12, 'a', 'x', wallMs)], { gaps })
    receiver.frame(sent)
    await until('the good row is stored', () => receiver.position === 12)
    for (let tries = 0; receiver.position < 12 || (await gapRows()).length === 0; tries++) {
      assert.ok(tries < 50, 'the gap is never told')
      receiver.frame(sent)
      await new Promise(resolve => setTimeout(resolve, 10))
    }
    assert.deepEqual(await gapRows(), [[1, 10, 10]])
    assert.equal(receiver.status().gaps, 10)
    assert.equal(store.latest('thresholds', 'a')?.value, 'x')
  })

  it('counts as lost only what it does not have, though a gap told later reaches over it', async () => {
    const receiver = open('series')
    receiver.frame(frame('series', 0, [1, 2, 3, 4, 5].map(reading)))
    await settledAt(receiver, 5)
    const gaps = [{ first: asSeq(1), last: asSeq(9), reason: 'max_bytes' }]
    receiver.frame(frame('series', 0, [reading(10)], { gaps }))
    await settledAt(receiver, 10)
    assert.deepEqual(await values(store), [1, 2, 3, 4, 5, 10])
    assert.deepEqual(await gapRows(), [[6, 9, 4]])
    assert.equal(receiver.status().gaps, 4)
  })

  it('stores a parked reading once, though it is tried again by two at the same time', async () => {
    const rows = await ParkedRows.open({ store, time: { ...time, after: () => () => undefined }, log: silentLog })
    const one = { device: 'd', metric: 'm', unit: undefined, id: undefined, arrivalMs: wallMs, deviceTimeMs: undefined }
    const parking = { reason: 'x', row: { seq: asSeq(9), stamp: stampAt(wallMs), origin: 'far', value: 1, ...one } }
    const stream = { way: 'from', farSide: 'far', table: 'readings', epoch: 'e1' } as const
    await store.commit((await park(store, stream, [parking], wallMs)).changes)
    const outcomes = await Promise.all([rows.retry(undefined), rows.retry(undefined)])
    assert.deepEqual(await values(store), [1])
    assert.deepEqual(
      outcomes.flat().map(({ outcome }) => outcome),
      [
        'applied',
        ...outcomes
          .flat()
          .slice(1)
          .map(() => 'not found'),
      ],
    )
    await rows.close()
  })
})
