/** A store whose card has damaged it: copies of a real one, on disk, in every way we could think of. */
import assert from 'node:assert/strict'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ClassicLevel } from 'classic-level'
import fc from 'fast-check'
import { silentLog } from '../../runtime/log.ts'
import * as keys from '../../runtime/store/keys.ts'
import { type DamageReport, damageOwner } from '../../runtime/store/mending/report.ts'
import { readFramedLog } from '../../runtime/store/mending/framed-log.ts'
import { readManifest } from '../../runtime/store/mending/manifest.ts'
import type { StoreOptions } from '../../runtime/store/options.ts'
import { Store } from '../../runtime/store/store.ts'
import { type Change, type Seq, asSeq, seqZero } from '../../runtime/store/types.ts'
import { specs, testStamps } from './homes.ts'
import { collect } from './suite.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-damage-'))
const original = join(folder, 'original')
const startMs = 1_700_000_000_000
const sessions = 5
const perSession = 400
const readings = sessions * perSession
const rows = sessions * 20
let monotonicMs = 0

const open = (path: string, options: Partial<StoreOptions> = {}): Promise<Store> =>
  Store.open({
    path,
    tables: specs,
    stamps: testStamps(() => startMs),
    origin: 'gw-1',
    commitIntervalMs: 0,
    ballastBytes: 1 << 20,
    monotonicMs: () => monotonicMs,
    now: () => startMs,
    log: silentLog,
    ...options,
  })

/** The reading at a position: a small sum of it, and a long text, so that blocks hold few. */
const textOf = (seq: number): string => `${seq}:${String(Math.imul(seq, 2654435761) >>> 0).repeat(12)}`

function append(from: number, to: number): Change {
  const arrivals = Array.from({ length: to - from }, (_, at) => ({
    device: `d${(from + at) % 7}`,
    metric: 'text',
    value: textOf(from + at + 1),
    arrivalMs: startMs + (from + at) * 20_000,
    joined: false,
    unit: undefined,
    deviceTimeMs: undefined,
    id: undefined,
  }))
  return { kind: 'append', table: 'readings', readings: arrivals }
}

/** Several runs, so that there are several table files; the readings of the first runs are packed. */
before(async () => {
  for (let session = 0; session < sessions; session++) {
    const store = await open(original)
    for (let at = 0; at < perSession; at += 20) {
      const from = session * perSession + at
      await store.commit([append(from, from + 20), { kind: 'cursor', name: 'bridge/cloud/readings', seq: asSeq(from) }])
      const number = session * 20 + at / 20
      await store.commit([{ kind: 'put', table: 'thresholds', key: `row-${number}`, value: { number } }])
    }
    await store.commit([{ kind: 'state', owner: 'rules', key: 'one', value: { session } }])
    if (session < sessions - 2) {
      monotonicMs += 700_000
      for (let step = 0; step < 3; step++)
        await store.commit([{ kind: 'state', owner: 'pack', key: 'step', value: step }])
    }
    await store.close()
  }
})
after(() => rmSync(folder, { recursive: true, force: true }))

function copy(): string {
  const path = mkdtempSync(join(folder, 'copy-'))
  cpSync(original, path, { recursive: true })
  return path
}

type Found = {
  readonly missing: number[]
  readonly reports: DamageReport[]
  readonly lost: number
  readonly rows: number
}

/** Opens what is damaged, and holds it to what is promised whatever the damage was. */
async function check(path: string, wasEverything = false): Promise<Found> {
  const store = await open(path)
  try {
    const reports = [...store.states(damageOwner).values()] as unknown as DamageReport[]
    const found = new Set<number>()
    let told = 0
    let after: Seq = seqZero
    while (after < store.head('readings')) {
      const entries = await store.read('readings', after, 500)
      assert.ok(entries.length > 0, 'the reading of the log ends before its head')
      for (const entry of entries) {
        const first = entry.kind === 'gap' ? entry.firstSeq : entry.seq
        assert.equal(first, after + 1, 'positions are passed over without a gap')
        if (entry.kind === 'gap') told += entry.count
        else {
          assert.equal(entry.kind === 'reading' && entry.value, textOf(entry.seq), 'a reading is not what was stored')
          found.add(entry.seq)
        }
        after = entry.seq
      }
    }
    const missing = Array.from({ length: readings }, (_, at) => at + 1).filter(seq => !found.has(seq))
    assert.ok(told >= missing.length || wasEverything, `${missing.length} readings are missing, and ${told} are told`)
    const lost = reports.flatMap(report => report.lost).filter(({ table }) => table === 'readings')
    const untold = missing.filter(seq => !lost.some(({ first, last }) => first <= seq && seq <= last))
    assert.deepEqual(untold, [], 'missing readings that no report tells of')
    const queried = new Set<unknown>()
    for await (const { value } of store.query('readings', {})) queried.add(value)
    for (const seq of found) assert.ok(queried.has(textOf(seq)), `reading ${seq} is in the log and not in a query`)
    let rowCount = 0
    for await (const { key, value } of store.rows('thresholds')) {
      rowCount++
      assert.deepEqual(value, { number: Number(key.slice(4)) })
    }
    // Nothing that was given may be given again.
    const heads = [store.head('readings'), store.head('thresholds')]
    await store.commit([append(0, 1), { kind: 'put', table: 'thresholds', key: 'row-0', value: { number: 0 } }], 'now')
    assert.ok(store.head('readings') > Math.max(wasEverything ? 0 : readings, heads[0] as number))
    assert.ok(store.head('thresholds') > Math.max(wasEverything ? 0 : rows, heads[1] as number))
    return { missing, reports, lost: lost.reduce((sum, { count }) => sum + count, 0), rows: rowCount }
  } finally {
    await store.close()
  }
}

