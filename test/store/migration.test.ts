/** A database of yesterday, in format 1: opened, with all that was in it, wherever the power goes meanwhile. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, describe, it } from 'node:test'
import { ClassicLevel } from 'classic-level'
import type { HoldfastError } from '../../runtime/errors.ts'
import { silentLog } from '../../runtime/log.ts'
import { openClosed } from '../../runtime/store/closed.ts'
import { formatNumber } from '../../runtime/store/database.ts'
import { type Level, levelOptions } from '../../runtime/store/home.ts'
import { factKey } from '../../runtime/store/keys.ts'
import { migrate } from '../../runtime/store/migration.ts'
import { encodeJson } from '../../runtime/store/records.ts'
import { seal } from '../../runtime/store/seal.ts'
import type { Store } from '../../runtime/store/store.ts'
import type { KnownSeries } from '../../runtime/store/table.ts'
import { type Entry, type ReadingEntry, asSeq, seqZero } from '../../runtime/store/types.ts'
import { storeIn } from '../backup/stores.ts'
import { contentOf } from '../backup/rig.ts'
import { flat, putYesterday, yesterday, yesterdaysTables } from './format-1.ts'

function folderFor(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-migration-'))
  test.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const open = (folder: string): Promise<Store> => storeIn(folder, { tables: yesterdaysTables })

async function logOf(store: Store, table: string): Promise<Entry[]> {
  const found: Entry[] = []
  for (let after = seqZero; ; ) {
    const entries = await store.read(table, after, 100)
    found.push(...entries)
    const last = entries.at(-1)
    if (last === undefined) return found
    after = last.seq
  }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

/** Everything that yesterday's program could find; of series the log has again what only queries found. */
async function mustHoldAll(store: Store): Promise<void> {
  assert.equal(store.epoch, yesterday.epoch)
  for (const [name, seq] of Object.entries(yesterday.cursors)) assert.equal(store.cursor(name), seq, name)
  for (const [owner, states] of Object.entries(yesterday.states))
    assert.deepEqual(Object.fromEntries(store.states(owner)), states, owner)
  for (const [name, { kind, head, log, query, rows }] of Object.entries(yesterday.tables)) {
    assert.equal(store.head(name), head, name)
    const found = (await logOf(store, name)).map(flat)
    if (kind === 'records') {
      assert.deepEqual(found, log, name)
      assert.deepEqual((await all(store.rows(name))).map(flat), rows, name)
      continue
    }
    const bySeq = (entries: readonly { [key: string]: unknown }[]) =>
      entries.toSorted((a, b) => Number(a['seq']) - Number(b['seq']))
    assert.deepEqual((await all(store.query(name, {}))).map(flat), query, name)
    assert.deepEqual(found, bySeq(query), `the log of ${name}`)
    assert.equal(store.firstSeq(name), 1)
  }
}

