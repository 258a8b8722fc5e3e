import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { verifyFile } from '../../runtime/backup/restore.ts'
import type { HoldfastError } from '../../runtime/errors.ts'
import { formatNumber } from '../../runtime/store/database.ts'
import { seqZero } from '../../runtime/store/types.ts'
import { arrival } from '../api/surface.ts'
import { specs } from '../store/homes.ts'
import { until } from '../replication/rig.ts'
import { storeIn } from './stores.ts'
import { backUp, contentOf, folderFor, nowMs, openFile, restoreTo } from './rig.ts'

const hasCode =
  (code: string, words = /./) =>
  (error: unknown): boolean => {
    assert.equal((error as HoldfastError).code, code, String(error))
    assert.match((error as HoldfastError).message, words)
    return true
  }

/** What is written by the restoring itself, and by closing after the backup. */
const own = ['Mformat', 'Arestored\0note', 'Aorigin\0id', 'Mwear']
const withoutOwn = (content: Map<string, string>): [string, string][] =>
  [...content].filter(([key]) => !own.includes(key)).toSorted(([a], [b]) => (a < b ? -1 : 1))

describe('a backup of a gateway that runs', () => {
  it('is of one moment, whatever is committed meanwhile', async t => {
    const folder = folderFor(t)
    const store = await storeIn(join(folder, 'one'))
    const stop = new AbortController()
    let count = 0
    const writing = (async () => {
      while (!stop.signal.aborted) {
        count++
        await store.commit([
          {
            kind: 'append',
            table: 'readings',
            readings: [arrival('freezer-1', `${count} ${'x'.repeat(2_000)}`, nowMs)],
          },
          { kind: 'put', table: 'thresholds', key: 'count', value: count },
          { kind: 'state', owner: 'test', key: 'count', value: count },
        ])
      }
    })()
    await until('there is something', () => count >= 300)
    const before = count
    await backUp(store, join(folder, 'one.backup'))
    stop.abort()
    await writing
    await store.close()
    await restoreTo(join(folder, 'two'), [join(folder, 'one.backup')])
    const restored = await storeIn(join(folder, 'two'))
    const seen = Number(restored.state('test', 'count'))
    assert.ok(seen >= before - 1 && seen <= count, `${before} ${seen} ${count}`)
    assert.equal(restored.latest('thresholds', 'count')?.value, seen)
    assert.equal(restored.head('readings'), seen)
    assert.equal((await restored.read('readings', seqZero, 1_000_000)).length, seen)
    await restored.close()
  })

  it('holds every key and value as it lies on the disk', async t => {
    const folder = folderFor(t)
    const store = await storeIn(join(folder, 'one'))
    for (let index = 0; index < 20; index++) {
      await store.commit([
        { kind: 'append', table: 'readings', readings: [arrival('freezer-1', index, nowMs + index, nowMs + index)] },
        { kind: 'put', table: 'thresholds', key: `key ${index}`, value: { index } },
      ])
    }
    const file = join(folder, 'one.backup')
    await backUp(store, file)
    await store.close()
    await restoreTo(join(folder, 'two'), [file])
    assert.deepEqual(withoutOwn(await contentOf(join(folder, 'two'))), withoutOwn(await contentOf(join(folder, 'one'))))
  })

  it('is told by its last words when it cannot be finished', async t => {
    const folder = folderFor(t)
    const store = await storeIn(join(folder, 'one'))
    await store.close()
    await assert.rejects(backUp(store, join(folder, 'one.backup')), hasCode('STORE_FAILED', /could not be read/))
    assert.deepEqual(readdirSync(folder), ['one'])
  })
})

describe('a backup file', () => {
  it('is known for damaged wherever it is cut short, changed or continued', async t => {
    const folder = folderFor(t)
    const store = await storeIn(join(folder, 'one'))
    for (let index = 0; index < 30; index++)
      await store.commit([{ kind: 'put', table: 'thresholds', key: `key ${index % 7}`, value: `${index}` }])
    const file = join(folder, 'one.backup')
    await backUp(store, file)
    await store.close()
    const packed = readFileSync(file)
    const whole = gunzipSync(packed)
    const other = join(folder, 'other')
    const isWhole = async (bytes: Buffer): Promise<boolean> => {
      writeFileSync(other, bytes)
      try {
        await verifyFile(await openFile(other), () => undefined)
        return true
      } catch (error) {
        return !hasCode('BACKUP_UNREADABLE')(error)
      }
    }
    assert.ok(await isWhole(packed))
    assert.ok(await isWhole(whole), 'one that is not packed is one too')
    const place = fc.nat(whole.length - 1)
    await fc.assert(
      fc.asyncProperty(place, fc.integer({ min: 1, max: 255 }), async (at, bits) => {
        const flipped = Buffer.from(whole)
        flipped[at] = (flipped[at] as number) ^ bits
        assert.equal(await isWhole(gzipSync(flipped)), false, `byte ${at} changed`)
        assert.equal(await isWhole(gzipSync(whole.subarray(0, at))), false, `cut at ${at}`)
        const cut = Math.floor((at / whole.length) * packed.length)
        assert.equal(await isWhole(packed.subarray(0, cut)), false, `packed, cut at ${cut}`)
      }),
      { numRuns: 150, seed: 5 },
    )
    assert.equal(await isWhole(gzipSync(Buffer.concat([whole, Buffer.of(0)]))), false, 'continued')
  })

  it('of a newer form or a newer database is refused in a sentence', async t => {
    const folder = folderFor(t)
    const store = await storeIn(join(folder, 'one'))
    const file = join(folder, 'one.backup')
    await backUp(store, file)
    await store.close()
    const text = gunzipSync(readFileSync(file)).toString('latin1')
    const change = (from: string | RegExp, to: string): void =>
      writeFileSync(file, Buffer.from(text.replace(from, to), 'latin1'))
    change('holdfast backup 1', 'holdfast backup 2')
    await assert.rejects(openFile(file), hasCode('BACKUP_UNREADABLE', /a form that this program does not know/))
    change(/"format":\d+/, `"format":${formatNumber + 1}`)
    await assert.rejects(restoreTo(join(folder, 'two'), [file]), hasCode('STORE_NEWER', /that of a newer Holdfast/))
    change('holdfast', 'holdslow')
    await assert.rejects(openFile(file), hasCode('BACKUP_UNREADABLE', /is no backup/))
    await assert.rejects(openFile(join(folder, 'none')), hasCode('FILE_UNREADABLE', /there is no such file/))
  })
})

