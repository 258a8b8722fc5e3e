/** What a gateway does whose rule files have become faulty while it was off. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { KeptRules } from '../../runtime/alerting/kept-rules.ts'
import { Rulebook } from '../../runtime/alerting/rulebook.ts'
import { silentLog } from '../../runtime/log.ts'
import { Rig } from './rig.ts'

describe('rules that were good last', () => {
  let rig: Rig
  let folder: string
  let raised: string[]
  beforeEach(async () => {
    rig = await new Rig().open()
    folder = mkdtempSync(join(tmpdir(), 'holdfast-kept-'))
    raised = []
  })
  afterEach(async () => {
    await rig.end()
    rmSync(folder, { recursive: true })
  })

  const write = (name: string, ...alerts: string[]): void => {
    const lines = alerts.map(alert => `      - ${alert}`).join('\n')
    writeFileSync(join(folder, name), `groups:\n  - name: ${name.slice(0, 1)}\n    rules:\n${lines}\n`)
  }
  /** A start: which rules it puts in force, and how often it says so. */
  const start = async (): Promise<{ book: Rulebook; told: string[][] }> => {
    const told: string[][] = []
    const book = new Rulebook({
      folder,
      zone: 'UTC',
      tables: rig.store.tables,
      log: silentLog,
      alerts: { raise: (_, { text }) => void raised.push(text), resolve: () => void raised.push('') },
      kept: new KeptRules(rig.store, silentLog),
      changed: rules => void told.push(rules.map(({ id }) => id)),
    })
    await rig.store.commit([], 'now')
    return { book, told }
  }
  const restart = async (): Promise<ReturnType<typeof start>> => {
    await rig.close()
    await rig.open()
    return start()
  }

  it('go on over a restart with files that have become faulty, which is told', async () => {
    write('a.yaml', '{ alert: Warm, above: 8 }')
    write('b.yaml', '{ alert: Cold, below: 2 }')
    assert.deepEqual((await start()).told, [['Warm', 'Cold']])
    write('b.yaml', '{ alert: Cold, bellow: 2 }')
    const { book, told } = await restart()
    assert.deepEqual(told, [['Warm', 'Cold']])
    assert.match(raised.at(-1) ?? '', /the rules read before stay in force/)
    assert.match(book.status().problems.join(), /b\.yaml:4:\d+.*bellow/)
    write('b.yaml', '{ alert: Cold, below: 3 }')
    assert.equal(book.reload(), true)
    assert.equal(raised.at(-1), '')
    assert.equal(told.length, 2)
  })

  it('are those of the last good set: files that were deleted are forgotten', async () => {
    write('a.yaml', '{ alert: Warm, above: 8 }')
    write('b.yaml', '{ alert: Cold, below: 2 }')
    const { book } = await start()
    unlinkSync(join(folder, 'b.yaml'))
    assert.equal(book.reload(), true)
    await rig.store.commit([], 'now')
    write('a.yaml', 'nonsense')
    assert.deepEqual((await restart()).told, [['Warm']])
  })

  it('do not come back while a good set is in force, be it an empty one', async () => {
    write('a.yaml', '{ alert: Warm, above: 8 }')
    const { book, told } = await start()
    unlinkSync(join(folder, 'a.yaml'))
    assert.equal(book.reload(), true)
    write('a.yaml', 'nonsense')
    assert.equal(book.reload(), false)
    assert.deepEqual(told, [['Warm'], []])
  })
})
