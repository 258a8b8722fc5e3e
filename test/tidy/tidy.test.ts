import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { check, house } from './check.ts'
import { checkInvariants, checkPromises } from './invariants.ts'
import { readTree } from './source.ts'

const project = process.cwd()

test('the project keeps the manners of the house', () => {
  const files = readTree(project, [...house.folders, 'test'])
  const own = [...files.keys()].filter(path => house.folders.some(folder => path.startsWith(`${folder}/`)))
  assert.ok(own.length > 0, `there is no source file below ${project}: run the tests from the project's folder`)
  const problems = check(files).map(({ file, line, message }) => `${file}:${line}: ${message}`)
  assert.equal(problems.length, 0, `\n${problems.join('\n')}\n`)
})

test('each invariant in ARCHITECTURE.md names a test that exists', () => {
  const page = readFileSync(`${project}/ARCHITECTURE.md`, 'utf8')
  const problems = checkInvariants(page, readTree(project, ['test']))
  assert.equal(problems.length, 0, `\n${problems.join('\n')}\n`)
})

test('each promise in docs/promises.md names a test that exists', () => {
  const page = readFileSync(`${project}/docs/promises.md`, 'utf8')
  const problems = checkPromises(page, readTree(project, ['test']))
  assert.equal(problems.length, 0, `\n${problems.join('\n')}\n`)
})