describe('an increment', () => {
  it('brings a database to what it was, whatever was changed and removed since', async t => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.record({ key: fc.nat(6), value: fc.option(fc.nat(3)) }), { maxLength: 12 }), {
          minLength: 2,
          maxLength: 4,
        }),
        async rounds => {
          const folder = folderFor(t)
          const store = await storeIn(join(folder, 'one'))
          const files: string[] = []
          for (const [round, steps] of rounds.entries()) {
            for (const { key, value } of steps) {
              const state = { kind: 'state', owner: 'test', key: `${key}`, value: value ?? undefined } as const
              await store.commit(
                value === null ? [state] : [state, { kind: 'put', table: 'thresholds', key: `${key}`, value }],
              )
            }
            const head = store.head('thresholds')
            if (round === 1 && head > 2) await store.trim('thresholds', 2 as typeof head, 'test')
            const file = join(folder, `${round}.backup`)
            await backUp(store, file, files.at(-1))
            files.push(file)
          }
          await store.close()
          await restoreTo(join(folder, 'two'), files)
          assert.deepEqual(
            withoutOwn(await contentOf(join(folder, 'two'))),
            withoutOwn(await contentOf(join(folder, 'one'))),
          )
        },
      ),
      { numRuns: 15, seed: 7 },
    )
  })

  it('holds only what is new', async t => {
    const folder = folderFor(t)
    const store = await storeIn(join(folder, 'one'))
    const random = (): string => Array.from({ length: 60 }, () => Math.random().toString(36)).join('')
    for (let index = 0; index < 50; index++)
      await store.commit([{ kind: 'put', table: 'thresholds', key: `${index}`, value: random() }])
    await backUp(store, join(folder, 'full'))
    await store.commit([{ kind: 'put', table: 'thresholds', key: 'new', value: random() }])
    await backUp(store, join(folder, 'increment'), join(folder, 'full'))
    await store.close()
    const [full, increment] = ['full', 'increment'].map(name => readFileSync(join(folder, name)).length)
    assert.ok((increment as number) * 10 < (full as number), `${full} ${increment}`)
    // Alone it is nothing, and in another order neither.
    await assert.rejects(restoreTo(join(folder, 'two'), [join(folder, 'increment')]), hasCode('BACKUP_CHAIN'))
    await assert.rejects(
      restoreTo(join(folder, 'two'), [join(folder, 'full'), join(folder, 'full')]),
      hasCode('BACKUP_CHAIN', /does not continue/),
    )
  })
})

describe('restoring', () => {
  it('never touches a database that is there, nor leaves half of one', async t => {
    const folder = folderFor(t)
    const store = await storeIn(join(folder, 'one'))
    await store.commit([{ kind: 'put', table: 'thresholds', key: 'a', value: 1 }])
    const file = join(folder, 'one.backup')
    await backUp(store, file)
    await assert.rejects(restoreTo(join(folder, 'one'), [file]), hasCode('FOLDER_TAKEN', /already/))
    assert.equal(store.latest('thresholds', 'a')?.value, 1)
    await store.close()
    writeFileSync(file, readFileSync(file).subarray(0, -3))
    await assert.rejects(restoreTo(join(folder, 'two'), [file]), hasCode('BACKUP_UNREADABLE'))
    assert.deepEqual(readdirSync(join(folder, 'two')), [])
  })

  it('gives the database an epoch of its own, and the id that is asked for', async t => {
    const folder = folderFor(t)
    const store = await storeIn(join(folder, 'one'))
    const { epoch } = store
    const file = join(folder, 'one.backup')
    await backUp(store, file)
    await store.close()
    const content = await restoreTo(join(folder, 'two'), [file], { gateway: 'gw-2' })
    assert.equal(content.damaged, 0)
    const restored = await storeIn(join(folder, 'two'), { origin: 'gw-2' })
    assert.notEqual(restored.epoch, epoch)
    assert.equal(restored.state('origin', 'id'), 'gw-2')
    assert.deepEqual([...restored.tables.keys()].toSorted(), specs.map(({ name }) => name).toSorted())
    await restored.close()
    assert.ok(existsSync(join(folder, 'two', 'db')))
  })
})
