import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkInvariants, checkPromises, invariantIds } from './invariants.ts'

const tests = new Map([['test/x.test.ts', "test('it holds', () => {})\ntest(\n  'it\\'s | kept',\n  () => {},\n)\n"]])
const rowsOf = (replaced: Readonly<Record<string, string>> = {}): string =>
  invariantIds.map(id => replaced[id] ?? `| ${id} | A sentence. | \`test/x.test.ts\` | it holds |`).join('\n')

test('a page whose rows all name a test that exists has no problem', () => {
  assert.deepEqual(
    checkInvariants(`# House\n\n| id | what | file | test |\n|---|---|---|---|\n${rowsOf()}\n`, tests),
    [],
  )
})

test('names with quotes and bars are found as they are written', () => {
  assert.deepEqual(checkInvariants(rowsOf({ I2: "| I2 | A sentence. | test/x.test.ts | it's \\| kept |" }), tests), [])
})

test('a missing row, a missing file, a missing test, a doubled and an unknown id are each told', () => {
  const problems = checkInvariants(
    rowsOf({
      I1: '',
      I3: '| I3 | A sentence. | test/gone.test.ts | it holds |',
      I4: '| I4 | A sentence. | test/x.test.ts | it flies |',
      I5: '| I5 | A. | test/x.test.ts | it holds |\n| I5 | B. | test/x.test.ts | it holds |',
      I6: '| I6 | A. | test/x.test.ts | it holds |\n| I99 | B. | test/x.test.ts | it holds |',
      I7: '| I7 | | test/x.test.ts | it holds |',
    }),
    tests,
  )
  assert.deepEqual(problems.map(problem => problem.split(' ').slice(0, 4).join(' ')).sort(), [
    'I1 has no row',
    'I3 names the test',
    'I4 names the test',
    'I5 stands twice in',
    'I7 has no sentence',
    'I99 is no invariant',
  ])
})

test('a promise whose test is missing is told, and a page without promises too', () => {
  assert.deepEqual(checkPromises('| It holds. | `test/x.test.ts` | it holds |\n', tests), [])
  assert.match(
    checkPromises('| It flies. | `test/x.test.ts` | it flies |\n', tests).join(),
    /"It flies\." names the test/,
  )
  assert.match(checkPromises('| It is. | `test/gone.ts` | it is |\n', tests).join(), /which does not exist/)
  assert.match(checkPromises('# Promises\n', tests).join(), /has no promise/)
})
