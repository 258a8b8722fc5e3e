import assert from 'node:assert/strict'
import { test } from 'node:test'
import { check } from './check.ts'

/** A small house without a problem; each test spoils it in one way. */
const goodHouse: Readonly<Record<string, string>> = {
  'runtime/main.ts': "import { runCommand } from './commands/run.ts'\nrunCommand()\n",
  'runtime/commands/run.ts':
    "import { Command } from 'commander'\nimport { openGateway } from '../gateway.ts'\nexport const runCommand = () => openGateway(new Command())\n",
  'runtime/gateway.ts':
    "import { Store } from './store/store.ts'\nimport { takePublish } from './ingest/ingest.ts'\nexport const openGateway = (x: unknown) => [x, Store, takePublish]\n",
  'runtime/store/store.ts':
    "import { ClassicLevel } from 'classic-level'\nimport type { Reading } from '../reading.ts'\nexport class Store { level = ClassicLevel; last?: Reading }\n",
  'runtime/ingest/ingest.ts':
    "import { decode } from '../../adapters/json.ts'\nimport type { Store } from '../store/store.ts'\nimport { silent } from '../log.ts'\nexport const takePublish = (store: Store) => [store, decode, silent]\n",
  'runtime/clock/clock.ts': 'export const now = () => Date.now()\n',
  'runtime/log.ts': 'export const silent = true\n',
  'runtime/reading.ts': 'export type Reading = { readonly value: number }\n',
  'adapters/json.ts':
    "import type { Reading } from '../runtime/reading.ts'\nexport const decode = (value: number): Reading => ({ value })\n",
  'firmware-sim/main.ts': "import mqtt from 'mqtt'\nmqtt.connect('mqtt://127.0.0.1')\n",
  'test/clock/clock.test.ts': "import { now } from '../../runtime/clock/clock.ts'\nnow()\n",
}

const problemsOf = (changed: Readonly<Record<string, string>>): readonly string[] =>
  check(new Map(Object.entries({ ...goodHouse, ...changed }))).map(
    ({ file, line, message }) => `${file}:${line}: ${message}`,
  )

function finds(changed: Readonly<Record<string, string>>, expected: RegExp): void {
  const problems = problemsOf(changed)
  assert.ok(
    problems.some(problem => expected.test(problem)),
    `${expected} not in:\n${problems.join('\n')}`,
  )
}

/** A file's text in the good house with lines put before it. */
const before = (path: string, lines: string): Record<string, string> => ({
  [path]: `${lines}\n${goodHouse[path] ?? ''}`,
})

test('a house with good manners has no problem', () => {
  assert.deepEqual(problemsOf({}), [])
})

test('a room that imports its sibling is told where they meet', () => {
  finds(
    before('runtime/ingest/ingest.ts', "import { now } from '../clock/clock.ts'"),
    /^runtime\/ingest\/ingest\.ts:1: runtime\/ingest may not import runtime\/clock\/clock\.ts: siblings meet only at the store/,
  )
})

test('type-only imports, imports over several lines, re-exports and import() count as imports', () => {
  for (const form of [
    "import type { now } from '../clock/clock.ts'",
    "import {\n  now,\n  type Now,\n} from '../clock/clock.ts'",
    "import * as clock from '../clock/clock.ts'",
    "import '../clock/clock.ts'",
    "export { now } from '../clock/clock.ts'",
    "export * from '../clock/clock.ts'",
    "const late = await import('../clock/clock.ts')",
    "type Late = import('../clock/clock.ts').Late",
  ]) {
    finds(before('runtime/ingest/ingest.ts', form), /runtime\/ingest may not import runtime\/clock/)
  }
})

test('an import in a comment or a string is none', () => {
  const comment =
    "// import { now } from '../clock/clock.ts'\n/* import '../clock/clock.ts' */\nconst text = `import '../clock/clock.ts'`"
  assert.deepEqual(problemsOf(before('runtime/ingest/ingest.ts', comment)), [])
})

test('a leaf that imports a room is found', () => {
  finds(
    before('runtime/reading.ts', "import type { Store } from './store/store.ts'"),
    /the leaf runtime\/reading\.ts may not import runtime\/store/,
  )
})

test('a pure room may import only pure leaves, no built-in module, no timer, no randomness [I8]', () => {
  finds(
    before('adapters/json.ts', "import { openLog } from '../runtime/log.ts'"),
    /adapters may not import runtime\/log\.ts: pure rooms/,
  )
  finds(
    before('adapters/json.ts', "import { readFileSync } from 'node:fs'"),
    /adapters is pure and may not import node:fs/,
  )
  finds(before('adapters/json.ts', 'setTimeout(() => {}, 1)'), /adapters is pure and may not use setTimeout/)
  finds(
    before('adapters/json.ts', 'export const dice = Math.random()'),
    /adapters is pure and may not use Math\.random/,
  )
})

test('firmware-sim imports nothing of runtime, not even a leaf', () => {
  finds(
    before('firmware-sim/main.ts', "import type { Reading } from '../runtime/reading.ts'"),
    /firmware-sim may not import runtime\/reading\.ts: it speaks only MQTT/,
  )
})

test('code that imports a test is found', () => {
  finds(before('runtime/gateway.ts', "import '../test/clock/clock.test.ts'"), /code never imports tests/)
})

test('an import of a file that is not there is found', () => {
  finds(before('runtime/gateway.ts', "import './store/gone.ts'"), /\.\/store\/gone\.ts is no file of the project/)
})

