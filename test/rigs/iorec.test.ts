import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { type Fault, recorderOrSkip, setFault, startRecorded } from './iorec.ts'
import { describe, readRecording } from './recording.ts'

type Outcome = { readonly output: string; readonly operations: readonly string[]; readonly root: string }

/** Runs a few lines of JavaScript under the recorder, with `root` and `fs` in reach. */
async function run(t: TestContext, script: string, fault?: Fault): Promise<Outcome> {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-rigs-')))
  t.after(() => rmSync(home, { recursive: true, force: true }))
  const [root, recording, control, program] = ['root', 'recording', 'control', 'program.mjs'].map(name =>
    join(home, name),
  ) as [string, string, string, string]
  mkdirSync(root)
  const level = import.meta.resolve('classic-level')
  writeFileSync(
    program,
    `import fs from 'node:fs'\nimport { ClassicLevel } from '${level}'\nconst root = ${JSON.stringify(root)}\n${script}`,
  )
  if (fault) setFault(control, fault)
  const child = startRecorded(pathToFileURL(program), [], { root, recording, control })
  let output = ''
  child.stdout?.on('data', chunk => (output += String(chunk)))
  child.stderr?.on('data', chunk => (output += String(chunk)))
  await once(child, 'close')
  const operations = existsSync(recording) ? readRecording(recording).map(describe) : []
  return { output: output.trim(), operations, root }
}

test('what Node writes, syncs, renames and removes is recorded in order, sub-folders too', async t => {
  if (!recorderOrSkip(t)) return
  const { output, operations } = await run(
    t,
    `fs.mkdirSync(root + '/a.new')
     const file = fs.openSync(root + '/a.new/rows', 'w')
     fs.writeSync(file, 'hello')
     fs.writeSync(file, 'J', 0)
     fs.writevSync(file, [Buffer.from('x'), Buffer.from('yz')])
     fs.ftruncateSync(file, 4)
     fs.fdatasyncSync(file)
     fs.closeSync(file)
     fs.renameSync(root + '/a.new', root + '/a')
     const folder = fs.openSync(root, 'r')
     fs.fsyncSync(folder)
     const sub = fs.openSync(root + '/a', 'r')
     fs.fsyncSync(sub)
     await fs.promises.appendFile(root + '/a/rows', 'end')
     fs.copyFileSync(root + '/a/rows', root + '/a/copy')
     fs.writeFileSync(root + '/a/rows', '')
     fs.unlinkSync(root + '/a/copy')
     fs.unlinkSync(root + '/a/rows')
     fs.rmdirSync(root + '/a')`,
  )
  assert.equal(output, '')
  // Some versions of Node cut a copy's target first, some do not.
  assert.deepEqual(
    operations.filter(each => each !== 'truncate a/copy'),
    [
      'make-folder a.new',
      'create a.new/rows',
      'write a.new/rows 0+5',
      'write a.new/rows 0+1',
      'write a.new/rows 5+3',
      'truncate a.new/rows',
      'sync-begin a.new/rows',
      'sync-file a.new/rows',
      'rename a.new -> a',
      'sync-begin .',
      'sync-folder .',
      'sync-begin a',
      'sync-folder a',
      'write a/rows 4+3',
      'create a/copy',
      'write a/copy 0+7',
      'truncate a/rows',
      'unlink a/copy',
      'unlink a/rows',
      'remove-folder a',
    ],
  )
})

test('what LevelDB writes is recorded, and its diary is left out', async t => {
  if (!recorderOrSkip(t)) return
  const { output, operations } = await run(
    t,
    `const db = new ClassicLevel(root + '/db')
     await db.open()
     await db.put('key', 'value', { sync: true })
     await db.close()`,
  )
  assert.equal(output, '')
  assert.ok(operations.includes('rename db/000001.dbtmp -> db/CURRENT'), operations.join('\n'))
  const put = operations.findIndex(each => /^write db\/000003\.log \d+\+\d+$/.test(each))
  assert.ok(put > 0)
  assert.ok(operations.slice(put).includes('sync-file db/000003.log'))
  assert.ok(!operations.some(each => /\/LOG( |$)/.test(each)))
})

test('a fault fails as many changes as it was told to, and no more', async t => {
  if (!recorderOrSkip(t)) return
  const { output } = await run(
    t,
    `const file = fs.openSync(root + '/rows', 'w')
     let said = ''
     for (let i = 0; i < 5; i++) try { fs.writeSync(file, 'x'); said += 'ok ' } catch (error) { said += error.code + ' ' }
     console.log(said)`,
    { kinds: ['W'], errno: 'ENOSPC', count: 2 },
  )
  assert.equal(output, 'ENOSPC ENOSPC ok ok ok')
})

for (const [kind, action] of [
  ['C', "fs.openSync(root + '/new', 'w')"],
  ['D', "fs.fsyncSync(fs.openSync(root, 'r'))"],
  ['M', "fs.mkdirSync(root + '/folder')"],
  ['R', "fs.renameSync(root + '/there', root + '/elsewhere')"],
  ['S', "fs.fdatasyncSync(fs.openSync(root + '/there', 'r'))"],
  ['T', "fs.ftruncateSync(fs.openSync(root + '/there', 'r+'), 1)"],
  ['U', "fs.unlinkSync(root + '/there')"],
] as const) {
  test(`a fault of kind ${kind} fails that kind, and others go on`, async t => {
    if (!recorderOrSkip(t)) return
    const ready = kind === 'C' ? '' : "fs.writeFileSync(root + '/there', 'text')"
    const { output } = await run(
      t,
      `${ready}\ntry { ${action}; console.log('ok') } catch (error) { console.log(error.code) }`,
      {
        kinds: [kind],
        errno: 'EIO',
        count: 0,
      },
    )
    assert.equal(output, 'EIO')
  })
}

for (const kind of ['W', 'P', 'F', 'S'] as const) {
  test(`LevelDB meets a fault of kind ${kind} in a synced batch`, async t => {
    if (!recorderOrSkip(t)) return
    const { output } = await run(
      t,
      `const db = new ClassicLevel(root + '/db')
       await db.open()
       await db.put('key', 'value', { sync: true })
       fs.writeFileSync(root + '/../control', '${kind}:EIO:1')
       await db.put('key', 'x'.repeat(500), { sync: true }).then(() => console.log('ok'), error => console.log(error.cause?.message ?? error.message))`,
    )
    assert.match(output, /IO error.*Input\/output error/)
  })
}
