import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recorderOrSkip } from '../rigs/iorec.ts'
import { faultCases, runFaultCase } from '../rigs/matrix.ts'

/** One of each kind; `campaign:store` runs them all. */
const chosen = [
  'W:EIO once',
  'W:ENOSPC for a while',
  'P:EIO once',
  'F:EIO once',
  'S:EIO once',
  'S:ENOSPC for a while',
  'C:ENOSPC for a while, from the next log file on',
  'D:EIO once, at the next log file',
  'P:EIO, then R:EIO once at the reopening',
  'P:EIO once, while the log is trimmed',
]

test('the chosen faults are in the matrix', () => {
  const names = faultCases.map(each => each.name)
  assert.deepEqual(
    chosen.filter(name => !names.includes(name)),
    [],
  )
})

for (const faultCase of faultCases.filter(each => chosen.includes(each.name))) {
  test(`one failed write or sync loses nothing acknowledged, and the store goes on by itself (${faultCase.name})`, async t => {
    if (!recorderOrSkip(t)) return
    const result = await runFaultCase(faultCase)
    assert.deepEqual(result.problems, [])
    assert.deepEqual([result.missing, result.opened, result.resumed], [0, true, true])
    assert.ok(result.refused > 0, 'the fault met nothing')
  })
}
