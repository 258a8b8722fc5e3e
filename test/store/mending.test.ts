import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { ClassicLevel } from 'classic-level'
import fc from 'fast-check'
import { crc32c } from '../../runtime/store/mending/crc32c.ts'
import { checkFolder } from '../../runtime/store/mending/folder-check.ts'
import { type Damage, mendFolder } from '../../runtime/store/mending/folder-mend.ts'
import { readFramedLog, writeFramedLog } from '../../runtime/store/mending/framed-log.ts'
import { readManifest } from '../../runtime/store/mending/manifest.ts'
import { Quarantine } from '../../runtime/store/mending/quarantine.ts'
import { readFooter } from '../../runtime/store/mending/table-file.ts'
import type { LostKeys } from '../../runtime/store/mending/table-mend.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-mending-'))
const options = { keyEncoding: 'buffer', valueEncoding: 'buffer', writeBufferSize: 64 << 10 } as const
const keyCount = 4_000

const keyOf = (number: number): Buffer => Buffer.from(`L${String(number).padStart(8, '0')}`)
/** Half of the values can be compressed, half cannot: LevelDB stores blocks in both ways. */
function valueOf(number: number): Buffer {
  const bytes = Buffer.alloc(120, number % 256)
  if (number % 1000 < 500)
    for (let at = 0; at < bytes.length; at++) bytes[at] = (Math.imul(number + 1, 2654435761 + at * 40503) >>> 13) & 255
  return bytes
}

before(async () => {
  const level = new ClassicLevel<Buffer, Buffer>(join(folder, 'whole'), options)
  await level.open()
  for (let number = 0; number < keyCount; number += 10) {
    const batch = level.batch()
    for (let at = number; at < number + 10; at++) batch.put(keyOf(at), valueOf(at))
    await batch.write({ sync: true })
  }
  await level.close()
})

after(() => rmSync(folder, { recursive: true, force: true }))

const files = (path: string, end: string): string[] =>
  readdirSync(path)
    .filter(name => name.endsWith(end))
    .toSorted()
const manifestOf = (path: string): string => readdirSync(path).find(name => name.startsWith('MANIFEST')) as string

/** A copy that is damaged, mended, and read: what is missing, and whether anything came that was never written. */
async function damaged(
  damage: (path: string) => void,
): Promise<{ damages: Damage[]; missing: number[]; path: string }> {
  const home = mkdtempSync(join(folder, 'copy-'))
  const path = join(home, 'db')
  cpSync(join(folder, 'whole'), path, { recursive: true })
  damage(path)
  const faults = await checkFolder(path, { isThorough: true })
  const damages = faults.length > 0 ? await mendFolder(path, faults, new Quarantine(home, () => 0), 'a test') : []
  assert.deepEqual(await checkFolder(path, { isThorough: true }), [], 'what was mended is not whole')
  const level = new ClassicLevel<Buffer, Buffer>(path, options)
  await level.open({ createIfMissing: false })
  const missing: number[] = []
  const found = new Map<string, Buffer>()
  for (const [key, value] of await level.iterator().all()) found.set(key.toString('latin1'), value)
  for (let number = 0; number < keyCount; number++) {
    const value = found.get(keyOf(number).toString('latin1'))
    found.delete(keyOf(number).toString('latin1'))
    if (value === undefined) missing.push(number)
    else assert.ok(value.equals(valueOf(number)), `another value came under key ${number}`)
    assert.equal(level.getSync(keyOf(number)) === undefined, value === undefined, 'looking up and walking differ')
  }
  assert.equal(found.size, 0, 'keys came that were never written')
  await level.compactRange(keyOf(0), keyOf(keyCount))
  await level.batch().put(keyOf(0), valueOf(0)).write({ sync: true })
  await level.close()
  return { damages, missing, path }
}

function flip(path: string, at: number, count = 1): void {
  const bytes = readFileSync(path)
  const from = at < 0 ? bytes.length + at : at
  for (let index = from; index < Math.min(bytes.length, from + count); index++)
    bytes[index] = (bytes[index] as number) ^ 0x5a
  writeFileSync(path, bytes)
}

function isTold(number: number, damages: readonly Damage[]): boolean {
  const key = keyOf(number)
  const holds = ({ after: from, upTo }: LostKeys): boolean =>
    (from === undefined || Buffer.compare(key, from) > 0) && (upTo === undefined || Buffer.compare(key, upTo) <= 0)
  return damages.some(({ lost }) => lost === undefined || lost.some(holds))
}