/** Opened once more there is nothing left to mend, and the same is told. */
async function checkTwice(path: string, wasEverything = false): Promise<Found> {
  const found = await check(path, wasEverything)
  const store = await open(path)
  const { repairs, damagedValues } = store.status()
  assert.deepEqual([repairs, damagedValues, store.health.status().reports], [0, 0, 0], 'it was mended a second time')
  await store.close()
  return found
}

/** Of table files those that belong to the database: what a closing left behind is nobody's. */
const files = (path: string, end: string): string[] =>
  readdirSync(join(path, 'db'))
    .filter(name => name.endsWith(end))
    .filter(
      name => end !== '.ldb' || readManifest(readFileSync(manifestOf(path)))?.files.has(Number.parseInt(name, 10)),
    )
    .toSorted()
    .map(name => join(path, 'db', name))
/** How far a log goes; behind it stands room for more. */
const endOf = (file: string): number => readFramedLog(readFileSync(file)).end
const manifestOf = (path: string): string =>
  join(path, 'db', readdirSync(join(path, 'db')).find(name => name.startsWith('MANIFEST')) as string)

function flip(file: string, at: number, count = 1): void {
  const bytes = readFileSync(file)
  for (let index = at; index < Math.min(bytes.length, at + count); index++)
    bytes[index] = (bytes[index] as number) ^ 0x5a
  writeFileSync(file, bytes)
}