describe('a database in format 1', () => {
  it('is opened with everything that was in it, also what the log had lost, and goes on', async t => {
    const folder = folderFor(t)
    await putYesterday(folder)
    const store = await open(folder)
    await mustHoldAll(store)
    const { head = 0 } = yesterday.tables['readings'] ?? {}
    const table = store.status().tables.find(({ name }) => name === 'readings')
    assert.equal(table?.rows, head)
    for (const series of store.series('readings') as Iterable<KnownSeries>) {
      const { device, metric, origin } = series
      const own = (await all(store.query('readings', { device, metric }))).filter(entry => entry.origin === origin)
      assert.equal(series.latest?.seq, own.at(-1)?.seq, `the latest of ${device} ${metric}`)
    }
    // What was late and told twice is known for it still.
    const late = (await all(store.query('readings', {}))).find(({ id }) => id === 'late') as ReadingEntry
    const { device, metric, unit } = late.series
    const again = { ...late, device, metric, unit, joined: false }
    const receipt = await store.commit([{ kind: 'append', table: 'readings', readings: [again] }])
    assert.deepEqual([receipt.stored, receipt.duplicates], [0, 1])
    const next = { ...again, id: 'next', deviceTimeMs: (late.deviceTimeMs ?? 0) + 1 }
    await store.commit([{ kind: 'append', table: 'readings', readings: [next] }])
    assert.equal(store.head('readings'), head + 1)
    await store.close()
    const later = await open(folder)
    assert.equal((await logOf(later, 'readings')).length, head + 1)
    await later.close()
  })

  it('is whole wherever the power goes while it is brought to format 2', async t => {
    const folder = folderFor(t)
    let writes = 0
    for (let most = 0; ; most++) {
      rmSync(folder, { recursive: true, force: true })
      mkdirSync(folder)
      await putYesterday(folder)
      const level = new ClassicLevel<Buffer, Buffer>(join(folder, 'db'), levelOptions)
      await level.open()
      writes = 0
      const cut = new Proxy(level, {
        get: (target, name) => {
          if (name === 'batch' && writes++ >= most) throw new Error('the power is gone')
          const value: unknown = Reflect.get(target, name)
          return typeof value === 'function' ? (value.bind(target) as unknown) : value
        },
      }) as unknown as Level
      const isDone = await migrate(cut, silentLog, { batchBytes: 1, rangeReadings: 16_384 }).then(
        () => true,
        (error: Error) => {
          assert.equal(error.message, 'the power is gone')
          return false
        },
      )
      await level.close()
      if (most > 0 && !isDone) {
        const { facts, close } = await openClosed(folder)
        await close()
        assert.equal(facts.format, 2, 'an older program must refuse it')
      }
      const store = await open(folder)
      await mustHoldAll(store)
      await store.close()
      if (isDone) break
    }
    assert.ok(writes >= 20, `${writes} places to be cut at`)
  })

  it('is brought in many small batches as in one large one', async t => {
    const folder = folderFor(t)
    await putYesterday(folder)
    const level = new ClassicLevel<Buffer, Buffer>(join(folder, 'db'), levelOptions)
    await level.open()
    let writes = 0
    const counted = new Proxy(level, {
      get: (target, name) => {
        if (name === 'batch') writes++
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    }) as unknown as Level
    await migrate(counted, silentLog, { batchBytes: 1, rangeReadings: 7 })
    await level.close()
    assert.ok(writes > 20, `${writes} batches`)
    const store = await open(folder)
    await mustHoldAll(store)
    // Retention can take what was packed before, range by range.
    await store.trim('readings', asSeq(100), 'max_age')
    assert.ok(store.firstSeq('readings') > 90 && store.firstSeq('readings') <= 101)
    await store.close()
  })

  it('loses nothing with a packed block that is damaged, of which the log has the readings still', async t => {
    const folder = folderFor(t)
    await putYesterday(folder)
    const level = new ClassicLevel<Buffer, Buffer>(join(folder, 'db'), levelOptions)
    await level.open()
    const packed = await level.keys({ gte: Buffer.from('S'), lt: Buffer.from('T') }).all()
    // The newest of the first series: its readings are in the log too.
    const key = packed.filter(one => one.subarray(0, 7).equals((packed[0] as Buffer).subarray(0, 7))).at(-1) as Buffer
    const value = (await level.get(key)) as Buffer
    value[3] = (value[3] as number) ^ 1
    await level.put(key, value)
    await level.close()
    const store = await open(folder)
    await mustHoldAll(store)
    await store.close()
  })

  it('is kept beside itself as it was, for four weeks', async t => {
    const folder = folderFor(t)
    await putYesterday(folder)
    const before = await contentOf(folder)
    await (await open(folder)).close()
    const copy = join(folder, 'before-format-2')
    const shared = readdirSync(copy).filter(name => name.endsWith('.ldb'))
    for (const name of shared) assert.ok(statSync(join(copy, name)).size > 0)
    const nowMs = Date.now()
    await (await storeIn(folder, { tables: yesterdaysTables, now: () => nowMs + 27 * 86_400_000 })).close()
    assert.ok(existsSync(copy))
    const back = join(folder, 'back')
    mkdirSync(back)
    renameSync(copy, join(back, 'db'))
    assert.deepEqual(await contentOf(back), before)
    const { facts, close } = await openClosed(back)
    await close()
    assert.equal(facts.format, 1)
    renameSync(join(back, 'db'), copy)
    utimesSync(join(copy, 'made'), new Date(nowMs), new Date(nowMs))
    await (await storeIn(folder, { tables: yesterdaysTables, now: () => nowMs + 29 * 86_400_000 })).close()
    assert.ok(!existsSync(copy))
  })
})

it('refuses a database of a newer program in a sentence, and leaves it as it is', async t => {
  const folder = folderFor(t)
  await (await storeIn(folder)).close()
  const level = new ClassicLevel<Buffer, Buffer>(join(folder, 'db'), levelOptions)
  await level.open()
  const key = factKey('format')
  await level.put(key, seal(key, encodeJson({ number: formatNumber + 1, epoch: 'e' })))
  await level.close()
  const before = await contentOf(folder)
  await assert.rejects(storeIn(folder), (error: HoldfastError) => {
    assert.equal(error.code, 'STORE_NEWER')
    assert.match(error.message, /was written by a newer Holdfast \(format 3; this one knows 2\)/)
    return true
  })
  assert.deepEqual(await contentOf(folder), before)
})
