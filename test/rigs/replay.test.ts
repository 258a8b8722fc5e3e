import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Manner } from './fixture-writer.ts'
import { recorderOrSkip, startRecorded } from './iorec.ts'
import { type Operation, readRecording } from './recording.ts'
import { type CrashState, choosePoints, type Policy, policies, replay } from './replay.ts'

async function record(t: TestContext, manner: Manner): Promise<readonly Operation[]> {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-rigs-')))
  t.after(() => rmSync(home, { recursive: true, force: true }))
  const root = join(home, 'root')
  const recording = join(home, 'recording')
  mkdirSync(root)
  const child = startRecorded(new URL('./fixture-writer.js', import.meta.url), [root, recording, manner], {
    root,
    recording,
  })
  assert.deepEqual(await once(child, 'exit'), [0, null])
  return readRecording(recording)
}

/** The numbers that are missing below the acknowledged one, and what is wrong otherwise. */
function judge(state: CrashState): string | undefined {
  const parts = join(state.folder, 'parts')
  const lines = existsSync(parts)
    ? readdirSync(parts)
        .filter(name => name.startsWith('part-'))
        .flatMap(name => readFileSync(join(parts, name), 'latin1').split('\n'))
    : []
  for (let line = 1; line <= state.acknowledged; line++) {
    if (!lines.includes(`line ${line}`)) return `line ${line} of ${state.acknowledged} is gone`
  }
  if (state.note === 'created' && readFileSync(join(parts, 'format'), 'latin1') !== 'lines 1\n') return 'format is gone'
  return undefined
}

async function losses(operations: readonly Operation[], chosen: readonly Policy[]): Promise<readonly string[]> {
  const found: string[] = []
  const points = operations.map((_, index) => index + 1)
  await replay(operations, { points, policies: chosen, seed: 1 }, async state => {
    const wrong = judge(state)
    if (wrong) found.push(`${state.policy} at ${state.point}: ${wrong}`)
  })
  return found
}

test('a careful writer loses nothing in any state that a power cut can leave', async t => {
  if (!recorderOrSkip(t)) return
  assert.deepEqual(await losses(await record(t, 'careful'), policies), [])
})

test('a writer that acknowledges before it syncs is found out', async t => {
  if (!recorderOrSkip(t)) return
  const operations = await record(t, 'ack-before-sync')
  assert.equal((await losses(operations, ['keep-ext4'])).length, 0, 'with all writes on disk nothing is missing')
  for (const policy of ['lose-ext4', 'torn-ext4', 'zero-ext4', 'junk-ext4', 'lose-posix'] as const) {
    assert.ok((await losses(operations, [policy])).length > 0, policy)
  }
})

test('a writer that never syncs its folders is found out by what POSIX promises, and passes on ext4', async t => {
  if (!recorderOrSkip(t)) return
  const operations = await record(t, 'no-folder-sync')
  const written = operations.filter(each => !(each.kind === 'note' && each.text === 'created'))
  assert.equal((await losses(written, ['lose-ext4', 'torn-ext4'])).length, 0)
  assert.ok((await losses(written, ['lose-posix'])).length > 0)
})

test('a folder that is renamed into place before its files are synced is found out', async t => {
  if (!recorderOrSkip(t)) return
  assert.ok((await losses(await record(t, 'rename-unsynced'), ['lose-ext4'])).length > 0)
})

test('the same seed builds the same states', async t => {
  if (!recorderOrSkip(t)) return
  const operations = await record(t, 'careful')
  const run = async (seed: number): Promise<string> => {
    let all = ''
    await replay(operations, { points: choosePoints(operations, 30, seed), seed }, async state => {
      const files = readdirSync(state.folder, { recursive: true, withFileTypes: true }).filter(each => each.isFile())
      for (const file of files) all += file.name + readFileSync(join(file.parentPath, file.name), 'latin1')
    })
    return all
  }
  assert.equal(await run(7), await run(7))
  assert.notEqual(await run(7), await run(8))
})

test('half of the chosen points lie around changes of names', () => {
  const write: Operation = { kind: 'write', inode: 1, offset: 0, bytes: Buffer.from('x'), path: 'a' }
  const operations: Operation[] = Array.from({ length: 1000 }, () => write)
  operations[500] = { kind: 'rename', path: 'a', to: 'b' }
  const points = choosePoints(operations, 10, 1)
  assert.equal(points.length, 10)
  assert.ok(points.filter(point => point >= 499 && point <= 505).length >= 5)
})