/** Changes one stored value behind the back of the store, as a card would that lies to LevelDB too. */
async function spoil(path: string, range: keys.KeyRange, which: (at: number) => boolean): Promise<number> {
  const level = new ClassicLevel<Buffer, Buffer>(join(path, 'db'), { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  const pairs = await level.iterator(range).all()
  const chosen = pairs.filter((_, at) => which(at))
  for (const [key, value] of chosen) {
    value[value.length >> 1] = (value[value.length >> 1] as number) ^ 1
    await level.put(key, value)
  }
  await level.close()
  return chosen.length
}

describe('a store opens whatever has happened to its files', () => {
  it('undamaged: everything is there, and nothing is told', async () => {
    const { missing, reports, rows: count } = await checkTwice(copy())
    assert.deepEqual([missing, reports, count], [[], [], rows])
  })

  it('a damaged block: its readings are gaps, everything else is there', async () => {
    const path = copy()
    flip(files(path, '.ldb')[0] as string, 3_000, 50)
    await provoke(path)
    const { missing, reports } = await checkTwice(path)
    assert.equal(reports.length, 1)
    assert.ok(missing.length < readings / 2)
  })

  for (const [what, damage] of [
    ['missing', (file: string) => rmSync(file)],
    ['cut off', (file: string) => truncateSync(file, statSync(file).size >> 1)],
    ['zeros', (file: string) => writeFileSync(file, Buffer.alloc(statSync(file).size))],
    ['empty', (file: string) => truncateSync(file, 0)],
    ['without a footer', (file: string) => flip(file, statSync(file).size - 8, 8)],
  ] as const) {
    it(`each table file that is ${what}`, async () => {
      for (let at = 0; at < files(original, '.ldb').length; at++) {
        const path = copy()
        damage(files(path, '.ldb')[at] as string)
        const { reports } = await checkTwice(path)
        assert.equal(reports.length, 1)
      }
    })
  }

  it('all table files missing: the log alone is left', async () => {
    const path = copy()
    for (const file of files(path, '.ldb')) rmSync(file)
    const { missing, rows: count } = await checkTwice(path)
    assert.ok(missing.length >= readings - perSession)
    assert.ok(count >= 20)
  })

  for (const [what, damage] of [
    ['missing', (file: string) => rmSync(file)],
    ['empty', (file: string) => truncateSync(file, 0)],
    ['cut off', (file: string) => truncateSync(file, endOf(file) >> 1)],
    ['damaged at its beginning', (file: string) => flip(file, 20, 4)],
    ['damaged at its end', (file: string) => flip(file, endOf(file) - 10, 4)],
    ['zeros', (file: string) => writeFileSync(file, Buffer.alloc(statSync(file).size))],
  ] as const) {
    it(`a log that is ${what}: what it held is told exactly, because the store was closed in peace`, async () => {
      const path = copy()
      const file = files(path, '.log').at(-1) as string
      damage(file)
      const { missing, lost, reports } = await checkTwice(path)
      assert.equal(reports.length, 1)
      assert.equal(lost, missing.length)
      assert.ok(missing.length <= perSession)
    })
  }

  it('a log that is gone after an unclean stop: numbers that may have been given are passed over', async () => {
    const path = copy()
    const card = readFileSync(join(path, 'card.json'), 'utf8').slice(9)
    const { crc32 } = await import('node:zlib')
    const torn = JSON.stringify({ ...(JSON.parse(card) as object), isClean: false, boot: 'another' })
    writeFileSync(join(path, 'card.json'), `${crc32(torn).toString(16).padStart(8, '0')} ${torn}\n`)
    rmSync(files(path, '.log').at(-1) as string)
    const store = await open(path)
    assert.ok(store.head('readings') > readings + 1_000_000)
    await store.close()
  })

  for (const [what, damage] of [
    ['a missing MANIFEST', (path: string) => rmSync(manifestOf(path))],
    ['a damaged MANIFEST', (path: string) => flip(manifestOf(path), 40, 20)],
    ['an empty MANIFEST', (path: string) => truncateSync(manifestOf(path), 0)],
    ['a missing CURRENT', (path: string) => rmSync(join(path, 'db', 'CURRENT'))],
    ['an empty CURRENT', (path: string) => writeFileSync(join(path, 'db', 'CURRENT'), '')],
    ['a garbled CURRENT', (path: string) => writeFileSync(join(path, 'db', 'CURRENT'), 'x\u0000\n')],
    [
      'CURRENT, MANIFEST and logs gone',
      (path: string) => {
        for (const name of ['CURRENT', 'LOCK', 'LOG']) rmSync(join(path, 'db', name), { force: true })
        rmSync(manifestOf(path))
      },
    ],
  ] as const) {
    it(`${what}: nothing is lost`, async () => {
      const path = copy()
      damage(path)
      const { missing, reports, rows: count } = await checkTwice(path)
      assert.deepEqual([missing, reports.length, count], [[], 1, rows])
    })
  }

  for (const [what, damage] of [
    [
      'emptied',
      (path: string) => {
        rmSync(join(path, 'db'), { recursive: true })
        mkdirSync(join(path, 'db'))
      },
    ],
    ['gone', (path: string) => rmSync(join(path, 'db'), { recursive: true })],
    [
      'a file',
      (path: string) => {
        renameSync(join(path, 'db'), join(path, 'elsewhere'))
        writeFileSync(join(path, 'db'), 'not a folder')
      },
    ],
    [
      'full of rubbish',
      (path: string) => {
        for (const name of readdirSync(join(path, 'db')))
          writeFileSync(join(path, 'db', name), Buffer.alloc(1_000, 0x41))
      },
    ],
  ] as const) {
    it(`a database folder that is ${what}: it goes on behind the positions that were given, under the same epoch`, async () => {
      const path = copy()
      const before = await open(path)
      const { epoch } = before
      await before.close()
      damage(path)
      const { missing, rows: count } = await checkTwice(path)
      assert.deepEqual([missing.length, count], [readings, 0])
      const store = await open(path)
      assert.equal(store.epoch, epoch)
      assert.equal(store.cursor('bridge/cloud/readings'), readings - 20)
      await store.close()
    })
  }

  it('the whole folder emptied, card and all: a new store', async () => {
    const path = copy()
    for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true })
    const store = await open(path)
    assert.equal(store.head('readings'), 0)
    await store.close()
  })

  for (const card of ['', 'rubbish', '00000000 {}\n', undefined]) {
    it(`a card that is ${card === undefined ? 'missing' : JSON.stringify(card)} does no harm to a whole database`, async () => {
      const path = copy()
      if (card === undefined) rmSync(join(path, 'card.json'))
      else writeFileSync(join(path, 'card.json'), card)
      const { missing, reports } = await checkTwice(path)
      assert.deepEqual([missing, reports], [[], []])
    })
  }

  it('whatever bytes are flipped anywhere, with or without a card', async () => {
    const flips = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 3_000 })), {
      minLength: 1,
      maxLength: 5,
    })
    await fc.assert(
      fc.asyncProperty(flips, fc.boolean(), async (damages, hasCard) => {
        const path = copy()
        const all = ['.ldb', '.log']
          .flatMap(end => files(path, end))
          .concat(manifestOf(path), join(path, 'db', 'CURRENT'))
        for (const [which, at, count] of damages) {
          const file = all[which % all.length] as string
          flip(file, at % Math.max(1, statSync(file).size), count)
        }
        await provoke(path)
        if (hasCard) await checkTwice(path)
        else {
          rmSync(join(path, 'card.json'))
          // The end of a log is then like one that a cut has torn.
          await open(path).then(store => store.close())
        }
        rmSync(path, { recursive: true })
      }),
      { numRuns: 15, endOnFailure: true },
    )
  })
})