test('a package outside its home is found, sub-paths and scopes too', () => {
  finds(
    before('runtime/ingest/ingest.ts', "import { ClassicLevel } from 'classic-level'"),
    /the package classic-level lives in runtime\/store alone/,
  )
  finds(
    before('runtime/gateway.ts', "import { stream } from 'hono/streaming'"),
    /the package hono lives in runtime\/api alone/,
  )
  finds(
    before('runtime/gateway.ts', "import { serve } from '@hono/node-server/x'"),
    /the package @hono\/node-server lives in runtime\/api alone/,
  )
})

test('a package without a home is found', () => {
  finds(before('runtime/gateway.ts', "import _ from 'lodash'"), /the package lodash has no home/)
  finds(before('runtime/gateway.ts', "import _ from 'constructor'"), /the package constructor has no home/)
})

test('a circle of imports is found, type-only imports included', () => {
  finds(
    {
      'runtime/store/a.ts': "import type { B } from './b.ts'\nexport type A = B\n",
      'runtime/store/b.ts': "import type { A } from './a.ts'\nexport type B = A\n",
      ...before('runtime/store/store.ts', "import './a.ts'"),
    },
    /imports go in a circle, runtime\/store\/a\.ts -> runtime\/store\/b\.ts -> runtime\/store\/a\.ts/,
  )
})

test('folders that say nothing are found', () => {
  for (const name of ['utils', 'common', 'helpers', 'types']) {
    finds({ [`runtime/store/${name}/x.ts`]: 'export const x = 1\n' }, new RegExp(`a folder named ${name} says nothing`))
  }
})

test('a file in no room is found', () => {
  finds({ 'runtime/stray.ts': 'export const x = 1\n' }, /runtime\/stray\.ts is in no room/)
  finds({ 'runtime/attic/stray.ts': 'export const x = 1\n' }, /runtime\/attic\/stray\.ts is in no room/)
})

test('barrels are found, by their name and by what they do', () => {
  finds({ 'runtime/store/index.ts': 'export const x = 1\n' }, /a barrel hides where things live/)
  finds(
    { 'runtime/store/all.ts': "export * from './store.ts'\nexport { Store } from './store.ts'\n" },
    /runtime\/store\/all\.ts:1: a barrel/,
  )
})

test('default exports are found', () => {
  finds(before('runtime/reading.ts', 'export default 1'), /`export default` has no place here: export it by its name/)
  finds(before('runtime/reading.ts', 'const x = 1\nexport { x as default }'), /runtime\/reading\.ts:2: `as default`/)
})

test('the time of day outside runtime/clock is found, whatever way it is asked', () => {
  for (const form of ['Date.now()', 'new Date()', 'new Date', 'Date()', 'const now = Date.now']) {
    finds(
      before('runtime/gateway.ts', `export const x = ${form.replace('const now = ', '')};`),
      /belongs in runtime\/clock/,
    )
  }
  finds(before('runtime/gateway.ts', 'export const text = `at ${Date.now()}`'), /belongs in runtime\/clock/)
})

test('a given time, and the word in a comment or a string, are no reading of the clock', () => {
  const fine =
    "// Date.now() is forbidden\nexport const text = 'Date.now()' + new Date(5).toISOString() + Date.UTC(2020, 0, 1)\nexport type When = Date"
  assert.deepEqual(problemsOf(before('runtime/gateway.ts', fine)), [])
})

test('the environment outside runtime/config is found', () => {
  finds(
    before('runtime/gateway.ts', 'export const home = process.env.HOME'),
    /`process\.env` belongs in runtime\/config alone/,
  )
})

test('a quote or a slash in a regular expression does not hide what follows it', () => {
  const tricky =
    "export const quote = /['\"]/\nexport const url = 'http://x'\nexport const half = 4 / 2 / 1\nexport const late = Date.now()"
  finds(before('runtime/gateway.ts', tricky), /runtime\/gateway\.ts:4: `Date\.now` belongs/)
})

test('a file of more than 400 lines is found', () => {
  finds(before('runtime/gateway.ts', '// x\n'.repeat(400)), /40\d lines are more than 400: split the file/)
  assert.deepEqual(problemsOf(before('runtime/gateway.ts', '// x\n'.repeat(390))), [])
})

test('a file that nothing reaches is found, and a program that a test starts is reached', () => {
  finds({ 'runtime/store/dead.ts': 'export const x = 1\n' }, /runtime\/store\/dead\.ts:1: nothing reaches this file/)
  assert.deepEqual(
    problemsOf({
      'runtime/store/child.ts': 'export const x = 1\n',
      ...before('test/clock/clock.test.ts', "const program = new URL('../../runtime/store/child.js', import.meta.url)"),
    }),
    [],
  )
})

test('a floor of a room may import those below it and the contracts of the room, and none above it', () => {
  const floors = {
    'runtime/replication/wire/codec.ts': 'export const codec = 1\n',
    'runtime/replication/limits.ts': 'export const most = 1\n',
    'runtime/replication/send/sender.ts':
      "import { codec } from '../wire/codec.ts'\nimport { most } from '../limits.ts'\nexport const sender = codec + most\n",
    'test/replication/sender.test.ts': "import { sender } from '../../runtime/replication/send/sender.ts'\nsender\n",
  }
  assert.deepEqual(problemsOf(floors), [])
  const upward = "import { sender } from '../send/sender.ts'\nexport const codec = sender\n"
  const [problem = ''] = problemsOf({
    ...floors,
    'runtime/replication/wire/codec.ts': upward,
    'runtime/replication/send/sender.ts': 'export const sender = 1\n',
  })
  assert.match(problem, /a floor never imports one above it/)
})
