import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ClassicLevel } from 'classic-level'
import { type Examination, examine } from '../../runtime/store/doctor.ts'
import { openHome } from '../../runtime/store/home.ts'
import { silentLog } from '../../runtime/log.ts'
import * as keys from '../../runtime/store/keys.ts'
import { Store } from '../../runtime/store/store.ts'
import { asSeq } from '../../runtime/store/types.ts'
import { specs, testStamps } from './homes.ts'
import { arrival } from './suite.ts'

const nowMs = 1_700_000_000_000

async function makeStore(path: string): Promise<void> {
  for (let session = 0; session < 3; session++) {
    const store = await openStore(path)
    for (let value = 0; value < 50; value++) {
      const reading = arrival({ value: `${session} ${value} ${'x'.repeat(200)}`, arrivalMs: nowMs + value })
      await store.commit([
        { kind: 'append', table: 'readings', readings: [reading] },
        { kind: 'put', table: 'thresholds', key: `row-${value}`, value: session },
        { kind: 'cursor', name: 'bridge/cloud/readings', seq: asSeq(value) },
      ])
    }
    await store.close()
  }
}

const openStore = (path: string): Promise<Store> =>
  Store.open({
    path,
    tables: specs,
    stamps: testStamps(() => nowMs),
    origin: 'gw-1',
    commitIntervalMs: 0,
    ballastBytes: 1 << 20,
    monotonicMs: () => performance.now(),
    now: () => nowMs,
    log: silentLog,
  })

const doctor = (path: string, isDry: boolean, tables = specs): Promise<Examination> =>
  examine({
    path,
    tables,
    origin: 'gw-1',
    isDry,
    ballastBytes: 1 << 20,
    now: () => nowMs,
    monotonicMs: () => performance.now(),
    progress: () => undefined,
  })

/** Every file below a folder, with a sum of what is in it. */
function sums(folder: string): string[] {
  return (readdirSync(folder, { recursive: true }) as string[])
    .filter(name => statSync(join(folder, name)).isFile())
    .map(
      name =>
        `${name} ${createHash('sha256')
          .update(readFileSync(join(folder, name)))
          .digest('hex')}`,
    )
    .toSorted()
}

async function spoil(path: string, range: keys.KeyRange): Promise<void> {
  const level = new ClassicLevel<Buffer, Buffer>(join(path, 'db'), { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  const [pair] = await level.iterator(range).all()
  const [key, value] = pair ?? assert.fail('nothing to spoil')
  value[2] = (value[2] ?? 0) ^ 1
  await level.put(key, value)
  await level.close()
}

test('a doctor finds nothing in a whole store, changes nothing in a dry run, and mends what a dry run told of', async t => {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-doctor-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  await makeStore(path)
  const whole = await doctor(path, true)
  assert.deepEqual([whole.report, whole.findings.filter(({ level }) => level !== 'note')], [undefined, []])

  const damages: (() => void | Promise<void>)[] = [
    () => writeFileSync(join(path, 'db', 'CURRENT'), ''),
    () => spoil(path, keys.rangeOf('log')),
    () => spoil(path, keys.rangeOf('row')),
    () => spoil(path, keys.rangeOf('cursor')),
    () => {
      const table = readdirSync(join(path, 'db'))
        .filter(name => name.endsWith('.ldb'))
        .at(-1) as string
      const bytes = readFileSync(join(path, 'db', table))
      writeFileSync(join(path, 'db', table), bytes.subarray(0, bytes.length >> 1))
    },
    () => rmSync(join(path, 'db'), { recursive: true }),
    () => writeFileSync(join(path, 'card.json'), 'rubbish'),
  ]
  for (const [at, damage] of damages.entries()) {
    await damage()
    const before = sums(path)
    const dry = await doctor(path, true)
    assert.deepEqual(sums(path), before, `dry run ${at} has changed something`)
    assert.equal(dry.isMended, false)
    const isHarmless = at === damages.length - 1
    assert.equal(dry.report === undefined, isHarmless, `dry run ${at}`)
    const mended = await doctor(path, false)
    const told = ({ report }: Examination): unknown => report && { ...report, quarantine: null }
    assert.deepEqual(told(mended), told(dry), `damage ${at}: what was done is not what was told`)
    const after = await doctor(path, false)
    assert.equal(after.report, undefined, `damage ${at} is found again`)
  }
  await openStore(path).then(store => store.close())
})

test('a doctor says what the configuration does not agree with, and keeps away from a gateway that runs', async t => {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-doctor-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  await makeStore(path)
  const found = await doctor(path, true, [{ name: 'readings', kind: 'records' }])
  const warnings = found.findings.filter(({ level }) => level === 'warning')
  assert.match(warnings[0]?.text ?? '', /"readings" is stored as series, and the configuration says records/)
  const home = await openHome(path, 1 << 20, () => nowMs, silentLog)
  await assert.rejects(doctor(path, true), { code: 'STORE_LOCKED' })
  await home.close()
})