describe('values of our own that are damaged, though LevelDB is content', () => {
  for (const [what, range] of [
    ['facts', keys.rangeOf('fact')],
    ['tables', keys.rangeOf('table')],
    ['cursors', keys.rangeOf('cursor')],
    ['packed ranges', keys.rangeOf('range')],
  ] as const) {
    it(`${what}: all of them, and nothing is lost`, async () => {
      const path = copy()
      const before = await open(path)
      const { epoch } = before
      await before.close()
      assert.ok((await spoil(path, range, () => true)) > 0)
      await open(path).then(store => store.close())
      if (what === 'packed ranges') await provoke(path)
      const { missing, rows: count } = await checkTwice(path)
      assert.deepEqual([missing, count], [[], rows])
      const store = await open(path)
      assert.equal(store.epoch, epoch)
      assert.equal(store.cursor('bridge/cloud/readings'), readings - 20)
      await store.close()
    })
  }

  it('one table entry without a card: its number is known by what belongs to nobody else', async () => {
    const path = copy()
    rmSync(join(path, 'card.json'))
    await spoil(path, keys.rangeOf('table'), at => at === 1)
    const { missing, rows: count } = await checkTwice(path)
    assert.deepEqual([missing, count], [[], rows])
  })

  it('rows: they come back from the log', async () => {
    const path = copy()
    await spoil(path, keys.rangeOf('row'), at => at % 3 === 0)
    await provoke(path)
    const { missing, rows: count } = await checkTwice(path)
    assert.deepEqual([missing, count], [[], rows])
  })

  it('log blocks and chunks: gaps that are told once', async () => {
    for (const kind of ['log', 'chunk'] as const) {
      const path = copy()
      assert.ok((await spoil(path, keys.rangeOf(kind), at => at % 5 === 0)) > 0)
      await provoke(path)
      const { missing, lost } = await checkTwice(path)
      assert.ok(missing.length > 0)
      assert.equal(lost, missing.length)
    }
  })

  it('series, states and everything at once: it opens, and says what is lost', async () => {
    for (const kind of ['series', 'state', 'log', 'chunk', 'range', 'row'] as const) {
      const path = copy()
      await spoil(path, keys.rangeOf(kind), () => true)
      await provoke(path)
      const { reports } = await checkTwice(path)
      assert.ok(reports.length > 0)
    }
    const path = copy()
    await spoil(path, { gte: Buffer.of(0), lt: Buffer.of(0xff) }, () => true)
    await provoke(path)
    await checkTwice(path)
  })
})

/** A walk that meets the mending is told so. */
const ifOpen = (walk: Promise<unknown>): Promise<unknown> =>
  walk.catch((error: unknown) => assert.equal((error as { code?: unknown }).code, 'STORE_FAILED'))

/** Reads everything, as a gateway would, until the store has noticed what is damaged and has mended itself. */
async function provoke(path: string): Promise<void> {
  const store = await open(path)
  for (let round = 0; round < 2; round++) {
    for (let after: Seq = seqZero; after < store.head('readings'); ) {
      const entries = await store.read('readings', after, 500)
      after = entries.at(-1)?.seq ?? store.head('readings')
    }
    await ifOpen(collect(store.query('readings', {})))
    await ifOpen(collect(store.rows('thresholds')))
    monotonicMs += 24 * 3_600_000
    store.health.tick()
    await store.commit([{ kind: 'state', owner: 'provoked', key: 'x', value: round }], 'now')
    await store.ready()
  }
  await store.close()
}