describe('the files of a damaged database', () => {
  test('are whole before anything is done to them', async () => {
    const { damages, missing } = await damaged(() => undefined)
    assert.deepEqual([damages, missing], [[], []])
  })

  test('lose the keys of a damaged block, tell which, and keep all others', async () => {
    const { damages, missing } = await damaged(path => flip(join(path, files(path, '.ldb')[2] as string), 5_000, 40))
    assert.equal(damages.length, 1)
    assert.ok(missing.length > 0 && missing.length < 200, `${missing.length} are missing`)
    assert.deepEqual(
      missing.filter(number => !isTold(number, damages)),
      [],
    )
  })

  for (const [what, at] of [
    ['magic number', -3],
    ['handles of the footer', -46],
    ['index', -200],
  ] as const) {
    test(`lose nothing by a damaged ${what} of a table file`, async () => {
      const { damages, missing } = await damaged(path => flip(join(path, files(path, '.ldb')[2] as string), at))
      assert.deepEqual([damages.length, missing], [1, []])
    })
  }

  test('lose nothing by a damaged filter, and are looked up without it', async () => {
    const { damages, missing } = await damaged(path => {
      const file = join(path, files(path, '.ldb')[2] as string)
      const { metaindex } = readFooter(readFileSync(file).subarray(-48)) ?? assert.fail('no footer')
      flip(file, metaindex.offset - 60, 20)
    })
    assert.deepEqual([damages.map(({ what }) => what), missing], [['its filter is damaged'], []])
  })

  test('lose no more than one table if it is missing, and tell its keys', async () => {
    const { damages, missing } = await damaged(path => rmSync(join(path, files(path, '.ldb')[3] as string)))
    assert.ok(missing.length > 0 && missing.length < 1_000, `${missing.length} are missing`)
    assert.deepEqual(
      missing.filter(number => !isTold(number, damages)),
      [],
    )
  })

  test('lose no more than one table if it is zeros', async () => {
    const { damages, missing } = await damaged(path => {
      const file = join(path, files(path, '.ldb')[3] as string)
      writeFileSync(file, Buffer.alloc(statSync(file).size))
    })
    assert.ok(missing.length > 0 && missing.length < 1_000)
    assert.deepEqual(
      missing.filter(number => !isTold(number, damages)),
      [],
    )
  })

  test('keep the whole blocks of a table that was cut off', async () => {
    const cut = (share: number) => (path: string) => {
      const file = join(path, files(path, '.ldb')[3] as string)
      truncateSync(file, Math.floor(statSync(file).size * share))
    }
    const most = await damaged(cut(0.9))
    const few = await damaged(cut(0.1))
    assert.ok(most.missing.length < few.missing.length)
    for (const { damages, missing } of [most, few])
      assert.deepEqual(
        missing.filter(number => !isTold(number, damages)),
        [],
      )
  })

  test('lose one write of a log, not all that LevelDB would pass over', async () => {
    const { damages, missing } = await damaged(path => flip(join(path, files(path, '.log').at(-1) as string), 3_000))
    assert.equal(damages.length, 1)
    assert.equal(missing.length, 10)
  })

  test('lose nothing by a MANIFEST that is missing, damaged in its middle or at its end', async () => {
    const ways: ((file: string) => void)[] = [
      file => rmSync(file),
      file => flip(file, 60, 30),
      file =>
        writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.from('rubbish at the end, of some length')])),
      file => truncateSync(file, 0),
      file => truncateSync(file, statSync(file).size - 5),
    ]
    for (const way of ways) {
      const { damages, missing } = await damaged(path => way(join(path, manifestOf(path))))
      assert.ok(damages.length > 0)
      assert.deepEqual(missing, [])
    }
  })

  test('lose nothing by a CURRENT that is missing, empty or garbled', async () => {
    const ways: ((file: string) => void)[] = [
      file => rmSync(file),
      file => writeFileSync(file, ''),
      file => writeFileSync(file, 'MANIFEST-000'),
      file => writeFileSync(file, 'MANIFEST-999999\n'),
      file => writeFileSync(file, Buffer.alloc(16)),
    ]
    for (const way of ways) {
      const { damages, missing } = await damaged(path => way(join(path, 'CURRENT')))
      assert.deepEqual([damages.length, missing], [1, []])
    }
  })

  test('whatever bytes are flipped, what is missing is told and nothing false is read', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 600 })), { minLength: 1, maxLength: 6 }),
        async flips => {
          const { damages, missing } = await damaged(path => {
            const all = readdirSync(path).filter(name => /ldb$|log$|MANIFEST|CURRENT/.test(name))
            for (const [file, at, count] of flips) {
              const one = join(path, all[file % all.length] as string)
              flip(one, at % Math.max(1, statSync(one).size), count)
            }
          })
          const untold = missing.filter(number => !isTold(number, damages))
          // Writes behind which nothing can be read cannot be told from one that a cut interrupted.
          const lost = new Set(missing)
          const behind = Array.from({ length: keyCount - (untold[0] ?? keyCount) }, (_, index) => keyCount - 1 - index)
          assert.deepEqual(
            behind.filter(number => !lost.has(number)),
            [],
          )
        },
      ),
      {
        numRuns: 40,
        // The last two writes of a log at once.
        examples: [
          [
            [
              [856_791_776, 1_267_066_991, 591],
              [0, 0, 1],
            ],
          ],
        ],
      },
    )
  })
})

test('a log is read as it was written, and each record that is damaged costs no other', () => {
  const records = fc.array(fc.integer({ min: 0, max: 70_000 }), { minLength: 2, maxLength: 12 })
  fc.assert(
    fc.property(records, fc.nat(), (lengths, where) => {
      const written = lengths.map((length, index) => Buffer.alloc(length, index + 1))
      const file = writeFramedLog(written)
      const read = readFramedLog(file)
      assert.deepEqual([read.records.map(record => record.length), read.damaged, read.torn], [lengths, [], undefined])
      file[where % file.length] = (file[where % file.length] as number) ^ 1
      const left = readFramedLog(file)
      assert.ok(left.records.length >= lengths.length - 1, `${lengths.length - left.records.length} records were lost`)
      assert.ok(left.records.every(record => written.some(one => one.equals(record))))
    }),
    { numRuns: 60 },
  )
})

test('the checksum is the one that LevelDB uses', () => {
  assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa)
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
})

test('a MANIFEST tells the same files as the folder', () => {
  const path = join(folder, 'whole')
  const manifest = readManifest(readFileSync(join(path, manifestOf(path))))
  const numbers = [...(manifest?.files.keys() ?? [])].toSorted((a, b) => a - b)
  assert.deepEqual(
    numbers,
    files(path, '.ldb').map(name => Number.parseInt(name, 10)),
  )
})
